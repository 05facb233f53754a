// What is free of a machine, and whether a demand fits it: CPUs, memory, resources by address.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/core/addresses.h"
#include "tasks/machine.h"

namespace deuteron::scheduler::core {

using tasks::Amount;
using tasks::Slots;

// Of all tasks; what is more than a number can say counts as the largest.
constexpr int64_t times(int64_t each, int32_t tasks) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  return tasks > 0 && each > kMost / tasks ? kMost : each * tasks;
}

// Of one start: a task, or all ranks of a gang at once.
struct Demand {
  Slots each;
  int32_t tasks = 1;
  int64_t cpus() const { return int64_t{each.cpus} * tasks; }
  int64_t memory() const { return times(each.memory, tasks); }
  bool operator==(const Demand&) const = default;
};

// What a start was given.
struct Allocation {
  Demand demand;
  std::map<std::string, std::vector<Shares>> shares;  // of resources with addresses, by task
};

class Inventory {
 public:
  Inventory() : Inventory(tasks::Machine{0, {}, 0}) {}
  explicit Inventory(tasks::Machine machine);

  int64_t cpus() const { return cpus_; }
  bool fits(const Demand& demand) const;
  bool is_overdrawn() const;  // more is held than there is, since slots are lost
  // Requires that it fits. The same state always gives the same addresses. Takes nothing yet.
  Allocation allocate(const Demand& demand) const;
  void take(const Allocation& allocation);
  void give_back(const Allocation& allocation);
  // Whether taking `demand` leaves `need` as far from fitting as before: it touches nothing of which `need`
  // lacks some.
  bool leaves(const Demand& demand, const Demand& need) const;

  // An address that is left out is not given to who can do without it, now or later.
  void leave_out(const std::string& resource, int32_t address, bool is_left_out);
  bool is_left_out(const Allocation& allocation) const;  // some of it
  std::map<std::string, std::vector<std::string>> addresses(const Allocation& allocation, int32_t task) const;
  std::string address(const std::string& resource, int32_t index) const;

  const std::vector<Amount>& free(const std::string& resource) const { return pools_.at(resource).free; }

  // "4 CPUs and 2 gpu": of CPUs, and of what `about` needs beside.
  std::string describe(const Demand& about) const;
  std::string describe() const;  // all

 private:
  struct Pool {
    Amount counted = 0;
    std::vector<Amount> free;  // by address
    std::vector<bool> is_left_out;
  };

  bool has_cpus(const Demand& demand) const { return demand.cpus() <= cpus_; }
  bool has_memory(const Demand& demand) const { return demand.memory() <= memory_; }
  bool has(const std::string& resource, Amount each, int32_t tasks) const;
  std::vector<Amount> usable(const Pool& pool, Amount each, int32_t tasks) const;
  void add(const Allocation& allocation, int32_t sign);

  std::shared_ptr<const tasks::Machine> machine_;
  int64_t cpus_;
  int64_t memory_;
  std::map<std::string, Pool> pools_;
};

// BARRIER_STAGE_TOO_LARGE when the machine can never hold all ranks at once.
Status check_gang(const Slots& each, int32_t ranks, const tasks::Machine& machine);
std::string describe(const Demand& demand);  // "4 CPUs and 0.5 gpu"
std::string describe(const tasks::Machine& machine);

}  // namespace deuteron::scheduler::core
