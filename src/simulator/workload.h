// What is submitted to a simulated cluster: gangs, when they come, what they need and for how long. The same
// rules give the same gangs, on every machine.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace deuteron::simulator {

struct Gang {
  int64_t id = 0;  // its place in the workload, which is ordered by submission
  SteadyTime submitted{};
  int32_t gpus = 0;  // one rank each
  Duration runs{};
  Duration limit{};  // what its owner asks for: longer than it runs, and all that a policy knows of it
};

struct WorkloadRules {
  int32_t nodes = 1000;
  int32_t gpus_per_node = 8;
  int64_t gangs = 100000;
  double load = 0.9;  // GPU time asked for, as a part of what the cluster has while gangs are submitted
  uint64_t seed = 1;
  int32_t largest = 4096;      // GPUs; never more than the cluster has
  double median_minutes = 20;  // of a gang's duration
  double spread = 1.5;         // its logarithm's standard deviation

  int64_t gpus() const { return int64_t{nodes} * gpus_per_node; }
};

// Random numbers that do not depend on the library: the standard leaves the distributions to it.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  double uniform();      // from [0, 1)
  double normal();       // mean 0, standard deviation 1
  double exponential();  // mean 1
  int64_t below(int64_t bound);

 private:
  std::mt19937_64 engine_;
};

// INVALID_OPTION where no workload can be made of them.
Status check(const WorkloadRules& rules);
// Requires rules that were checked.
std::vector<Gang> make_workload(const WorkloadRules& rules);

}  // namespace deuteron::simulator
