// JSON in texts.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

const DataType kText(TypeId::kString);

bool is_document(const DataType& type) {
  return type.is(TypeId::kStruct) || type.is(TypeId::kArray) || type.is(TypeId::kMap);
}

// The options of to_json and from_json change how values are read and written.
Status check_options(const Context& context, size_t index) {
  if (context.size() <= index) return {};
  if (!context.type(index).is(TypeId::kMap)) return error("INVALID_OPTIONS.NON_MAP_FUNCTION");
  return unsupported("options of " + std::string(context.function.name));
}

Result<Call> resolve_to_json(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  const DataType& type = context.type(0);
  if (!type.is(TypeId::kNull) && !is_document(type))
    return context.mismatch("INVALID_JSON_SCHEMA", {{"schema", quoted_type(type)}});
  RETURN_IF_ERROR(check_options(context, 1));
  return context.call(kText, true);
}

// from_json(text, schema): the second argument is of the type that the schema names.
Result<Call> resolve_from_json(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  ASSIGN_OR_RETURN(DataType text, context.coerce(0, "text"));
  const DataType& type = context.type(1);
  if (!is_document(type)) return context.mismatch("INVALID_JSON_SCHEMA", {{"schema", quoted_type(type)}});
  if (type.is(TypeId::kMap) && !type.key().is(TypeId::kString))
    return context.mismatch("INVALID_JSON_MAP_KEY_TYPE", {{"schema", quoted_type(type)}});
  RETURN_IF_ERROR(check_options(context, 2));
  return context.call("from_json", {text, type}, type, true);
}

// json_tuple(text, name, …): a row of the values under the names.
Result<Call> resolve_json_tuple(const Context& context) {
  if (context.size() < 2) return context.wrong_number_nowhere("> 1");
  types::Schema fields;
  for (size_t i = 0; i < context.size(); ++i) {
    if (!context.type(i).is(TypeId::kString))
      return context.mismatch("NON_STRING_TYPE", {{"funcName", "`json_tuple`"}});
    if (i > 0) fields.push_back({"c" + std::to_string(i - 1), kText, true, ""});
  }
  return context.call(DataType::structure(std::move(fields)), false);
}

const Function kJson[] = {
    {.name = "to_json", .resolver = resolve_to_json, .shown_arguments = 1},
    {.name = "from_json", .resolver = resolve_from_json, .shown_arguments = 1},
    {.name = "get_json_object", .signature = "(text, text) -> string", .nulls = Nulls::kAlways},
    {.name = "json_array_length", .signature = "(text) -> int", .nulls = Nulls::kAlways},
    {.name = "json_object_keys", .signature = "(text) -> array<string>", .nulls = Nulls::kAlways},
    {.name = "json_tuple", .kind = Kind::kGenerator, .resolver = resolve_json_tuple},
};

}  // namespace

DEUTERON_FAMILY(json, kJson)

}  // namespace deuteron::functions
