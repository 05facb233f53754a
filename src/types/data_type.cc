#include "types/data_type.h"

#include <string_view>

namespace deuteron::types {

struct DataType::Nested {
  std::vector<DataType> children;  // array: element; map: key, value
  Schema fields;
  bool contains_null = true;
};

namespace {

constexpr std::string_view kDayTimeFields[] = {"day", "hour", "minute", "second"};
constexpr std::string_view kYearMonthFields[] = {"year", "month"};

struct AtomicName {
  std::string_view simple;
  std::string_view sql;
  std::string_view json;
};

// Indexed by TypeId, for the types that have no parameters.
constexpr AtomicName kAtomicNames[] = {
    {"void", "VOID", "void"},
    {"boolean", "BOOLEAN", "boolean"},
    {"tinyint", "TINYINT", "byte"},
    {"smallint", "SMALLINT", "short"},
    {"int", "INT", "integer"},
    {"bigint", "BIGINT", "long"},
    {"float", "FLOAT", "float"},
    {"double", "DOUBLE", "double"},
    {"decimal", "DECIMAL", "decimal"},
    {"string", "STRING", "string"},
    {"binary", "BINARY", "binary"},
    {"date", "DATE", "date"},
    {"timestamp", "TIMESTAMP", "timestamp"},
    {"timestamp_ntz", "TIMESTAMP_NTZ", "timestamp_ntz"},
    {"interval day to second", "INTERVAL DAY TO SECOND", "interval day to second"},
    {"interval year to month", "INTERVAL YEAR TO MONTH", "interval year to month"},
    {"interval", "INTERVAL", "interval"},
};

const AtomicName& atomic_name(TypeId id) { return kAtomicNames[static_cast<size_t>(id)]; }

std::string upper_case(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

std::string interval_name(const DataType& type) {
  const auto* names = type.is(TypeId::kDayTimeInterval) ? kDayTimeFields : kYearMonthFields;
  std::string text = "interval " + std::string(names[type.start_field()]);
  if (type.start_field() != type.end_field()) text += " to " + std::string(names[type.end_field()]);
  return text;
}

std::string decimal_name(const DataType& type) {
  return "(" + std::to_string(type.precision()) + "," + std::to_string(type.scale()) + ")";
}

bool is_plain_identifier(const std::string& name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
      return false;
  }
  return true;
}

std::string quote_if_needed(const std::string& name) {
  if (is_plain_identifier(name)) return name;
  std::string quoted = "`";
  for (const char c : name) quoted.append(c == '`' ? 2 : 1, c);
  return quoted + "`";
}

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': quoted += "\\\""; break;
      case '\\': quoted += "\\\\"; break;
      case '\n': quoted += "\\n"; break;
      case '\r': quoted += "\\r"; break;
      case '\t': quoted += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          static constexpr char kDigits[] = "0123456789abcdef";
          quoted += "\\u00";
          quoted += kDigits[c >> 4];
          quoted += kDigits[c & 15];
        } else {
          quoted += c;
        }
    }
  }
  return quoted + "\"";
}

std::string json_boolean(bool value) { return value ? "true" : "false"; }

std::string json_field(const StructField& field) {
  return "{\"name\":" + json_string(field.name) + ",\"type\":" + field.type.json() +
         ",\"nullable\":" + json_boolean(field.nullable) +
         ",\"metadata\":" + (field.metadata_json.empty() ? "{}" : field.metadata_json) + "}";
}

}  // namespace

DataType DataType::decimal(int precision, int scale) {
  DataType type(TypeId::kDecimal);
  type.first_ = static_cast<uint8_t>(precision);
  type.second_ = static_cast<uint8_t>(scale);
  return type;
}

DataType DataType::day_time_interval(int start_field, int end_field) {
  DataType type(TypeId::kDayTimeInterval);
  type.first_ = static_cast<uint8_t>(start_field);
  type.second_ = static_cast<uint8_t>(end_field);
  return type;
}

DataType DataType::year_month_interval(int start_field, int end_field) {
  DataType type(TypeId::kYearMonthInterval);
  type.first_ = static_cast<uint8_t>(start_field);
  type.second_ = static_cast<uint8_t>(end_field);
  return type;
}

DataType DataType::array(DataType element, bool contains_null) {
  DataType type(TypeId::kArray);
  type.nested_ = std::make_shared<const Nested>(Nested{{std::move(element)}, {}, contains_null});
  return type;
}

DataType DataType::map(DataType key, DataType value, bool value_contains_null) {
  DataType type(TypeId::kMap);
  type.nested_ =
      std::make_shared<const Nested>(Nested{{std::move(key), std::move(value)}, {}, value_contains_null});
  return type;
}

DataType DataType::structure(Schema fields) {
  DataType type(TypeId::kStruct);
  type.nested_ = std::make_shared<const Nested>(Nested{{}, std::move(fields), true});
  return type;
}

const DataType& DataType::element() const { return nested_->children[0]; }
const DataType& DataType::key() const { return nested_->children[0]; }
const DataType& DataType::value() const { return nested_->children[1]; }
bool DataType::contains_null() const { return nested_->contains_null; }
const Schema& DataType::fields() const { return nested_->fields; }

