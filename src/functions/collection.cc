// Arrays, maps and structs.
#include <algorithm>
#include <iterator>

#include "functions/date_time_arithmetic.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

const DataType kInteger(TypeId::kInteger), kBoolean(TypeId::kBoolean), kText(TypeId::kString);

Result<Call> resolve_array(const Context& context) {
  std::vector<DataType> all;
  for (const Argument& argument : context.arguments) all.push_back(argument.type);
  const auto common = widest_common_type(all);
  if (!common) return context.differing_types("array", all, false);
  bool contains_null = false;
  for (const Argument& argument : context.arguments) {
    contains_null |=
        argument.nullable || (!argument.type.same_type(*common) &&
                              cast_may_give_null(argument.type, *common, plan::CastMode::kDefault));
  }
  return context.call("array", std::vector<DataType>(all.size(), *common),
                      DataType::array(*common, contains_null), false);
}

// Keys and values alternate.
Result<Call> resolve_map(const Context& context) {
  if (context.size() % 2 != 0) return context.wrong_number_nowhere("2n (n > 0)");
  std::vector<DataType> keys, values;
  bool value_null = false;
  for (size_t i = 0; i < context.size(); ++i) {
    (i % 2 == 0 ? keys : values).push_back(context.type(i));
    if (i % 2 == 1) value_null |= context.arguments[i].nullable;
  }
  const auto key = widest_common_type(keys);
  const auto value = widest_common_type(values);
  if (!key) {
    std::string found;
    for (const DataType& type : keys) found += (found.empty() ? "" : ", ") + quoted_type(type);
    return context.mismatch("CREATE_MAP_KEY_DIFF_TYPES",
                            {{"functionName", "`map`"}, {"dataType", "[" + found + "]"}});
  }
  if (!value) {
    std::string found;
    for (const DataType& type : values) found += (found.empty() ? "" : ", ") + quoted_type(type);
    return context.mismatch("CREATE_MAP_VALUE_DIFF_TYPES",
                            {{"functionName", "`map`"}, {"dataType", "[" + found + "]"}});
  }
  std::vector<DataType> types;
  for (size_t i = 0; i < context.size(); ++i) types.push_back(i % 2 == 0 ? *key : *value);
  return context.call("map", std::move(types), DataType::map(*key, *value, value_null), false);
}

Result<Call> resolve_struct(const Context& context) {
  types::Schema fields;
  for (size_t i = 0; i < context.size(); ++i) {
    const Argument& argument = context.arguments[i];
    const std::string name = argument.name.empty() ? "col" + std::to_string(i + 1) : argument.name;
    fields.push_back({name, argument.type, argument.nullable, ""});
  }
  return context.call(DataType::structure(std::move(fields)), false);
}

// named_struct('a', 1, …) becomes struct(1, …) whose type holds the names.
Result<Call> resolve_named_struct(const Context& context) {
  if (context.size() % 2 != 0) return context.wrong_number_nowhere("2n (n > 0)");
  types::Schema fields;
  std::vector<DataType> types;
  std::vector<int> order;
  for (size_t i = 0; i < context.size(); i += 2) {
    const auto name = literal_text(context.arguments[i]);
    if (!name) {
      std::string names;
      for (size_t j = 0; j < context.size(); j += 2)
        names += (names.empty() ? "" : ", ") + quoted_type(context.type(j));
      return context.mismatch("CREATE_NAMED_STRUCT_WITHOUT_FOLDABLE_STRING",
                              {{"inputExprs", "[\"" + context.arguments[i].sql + "\"]"}});
    }
    fields.push_back({*name, context.type(i + 1), context.arguments[i + 1].nullable, ""});
    types.push_back(context.type(i + 1));
    order.push_back(static_cast<int>(i + 1));
  }
  Call call = context.call("struct", std::move(types), DataType::structure(std::move(fields)), false);
  call.argument_order = std::move(order);
  return call;
}

