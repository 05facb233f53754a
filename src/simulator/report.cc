#include "simulator/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

namespace deuteron::simulator {
namespace {

struct Sizes {
  int32_t least, most;
};
constexpr int32_t kLargest = std::numeric_limits<int32_t>::max();
constexpr Sizes kSizes[] = {{1, kLargest}, {1, 1}, {2, 8}, {9, 64}, {65, 512}, {513, kLargest}};

// Of sorted values: the least that so many of them are not above.
double percentile(const std::vector<double>& sorted, double percent) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

Waits waits_of(Sizes sizes, const std::vector<Gang>& gangs, const std::vector<Outcome>& outcomes) {
  Waits waits{.least = sizes.least, .most = sizes.most};
  std::vector<double> seconds;
  for (const Gang& gang : gangs) {
    if (gang.gpus < sizes.least || gang.gpus > sizes.most) continue;
    ++waits.gangs;
    if (const auto started = outcomes[static_cast<size_t>(gang.id)].started) {
      seconds.push_back(std::chrono::duration<double>(*started - gang.submitted).count());
    } else {
      ++waits.never_started;
    }
  }
  if (seconds.empty()) return waits;
  std::sort(seconds.begin(), seconds.end());
  waits.mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
  waits.p50 = percentile(seconds, 50);
  waits.p99 = percentile(seconds, 99);
  waits.longest = seconds.back();
  for (int percent = 0; percent <= 100; ++percent) waits.percentiles.push_back(percentile(seconds, percent));
  return waits;
}

std::string name_of(const Waits& waits) {
  if (waits.most == kLargest) return waits.least == 1 ? "all" : std::to_string(waits.least) + "-";
  if (waits.least == waits.most) return std::to_string(waits.least);
  return std::to_string(waits.least) + "-" + std::to_string(waits.most);
}

template <typename... Values>
std::string line(const char* format, Values... values) {
  char text[200];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

nlohmann::ordered_json to_json(const Waits& waits) {
  nlohmann::ordered_json json = {
      {"gpus", name_of(waits)},  {"gangs", waits.gangs}, {"never_started", waits.never_started},
      {"mean", waits.mean},      {"p50", waits.p50},     {"p99", waits.p99},
      {"longest", waits.longest}};
  json["percentiles"] = waits.percentiles;
  return json;
}

}  // namespace

std::string describe(double seconds) {
  if (seconds < 1) return seconds == 0 ? "0" : line("%.1fs", seconds);
  if (seconds < 120) return line("%.0fs", seconds);
  if (seconds < 7200) return line("%.0fm", seconds / 60);
  return line("%.1fh", seconds / 3600);
}

Summary summarise(const std::string& policy, const std::vector<Gang>& gangs, const Simulated& simulated) {
  Summary summary;
  summary.policy = policy;
  summary.utilisation = simulated.utilisation();
  summary.held_idle = simulated.held_idle();
  summary.down = simulated.part(simulated.measured.down);
  summary.goodput = simulated.goodput();
  summary.hours_lost_to_nodes = simulated.measured.lost_to(Loss::kNodes) / 3600;
  summary.hours_lost_to_hangs = simulated.measured.lost_to(Loss::kHangs) / 3600;
  for (const Outcome& outcome : simulated.outcomes) {
    summary.restarts += outcome.restarts;
    summary.lost += outcome.is_lost;
  }
  summary.virtual_seconds = simulated.virtual_seconds;
  summary.seconds = simulated.seconds;
  for (const Sizes sizes : kSizes) summary.waits.push_back(waits_of(sizes, gangs, simulated.outcomes));
  return summary;
}

std::string to_table(const std::vector<Summary>& summaries) {
  std::string table = line("%-13s %6s %6s %6s  %-9s %8s %8s %8s %8s %8s %6s\n", "policy", "used", "good",
                           "idle", "GPUs", "gangs", "mean", "p50", "p99", "longest", "never");
  for (const Summary& summary : summaries) {
    for (const Waits& waits : summary.waits) {
      const bool is_first = &waits == &summary.waits.front();
      table += is_first ? line("%-13s %5.1f%% %5.1f%% %5.1f%%", summary.policy.c_str(),
                               100 * summary.utilisation, 100 * summary.goodput, 100 * summary.held_idle)
                        : line("%-13s %6s %6s %6s", "", "", "", "");
      table += line("  %-9s %8lld %8s %8s %8s %8s %6lld\n", name_of(waits).c_str(),
                    static_cast<long long>(waits.gangs), describe(waits.mean).c_str(),
                    describe(waits.p50).c_str(), describe(waits.p99).c_str(), describe(waits.longest).c_str(),
                    static_cast<long long>(waits.never_started));
    }
    if (summary.restarts + summary.lost > 0)
      table +=
          line("%-13s %.0f GPU hours lost to failed nodes, %.0f to hangs; %lld restarts, %lld gangs lost\n",
               "", summary.hours_lost_to_nodes, summary.hours_lost_to_hangs,
               static_cast<long long>(summary.restarts), static_cast<long long>(summary.lost));
    table += line("%-13s simulated %s in %.1f s\n", "", describe(summary.virtual_seconds).c_str(),
                  summary.seconds);
  }
  return table;
}

std::string to_json(const WorkloadRules& rules, const FaultRules& faults,
                    const std::vector<Summary>& summaries) {
  nlohmann::ordered_json json;
  json["workload"] = {{"nodes", rules.nodes},
                      {"gpus_per_node", rules.gpus_per_node},
                      {"jobs", rules.gangs},
                      {"load", rules.load},
                      {"seed", rules.seed},
                      {"largest", rules.largest},
                      {"median_minutes", rules.median_minutes},
                      {"spread", rules.spread}};
  json["faults"] = {{"node_days", faults.node_days},
                    {"repair_hours", faults.repair_hours},
                    {"hang_hours", faults.hang_hours},
                    {"checkpoint_minutes", faults.checkpoint_minutes}};
  json["policies"] = nlohmann::ordered_json::array();
  for (const Summary& summary : summaries) {
    nlohmann::ordered_json policy = {{"policy", summary.policy},
                                     {"utilisation", summary.utilisation},
                                     {"goodput", summary.goodput},
                                     {"held_idle", summary.held_idle},
                                     {"down", summary.down},
                                     {"hours_lost_to_nodes", summary.hours_lost_to_nodes},
                                     {"hours_lost_to_hangs", summary.hours_lost_to_hangs},
                                     {"restarts", summary.restarts},
                                     {"lost", summary.lost},
                                     {"virtual_seconds", summary.virtual_seconds},
                                     {"seconds", summary.seconds}};
    policy["waits"] = nlohmann::ordered_json::array();
    for (const Waits& waits : summary.waits) policy["waits"].push_back(to_json(waits));
    json["policies"].push_back(std::move(policy));
  }
  return json.dump(2) + "\n";
}

}  // namespace deuteron::simulator
