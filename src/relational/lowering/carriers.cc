#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {

using types::DataType;
using types::TypeId;

std::string quote_name(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::string quote_text(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string cast_to(const std::string& text, std::string_view name) {
  return "CAST(" + text + " AS " + std::string(name) + ")";
}
std::string cast_to(const std::string& text, const DataType& type) {
  return cast_to(text, duckdb_type(type));
}

std::string duckdb_type(const DataType& type) {
  switch (type.id()) {
    case TypeId::kNull: return "INTEGER";
    case TypeId::kBoolean: return "BOOLEAN";
    case TypeId::kByte: return "TINYINT";
    case TypeId::kShort: return "SMALLINT";
    case TypeId::kInteger: return "INTEGER";
    case TypeId::kLong: return "BIGINT";
    case TypeId::kFloat: return "FLOAT";
    case TypeId::kDouble: return "DOUBLE";
    case TypeId::kDecimal:
      return "DECIMAL(" + std::to_string(type.precision()) + "," + std::to_string(type.scale()) + ")";
    case TypeId::kString: return "VARCHAR";
    case TypeId::kBinary: return "BLOB";
    case TypeId::kDate: return "DATE";
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz: return "TIMESTAMP";
    case TypeId::kDayTimeInterval: return "BIGINT";
    case TypeId::kYearMonthInterval: return "INTEGER";
    case TypeId::kCalendarInterval: return "INTERVAL";
    case TypeId::kArray: return duckdb_type(type.element()) + "[]";
    case TypeId::kMap: return "MAP(" + duckdb_type(type.key()) + ", " + duckdb_type(type.value()) + ")";
    case TypeId::kStruct: {
      if (type.fields().empty()) return "BOOLEAN";  // DuckDB has no such struct: true, or null
      std::string text;
      for (const auto& field : type.fields()) {
        text += (text.empty() ? "" : ", ") + quote_name(field.name) + " " + duckdb_type(field.type);
      }
      return "STRUCT(" + text + ")";
    }
  }
  return "INTEGER";
}

Result<std::string> carrier_of(const DataType& type) {
  if (type.is(TypeId::kArray)) {
    ASSIGN_OR_RETURN([[maybe_unused]] auto element, carrier_of(type.element()));
  }
  if (type.is(TypeId::kMap)) {
    ASSIGN_OR_RETURN([[maybe_unused]] auto key, carrier_of(type.key()));
    ASSIGN_OR_RETURN([[maybe_unused]] auto value, carrier_of(type.value()));
  }
  if (type.is(TypeId::kStruct)) {
    std::set<std::string> seen;
    for (const auto& field : type.fields()) {
      std::string name = field.name;
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      if (!seen.insert(name).second)
        return unsupported("a struct whose fields differ only in case: " + field.name);
      if (name.empty()) return unsupported("a struct field without name");
      ASSIGN_OR_RETURN([[maybe_unused]] auto inner, carrier_of(field.type));
    }
  }
  return duckdb_type(type);
}

namespace {

std::string padded(int64_t value, int width) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%0*lld", width, static_cast<long long>(value));
  return buffer;
}

std::string date_literal(int64_t days) {
  const types::CivilDate date = types::civil_from_days(days);
  if (date.year < 1 || date.year > 9999)
    return "(DATE '1970-01-01' + CAST(" + std::to_string(days) + " AS INTEGER))";
  return "DATE '" + padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "'";
}

std::string timestamp_literal(int64_t microseconds) {
  constexpr int64_t kDay = 86'400'000'000;
  int64_t days = microseconds / kDay, rest = microseconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const types::CivilDate date = types::civil_from_days(days);
  if (date.year < 1 || date.year > 9999)
    return "make_timestamp(CAST(" + std::to_string(microseconds) + " AS BIGINT))";
  const int64_t seconds = rest / 1'000'000;
  return "TIMESTAMP '" + padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) +
         " " + padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" +
         padded(seconds % 60, 2) + "." + padded(rest % 1'000'000, 6) + "'";
}

std::string floating_literal(double value, const DataType& type) {
  const std::string name = duckdb_type(type);
  if (std::isnan(value)) return "CAST('NaN' AS " + name + ")";
  if (std::isinf(value)) return std::string("CAST('") + (value > 0 ? "" : "-") + "Infinity' AS " + name + ")";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return std::string("CAST('") + buffer + "' AS " + name + ")";
}

std::string text_literal(const std::string& text) {
  if (text.find('\0') == std::string::npos) return quote_text(text);
  std::string joined;
  for (size_t start = 0;;) {
    const size_t zero = text.find('\0', start);
    joined += (joined.empty() ? "" : " || ") + quote_text(std::string_view(text).substr(start, zero - start));
    if (zero == std::string::npos) return "(" + joined + ")";
    joined += " || chr(0)";
    start = zero + 1;
  }
}

std::string binary_literal(const std::string& bytes) {
  std::string text = "'";
  for (const char c : bytes) {
    char buffer[8];
    std::snprintf(buffer, sizeof buffer, "\\x%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += buffer;
  }
  return "CAST(" + text + "' AS BLOB)";
}

Result<std::string> map_literal(const types::MapEntries& entries, const DataType& type) {
  std::string keys, values;
  for (size_t i = 0; i < entries.keys.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string key, write_literal(entries.keys[i], type.key()));
    ASSIGN_OR_RETURN(const std::string item, write_literal(entries.values[i], type.value()));
    keys += (keys.empty() ? "" : ", ") + key;
    values += (values.empty() ? "" : ", ") + item;
  }
  return "CAST(map([" + keys + "], [" + values + "]) AS " + duckdb_type(type) + ")";
}

}  // namespace

