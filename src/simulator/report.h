// What a simulation shows: what the cluster did, how long gangs of which size waited, and what failures cost.
// As a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include "simulator/simulation.h"

namespace deuteron::simulator {

// Gangs of from `least` to `most` GPUs; waits in seconds.
struct Waits {
  int32_t least = 1, most = 0;
  int64_t gangs = 0;
  int64_t never_started = 0;
  double mean = 0, p50 = 0, p99 = 0, longest = 0;
  std::vector<double> percentiles;  // 0, 1, ... 100
};

struct Summary {
  std::string policy;
  // Parts of the cluster's GPU time that is measured.
  double utilisation = 0, held_idle = 0, down = 0, goodput = 0;
  double hours_lost_to_nodes = 0, hours_lost_to_hangs = 0;  // GPU hours of that time
  int64_t restarts = 0, lost = 0;                           // of all gangs
  double virtual_seconds = 0, seconds = 0;
  std::vector<Waits> waits;  // of all, then by size
};

Summary summarise(const std::string& policy, const std::vector<Gang>& gangs, const Simulated& simulated);
std::string to_table(const std::vector<Summary>& summaries);
std::string to_json(const WorkloadRules& rules, const FaultRules& faults,
                    const std::vector<Summary>& summaries);
// "45s", "12m", "3.4h"
std::string describe(double seconds);

}  // namespace deuteron::simulator
