// Runs a small program of the machine and reads what it prints: bounded in time and size.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron::resources {

struct ProgramLimits {
  std::chrono::milliseconds time{10'000};
  size_t bytes = size_t{1} << 20;
};

// Its standard output; standard error is the server's. An error tells how it failed. `command[0]` is a path,
// or a name on PATH. Blocks.
Result<std::string> output_of(const std::vector<std::string>& command, ProgramLimits limits = {});

}  // namespace deuteron::resources
