#include "simulator/simulation.h"

#include <algorithm>

namespace deuteron::simulator {
namespace {

// At one time: what ends, then what comes, then who asked to be woken.
void run(Cluster& cluster, Policy& policy) {
  size_t next = 0;
  while (true) {
    std::optional<SteadyTime> time = cluster.next_end();
    const auto also = [&time](std::optional<SteadyTime> other) {
      if (other) time = time ? std::min(*time, *other) : other;
    };
    if (next < cluster.gangs().size()) also(cluster.gangs()[next].submitted);
    also(policy.wakes_at());
    if (!time) return;
    cluster.advance(*time);
    while (cluster.next_end() && *cluster.next_end() <= cluster.now()) policy.ended(cluster.end_next());
    for (; next < cluster.gangs().size() && cluster.gangs()[next].submitted <= cluster.now(); ++next)
      policy.submitted(cluster.gangs()[next]);
    if (const auto wakes = policy.wakes_at(); wakes && *wakes <= cluster.now()) policy.woke();
  }
}

}  // namespace

Simulated simulate(int64_t gpus, const std::vector<Gang>& gangs, const PolicyKind& kind) {
  const SteadyTime began = steady_now();
  Cluster cluster(gpus, gangs);
  const SteadyTime from = gangs[gangs.size() / 5].submitted;
  const SteadyTime to = gangs.back().submitted;
  cluster.count_between(from, to);
  const auto policy = kind.make(cluster);
  run(cluster, *policy);

  Simulated simulated;
  for (const Gang& gang : gangs) simulated.outcomes.push_back(cluster.outcome(gang));
  const double all = static_cast<double>(gpus) * std::chrono::duration<double>(to - from).count();
  if (all > 0) {
    simulated.utilisation = cluster.account().used / all;
    simulated.held_idle = cluster.account().held_idle / all;
  }
  simulated.virtual_seconds = std::chrono::duration<double>(cluster.now() - SteadyTime{}).count();
  simulated.seconds = std::chrono::duration<double>(steady_now() - began).count();
  return simulated;
}

}  // namespace deuteron::simulator
