// The servers of this user on this machine, and where their logs are. A server leaves a note in its runtime
// directory, which goes with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron::server {

struct RunningServer {
  int port = 0;
  std::string log_directory;
};

Status leave_note(const std::string& runtime_directory, const RunningServer& server);
std::vector<RunningServer> running_servers();

}  // namespace deuteron::server