// a[i] (from 0) and m[k], as ExtractValue becomes.
Result<Call> resolve_item(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const DataType& type = context.type(0);
  if (type.is(TypeId::kMap)) {
    if (!context.type(1).is(TypeId::kNull) && !can_cast_implicitly(context.type(1), type.key())) {
      return context.unexpected_type(1, quoted_type(type.key()));
    }
    return context.call("getitem", {type, type.key()}, type.value(), true);
  }
  if (!type.is(TypeId::kArray)) return context.unexpected_type(0, "array|map");
  const DataType& index = context.type(1);
  if (!index.is_integral() && !index.is(TypeId::kNull)) return context.unexpected_type(1, "integral");
  return context.call("getitem", {type, index.is(TypeId::kLong) ? index : kInteger}, type.element(),
                      context.any_nullable() || type.contains_null());
}

Result<Call> resolve_element_at(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const bool tries = context.function.name == "try_element_at";
  const DataType& type = context.type(0);
  if (type.is(TypeId::kMap)) {
    const DataType both[] = {type.key(), context.type(1)};
    const auto key = widest_without_strings(both);
    if (!key || !key->same_type(type.key())) {
      return context.mismatch("MAP_FUNCTION_DIFF_TYPES",
                              {{"functionName", "`" + std::string(context.function.name) + "`"},
                               {"dataType", "\"MAP\""},
                               {"leftType", quoted_type(type)},
                               {"rightType", quoted_type(context.type(1))}});
    }
    return context.call(context.function.name, {type, type.key()}, type.value(), true);
  }
  if (!type.is(TypeId::kArray)) return context.unexpected_type(0, "array|map");
  const DataType& index = context.type(1);
  if (!index.is_integral() || index.is(TypeId::kLong)) return context.unexpected_type(1, "int");
  return context.call(context.function.name, {type, kInteger}, type.element(),
                      tries || context.any_nullable() || type.contains_null());
}

Result<Call> resolve_get(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  if (!context.type(0).is(TypeId::kArray)) return context.unexpected_type(0, "array");
  return context.call("get", {context.type(0), kInteger}, context.type(0).element(), true);
}

// f(array, value): the array's elements and the value are brought together.
Result<Call> resolve_with_element(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const std::string name(context.function.name);
  const bool refuses_null = name == "array_contains";
  for (size_t i : {0, 1}) {
    if (refuses_null && context.type(i).is(TypeId::kNull))
      return context.mismatch("NULL_TYPE", {{"functionName", "`" + name + "`"}});
  }
  const DataType& type = context.type(0);
  if (!type.is(TypeId::kArray)) return context.unexpected_type(0, "array");
  const DataType both[] = {type.element(), context.type(1)};
  const auto common = widest_without_strings(both);
  if (!common) {
    return context.mismatch("ARRAY_FUNCTION_DIFF_TYPES", {{"functionName", "`" + name + "`"},
                                                          {"dataType", "\"ARRAY\""},
                                                          {"leftType", quoted_type(type)},
                                                          {"rightType", quoted_type(context.type(1))}});
  }
  const DataType array = DataType::array(*common, type.contains_null());
  const bool nullable = context.any_nullable();
  if (name == "array_contains")
    return context.call(name, {array, *common}, kBoolean, nullable || type.contains_null());
  if (name == "array_position")
    return context.call(name, {array, *common}, DataType(TypeId::kLong), nullable);
  if (name == "array_remove") return context.call(name, {array, *common}, array, nullable);
  const bool contains_null = type.contains_null() || context.arguments[1].nullable;
  return context.call(name, {array, *common}, DataType::array(*common, contains_null),
                      context.arguments[0].nullable);
}

// f(array, array)
Result<Call> resolve_two_arrays(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const std::string name(context.function.name);
  const bool arrays = context.type(0).is(TypeId::kArray) && context.type(1).is(TypeId::kArray);
  std::optional<DataType> common;
  if (arrays) {
    const DataType both[] = {context.type(0).element(), context.type(1).element()};
    common = widest_without_strings(both);
  }
  if (!common) {
    return context.mismatch("BINARY_ARRAY_DIFF_TYPES", {{"functionName", "`" + name + "`"},
                                                        {"arrayType", "\"ARRAY\""},
                                                        {"leftType", quoted_type(context.type(0))},
                                                        {"rightType", quoted_type(context.type(1))}});
  }
  const bool left_null = context.type(0).contains_null(), right_null = context.type(1).contains_null();
  const DataType array = DataType::array(*common, left_null || right_null);
  if (name == "arrays_overlap") {
    return context.call(name, {array, array}, kBoolean, context.any_nullable() || left_null || right_null);
  }
  const bool contains_null = name == "array_union"    ? left_null || right_null
                             : name == "array_except" ? left_null
                                                      : left_null && right_null;
  return context.call(name, {array, array}, DataType::array(*common, contains_null), context.any_nullable());
}

