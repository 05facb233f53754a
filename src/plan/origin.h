// Where in the user's program a node came from; carried so that errors can point at it.
#pragma once

#include <memory>

#include "base/status.h"

namespace deuteron::plan {

// Null when unknown. Shared because many nodes come from one place; never changed once made.
using Origin = std::shared_ptr<const QueryContext>;

}  // namespace deuteron::plan
