// What python_worker_logs() answers: the log records of the session's Python workers as rows.
#pragma once

#include <string>
#include <vector>

#include "session/session.h"

namespace deuteron::session {

// `records`: JSON objects as PySpark's workers write them; what is no such object is a row of nulls.
Rows python_log_rows(const std::vector<std::string>& records);

}  // namespace deuteron::session
