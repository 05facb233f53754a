// What tasks of a Python stage have left, as what the stage has left.
#pragma once

#include "exchange/stage_output.h"
#include "execution/python_task.h"
#include "execution/stage_planner.h"

namespace deuteron::execution {

// The columns of what the stage leaves: those of its input that are kept, and then its results.
std::vector<exchange::ColumnGroup> output_groups(const PythonStage& stage);

// The stream of a task's output, without rows when there is none. An error when its columns are not the
// declared ones, as Spark tells it.
Result<exchange::Stream> stream_of(const exchange::ColumnGroup& declared, const PythonOutput* output);

}  // namespace deuteron::execution
