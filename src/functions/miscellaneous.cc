// What belongs to no other family.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

Result<Call> resolve_typeof(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  return context.call(DataType(TypeId::kString), false);
}

const Function kMiscellaneous[] = {
    {.name = "typeof", .resolver = resolve_typeof},
};

}  // namespace

DEUTERON_FAMILY(miscellaneous, kMiscellaneous)

}  // namespace deuteron::functions
