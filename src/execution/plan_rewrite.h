// Walking and rebuilding resolved plans. Plans are immutable: a rewrite shares whatever it does not change.
// Stateless.
#pragma once

#include <functional>

#include "plan/resolved.h"

namespace deuteron::execution {

using RelationMapper = std::function<Result<plan::resolved::RelationPtr>(const plan::resolved::RelationPtr&)>;

// The relation with each child replaced by what `mapper` makes of it: its inputs, the definitions of a
// WithCte, and the plans of sub-queries in its expressions. Children are not walked further.
Result<plan::resolved::RelationPtr> map_children(const plan::resolved::RelationPtr& relation,
                                                 const RelationMapper& mapper);

// Whether `predicate` holds for the relation or anything below it, sub-queries included.
bool any_relation(const plan::resolved::RelationPtr& relation,
                  const std::function<bool(const plan::resolved::Relation&)>& predicate);

}  // namespace deuteron::execution
