#include "simulator/workload.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace deuteron::simulator {
namespace {

using Seconds = std::chrono::duration<double>;

// Of gangs that need (2ⁿ⁻¹, 2ⁿ] GPUs, n from 0: in published logs of training clusters most need no more than
// a machine, and few that need hundreds take most of the time.
constexpr double kWeights[] = {400, 100, 150, 250, 50, 20, 15, 8, 4, 2, 0.5, 0.25, 0.25};

constexpr Seconds kShortest{30}, kLongest{48 * 3600};
// Owners ask for more than is needed: up to three times.
constexpr double kLeastMargin = 1.05, kMostMargin = 3;

Status invalid(std::string reason) { return error("INVALID_OPTION", {{"reason", std::move(reason)}}); }

int32_t pick_gpus(Random& random, int32_t largest) {
  double all = 0;
  for (const double weight : kWeights) all += weight;
  while (true) {
    double point = random.uniform() * all;
    int exponent = 0;
    while (point >= kWeights[exponent] && exponent + 1 < static_cast<int>(std::size(kWeights)))
      point -= kWeights[exponent++];
    const int64_t most = int64_t{1} << exponent;
    const int64_t least = most / 2 + 1;
    if (least > largest) continue;
    return static_cast<int32_t>(least + random.below(std::min<int64_t>(most, largest) - least + 1));
  }
}

Duration whole(Seconds seconds) { return std::chrono::duration_cast<Duration>(seconds); }

}  // namespace

double Random::uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
double Random::exponential() { return -std::log1p(-uniform()); }
double Random::normal() {
  const double radius = std::sqrt(2 * exponential());
  return radius * std::cos(2 * std::numbers::pi * uniform());
}
int64_t Random::below(int64_t bound) {
  return std::min(static_cast<int64_t>(uniform() * static_cast<double>(bound)), bound - 1);
}

Status check(const WorkloadRules& rules) {
  if (rules.nodes < 1 || rules.gpus_per_node < 1) return invalid("a cluster needs a node and a GPU");
  if (rules.gpus() > 10000000) return invalid("no more than 10,000,000 GPUs are simulated");
  if (rules.gangs < 1 || rules.gangs > 100000000)
    return invalid("--jobs takes a number from 1 to 100,000,000");
  if (!(rules.load > 0 && rules.load <= 10)) return invalid("--load takes a number above 0, up to 10");
  if (rules.largest < 1) return invalid("--largest takes a number from 1");
  if (!(rules.median_minutes > 0) || !(rules.spread >= 0))
    return invalid("durations are above 0, and their spread is not below it");
  return {};
}

// The gangs first, then the times at which they come, stretched so that the load is what was asked for: of
// few gangs with long tails it would be another one.
std::vector<Gang> make_workload(const WorkloadRules& rules) {
  Random random(rules.seed);
  const auto largest = static_cast<int32_t>(std::min<int64_t>(rules.largest, rules.gpus()));
  std::vector<Gang> gangs(static_cast<size_t>(rules.gangs));
  std::vector<double> arrivals;
  double work = 0, arrival = 0;  // GPU seconds; in mean distances
  for (Gang& gang : gangs) {
    gang.id = &gang - gangs.data();
    gang.gpus = pick_gpus(random, largest);
    const Seconds runs(rules.median_minutes * 60 * std::exp(rules.spread * random.normal()));
    const Seconds bounded = std::clamp(runs, kShortest, kLongest);
    gang.runs = whole(bounded);
    gang.limit = whole(bounded * (kLeastMargin + (kMostMargin - kLeastMargin) * random.uniform()));
    work += gang.gpus * bounded.count();
    arrival += random.exponential();
    arrivals.push_back(arrival);
  }
  const Seconds span(work / (static_cast<double>(rules.gpus()) * rules.load));
  for (Gang& gang : gangs)
    gang.submitted = SteadyTime{} + whole(span * (arrivals[static_cast<size_t>(gang.id)] / arrival));
  return gangs;
}

}  // namespace deuteron::simulator
