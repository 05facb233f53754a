// One workload under one policy, from the first submission until everybody has ended or nothing happens any
// more.
#pragma once

#include <vector>

#include "simulator/policy.h"

namespace deuteron::simulator {

struct Simulated {
  std::vector<Outcome> outcomes;  // by gang
  // From when the first fifth of the gangs has been submitted (the cluster starts empty) to the last
  // submission: parts of the cluster's GPUs that ran gangs, and that were held by gangs that did not run.
  double utilisation = 0;
  double held_idle = 0;
  double virtual_seconds = 0;
  double seconds = 0;  // that the simulation took
};

Simulated simulate(int64_t gpus, const std::vector<Gang>& gangs, const PolicyKind& kind);

}  // namespace deuteron::simulator