bool DataType::operator==(const DataType& other) const {
  if (id_ != other.id_ || first_ != other.first_ || second_ != other.second_) return false;
  if (nested_ == other.nested_) return true;
  return nested_->children == other.nested_->children && nested_->fields == other.nested_->fields &&
         nested_->contains_null == other.nested_->contains_null;
}

bool DataType::same_type(const DataType& other) const {
  if (id_ != other.id_ || first_ != other.first_ || second_ != other.second_) return false;
  if (nested_ == other.nested_) return true;
  for (size_t i = 0; i < nested_->children.size(); ++i) {
    if (!nested_->children[i].same_type(other.nested_->children[i])) return false;
  }
  if (nested_->fields.size() != other.nested_->fields.size()) return false;
  for (size_t i = 0; i < nested_->fields.size(); ++i) {
    const StructField& left = nested_->fields[i];
    const StructField& right = other.nested_->fields[i];
    if (left.name != right.name || !left.type.same_type(right.type)) return false;
  }
  return true;
}

std::string DataType::simple_string() const {
  switch (id_) {
    case TypeId::kDecimal: return "decimal" + decimal_name(*this);
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return interval_name(*this);
    case TypeId::kArray: return "array<" + element().simple_string() + ">";
    case TypeId::kMap: return "map<" + key().simple_string() + "," + value().simple_string() + ">";
    case TypeId::kStruct: {
      std::string text = "struct<";
      for (const StructField& field : fields()) {
        if (&field != &fields().front()) text += ",";
        text += field.name + ":" + field.type.simple_string();
      }
      return text + ">";
    }
    default: return std::string(atomic_name(id_).simple);
  }
}

std::string DataType::sql() const {
  switch (id_) {
    case TypeId::kDecimal: return "DECIMAL" + decimal_name(*this);
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return upper_case(interval_name(*this));
    case TypeId::kArray: return "ARRAY<" + element().sql() + ">";
    case TypeId::kMap: return "MAP<" + key().sql() + ", " + value().sql() + ">";
    case TypeId::kStruct: {
      std::string text = "STRUCT<";
      for (const StructField& field : fields()) {
        if (&field != &fields().front()) text += ", ";
        text += quote_if_needed(field.name) + ": " + field.type.sql();
        if (!field.nullable) text += " NOT NULL";
      }
      return text + ">";
    }
    default: return std::string(atomic_name(id_).sql);
  }
}

std::string DataType::json() const {
  switch (id_) {
    case TypeId::kDecimal: return "\"decimal" + decimal_name(*this) + "\"";
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return "\"" + interval_name(*this) + "\"";
    case TypeId::kArray:
      return "{\"type\":\"array\",\"elementType\":" + element().json() +
             ",\"containsNull\":" + json_boolean(contains_null()) + "}";
    case TypeId::kMap:
      return "{\"type\":\"map\",\"keyType\":" + key().json() + ",\"valueType\":" + value().json() +
             ",\"valueContainsNull\":" + json_boolean(contains_null()) + "}";
    case TypeId::kStruct: {
      std::string text = "{\"type\":\"struct\",\"fields\":[";
      for (const StructField& field : fields()) {
        if (&field != &fields().front()) text += ",";
        text += json_field(field);
      }
      return text + "]}";
    }
    default: return "\"" + std::string(atomic_name(id_).json) + "\"";
  }
}

namespace {

void append_tree(const DataType& type, const std::string& prefix, int depth, std::string& text);

void append_tree_node(const std::string& name, const DataType& type, std::string_view null_word,
                      bool nullable, const std::string& prefix, int depth, std::string& text) {
  if (depth <= 0) return;
  std::string_view shown = type.is(TypeId::kArray) ? "array" : type.is(TypeId::kMap) ? "map" : "struct";
  const DataType copy = type;
  std::string type_name =
      type.is_nested() ? std::string(shown) : copy.json().substr(1, copy.json().size() - 2);
  text += prefix + "-- " + name + ": " + type_name;
  if (!null_word.empty()) text += " (" + std::string(null_word) + " = " + json_boolean(nullable) + ")";
  text += "\n";
  append_tree(type, prefix + "    |", depth - 1, text);
}

void append_tree(const DataType& type, const std::string& prefix, int depth, std::string& text) {
  switch (type.id()) {
    case TypeId::kArray:
      append_tree_node("element", type.element(), "containsNull", type.contains_null(), prefix, depth, text);
      break;
    case TypeId::kMap:
      append_tree_node("key", type.key(), "", false, prefix, depth, text);
      append_tree_node("value", type.value(), "valueContainsNull", type.contains_null(), prefix, depth, text);
      break;
    case TypeId::kStruct:
      for (const StructField& field : type.fields()) {
        append_tree_node(field.name, field.type, "nullable", field.nullable, prefix, depth, text);
      }
      break;
    default: break;
  }
}

}  // namespace

std::string tree_string(const Schema& schema, int max_depth) {
  std::string text = "root\n";
  append_tree(DataType::structure(schema), " |", max_depth > 0 ? max_depth : 1 << 20, text);
  return text;
}

}  // namespace deuteron::types
