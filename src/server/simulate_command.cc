#include "server/simulate_command.h"

#include <algorithm>
#include <fstream>
#include <iostream>

#include "simulator/report.h"

namespace deuteron::server {
namespace {

std::string list_of_policies() {
  std::string list = "Policies:\n";
  for (const auto& kind : simulator::policies())
    list += "  " + kind.name + std::string(14 - kind.name.size(), ' ') + kind.purpose + "\n";
  return list;
}

int fail(const std::string& message) {
  std::cerr << "deuteron: " << message << std::endl;
  return 1;
}

}  // namespace

void add_options(CLI::App& command, SimulateOptions& options) {
  std::vector<std::string> names;
  for (const auto& kind : simulator::policies()) names.push_back(kind.name);
  auto& workload = options.workload;
  command.add_option("--nodes", workload.nodes, "Machines of the cluster")->capture_default_str();
  command.add_option("--gpus-per-node", workload.gpus_per_node, "GPUs of each")->capture_default_str();
  command
      .add_option("--load", workload.load,
                  "GPU time that is asked for, as a part of what there is; above 1 the queue grows")
      ->capture_default_str();
  command.add_option("--jobs", workload.gangs, "Gangs that are submitted")->capture_default_str();
  command.add_option("--seed", workload.seed, "The same seed gives the same gangs and the same result")
      ->capture_default_str();
  command.add_option("--largest", workload.largest, "GPUs of the largest gangs; most need 1 to 8")
      ->capture_default_str();
  command
      .add_option("--median-minutes", workload.median_minutes,
                  "Median of how long gangs run (lognormal, 30 s to 48 h)")
      ->capture_default_str();
  command.add_option("--spread", workload.spread, "Standard deviation of its logarithm")
      ->capture_default_str();
  auto& faults = options.faults;
  command
      .add_option("--node-failures", faults.node_days, "Mean days between two failures of a node; 0: none")
      ->capture_default_str();
  command.add_option("--repair", faults.repair_hours, "Mean hours until such a node is back")
      ->capture_default_str();
  command
      .add_option("--hangs", faults.hang_hours,
                  "Mean GPU hours of running gangs until one of them stops making progress; 0: none")
      ->capture_default_str();
  command
      .add_option("--checkpoint", faults.checkpoint_minutes,
                  "Minutes between checkpoints: what is after the last is lost with an attempt; 0: none")
      ->capture_default_str();
  command
      .add_option("--policy", options.policies,
                  "Who decides; may be repeated, or a list with commas (default: all)")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  command.add_option("--json", options.json, "File for everything that was measured, waits in seconds");
  command.footer(
      list_of_policies() +
      "\nThe table: GPUs in use, those that became finished work, and those held by gangs that could not\n"
      "start yet, between the first fifth of the submissions and the last; and for how long gangs waited\n"
      "for their first start, by size. The same seed gives every policy the same failures.\n"
      "\nExample, some seconds long:\n"
      "  deuteron simulate --nodes 1000 --load 0.9 --policy easy,deuteron --node-failures 150 --hangs "
      "100000\n"
      "\nWhat a simulation cannot show: docs/simulation.md");
}

int simulate(const SimulateOptions& options) {
  if (const Status status = check(options.workload); !status.ok()) return fail(status.detail().message);
  if (const Status status = check(options.faults); !status.ok()) return fail(status.detail().message);
  std::ofstream json;
  if (!options.json.empty()) {
    json.open(options.json);
    if (!json) return fail("cannot write " + options.json);
  }
  const std::vector<simulator::Gang> gangs = make_workload(options.workload);
  std::vector<simulator::Summary> summaries;
  for (const auto& kind : simulator::policies()) {
    const auto& asked = options.policies;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), kind.name) == asked.end()) continue;
    const auto& workload = options.workload;
    const simulator::Faults faults(options.faults, workload.nodes, workload.seed);
    const auto simulated = simulator::simulate(workload.nodes, workload.gpus_per_node, gangs, kind, faults);
    summaries.push_back(summarise(kind.name, gangs, simulated));
  }
  std::cout << simulator::to_table(summaries) << std::flush;
  if (!options.json.empty())
    json << simulator::to_json(options.workload, options.faults, summaries) << std::flush;
  return json ? 0 : fail("cannot write " + options.json);
}

}  // namespace deuteron::server
