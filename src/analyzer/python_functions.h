// The pass that takes Python calls out of one node and evaluates them in EvaluatePython nodes below it.
#pragma once

#include "analyzer/analysis.h"

namespace deuteron::analyzer {

// Whether functions of this kind (PySpark's PythonEvalType) make one value of all rows of a group.
bool is_python_aggregate(int32_t eval_type);
// Of these, whether the function takes an iterator of batches.
bool takes_batches(int32_t eval_type);

// `relation` without PythonCalls of its own; inputs and sub-queries are left alone. Its output columns stay.
Result<resolved::RelationPtr> extract_python(Analysis& analysis, const resolved::RelationPtr& relation);

}  // namespace deuteron::analyzer
