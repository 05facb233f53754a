// One workload under one policy, from the first submission until nobody is left who runs or waits.
#pragma once

#include <vector>

#include "simulator/policy.h"

namespace deuteron::simulator {

struct Simulated {
  std::vector<Outcome> outcomes;  // by gang
  Account whole;
  // From when the first fifth of the gangs has been submitted (the cluster starts empty) to the last
  // submission.
  Account measured;
  int64_t gpus = 0;
  double virtual_seconds = 0;
  double seconds = 0;  // that the simulation took

  // Parts of the cluster's GPU time that is measured.
  double part(double gpu_seconds) const;
  double utilisation() const { return part(measured.used); }
  double held_idle() const { return part(measured.held_idle); }
  double goodput() const { return part(measured.finished); }
};

Simulated simulate(int32_t nodes, int32_t gpus_per_node, const std::vector<Gang>& gangs,
                   const PolicyKind& kind, Faults faults = {});

}  // namespace deuteron::simulator
