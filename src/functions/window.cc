// Functions that only stand in an OVER clause.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

// lag(x, offset, default): the default is brought to x's type.
Result<Call> resolve_offset(const Context& context) {
  if (context.size() == 0 || context.size() > 4) return context.wrong_number("[1, 2, 3, 4]");
  const std::string name(context.function.name);
  const DataType& type = context.type(0);
  std::vector<DataType> types = {type};
  if (context.size() > 1) {
    const Argument& offset = context.arguments[1];
    if (offset.type.is(TypeId::kString))
      return error("FAILED_FUNCTION_CALL", {{"funcName", "`" + name + "`"}});
    ASSIGN_OR_RETURN(DataType integer, context.coerce(1, "int"));
    if (offset.literal == nullptr) {
      return context.mismatch(
          "NON_FOLDABLE_INPUT",
          {{"inputName", "`offset`"},
           {"inputType", quoted_type(offset.type)},
           {"inputExpr", name == "lag" ? "\"(- " + offset.sql + ")\"" : "\"" + offset.sql + "\""}});
    }
    if (offset.literal->is_null())
      return error("_LEGACY_ERROR_TEMP_1035", {{"prettyName", name}}).with_context(QueryContext());
    types.push_back(integer);
  }
  bool nullable = true;
  if (context.size() > 2) {
    const DataType& fallback = context.type(2);
    if (!fallback.is(TypeId::kNull) && !fallback.same_type(type) && !can_cast_implicitly(fallback, type)) {
      return context.mismatch("TYPE_MISMATCH", {});
    }
    types.push_back(type);
    nullable = context.arguments[0].nullable || context.arguments[2].nullable ||
               (!fallback.same_type(type) && cast_may_give_null(fallback, type, plan::CastMode::kDefault));
  }
  if (context.size() > 3) {  // ignore nulls
    const types::Value* flag = context.arguments[3].literal;
    if (flag == nullptr || !std::holds_alternative<bool>(flag->data)) {
      return error("INVALID_PARAMETER_VALUE.BOOLEAN",
                   {{"functionName", "`" + name + "`"},
                    {"parameter", "`ignoreNulls`"},
                    {"invalidValue", "\"" + context.arguments[3].sql + "\""}});
    }
    types.emplace_back(TypeId::kBoolean);
  }
  return context.call(context.function.name, std::move(types), type, nullable);
}

Result<Call> resolve_nth(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  ASSIGN_OR_RETURN(DataType integer, context.coerce(1, "int"));
  if (context.arguments[1].literal == nullptr) return context.not_foldable(1, "offset");
  if (literal_integer(context.arguments[1]).value_or(1) <= 0) {
    return context.mismatch("VALUE_OUT_OF_RANGE",
                            {{"exprName", "offset"},
                             {"valueRange", "(0, 9223372036854775807]"},
                             {"currentValue", std::to_string(*literal_integer(context.arguments[1])) + "L"}});
  }
  std::vector<DataType> types = {context.type(0), integer};
  if (context.size() == 3) types.emplace_back(TypeId::kBoolean);
  Call call = context.call("nth_value", std::move(types), context.type(0), true);
  if (context.options.sql.empty()) {
    call.display = "nth_value(" + context.arguments[0].sql + ", " + context.arguments[1].sql + ")";
  }
  return call;
}

// ntile(n): n is a positive literal.
Result<Call> resolve_tiles(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const Argument& count = context.arguments[0];
  if (count.literal == nullptr) return context.not_foldable(0, "buckets");
  if (!count.type.is(TypeId::kInteger)) return context.unexpected_type(0, "int");
  if (literal_integer(count).value_or(1) <= 0) {
    return context.mismatch("VALUE_OUT_OF_RANGE",
                            {{"exprName", "buckets"},
                             {"valueRange", "(0, 2147483647]"},
                             {"currentValue", std::to_string(*literal_integer(count))}});
  }
  return context.call(DataType(TypeId::kInteger), false);
}

#define RANKING(function, type, how)                                                             \
  {                                                                                              \
    .name = function, .signature = "() -> " type, .nulls = Nulls::kNever, .kind = Kind::kWindow, \
    .shown = how, .needs_order = true                                                            \
  }

const Function kWindows[] = {
    RANKING("row_number", "int", nullptr),
    RANKING("rank", "int", upper_case_call),
    RANKING("dense_rank", "int", upper_case_call),
    RANKING("percent_rank", "double", upper_case_call),
    RANKING("cume_dist", "double", nullptr),
    {.name = "ntile", .kind = Kind::kWindow, .resolver = resolve_tiles, .needs_order = true},
    {.name = "lag",
     .kind = Kind::kWindow,
     .defaults = "3:1|NULL",
     .resolver = resolve_offset,
     .needs_order = true},
    {.name = "lead",
     .kind = Kind::kWindow,
     .defaults = "3:1|NULL",
     .resolver = resolve_offset,
     .needs_order = true},
    {.name = "nth_value", .kind = Kind::kWindow, .resolver = resolve_nth, .needs_order = true},
};

#undef RANKING

}  // namespace

DEUTERON_FAMILY(window, kWindows)

}  // namespace deuteron::functions
