// What goes wrong in a simulated cluster: nodes fail and are repaired, gangs stop making progress. The same
// rules and seed give the same faults whatever the policy does: nodes fail by the clock, and a gang hangs by
// the time for which it has run.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "simulator/workload.h"

namespace deuteron::simulator {

struct FaultRules {
  double node_days = 0;            // mean time between failures of a node; 0: none
  double repair_hours = 4;         // mean
  double hang_hours = 0;           // GPU hours of running gangs, for one of them to hang; 0: none
  double checkpoint_minutes = 30;  // of running; 0: no checkpoints
};

// INVALID_OPTION
Status check(const FaultRules& rules);

struct NodeFailure {
  SteadyTime time{};
  int32_t node = 0;  // one that is under repair already stays so
  Duration repair{};
};

class Faults {
 public:
  Faults() : Faults({}, 1, 0) {}
  Faults(const FaultRules& rules, int32_t nodes, uint64_t seed);
  // These, in order of time, and each of these gangs hangs once.
  Faults(Duration checkpoint, std::vector<NodeFailure> failures, std::map<int64_t, Duration> hangs);

  Duration checkpoint() const { return checkpoint_; }  // zero: there are none

  // The next failure of a node; none: no node fails any more.
  const std::optional<NodeFailure>& next() const { return next_; }
  void pass();
  // After how much running since its last hang a gang hangs again; none: it does not.
  std::optional<Duration> hangs_after(const Gang& gang, int32_t hangs_before) const;

 private:
  NodeFailure draw();

  FaultRules rules_;
  Duration checkpoint_;
  int32_t nodes_ = 1;
  uint64_t seed_ = 0;
  Random random_;
  std::deque<NodeFailure> given_;
  std::map<int64_t, Duration> hangs_;
  std::optional<NodeFailure> next_;
};

}  // namespace deuteron::simulator
