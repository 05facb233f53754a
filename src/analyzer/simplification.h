// The last pass over a resolved plan: Python calls get nodes of their own, chains of projections become one,
// and words such as 'today' become the times that they mean.
#pragma once

#include "analyzer/analysis.h"

namespace deuteron::analyzer {

Result<resolved::RelationPtr> simplify(Analysis& analysis, const resolved::RelationPtr& plan);

}  // namespace deuteron::analyzer
