// What waiting_gangs() answers: the session's gangs that wait for their start, or for their next attempt, as
// rows.
#pragma once

#include <vector>

#include "execution/executor.h"
#include "session/session.h"

namespace deuteron::session {

// `now_micros`: from when `expected_start` is counted.
Rows waiting_gang_rows(const std::vector<execution::WaitingGang>& gangs, int64_t now_micros);

}  // namespace deuteron::session
