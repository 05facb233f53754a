// The parts of PySpark's task header that all tasks of a stage share: what the plan, the session and its
// settings say of them.
#pragma once

#include <memory>

#include "execution/python_task.h"
#include "execution/query_run.h"
#include "execution/stage_planner.h"

namespace deuteron::execution {

// Where a task's SparkFiles lie (python/deuteron/worker/spark_files.py), and where libraries put what they
// need for a moment: the session's files; without any a folder that goes with the gang, or with the server.
inline constexpr const char* kFilesVariable = "DEUTERON_FILES_DIRECTORY";

std::shared_ptr<PythonProgram> make_program(const Services& services, const Request& request,
                                            const PythonStage& stage);

}  // namespace deuteron::execution
