// Higher-order functions on arrays and maps.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

const DataType kInteger(TypeId::kInteger), kBoolean(TypeId::kBoolean);

// f(array, element -> …), transform and filter also (element, index) -> …
Result<LambdaSignature> element_parameters(const std::vector<Argument>& arguments, int index) {
  if (index != 1 || arguments.empty() || !arguments[0].type.is(TypeId::kArray)) return LambdaSignature{};
  const DataType& array = arguments[0].type;
  return LambdaSignature{{{array.element(), array.contains_null()}, {kInteger, false}}, 1};
}

// aggregate(array, start, (state, element) -> state [, state -> result])
Result<LambdaSignature> aggregate_parameters(const std::vector<Argument>& arguments, int index) {
  if (arguments.size() < 3 || !arguments[0].type.is(TypeId::kArray)) return LambdaSignature{};
  const LambdaParameter state{arguments[1].type, true};
  if (index == 2)
    return LambdaSignature{{state, {arguments[0].type.element(), arguments[0].type.contains_null()}}, 2};
  if (index == 3) return LambdaSignature{{state}, 1};
  return LambdaSignature{};
}

// array_sort(array, (left, right) -> …)
Result<LambdaSignature> comparator_parameters(const std::vector<Argument>& arguments, int index) {
  if (index != 1 || arguments.empty() || !arguments[0].type.is(TypeId::kArray)) return LambdaSignature{};
  const LambdaParameter element{arguments[0].type.element(), arguments[0].type.contains_null()};
  return LambdaSignature{{element, element}, 2};
}

// zip_with(left, right, (l, r) -> …): the shorter array is filled up with nulls.
Result<LambdaSignature> zip_parameters(const std::vector<Argument>& arguments, int index) {
  if (index != 2 || !arguments[0].type.is(TypeId::kArray) || !arguments[1].type.is(TypeId::kArray))
    return LambdaSignature{};
  return LambdaSignature{{{arguments[0].type.element(), true}, {arguments[1].type.element(), true}}, 2};
}

// f(map, (key, value) -> …)
Result<LambdaSignature> entry_parameters(const std::vector<Argument>& arguments, int index) {
  if (index != 1 || arguments.empty() || !arguments[0].type.is(TypeId::kMap)) return LambdaSignature{};
  const DataType& map = arguments[0].type;
  return LambdaSignature{{{map.key(), false}, {map.value(), map.contains_null()}}, 2};
}

std::optional<DataType> common_key(const DataType& left, const DataType& right) {
  const DataType both[] = {left.key(), right.key()};
  return widest_without_strings(both);
}

// map_zip_with(left, right, (key, l, r) -> …)
Result<LambdaSignature> map_zip_parameters(const std::vector<Argument>& arguments, int index) {
  if (index != 2 || !arguments[0].type.is(TypeId::kMap) || !arguments[1].type.is(TypeId::kMap))
    return LambdaSignature{};
  const auto key = common_key(arguments[0].type, arguments[1].type);
  if (!key) return LambdaSignature{};
  return LambdaSignature{
      {{*key, false}, {arguments[0].type.value(), true}, {arguments[1].type.value(), true}}, 3};
}

Result<Call> resolve_element_lambda(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  ASSIGN_OR_RETURN(DataType array, context.coerce(0, "array"));
  const Argument& body = context.arguments[1];
  const std::string_view name = context.function.name;
  const bool nullable = context.arguments[0].nullable;
  if (name == "transform") {
    return context.call(name, {array, body.type}, DataType::array(body.type, body.nullable), nullable);
  }
  if (!body.type.is(TypeId::kBoolean) && !body.type.is(TypeId::kNull))
    return context.unexpected_type(1, "boolean");
  if (name == "filter") return context.call(name, {array, kBoolean}, array, nullable);
  return context.call(name, {array, kBoolean}, kBoolean, nullable || body.nullable);
}

Result<Call> resolve_aggregate(const Context& context) {
  if (context.size() != 3 && context.size() != 4) return context.wrong_number("[3, 4]");
  ASSIGN_OR_RETURN(DataType array, context.coerce(0, "array"));
  const DataType& state = context.type(1);
  if (!context.type(2).same_type(state)) return context.unexpected_type(2, quoted_type(state));
  std::vector<DataType> types = {array, state, state};
  DataType result = state;
  bool nullable = context.arguments[0].nullable || context.arguments[2].nullable;
  if (context.size() == 4) {
    result = context.type(3);
    nullable = context.arguments[0].nullable || context.arguments[3].nullable;
    types.push_back(result);
  }
  return context.call("aggregate", std::move(types), result, nullable);
}

