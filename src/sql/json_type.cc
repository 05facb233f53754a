#include "sql/json_type.h"

#include <nlohmann/json.hpp>

#include "sql/parser.h"

namespace deuteron::sql {
namespace {

using Json = nlohmann::json;
using types::DataType;

constexpr int kMaximumDepth = 500;

Status invalid_type(const Json& json) {
  return error("INVALID_JSON_DATA_TYPE",
               {{"invalidType", json.dump(-1, ' ', false, Json::error_handler_t::replace)}});
}

bool is_too_deep(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  for (const char c : text) {
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest > kMaximumDepth;
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}
// Absent means true, as everywhere in this form.
bool flag_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || !found->is_boolean() || found->get<bool>();
}

Result<DataType> from_json(const Json& json);

Result<DataType> child(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return invalid_type(json);
  return from_json(*found);
}

Result<DataType> struct_from_json(const Json& json) {
  const auto fields = json.find("fields");
  if (fields == json.end() || !fields->is_array()) return invalid_type(json);
  types::Schema schema;
  for (const Json& field : *fields) {
    if (!field.is_object()) return invalid_type(field);
    ASSIGN_OR_RETURN(DataType type, child(field, "type"));
    const auto metadata = field.find("metadata");
    const bool has_metadata = metadata != field.end() && metadata->is_object() && !metadata->empty();
    schema.push_back({text_of(field, "name"), std::move(type), flag_of(field, "nullable"),
                      has_metadata ? metadata->dump(-1, ' ', false, Json::error_handler_t::replace) : ""});
  }
  return DataType::structure(std::move(schema));
}

Result<DataType> from_json(const Json& json) {
  if (json.is_string()) {
    // Without parameters the names are those of DDL; a nested type is an object.
    const std::string name = json.get<std::string>();
    if (is_json_type(name)) return invalid_type(json);
    return parse_data_type(name);
  }
  if (!json.is_object()) return invalid_type(json);
  const std::string kind = text_of(json, "type");
  if (kind == "struct") return struct_from_json(json);
  if (kind == "array") {
    ASSIGN_OR_RETURN(DataType element, child(json, "elementType"));
    return DataType::array(std::move(element), flag_of(json, "containsNull"));
  }
  if (kind == "map") {
    ASSIGN_OR_RETURN(DataType key, child(json, "keyType"));
    ASSIGN_OR_RETURN(DataType value, child(json, "valueType"));
    return DataType::map(std::move(key), std::move(value), flag_of(json, "valueContainsNull"));
  }
  if (kind == "udt") return unsupported("data type of a user (UDT)");
  return invalid_type(json);
}

}  // namespace

bool is_json_type(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '"');
}

Result<DataType> parse_json_type(std::string_view text) {
  if (is_too_deep(text)) return error("FAILED_TO_PARSE_TOO_COMPLEX");
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return error("INVALID_JSON_DATA_TYPE", {{"invalidType", std::string(text)}});
  return from_json(json);
}

}  // namespace deuteron::sql
