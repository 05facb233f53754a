// Data types and lists of columns in their DDL form.
#include <algorithm>

#include "sql/parser_state.h"

namespace deuteron::sql {

using types::DataType;
using types::TypeId;

namespace {

struct TypeName {
  std::string_view name;
  TypeId type;
};
constexpr TypeName kTypeNames[] = {
    {"BOOLEAN", TypeId::kBoolean},
    {"TINYINT", TypeId::kByte},
    {"BYTE", TypeId::kByte},
    {"SMALLINT", TypeId::kShort},
    {"SHORT", TypeId::kShort},
    {"INT", TypeId::kInteger},
    {"INTEGER", TypeId::kInteger},
    {"BIGINT", TypeId::kLong},
    {"LONG", TypeId::kLong},
    {"FLOAT", TypeId::kFloat},
    {"REAL", TypeId::kFloat},
    {"DOUBLE", TypeId::kDouble},
    {"STRING", TypeId::kString},
    {"BINARY", TypeId::kBinary},
    {"DATE", TypeId::kDate},
    {"TIMESTAMP", TypeId::kTimestamp},
    {"TIMESTAMP_LTZ", TypeId::kTimestamp},
    {"TIMESTAMP_NTZ", TypeId::kTimestampNtz},
    {"VOID", TypeId::kNull},
};
constexpr std::string_view kUnsupportedTypes[] = {"VARIANT", "TIME", "GEOMETRY", "GEOGRAPHY", "OBJECT"};

constexpr std::string_view kYearMonthFields[] = {"YEAR", "MONTH"};
constexpr std::string_view kDayTimeFields[] = {"DAY", "HOUR", "MINUTE", "SECOND"};

template <size_t size>
int index_of(const std::string_view (&names)[size], const std::string& name) {
  const auto* found = std::find(std::begin(names), std::end(names), name);
  return found == std::end(names) ? -1 : static_cast<int>(found - std::begin(names));
}

}  // namespace

DataType Parser::data_type(bool in_cast) {
  const Level level(*this);
  const size_t start = position_;
  if (at("<>", 1) && at("STRUCT")) {  // no field at all: the lexer reads one symbol
    advance();
    advance();
    return DataType::structure({});
  }
  if (at("<", 1)) {
    if (accept("ARRAY", "<")) {
      DataType element = data_type(in_cast);
      close_angle();
      return DataType::array(std::move(element));
    }
    if (accept("MAP", "<")) {
      DataType key = data_type(in_cast);
      if (at(">")) {
        position_ = start + 1;
        fail_here();
      }
      expect(",");
      DataType value = data_type(in_cast);
      close_angle();
      return DataType::map(std::move(key), std::move(value));
    }
    if (accept("STRUCT", "<")) {
      types::Schema fields;
      if (!at(">")) fields = struct_fields();
      close_angle();
      return DataType::structure(std::move(fields));
    }
  }
  if (at("INTERVAL")) return interval_type();
  if (!at_name()) {
    fail_here();
    return DataType();
  }
  const std::string name = peek().kind == TokenKind::kWord ? peek().upper : "";
  advance();
  return primitive_type(name, start, in_cast);
}

DataType Parser::primitive_type(const std::string& name, size_t start, bool in_cast) {
  const auto* found = std::find_if(std::begin(kTypeNames), std::end(kTypeNames),
                                   [&](const TypeName& t) { return t.name == name; });
  if (found != std::end(kTypeNames) && !at("(")) {
    if (name == "STRING" && at("COLLATE")) fail_unsupported("COLLATE");
    return DataType(found->type);
  }
  if (name == "DECIMAL" || name == "DEC" || name == "NUMERIC") return decimal_type(start);
  if (name == "VARCHAR" || name == "CHAR" || name == "CHARACTER") {
    if (!at("(")) {
      fail_at(start, "DATATYPE_MISSING_SIZE", {{"type", "\"" + name + "\""}});
      return DataType();
    }
    advance();
    plain_integer();
    expect(")");
    if (!in_cast) fail_unsupported("data type " + name);
    return DataType(TypeId::kString);
  }
  if (name == "ARRAY") fail_at(start, "INCOMPLETE_TYPE_DEFINITION.ARRAY", {{"elementType", "<INT>"}});
  if (name == "MAP") fail_at(start, "INCOMPLETE_TYPE_DEFINITION.MAP");
  if (name == "STRUCT") fail_at(start, "INCOMPLETE_TYPE_DEFINITION.STRUCT");
  if (index_of(kUnsupportedTypes, name) >= 0) fail_unsupported("data type " + name);
  if (at("(") && peek().match >= 0) position_ = static_cast<size_t>(peek().match) + 1;
  std::string shown(tokens_[start].text);
  if (tokens_[start].kind == TokenKind::kQuotedName) shown = shown.substr(1, shown.size() - 2);
  for (char& c : shown) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  fail_at(start, "UNSUPPORTED_DATATYPE", {{"typeName", "\"" + shown + "\""}});
  return DataType();
}

DataType Parser::decimal_type(size_t start) {
  int64_t precision = 10;
  int64_t scale = 0;
  if (accept("(")) {
    precision = plain_integer();
    if (accept(",")) {
      const bool is_negative = accept("-");
      scale = plain_integer();
      if (is_negative) scale = -scale;
    }
    expect(")");
  }
  if (!failure_.ok()) return DataType();
  if (precision > 38) {
    fail(error("DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION",
               {{"precision", std::to_string(precision)}, {"maxPrecision", "38"}}));
    return DataType();
  }
  if (scale > precision) {
    fail(error("_LEGACY_ERROR_TEMP_1228",
               {{"scale", std::to_string(scale)}, {"precision", std::to_string(precision)}}));
    return DataType();
  }
  if (precision < 1) {
    fail_unsupported("data type decimal(0,0)");
    return DataType();
  }
  if (scale < 0) {
    position_ = start;
    fail_here();
    return DataType();
  }
  return DataType::decimal(static_cast<int>(precision), static_cast<int>(scale));
}

// INTERVAL, INTERVAL DAY, INTERVAL DAY TO SECOND …
DataType Parser::interval_type() {
  expect("INTERVAL");
  const int month_field = index_of(kYearMonthFields, peek().upper);
  const int time_field = index_of(kDayTimeFields, peek().upper);
  if (month_field < 0 && time_field < 0) return DataType(TypeId::kCalendarInterval);
  advance();
  const int first = std::max(month_field, time_field);
  int last = first;
  if (at("TO")) {
    last = month_field >= 0 ? index_of(kYearMonthFields, peek(1).upper)
                            : index_of(kDayTimeFields, peek(1).upper);
    if (last <= first) {
      fail_here();
      return DataType();
    }
    advance();
    advance();
  }
  return month_field >= 0 ? DataType::year_month_interval(first, last)
                          : DataType::day_time_interval(first, last);
}

types::Schema Parser::struct_fields() {
  types::Schema fields;
  do fields.push_back(struct_field());
  while (accept(","));
  return fields;
}

// name [:] type [NOT NULL] [COMMENT 'text']
types::StructField Parser::struct_field() {
  types::StructField field;
  field.name = identifier();
  accept(":");
  field.type = data_type(false);
  if (accept("NOT", "NULL")) field.nullable = false;
  if (at("DEFAULT")) fail_unsupported("DEFAULT of a column");
  if (accept("COMMENT")) field.metadata_json = "{\"comment\":" + json_text(string_token()) + "}";
  return field;
}

// `>`, also one that the lexer has joined to `>=`… which no type ends with.
void Parser::close_angle() { expect(">"); }

std::string Parser::json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char kDigits[] = "0123456789abcdef";
      quoted += "\\u00";
      quoted += kDigits[(c >> 4) & 15];
      quoted += kDigits[c & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace deuteron::sql
