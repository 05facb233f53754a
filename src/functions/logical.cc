// and, or, not.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

Result<Call> resolve_logical(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const auto boolean_like = [](const DataType& type) {
    return type.is(TypeId::kBoolean) || type.is(TypeId::kNull) || type.is(TypeId::kString);
  };
  const DataType& left = context.type(0);
  const DataType& right = context.type(1);
  if (!boolean_like(left) || !boolean_like(right) ||
      (left.is(TypeId::kString) && right.is(TypeId::kString))) {
    return left.same_type(right) ? context.binary_wrong("boolean", left)
                                 : context.binary_differing(left, right);
  }
  const DataType boolean(TypeId::kBoolean);
  const bool casts = left.is(TypeId::kString) || right.is(TypeId::kString);
  return context.call(context.function.name, {boolean, boolean}, boolean, context.any_nullable() || casts);
}

const Function kLogical[] = {
    {.name = "and", .aliases = ":&&", .display = "({0} AND {1})", .resolver = resolve_logical},
    {.name = "or", .aliases = ":||", .display = "({0} OR {1})", .resolver = resolve_logical},
    {.name = "not", .signature = "(boolean) -> boolean", .aliases = ":!", .display = "(NOT {0})"},
};

}  // namespace

DEUTERON_FAMILY(logical, kLogical)

}  // namespace deuteron::functions
