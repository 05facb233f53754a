#include "simulator/simulation.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace deuteron::simulator {
namespace {

class Run {
 public:
  Run(Cluster& cluster, Policy& policy, const PolicyKind& kind, Faults& faults)
      : cluster_(cluster), policy_(policy), recovery_(kind.recovery), faults_(faults) {}

  // At one time: what ends by itself, then nodes, then gangs that are found to stand still, then who comes,
  // then who asked to be woken.
  void go() {
    while (cluster_.open() > 0) {
      const std::optional<SteadyTime> time = next();
      if (!time) throw std::logic_error("nothing happens any more, and gangs wait");
      cluster_.advance(*time);
      pass_changes();
      pass_nodes();
      pass_findings();
      const auto& gangs = cluster_.gangs();
      for (; submitted_ < gangs.size() && is_due(gangs[submitted_].submitted); ++submitted_)
        policy_.submitted(gangs[submitted_]);
      if (const auto wakes = policy_.wakes_at(); wakes && is_due(*wakes)) policy_.woke();
    }
  }

 private:
  struct Finding {
    SteadyTime time{};
    int64_t gang = 0;
    int32_t attempt = 0;
    auto operator<=>(const Finding&) const = default;
  };

  bool is_due(SteadyTime time) const { return time <= cluster_.now(); }

  std::optional<SteadyTime> next() {
    std::optional<SteadyTime> time = policy_.wakes_at();
    const auto also = [&time](SteadyTime other) { time = time ? std::min(*time, other) : other; };
    if (const auto change = cluster_.next_change()) also(change->time);
    if (faults_.next()) also(faults_.next()->time);
    if (!repairs_.empty()) also(repairs_.begin()->first);
    if (!findings_.empty()) also(findings_.begin()->time);
    if (submitted_ < cluster_.gangs().size()) also(cluster_.gangs()[submitted_].submitted);
    return time;
  }

  void pass_changes() {
    for (auto change = cluster_.next_change(); change && is_due(change->time);
         change = cluster_.next_change()) {
      const Gang& gang = *change->gang;
      cluster_.pass_change();
      if (!change->hangs) {
        policy_.ended(gang);
      } else if (recovery_) {
        expect_finding(gang, recovery_->sees_hang);
      } else {
        policy_.hangs(gang);
      }
    }
  }

  void pass_nodes() {
    for (; !repairs_.empty() && is_due(repairs_.begin()->first); repairs_.erase(repairs_.begin())) {
      cluster_.repair(repairs_.begin()->second);
      policy_.node_repaired();
    }
    for (; faults_.next() && is_due(faults_.next()->time); faults_.pass()) {
      const NodeFailure failure = *faults_.next();
      if (!cluster_.works(failure.node)) continue;
      const auto stand_still = cluster_.fail(failure.node);
      repairs_.insert({failure.time + failure.repair, failure.node});
      policy_.node_failed(failure);
      for (const Gang* gang : stand_still) {
        if (recovery_) {
          expect_finding(*gang, recovery_->sees_lost_node);
        } else {
          policy_.lost_ranks(*gang);
        }
      }
    }
  }

  void expect_finding(const Gang& gang, std::optional<Duration> patience) {
    const SteadyTime limit = cluster_.attempt_started(gang) + gang.limit;
    const SteadyTime time = patience ? std::min(cluster_.now() + *patience, limit) : limit;
    findings_.insert({time, gang.id, cluster_.attempt(gang)});
  }

  void pass_findings() {
    while (!findings_.empty() && is_due(findings_.begin()->time)) {
      const Finding finding = *findings_.begin();
      findings_.erase(findings_.begin());
      const Gang& gang = cluster_.gangs()[static_cast<size_t>(finding.gang)];
      if (!cluster_.runs(gang) || cluster_.attempt(gang) != finding.attempt) continue;
      cluster_.stop(gang);
      const bool is_at_limit = is_due(cluster_.attempt_started(gang) + gang.limit);
      if (recovery_->starts_again && !is_at_limit) {
        policy_.stopped(gang);
      } else {
        cluster_.give_up(gang);
        policy_.ended(gang);
      }
    }
  }

  Cluster& cluster_;
  Policy& policy_;
  const std::optional<Recovery> recovery_;
  Faults& faults_;
  size_t submitted_ = 0;
  std::set<std::pair<SteadyTime, int32_t>> repairs_;
  std::set<Finding> findings_;
};

}  // namespace

double Simulated::part(double gpu_seconds) const {
  const double all =
      static_cast<double>(gpus) * std::chrono::duration<double>(measured.to - measured.from).count();
  return all > 0 ? gpu_seconds / all : 0;
}

Simulated simulate(int32_t nodes, int32_t gpus_per_node, const std::vector<Gang>& gangs,
                   const PolicyKind& kind, Faults faults) {
  const SteadyTime began = steady_now();
  Cluster cluster(nodes, gpus_per_node, gangs, faults);
  cluster.measure_between(gangs[gangs.size() / 5].submitted, gangs.back().submitted);
  const auto policy = kind.make(cluster);
  Run(cluster, *policy, kind, faults).go();

  Simulated simulated;
  for (const Gang& gang : gangs) simulated.outcomes.push_back(cluster.outcome(gang));
  simulated.whole = cluster.whole();
  simulated.measured = cluster.measured();
  simulated.gpus = cluster.gpus();
  simulated.virtual_seconds = std::chrono::duration<double>(cluster.now() - SteadyTime{}).count();
  simulated.seconds = std::chrono::duration<double>(steady_now() - began).count();
  return simulated;
}

}  // namespace deuteron::simulator
