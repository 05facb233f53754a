// Runs a small program of the machine and reads what it prints: bounded in time and size.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron {

struct ProgramOptions {
  std::chrono::milliseconds time{10'000};
  size_t bytes = size_t{1} << 20;
  bool takes_errors = false;  // standard error counts as output; else it is the server's
};

// The status tells how it failed, and what it had printed is there then too.
struct ProgramEnd {
  Status status;
  std::string output;
};

// `command[0]` is a path, or a name on PATH. The program and what it has started are killed when they take
// too long or print too much. Blocks.
ProgramEnd run_program(const std::vector<std::string>& command, ProgramOptions options = {});
// Of one that has ended well.
Result<std::string> output_of(const std::vector<std::string>& command, ProgramOptions options = {});

}  // namespace deuteron