// array_insert(array, position, value)
Result<Call> resolve_insert(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  const DataType& type = context.type(0);
  const DataType both[] = {type.is(TypeId::kArray) ? type.element() : type, context.type(2)};
  const auto common = widest_without_strings(both);
  if (!type.is(TypeId::kArray) || !common) {
    return context.mismatch("ARRAY_FUNCTION_DIFF_TYPES", {{"functionName", "`array_insert`"},
                                                          {"dataType", "\"ARRAY\""},
                                                          {"leftType", quoted_type(type)},
                                                          {"rightType", quoted_type(context.type(2))}});
  }
  if (!context.type(1).is_integral() || context.type(1).is(TypeId::kLong))
    return context.unexpected_type(1, "int");
  return context.call("array_insert", {DataType::array(*common, type.contains_null()), kInteger, *common},
                      DataType::array(*common, true),
                      context.arguments[0].nullable || context.arguments[1].nullable);
}

// arrays_zip: fields are called as the columns are, others by their position.
Result<Call> resolve_arrays_zip(const Context& context) {
  std::vector<DataType> types;
  types::Schema fields;
  for (size_t i = 0; i < context.size(); ++i) {
    ASSIGN_OR_RETURN(DataType type, context.coerce(i, "array"));
    const std::string& name = context.arguments[i].name;
    fields.push_back({name.empty() ? std::to_string(i) : name, type.element(), true, ""});
    types.push_back(std::move(type));
  }
  return context.call("arrays_zip", std::move(types),
                      DataType::array(DataType::structure(std::move(fields)), false), context.any_nullable());
}

Result<Call> resolve_shuffle(const Context& context) {
  if (context.size() == 2) return unsupported("shuffle with a seed");
  if (context.size() != 1) return context.wrong_number("[1, 2]");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "array"));
  return context.call("shuffle", {type}, type, context.arguments[0].nullable);
}

Result<Call> resolve_one_array(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const std::string_view name = context.function.name;
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "array"));
  const bool nullable = context.any_nullable();
  if (name == "array_distinct") return context.call(name, {type}, type, nullable);
  if (name == "array_compact")
    return context.call(name, {type}, DataType::array(type.element(), false), nullable);
  if (name == "flatten") {
    if (!type.element().is(TypeId::kArray)) return context.unexpected_type(0, "\"ARRAY\" of \"ARRAY\"");
    return context.call(name, {type}, type.element(), nullable || type.contains_null());
  }
  if (!is_orderable(type.element())) {
    return context.mismatch("INVALID_ORDERING_TYPE", {{"functionName", "`" + std::string(name) + "`"},
                                                      {"dataType", quoted_type(type)}});
  }
  return context.call(name, {type}, type.element(), true);
}

Result<Call> resolve_sort_array(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "array"));
  if (!is_orderable(type.element())) {
    return context.mismatch("INVALID_ORDERING_TYPE",
                            {{"functionName", "`sort_array`"}, {"dataType", quoted_type(type)}});
  }
  std::vector<DataType> types = {type};
  if (context.size() == 2) {
    if (!context.type(1).is(TypeId::kBoolean)) return context.unexpected_type(1, "boolean");
    if (context.arguments[1].literal == nullptr)
      return unsupported("sort_array with an order that is not a constant");
    types.push_back(kBoolean);
  }
  return context.call("sort_array", std::move(types), type, context.any_nullable());
}

Result<Call> resolve_size(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const bool only_arrays = context.function.name == "array_size";
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, only_arrays ? "array" : "array|map"));
  return context.call("size", {type}, kInteger, context.any_nullable());
}

