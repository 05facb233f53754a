// Higher-order functions on arrays.
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

const Function kLambdas[] = {
    {.name = "transform", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "filter", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "exists", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "forall", .resolver = resolve_element_lambda, .lambda = element_parameters},
    {.name = "aggregate", .aliases = "reduce", .resolver = resolve_aggregate, .lambda = aggregate_parameters},
};

}  // namespace

DEUTERON_FAMILY(lambda, kLambdas)

}  // namespace deuteron::functions
