// The pass that takes Python calls out of one node and evaluates them in EvaluatePython nodes below it.
#pragma once

#include "analyzer/analysis.h"

namespace deuteron::analyzer {

// Whether functions of this kind (PySpark's PythonEvalType) make one value of all rows of a group.
bool is_python_aggregate(int32_t eval_type);
// Whether functions of this kind stand in FROM (table_functions.cc).
bool is_python_table(int32_t eval_type);
// UNEXPECTED_POSITIONAL_ARGUMENT, DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT.
Status check_named_arguments(const plan::Names& function, const unresolved::Expressions& arguments);
// NUM_TABLE_VALUE_ALIASES_MISMATCH: a function in FROM has as many columns as its alias names, if that names
// any.
Status check_alias_count(const plan::Names& function, size_t given, size_t columns);
// Of these, whether the function takes an iterator of batches.
bool takes_batches(int32_t eval_type);

// `relation` without PythonCalls of its own; inputs and sub-queries are left alone. Its output columns stay.
Result<resolved::RelationPtr> extract_python(Analysis& analysis, const resolved::RelationPtr& relation);

}  // namespace deuteron::analyzer