Result<Call> resolve_comparator(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  ASSIGN_OR_RETURN(DataType array, context.coerce(0, "array"));
  const bool nullable = context.arguments[0].nullable;
  if (context.size() == 2) {
    const DataType& order = context.type(1);
    if (!order.is(TypeId::kInteger)) {
      return context.mismatch("UNEXPECTED_RETURN_TYPE", {{"functionName", "`lambdafunction`"},
                                                         {"expectedType", "\"INT\""},
                                                         {"actualType", quoted_type(order)}});
    }
    return context.call("array_sort", {array, order}, array, nullable);
  }
  if (!is_orderable(array.element())) {
    return context.mismatch("INVALID_ORDERING_TYPE",
                            {{"functionName", "`array_sort`"}, {"dataType", quoted_type(array)}});
  }
  return context.call("array_sort", {array}, array, nullable);
}

Result<Call> resolve_zip(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  ASSIGN_OR_RETURN(DataType left, context.coerce(0, "array"));
  ASSIGN_OR_RETURN(DataType right, context.coerce(1, "array"));
  const Argument& body = context.arguments[2];
  return context.call("zip_with", {left, right, body.type}, DataType::array(body.type, body.nullable),
                      context.arguments[0].nullable || context.arguments[1].nullable);
}

Result<Call> resolve_entry_lambda(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  ASSIGN_OR_RETURN(DataType map, context.coerce(0, "map"));
  const Argument& body = context.arguments[1];
  const std::string_view name = context.function.name;
  const bool nullable = context.arguments[0].nullable;
  if (name == "transform_values") {
    return context.call(name, {map, body.type}, DataType::map(map.key(), body.type, body.nullable), nullable);
  }
  if (name == "transform_keys") {
    if (!is_comparable(body.type))
      return context.mismatch("INVALID_MAP_KEY_TYPE", {{"keyType", quoted_type(body.type)}});
    return context.call(name, {map, body.type}, DataType::map(body.type, map.value(), map.contains_null()),
                        nullable);
  }
  if (!body.type.is(TypeId::kBoolean) && !body.type.is(TypeId::kNull))
    return context.unexpected_type(1, "boolean");
  return context.call(name, {map, kBoolean}, map, nullable);
}

Result<Call> resolve_map_zip(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  ASSIGN_OR_RETURN(DataType left, context.coerce(0, "map"));
  ASSIGN_OR_RETURN(DataType right, context.coerce(1, "map"));
  const auto key = common_key(left, right);
  if (!key) {
    return context.mismatch("MAP_ZIP_WITH_DIFF_TYPES", {{"functionName", "`map_zip_with`"},
                                                        {"leftType", quoted_type(left.key())},
                                                        {"rightType", quoted_type(right.key())}});
  }
  const Argument& body = context.arguments[2];
  return context.call("map_zip_with",
                      {DataType::map(*key, left.value(), left.contains_null()),
                       DataType::map(*key, right.value(), right.contains_null()), body.type},
                      DataType::map(*key, body.type, body.nullable),
                      context.arguments[0].nullable || context.arguments[1].nullable);
}

#define IS_NULL_VARIABLE "(namedlambdavariable() IS NULL)"
#define COMPARED_VARIABLES(symbol) "(namedlambdavariable() " symbol " namedlambdavariable())"

// How Spark writes what stands for a lambda that is not given.
constexpr std::string_view kNaturalOrder =
    "2:lambdafunction((IF((" IS_NULL_VARIABLE " AND " IS_NULL_VARIABLE "), 0, (IF(" IS_NULL_VARIABLE
    ", 1, (IF(" IS_NULL_VARIABLE ", -1, (IF(" COMPARED_VARIABLES("<") ", -1, (IF(" COMPARED_VARIABLES(
        ">") ", 1, 0)))))))))), namedlambdavariable(), namedlambdavariable())";
constexpr std::string_view kIdentity = "4:lambdafunction(namedlambdavariable(), namedlambdavariable())";

#undef IS_NULL_VARIABLE
#undef COMPARED_VARIABLES

const Function kLambdas[] = {
    {.name = "transform", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "filter", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "exists", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "forall", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "aggregate",
     .aliases = "reduce",
     .defaults = kIdentity,
     .resolver = resolve_aggregate,
     .lambda = aggregate_parameters},
    {.name = "array_sort",
     .defaults = kNaturalOrder,
     .resolver = resolve_comparator,
     .lambda = comparator_parameters},
    {.name = "zip_with", .resolver = resolve_zip, .lambda = zip_parameters},
    {.name = "map_filter", .resolver = resolve_entry_lambda, .lambda = entry_parameters},
    {.name = "transform_keys", .resolver = resolve_entry_lambda, .lambda = entry_parameters},
    {.name = "transform_values", .resolver = resolve_entry_lambda, .lambda = entry_parameters},
    {.name = "map_zip_with", .resolver = resolve_map_zip, .lambda = map_zip_parameters},
};

}  // namespace

DEUTERON_FAMILY(lambda, kLambdas)

}  // namespace deuteron::functions
