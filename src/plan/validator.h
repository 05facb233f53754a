// Checks that a resolved plan keeps the rules of resolved_nodes.inc: every column reference is in scope and
// has the column's type, outputs agree with expressions and inputs, ids are unique within an output. A
// failure is a bug of ours.
#pragma once

#include "base/status.h"
#include "plan/resolved.h"

namespace deuteron::plan {

// INTERNAL_ERROR naming the node; thread-safe.
Status validate(const resolved::RelationPtr& relation);

}  // namespace deuteron::plan
