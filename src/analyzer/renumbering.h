// A resolved plan made part of another one.
#pragma once

#include "analyzer/analysis.h"

namespace deuteron::analyzer {

// The plan with columns and WITH definitions under new numbers, so that it may stand in a query more than
// once.
resolved::RelationPtr renumbered(Analysis& analysis, const resolved::RelationPtr& plan);

}  // namespace deuteron::analyzer
