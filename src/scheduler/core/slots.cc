#include "scheduler/core/slots.h"

namespace deuteron::scheduler::core {

bool fits(const tasks::Slots& demand, int32_t count, const tasks::Slots& available) {
  if (int64_t{demand.cpus} * count > available.cpus) return false;
  for (const auto& [name, amount] : demand.resources) {
    const auto found = available.resources.find(name);
    if (int64_t{amount} * count > (found == available.resources.end() ? 0 : found->second)) return false;
  }
  return true;
}

void take(const tasks::Slots& demand, tasks::Slots& available) {
  available.cpus -= demand.cpus;
  for (const auto& [name, amount] : demand.resources) available.resources[name] -= amount;
}

void give_back(const tasks::Slots& demand, tasks::Slots& available) {
  available.cpus += demand.cpus;
  for (const auto& [name, amount] : demand.resources) available.resources[name] += amount;
}

tasks::Slots times(const tasks::Slots& demand, int32_t count) {
  tasks::Slots product{demand.cpus * count, {}};
  for (const auto& [name, amount] : demand.resources) product.resources[name] = amount * count;
  return product;
}

bool leaves(const tasks::Slots& demand, const tasks::Slots& free, const tasks::Slots& need) {
  if (demand.cpus > 0 && demand.cpus + need.cpus > free.cpus) return false;
  for (const auto& [name, amount] : demand.resources) {
    if (amount == 0) continue;
    const auto left = free.resources.find(name);
    const auto needed = need.resources.find(name);
    if (amount + (needed == need.resources.end() ? 0 : needed->second) >
        (left == free.resources.end() ? 0 : left->second))
      return false;
  }
  return true;
}

Status check_gang(const tasks::Slots& demand, int32_t ranks, const tasks::Slots& total) {
  if (fits(demand, ranks, total)) return Status();
  return error("BARRIER_STAGE_TOO_LARGE", {{"ranks", std::to_string(ranks)},
                                           {"required", describe(demand, ranks)},
                                           {"available", describe(total)}});
}

std::string describe(const tasks::Slots& slots, int32_t count) {
  const int64_t cpus = int64_t{slots.cpus} * count;
  std::string text = std::to_string(cpus) + (cpus == 1 ? " CPU" : " CPUs");
  for (const auto& [name, amount] : slots.resources)
    text += " and " + std::to_string(int64_t{amount} * count) + " " + name;
  return text;
}

}  // namespace deuteron::scheduler::core
