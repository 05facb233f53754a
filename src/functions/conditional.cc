// when (CASE), if, coalesce and its relatives, nullif, nanvl.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

bool is_true_literal(const Argument& argument) {
  if (argument.literal == nullptr) return false;
  const bool* value = std::get_if<bool>(&argument.literal->data);
  return value != nullptr && *value;
}

// A value that is cast to the branches' common type may become nullable by that.
bool nullable_as(const Argument& argument, const DataType& type) {
  return argument.nullable || (!argument.type.same_type(type) &&
                               cast_may_give_null(argument.type, type, plan::CastMode::kDefault));
}

std::string case_text(std::string_view, const std::vector<std::string>& arguments) {
  std::string text = "CASE";
  for (size_t i = 0; i + 1 < arguments.size(); i += 2)
    text += " WHEN " + arguments[i] + " THEN " + arguments[i + 1];
  if (arguments.size() % 2 == 1) text += " ELSE " + arguments.back();
  return text + " END";
}

// Arguments: condition, value, condition, value, …, then the ELSE value when their number is odd.
Result<Call> resolve_when(const Context& context) {
  if (context.size() < 2) return context.wrong_number("> 1");
  std::vector<DataType> values;
  for (size_t i = 0; i < context.size(); ++i) {
    const bool is_value = i % 2 == 1 || i + 1 == context.size();
    if (is_value) values.push_back(context.type(i));
  }
  const auto common = widest_common_type(values);
  if (!common) return context.differing_types("casewhen", values, true);
  std::vector<DataType> types;
  bool nullable = context.size() % 2 == 0, decided = false;
  for (size_t i = 0; i < context.size(); ++i) {
    const bool is_value = i % 2 == 1 || i + 1 == context.size();
    if (!is_value) {
      const DataType& type = context.type(i);
      if (!type.is(TypeId::kBoolean)) return context.unexpected_type(i, "boolean");
      types.emplace_back(TypeId::kBoolean);
      continue;
    }
    types.push_back(*common);
    if (decided) continue;
    nullable |= nullable_as(context.arguments[i], *common);
    if (i % 2 == 1 && is_true_literal(context.arguments[i - 1])) {
      // Later branches are never reached.
      nullable = false;
      for (size_t j = 1; j <= i; j += 2) nullable |= nullable_as(context.arguments[j], *common);
      decided = true;
    }
  }
  return context.call("when", std::move(types), *common, nullable);
}

Result<Call> resolve_if(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  const DataType& condition = context.type(0);
  if (!condition.is(TypeId::kBoolean) && !condition.is(TypeId::kNull))
    return context.unexpected_type(0, "boolean");
  const auto common = widest_common_type(context.type(1), context.type(2));
  if (!common) return context.differing_types("if", {context.type(1), context.type(2)}, true);
  const bool nullable =
      nullable_as(context.arguments[1], *common) || nullable_as(context.arguments[2], *common);
  return context.call("if", {DataType(TypeId::kBoolean), *common, *common}, *common, nullable);
}

Result<Call> resolve_coalesce(const Context& context) {
  if (context.size() == 0) return context.wrong_number_nowhere("> 0");
  ASSIGN_OR_RETURN(Call call, resolve_by_signature(context));
  call.nullable = true;
  for (const Argument& argument : context.arguments) call.nullable &= nullable_as(argument, call.type);
  return call;
}

Result<Call> resolve_nvl(const Context& context) {
  ASSIGN_OR_RETURN(Call call, resolve_by_signature(context));
  call.nullable =
      nullable_as(context.arguments[0], call.type) && nullable_as(context.arguments[1], call.type);
  call.function = "coalesce";
  return call;
}

Result<Call> resolve_nvl2(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  const auto common = widest_common_type(context.type(1), context.type(2));
  if (!common) return context.differing_types("if", {context.type(1), context.type(2)}, true);
  const bool nullable =
      nullable_as(context.arguments[1], *common) || nullable_as(context.arguments[2], *common);
  return context.call("nvl2", {context.type(0), *common, *common}, *common, nullable);
}

// The comparison takes the common type, the result the first argument's own: (a, b, a).
Result<Call> resolve_nullif(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  ASSIGN_OR_RETURN(Call equal,
                   resolve(*find("=="), context.arguments,
                           {.sql = "(" + context.arguments[0].sql + " = " + context.arguments[1].sql + ")"}));
  Call call = context.call("nullif", {equal.argument_types[0], equal.argument_types[1], context.type(0)},
                           context.type(0), true);
  call.argument_order = {0, 1, 0};
  return call;
}

Result<Call> resolve_zeroifnull(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const auto common = widest_common_type(context.type(0), DataType(TypeId::kInteger));
  if (!common || !common->is_numeric()) return context.unexpected_type(0, "numeric");
  return context.call("zeroifnull", {*common}, *common, false);
}

const Function kConditional[] = {
    {.name = "when", .aliases = ":case", .shown = case_text, .resolver = resolve_when},
    {.name = "if", .display = "(IF({*}))", .resolver = resolve_if},
    {.name = "coalesce", .signature = "(T, T*) -> T", .nulls = Nulls::kAll, .resolver = resolve_coalesce},
    {.name = "nvl",
     .signature = "(T, T) -> T",
     .nulls = Nulls::kAll,
     .aliases = "ifnull",
     .resolver = resolve_nvl},
    {.name = "nvl2", .resolver = resolve_nvl2},
    {.name = "nullif", .resolver = resolve_nullif},
    {.name = "nullifzero", .signature = "(numeric) -> 0", .nulls = Nulls::kAlways},
    {.name = "zeroifnull", .resolver = resolve_zeroifnull},
    {.name = "nanvl", .signature = "(double|float, double|float) -> 0"},
};

}  // namespace

DEUTERON_FAMILY(conditional, kConditional)

}  // namespace deuteron::functions