Result<Call> resolve_join(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "array"));
  std::vector<DataType> types = {DataType::array(kText, type.contains_null())};
  for (size_t i = 1; i < context.size(); ++i) types.push_back(kText);
  return context.call("array_join", std::move(types), kText, context.any_nullable());
}

Result<Call> resolve_repeat(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  return context.call("array_repeat", {context.type(0), kInteger},
                      DataType::array(context.type(0), context.arguments[0].nullable),
                      context.arguments[1].nullable);
}

Result<Call> resolve_slice(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "array"));
  return context.call("slice", {type, kInteger, kInteger}, type, context.any_nullable());
}

Result<Call> resolve_sequence(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  if (auto of_dates = resolve_date_time_sequence(context)) return *std::move(of_dates);
  std::vector<DataType> all;
  for (const Argument& argument : context.arguments) all.push_back(argument.type);
  const auto common = widest_without_strings(all);
  if (context.type(0).is(TypeId::kString) || context.type(0).is(TypeId::kBoolean)) {
    return context.mismatch(
        "SEQUENCE_WRONG_INPUT_TYPES",
        {{"functionName", "`sequence`"},
         {"startType", required_text("timestamp|timestamp_ntz|date")},
         {"stepType", "(\"INTERVAL\" or \"INTERVAL YEAR TO MONTH\" or \"INTERVAL DAY TO SECOND\")"},
         {"otherStartType", "\"INTEGRAL\""}});
  }
  if (!common || !common->is_integral()) return unsupported("sequence of other than whole numbers");
  return context.call("sequence", std::vector<DataType>(all.size(), *common), DataType::array(*common, false),
                      context.any_nullable());
}

Result<Call> resolve_map_part(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "map"));
  const std::string_view name = context.function.name;
  DataType result = DataType::array(type.key(), false);
  if (name == "map_values") result = DataType::array(type.value(), type.contains_null());
  if (name == "map_entries") {
    result = DataType::array(DataType::structure({{"key", type.key(), false, ""},
                                                  {"value", type.value(), type.contains_null(), ""}}),
                             false);
  }
  return context.call(name, {type}, result, context.any_nullable());
}

Result<Call> resolve_map_from_arrays(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  ASSIGN_OR_RETURN(DataType keys, context.coerce(0, "array"));
  ASSIGN_OR_RETURN(DataType values, context.coerce(1, "array"));
  return context.call("map_from_arrays", {keys, values},
                      DataType::map(keys.element(), values.element(), values.contains_null()),
                      context.any_nullable());
}

Result<Call> resolve_map_contains(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const DataType& type = context.type(0);
  if (type.is(TypeId::kNull) || context.type(1).is(TypeId::kNull))
    return context.mismatch("NULL_TYPE", {{"functionName", "`map_contains_key`"}});
  const DataType both[] = {type.is(TypeId::kMap) ? type.key() : type, context.type(1)};
  const auto key = widest_without_strings(both);
  if (!type.is(TypeId::kMap) || !key) {
    return context.mismatch("MAP_FUNCTION_DIFF_TYPES", {{"functionName", "`map_contains_key`"},
                                                        {"dataType", "\"MAP\""},
                                                        {"leftType", quoted_type(type)},
                                                        {"rightType", quoted_type(context.type(1))}});
  }
  return context.call("map_contains_key", {DataType::map(*key, type.value(), type.contains_null()), *key},
                      kBoolean, true);
}

Result<Call> resolve_map_concat(const Context& context) {
  if (context.size() == 0) return context.call(DataType::map(kText, kText, false), false);
  std::vector<DataType> all, keys, values;
  std::string found;
  bool only_maps = true, value_null = false;
  for (const Argument& argument : context.arguments) {
    all.push_back(argument.type);
    found += (found.empty() ? "" : ", ") + quoted_type(argument.type);
    if (!argument.type.is(TypeId::kMap)) {
      only_maps = false;
      continue;
    }
    keys.push_back(argument.type.key());
    values.push_back(argument.type.value());
    value_null |= argument.type.contains_null();
  }
  if (!only_maps) {
    return context.mismatch("MAP_CONCAT_DIFF_TYPES",
                            {{"functionName", "`map_concat`"}, {"dataType", "[" + found + "]"}});
  }
  const auto key = widest_without_strings(keys), value = widest_without_strings(values);
  if (!key || !value) return context.differing_types("map_concat", all, false);
  const DataType type = DataType::map(*key, *value, value_null);
  return context.call("map_concat", std::vector<DataType>(context.size(), type), type,
                      context.any_nullable());
}

