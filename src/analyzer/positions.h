// The pass that takes calls whose value depends on where a row lies (spark_partition_id, rand …) out of one
// node and evaluates them in an EvaluatePosition node below it.
#pragma once

#include "analyzer/analysis.h"

namespace deuteron::analyzer {

// `relation` without such calls of its own; inputs and sub-queries are left alone. Its output columns stay.
Result<resolved::RelationPtr> extract_positions(Analysis& analysis, const resolved::RelationPtr& relation);

// The rows of `input` whose random number, by Spark's generator with this seed, is at least `lower` and below
// `upper`.
resolved::RelationPtr sampled(Analysis& analysis, const resolved::RelationPtr& input, double lower,
                              double upper, int64_t seed);

}  // namespace deuteron::analyzer
