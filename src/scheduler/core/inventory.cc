#include "scheduler/core/inventory.h"

#include <algorithm>
#include <numeric>

namespace deuteron::scheduler::core {
namespace {

using tasks::kWhole;

std::string format(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string list(int64_t cpus, const std::map<std::string, Amount>& resources, int64_t memory) {
  std::string text = std::to_string(cpus) + (cpus == 1 ? " CPU" : " CPUs");
  for (const auto& [name, amount] : resources)
    text += " and " + format(static_cast<double>(amount) / kWhole) + " " + name;
  if (memory > 0) text += " and " + std::to_string(memory >> 20) + " MiB of memory";
  return text;
}

Amount sum(const std::vector<Amount>& amounts) {
  return std::accumulate(amounts.begin(), amounts.end(), Amount{0});
}

}  // namespace

Inventory::Inventory(tasks::Machine machine)
    : machine_(std::make_shared<const tasks::Machine>(std::move(machine))),
      cpus_(machine_->cpus),
      memory_(machine_->memory) {
  for (const auto& [name, resource] : machine_->resources) {
    const size_t addresses = resource.addresses.size();
    pools_[name] = {resource.amount, std::vector<Amount>(addresses, kWhole),
                    std::vector<bool>(addresses, false)};
  }
}

bool Inventory::fits(const Demand& demand) const {
  return has_cpus(demand) && has_memory(demand) &&
         std::ranges::all_of(demand.each.resources, [&](const auto& resource) {
           return has(resource.first, resource.second, demand.tasks);
         });
}

bool Inventory::is_overdrawn() const {
  return cpus_ < 0 || memory_ < 0 ||
         std::ranges::any_of(pools_, [](const auto& pool) { return pool.second.counted < 0; });
}

bool Inventory::has(const std::string& resource, Amount each, int32_t tasks) const {
  if (each == 0) return true;
  const auto found = pools_.find(resource);
  if (found == pools_.end()) return false;
  const Pool& pool = found->second;
  if (pool.free.empty()) return times(each, tasks) <= pool.counted;
  return room(usable(pool, each, tasks), each) >= tasks;
}

// Free by address. Addresses that are left out count as taken, unless too few others exist.
std::vector<Amount> Inventory::usable(const Pool& pool, Amount each, int32_t tasks) const {
  std::vector<Amount> others(pool.free.size(), kWhole);
  std::vector<Amount> free = pool.free;
  for (size_t index = 0; index < free.size(); ++index) {
    if (pool.is_left_out[index]) others[index] = free[index] = 0;
  }
  return room(others, each) >= tasks ? free : pool.free;
}

Allocation Inventory::allocate(const Demand& demand) const {
  Allocation allocation{demand, {}};
  for (const auto& [name, each] : demand.each.resources) {
    const auto found = pools_.find(name);
    if (each == 0 || found == pools_.end() || found->second.free.empty()) continue;
    allocation.shares[name] =
        choose(machine_->resources.at(name), usable(found->second, each, demand.tasks), each, demand.tasks);
  }
  return allocation;
}

void Inventory::take(const Allocation& allocation) { add(allocation, -1); }
void Inventory::give_back(const Allocation& allocation) { add(allocation, 1); }

void Inventory::add(const Allocation& allocation, int32_t sign) {
  const Demand& demand = allocation.demand;
  cpus_ += sign * demand.cpus();
  memory_ += sign * demand.memory();
  for (const auto& [name, each] : demand.each.resources) {
    if (const auto found = pools_.find(name); found != pools_.end() && found->second.free.empty())
      found->second.counted += sign * each * demand.tasks;
  }
  for (const auto& [name, tasks] : allocation.shares) {
    std::vector<Amount>& free = pools_.at(name).free;
    for (const Shares& shares : tasks) {
      for (const Share& share : shares) free[share.address] += sign * share.amount;
    }
  }
}

bool Inventory::leaves(const Demand& demand, const Demand& need) const {
  Inventory after = *this;
  after.take(allocate(demand));
  if (demand.cpus() > 0 && !after.has_cpus(need)) return false;
  if (demand.memory() > 0 && !after.has_memory(need)) return false;
  return std::ranges::all_of(demand.each.resources, [&](const auto& resource) {
    const auto needed = need.each.resources.find(resource.first);
    return resource.second == 0 || needed == need.each.resources.end() ||
           after.has(needed->first, needed->second, need.tasks);
  });
}

void Inventory::leave_out(const std::string& resource, int32_t address, bool is_left_out) {
  pools_.at(resource).is_left_out[address] = is_left_out;
}

bool Inventory::is_left_out(const Allocation& allocation) const {
  for (const auto& [name, tasks] : allocation.shares) {
    const Pool& pool = pools_.at(name);
    for (const Shares& shares : tasks) {
      if (std::ranges::any_of(shares, [&](const Share& share) { return pool.is_left_out[share.address]; }))
        return true;
    }
  }
  return false;
}

std::map<std::string, std::vector<std::string>> Inventory::addresses(const Allocation& allocation,
                                                                     int32_t task) const {
  std::map<std::string, std::vector<std::string>> found;
  for (const auto& [name, tasks] : allocation.shares) {
    for (const Share& share : tasks[task]) found[name].push_back(address(name, share.address));
  }
  return found;
}

std::string Inventory::address(const std::string& resource, int32_t index) const {
  return machine_->resources.at(resource).addresses[index];
}

std::string Inventory::describe(const Demand& about) const {
  std::map<std::string, Amount> resources;
  for (const auto& [name, amount] : about.each.resources) {
    const auto pool = pools_.find(name);
    resources[name] = pool == pools_.end() ? 0 : pool->second.counted + sum(pool->second.free);
  }
  return list(cpus_, resources, about.memory() > 0 ? memory_ : 0);
}

std::string Inventory::describe() const {
  std::map<std::string, Amount> resources;
  for (const auto& [name, pool] : pools_) resources[name] = pool.counted + sum(pool.free);
  return list(cpus_, resources, memory_);
}

Status check_gang(const Slots& each, int32_t ranks, const tasks::Machine& machine) {
  const Demand demand{each, ranks};
  const Inventory all(machine);
  if (all.fits(demand)) return Status();
  return error("BARRIER_STAGE_TOO_LARGE", {{"ranks", std::to_string(ranks)},
                                           {"required", describe(demand)},
                                           {"available", all.describe(demand)}});
}

std::string describe(const Demand& demand) {
  std::map<std::string, Amount> resources = demand.each.resources;
  for (auto& [name, amount] : resources) amount = times(amount, demand.tasks);
  return list(demand.cpus(), resources, demand.memory());
}

std::string describe(const tasks::Machine& machine) { return Inventory(machine).describe(); }

}  // namespace deuteron::scheduler::core
