#include "scheduler/core/addresses.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace deuteron::scheduler::core {
namespace {

using tasks::Amount;
using tasks::kWhole;
using Addresses = std::vector<int32_t>;

// Chooses whole addresses out of groups that lie within each other.
class Chooser {
 public:
  explicit Chooser(const tasks::Resource& resource) : groups_(resource.groups) {
    Addresses all(resource.addresses.size());
    std::iota(all.begin(), all.end(), 0);
    groups_.push_back(std::move(all));
    std::ranges::stable_sort(groups_, {}, &Addresses::size);
  }

  // `count` of `free`, which has that many and is sorted. They lie in the smallest group that has them all,
  // and of those in the one with the least free; there the fullest of its parts are taken first.
  Addresses choose(const Addresses& free, size_t count) const {
    const auto [group, its_free] = smallest(free, count);
    Addresses chosen = fullest_part(*group, its_free);
    if (chosen.empty()) return {its_free.begin(), its_free.begin() + static_cast<ptrdiff_t>(count)};
    Addresses rest;
    std::ranges::set_difference(its_free, chosen, std::back_inserter(rest));
    const Addresses others = choose(rest, count - chosen.size());
    chosen.insert(chosen.end(), others.begin(), others.end());
    std::ranges::sort(chosen);
    return chosen;
  }

 private:
  std::pair<const Addresses*, Addresses> smallest(const Addresses& free, size_t count) const {
    std::pair<const Addresses*, Addresses> found{nullptr, {}};
    for (const Addresses& group : groups_) {
      if (found.first != nullptr && group.size() > found.first->size()) break;
      Addresses its_free = common(group, free);
      if (its_free.size() < count) continue;
      if (found.first == nullptr || its_free.size() < found.second.size())
        found = {&group, std::move(its_free)};
    }
    return found;
  }

  // None of the parts of `group` has enough, else it would have been the smallest.
  Addresses fullest_part(const Addresses& group, const Addresses& free) const {
    Addresses fullest;
    for (const Addresses& part : groups_) {
      if (part.size() >= group.size()) break;
      Addresses its_free = common(part, free);
      if (its_free.size() > fullest.size()) fullest = std::move(its_free);
    }
    return fullest;
  }

  static Addresses common(const Addresses& group, const Addresses& free) {
    Addresses both;
    std::ranges::set_intersection(group, free, std::back_inserter(both));
    return both;
  }

  std::vector<Addresses> groups_;  // the small ones first; the last is everything
};

// First for all, then for each among those: also in a large gang a task's addresses are neighbours.
std::vector<Shares> choose_whole(const tasks::Resource& resource, const std::vector<Amount>& free,
                                 size_t each, int32_t tasks) {
  const Chooser chooser(resource);
  Addresses candidates;
  for (size_t index = 0; index < free.size(); ++index) {
    if (free[index] == kWhole) candidates.push_back(static_cast<int32_t>(index));
  }
  Addresses left = chooser.choose(candidates, each * tasks);
  std::vector<Shares> chosen;
  for (int32_t task = 0; task < tasks; ++task) {
    const Addresses addresses = chooser.choose(left, each);
    Shares& shares = chosen.emplace_back();
    for (const int32_t address : addresses) shares.push_back({address, kWhole});
    std::erase_if(left, [&](int32_t address) { return std::ranges::binary_search(addresses, address); });
  }
  return chosen;
}

std::vector<Shares> choose_parts(std::vector<Amount> free, Amount each, int32_t tasks) {
  std::vector<Shares> chosen;
  for (int32_t task = 0; task < tasks; ++task) {
    int32_t best = -1;
    for (int32_t index = 0; index < static_cast<int32_t>(free.size()); ++index) {
      if (free[index] >= each && (best < 0 || free[index] < free[best])) best = index;
    }
    free[best] -= each;
    chosen.push_back({{best, each}});
  }
  return chosen;
}

}  // namespace

int64_t room(const std::vector<Amount>& free, Amount each) {
  if (each < kWhole)
    return std::accumulate(free.begin(), free.end(), int64_t{0},
                           [&](int64_t sum, Amount amount) { return sum + amount / each; });
  return std::ranges::count(free, kWhole) / (each / kWhole);
}

std::vector<Shares> choose(const tasks::Resource& resource, std::vector<Amount> free, Amount each,
                           int32_t tasks) {
  if (each < kWhole) return choose_parts(std::move(free), each, tasks);
  return choose_whole(resource, free, static_cast<size_t>(each / kWhole), tasks);
}

}  // namespace deuteron::scheduler::core
