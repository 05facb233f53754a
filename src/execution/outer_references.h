// Sub-plans that read columns of an outer query, as correlated sub-queries and lateral joins do. The engine
// runs such a plan once per outer row, so to say; what a worker is to see has to be made without one. Filters
// are what usually refers outside, and rows that a filter drops may as well be dropped later. Stateless.
#pragma once

#include <optional>

#include "plan/resolved.h"

namespace deuteron::execution {

// Whether an expression of the plan reads a column that nothing in the plan makes.
bool refers_outside(const plan::resolved::RelationPtr& relation);

struct LiftedFilters {
  plan::resolved::RelationPtr relation;    // refers to nothing outside; may have more columns than before
  plan::resolved::Expressions conditions;  // over its output and the outer query's
};

// The plan without the filters that refer outside. None when something else in it does.
std::optional<LiftedFilters> lift_outer_filters(const plan::resolved::RelationPtr& relation);

}  // namespace deuteron::execution
