#include "simulator/faults.h"

#include <algorithm>
#include <cmath>

namespace deuteron::simulator {
namespace {

using Hours = std::chrono::duration<double, std::ratio<3600>>;

// Somebody has to go there.
constexpr Duration kShortestRepair = std::chrono::minutes(10);
// So that sums of times do not overflow.
constexpr Hours kLongest{24 * 365 * 20};

Duration whole(Hours hours) { return std::chrono::duration_cast<Duration>(std::min(hours, kLongest)); }

// A number from [0, 1) that is a function of its arguments (SplitMix64's last steps).
double scatter(uint64_t seed, uint64_t one, uint64_t other) {
  uint64_t bits = seed + 0x9e3779b97f4a7c15 * (one + 1) + 0xd1b54a32d192ed03 * (other + 1);
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return static_cast<double>((bits ^ (bits >> 31)) >> 11) * 0x1p-53;
}

Status invalid(std::string reason) { return error("INVALID_OPTION", {{"reason", std::move(reason)}}); }

}  // namespace

Status check(const FaultRules& rules) {
  if (!(rules.node_days == 0 || rules.node_days >= 0.01))
    return invalid("--node-failures takes days from 0.01, or 0");
  if (!(rules.repair_hours >= 0 && rules.repair_hours <= 24 * 365))
    return invalid("--repair takes hours, a year at most");
  if (!(rules.hang_hours == 0 || rules.hang_hours >= 1)) return invalid("--hangs takes hours from 1, or 0");
  if (!(rules.checkpoint_minutes >= 0)) return invalid("--checkpoint takes minutes, or 0");
  return {};
}

Faults::Faults(const FaultRules& rules, int32_t nodes, uint64_t seed)
    : rules_(rules),
      checkpoint_(whole(Hours(rules.checkpoint_minutes / 60))),
      nodes_(nodes),
      seed_(seed),
      random_(~seed) {
  pass();
}

Faults::Faults(Duration checkpoint, std::vector<NodeFailure> failures, std::map<int64_t, Duration> hangs)
    : checkpoint_(checkpoint),
      random_(0),
      given_(failures.begin(), failures.end()),
      hangs_(std::move(hangs)) {
  pass();
}

void Faults::pass() {
  if (rules_.node_days > 0) {
    next_ = draw();
  } else if (given_.empty()) {
    next_.reset();
  } else {
    next_ = given_.front();
    given_.pop_front();
  }
}

// Failures of all nodes together: as nodes are alike and forget, which of them fails is a matter of chance.
NodeFailure Faults::draw() {
  const Hours between(random_.exponential() * rules_.node_days * 24 / nodes_);
  const SteadyTime time = (next_ ? next_->time : SteadyTime{}) + whole(between);
  const auto node = static_cast<int32_t>(random_.below(nodes_));
  const Duration repair = whole(Hours(random_.exponential() * rules_.repair_hours));
  return {time, node, std::max(repair, kShortestRepair)};
}

std::optional<Duration> Faults::hangs_after(const Gang& gang, int32_t hangs_before) const {
  if (rules_.hang_hours > 0) {
    const double uniform =
        scatter(seed_, static_cast<uint64_t>(gang.id), static_cast<uint64_t>(hangs_before));
    return whole(Hours(-std::log1p(-uniform) * rules_.hang_hours / gang.gpus));
  }
  const auto given = hangs_.find(gang.id);
  if (given == hangs_.end() || hangs_before > 0) return std::nullopt;
  return given->second;
}

}  // namespace deuteron::simulator