Result<std::string> write_literal(const types::Value& value, const DataType& type) {
  ASSIGN_OR_RETURN(const std::string carrier, carrier_of(type));
  if (value.is_null()) return "CAST(NULL AS " + carrier + ")";
  const auto integer = [&] { return std::get<int64_t>(value.data); };
  switch (type.id()) {
    case TypeId::kNull: return std::string("CAST(NULL AS INTEGER)");
    case TypeId::kBoolean: return std::string(std::get<bool>(value.data) ? "true" : "false");
    case TypeId::kInteger:
      if (integer() >= 0) return std::to_string(integer());
      [[fallthrough]];
    case TypeId::kByte:
    case TypeId::kShort:
    case TypeId::kLong:
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return "CAST('" + std::to_string(integer()) + "' AS " + carrier + ")";
    case TypeId::kFloat:
    case TypeId::kDouble: return floating_literal(std::get<double>(value.data), type);
    case TypeId::kDecimal:
      return "CAST('" + types::decimal_to_string(std::get<types::Int128>(value.data), type.scale()) +
             "' AS " + carrier + ")";
    case TypeId::kString: return text_literal(std::get<std::string>(value.data));
    case TypeId::kBinary: return binary_literal(std::get<std::string>(value.data));
    case TypeId::kDate: return date_literal(integer());
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz: return timestamp_literal(integer());
    case TypeId::kCalendarInterval: {
      const auto& interval = std::get<types::CalendarInterval>(value.data);
      return "(to_months(" + std::to_string(interval.months) + ") + to_days(" +
             std::to_string(interval.days) + ") + to_microseconds(" + std::to_string(interval.microseconds) +
             "))";
    }
    case TypeId::kArray: {
      std::string items;
      for (const auto& item : std::get<std::vector<types::Value>>(value.data)) {
        ASSIGN_OR_RETURN(const std::string text, write_literal(item, type.element()));
        items += (items.empty() ? "" : ", ") + text;
      }
      return "CAST([" + items + "] AS " + carrier + ")";
    }
    case TypeId::kMap: return map_literal(std::get<types::MapEntries>(value.data), type);
    case TypeId::kStruct: {
      const auto& items = std::get<std::vector<types::Value>>(value.data);
      if (items.empty()) return std::string("true");
      std::string fields;
      for (size_t i = 0; i < items.size(); ++i) {
        ASSIGN_OR_RETURN(const std::string text, write_literal(items[i], type.fields()[i].type));
        fields += (fields.empty() ? "" : ", ") + quote_name(type.fields()[i].name) + " := " + text;
      }
      return "struct_pack(" + fields + ")";
    }
  }
  return internal_error("a literal of an unknown type");
}

}  // namespace deuteron::relational