// map_from_entries(array of structs of two fields)
Result<Call> resolve_map_from_entries(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const DataType& type = context.type(0);
  const bool pairs =
      type.is(TypeId::kArray) && type.element().is(TypeId::kStruct) && type.element().fields().size() == 2;
  if (!pairs) return context.unexpected_type(0, "\"ARRAY\" of pair \"STRUCT\"");
  const types::Schema& fields = type.element().fields();
  return context.call(DataType::map(fields[0].type, fields[1].type, fields[1].nullable),
                      context.arguments[0].nullable || type.contains_null());
}

// str_to_map(text, between pairs, between key and value)
Result<Call> resolve_str_to_map(const Context& context) {
  if (context.size() < 1 || context.size() > 3) return context.wrong_number("[1, 2, 3]");
  for (size_t i = 0; i < context.size(); ++i) {
    if (!context.type(i).is(TypeId::kString) && !context.type(i).is(TypeId::kNull))
      return context.unexpected_type(i, "string");
  }
  return context.call("str_to_map", std::vector<DataType>(context.size(), kText), DataType::map(kText, kText),
                      context.any_nullable());
}

const Function kCollections[] = {
    {.name = "array", .resolver = resolve_array},
    {.name = "map", .resolver = resolve_map},
    {.name = "struct", .resolver = resolve_struct},
    {.name = "named_struct", .resolver = resolve_named_struct},
    {.name = "getitem", .display = "{0}[{1}]", .resolver = resolve_item},
    {.name = "element_at", .resolver = resolve_element_at},
    {.name = "try_element_at", .resolver = resolve_element_at},
    {.name = "get", .resolver = resolve_get},
    {.name = "size", .aliases = "cardinality", .resolver = resolve_size},
    {.name = "array_size", .resolver = resolve_size},
    {.name = "array_contains", .resolver = resolve_with_element},
    {.name = "array_position", .resolver = resolve_with_element},
    {.name = "array_remove", .resolver = resolve_with_element},
    {.name = "array_append", .resolver = resolve_with_element},
    {.name = "array_prepend", .resolver = resolve_with_element},
    {.name = "array_union", .resolver = resolve_two_arrays},
    {.name = "array_intersect", .resolver = resolve_two_arrays},
    {.name = "array_except", .resolver = resolve_two_arrays},
    {.name = "arrays_overlap", .resolver = resolve_two_arrays},
    {.name = "array_distinct", .resolver = resolve_one_array},
    {.name = "array_compact", .resolver = resolve_one_array},
    {.name = "array_max", .resolver = resolve_one_array},
    {.name = "array_min", .resolver = resolve_one_array},
    {.name = "flatten", .resolver = resolve_one_array},
    {.name = "sort_array", .defaults = "2:true", .resolver = resolve_sort_array},
    {.name = "array_join", .resolver = resolve_join},
    {.name = "array_repeat", .resolver = resolve_repeat},
    {.name = "slice", .resolver = resolve_slice},
    {.name = "sequence", .resolver = resolve_sequence},
    {.name = "map_keys", .resolver = resolve_map_part},
    {.name = "map_values", .resolver = resolve_map_part},
    {.name = "map_entries", .resolver = resolve_map_part},
    {.name = "map_from_arrays", .resolver = resolve_map_from_arrays},
    {.name = "map_contains_key", .resolver = resolve_map_contains},
    {.name = "map_concat", .resolver = resolve_map_concat},
    {.name = "map_from_entries", .resolver = resolve_map_from_entries},
    {.name = "str_to_map", .defaults = "3:,|:", .resolver = resolve_str_to_map},
    {.name = "array_insert", .resolver = resolve_insert},
    {.name = "arrays_zip", .resolver = resolve_arrays_zip},
    {.name = "shuffle", .resolver = resolve_shuffle, .deterministic = false},
};

}  // namespace

DEUTERON_FAMILY(collection, kCollections)

}  // namespace deuteron::functions
