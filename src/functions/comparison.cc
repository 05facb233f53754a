// == <=> != < <= > >= in, isnull isnotnull isnan, greatest and least.
#include <algorithm>
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

// Equal but for nullability and the names of fields.
bool same_structure(const DataType& left, const DataType& right) {
  if (left.id() != right.id()) return false;
  if (left.is(TypeId::kArray)) return same_structure(left.element(), right.element());
  if (left.is(TypeId::kMap))
    return same_structure(left.key(), right.key()) && same_structure(left.value(), right.value());
  if (!left.is(TypeId::kStruct)) return left.same_type(right);
  return std::equal(left.fields().begin(), left.fields().end(), right.fields().begin(), right.fields().end(),
                    [](const types::StructField& a, const types::StructField& b) {
                      return same_structure(a.type, b.type);
                    });
}

std::optional<DataType> comparison_type(const DataType& left, const DataType& right) {
  if (same_structure(left, right)) return left;
  const bool nested = left.is_nested() || right.is_nested();
  return nested ? tightest_common_type(left, right) : widest_common_type(left, right);
}

std::string_view shown_symbol(std::string_view name) { return name == "==" || name == "!=" ? "=" : name; }

Result<Call> resolve_comparison(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const DataType& left = context.type(0);
  const DataType& right = context.type(1);
  const auto common = comparison_type(left, right);
  const std::string_view name = context.function.name;
  const std::string symbol(shown_symbol(name));
  const std::string sql =
      "\"(" + context.arguments[0].sql + " " + symbol + " " + context.arguments[1].sql + ")\"";
  if (!common) {
    return context.mismatch("BINARY_OP_DIFF_TYPES",
                            {{"left", quoted_type(left)}, {"right", quoted_type(right)}, {"sqlExpr", sql}});
  }
  const bool equality = name == "==" || name == "<=>" || name == "!=";
  if (equality ? !is_comparable(*common) : !is_orderable(*common)) {
    return context.mismatch(
        "INVALID_ORDERING_TYPE",
        {{"functionName", "`" + symbol + "`"}, {"dataType", quoted_type(*common)}, {"sqlExpr", sql}});
  }
  bool nullable = context.any_nullable();
  for (const DataType* side : {&left, &right}) {
    nullable |= !side->same_type(*common) && cast_may_give_null(*side, *common, plan::CastMode::kDefault);
  }
  return context.call(name, {*common, *common}, DataType(TypeId::kBoolean), nullable && name != "<=>");
}

Result<Call> resolve_in(const Context& context) {
  if (context.size() == 0) return error("FAILED_FUNCTION_CALL", {{"funcName", "`in`"}});
  if (context.size() < 2) return context.wrong_number("> 1");
  std::vector<DataType> all;
  for (const Argument& argument : context.arguments) all.push_back(argument.type);
  const auto common = widest_common_type(all);
  if (!common) return context.differing_types("in", all, true);
  if (!is_comparable(*common)) {
    return context.mismatch("INVALID_ORDERING_TYPE",
                            {{"functionName", "`in`"}, {"dataType", quoted_type(*common)}});
  }
  bool nullable = context.any_nullable();
  for (const DataType& type : all) {
    nullable |= !type.same_type(*common) && cast_may_give_null(type, *common, plan::CastMode::kDefault);
  }
  return context.call("in", std::vector<DataType>(all.size(), *common), DataType(TypeId::kBoolean), nullable);
}

Result<Call> resolve_extremum(const Context& context) {
  if (context.size() < 2) return context.wrong_number_nowhere("> 1");
  ASSIGN_OR_RETURN(Call call, resolve_by_signature(context));
  if (!is_orderable(call.type)) {
    return context.mismatch("INVALID_ORDERING_TYPE",
                            {{"functionName", "`" + std::string(context.function.name) + "`"},
                             {"dataType", quoted_type(call.type)}});
  }
  return call;
}

const Function kComparison[] = {
    {.name = "==", .aliases = ":=", .display = "({0} = {1})", .resolver = resolve_comparison},
    {.name = "!=", .aliases = ":<>", .display = "(NOT ({0} = {1}))", .resolver = resolve_comparison},
    {.name = "<=>", .display = "({0} <=> {1})", .resolver = resolve_comparison},
    {.name = "equal_null",
     .resolver = [](const Context& context) -> Result<Call> {
       ResolveOptions options = context.options;
       options.sql = context.display();
       return resolve(*find("<=>"), context.arguments, options);
     }},
    {.name = "<", .display = "({0} < {1})", .resolver = resolve_comparison},
    {.name = "<=", .display = "({0} <= {1})", .resolver = resolve_comparison},
    {.name = ">", .display = "({0} > {1})", .resolver = resolve_comparison},
    {.name = ">=", .display = "({0} >= {1})", .resolver = resolve_comparison},
    {.name = "in", .display = "({0} IN ({+}))", .resolver = resolve_in},
    {.name = "isnull", .signature = "(any) -> boolean", .nulls = Nulls::kNever, .display = "({0} IS NULL)"},
    {.name = "isnotnull",
     .signature = "(any) -> boolean",
     .nulls = Nulls::kNever,
     .display = "({0} IS NOT NULL)"},
    {.name = "isnan", .signature = "(double|float) -> boolean", .nulls = Nulls::kNever},
    {.name = "greatest", .signature = "(U, U, U*) -> U", .nulls = Nulls::kAll, .resolver = resolve_extremum},
    {.name = "least", .signature = "(U, U, U*) -> U", .nulls = Nulls::kAll, .resolver = resolve_extremum},
};

}  // namespace

DEUTERON_FAMILY(comparison, kComparison)

}  // namespace deuteron::functions
