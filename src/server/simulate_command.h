// `deuteron simulate`: its options, and a run of it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "simulator/faults.h"

namespace deuteron::server {

struct SimulateOptions {
  simulator::WorkloadRules workload;
  simulator::FaultRules faults;
  std::vector<std::string> policies;  // none: all
  std::string json;                   // a file; "": none
};

void add_options(CLI::App& command, SimulateOptions& options);
// Gives back the program's exit code.
int simulate(const SimulateOptions& options);

}  // namespace deuteron::server
