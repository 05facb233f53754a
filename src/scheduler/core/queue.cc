#include "scheduler/core/queue.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <tuple>

namespace deuteron::scheduler::core {
// Keeps the three leading bits of the milliseconds.
Duration probable_hold(const Waiting& waiting) {
  if (!waiting.expected) return kForever;
  const int64_t milliseconds =
      std::max<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(*waiting.expected).count(), 1);
  const auto leading = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(milliseconds)));
  const int64_t step = std::max<int64_t>(leading / 4, 1);
  return std::chrono::milliseconds((milliseconds + step - 1) / step * step);
}

bool Queue::ByCpus::operator()(const Demand& one, const Demand& other) const {
  using Key = std::tuple<int64_t, int32_t, const Slots&>;
  return Key(one.cpus(), one.tasks, one.each) < Key(other.cpus(), other.tasks, other.each);
}

Place Queue::place(StageId stage, int32_t priority, SteadyTime now) const {
  return {now - policy_.ageing * std::clamp(priority, -kHighestPriority, kHighestPriority), stage};
}

std::string Queue::pool_of(const QueueRules& rules) const {
  return policy_.mode == QueueMode::kFifo ? "default" : rules.pool;
}

void Queue::add(Waiting waiting) {
  pools_[waiting.pool].line.insert(waiting.place);
  Group& group = groups_[waiting.demand];
  group.places.insert(waiting.place);
  group.by_duration[probable_hold(waiting)].insert(waiting.place);
  waiting_.emplace(waiting.place.stage, std::move(waiting));
}

void Queue::remove(StageId stage) {
  const auto found = waiting_.find(stage);
  if (found == waiting_.end()) return;
  const Waiting& waiting = found->second;
  const auto group = groups_.find(waiting.demand);
  group->second.places.erase(waiting.place);
  const auto alike = group->second.by_duration.find(probable_hold(waiting));
  alike->second.erase(waiting.place);
  if (alike->second.empty()) group->second.by_duration.erase(alike);
  if (group->second.places.empty()) groups_.erase(group);
  const std::string pool = waiting.pool;
  pools_.at(pool).line.erase(waiting.place);
  waiting_.erase(found);
  forget_if_empty(pool);
}

void Queue::expect(StageId stage, std::optional<Duration> expected) {
  const auto found = waiting_.find(stage);
  if (found == waiting_.end()) return;
  Waiting changed = found->second;
  changed.expected = expected;
  remove(stage);
  add(std::move(changed));
}

void Queue::gave_back(const std::string& pool, int64_t cpus) {
  pools_.at(pool).cpus -= cpus;
  forget_if_empty(pool);
}

void Queue::forget_if_empty(const std::string& pool) {
  const auto found = pools_.find(pool);
  if (found->second.cpus == 0 && found->second.line.empty()) pools_.erase(found);
}

std::optional<StageId> Queue::head(SteadyTime now) {
  if (waiting_.empty()) return std::nullopt;
  const auto current = waiting_.find(turn_);
  const bool is_kept = current != waiting_.end() && current->second.is_gang && position(turn_) == 1;
  if (!is_kept) turn_ = next_pool(now).line.begin()->stage;
  return turn_;
}

const Queue::Pool& Queue::next_pool(SteadyTime now) const {
  const auto next = std::min_element(pools_.begin(), pools_.end(), [&](const auto& one, const auto& other) {
    return rank(one.first, one.second, now) < rank(other.first, other.second, now);
  });
  return next->second;
}

// Whose front has waited for too long first, in the order of places; then as Spark's fair scheduler: who has
// less than its minimum share, then by CPUs for each weight, then by name.
std::tuple<bool, bool, Place, bool, double> Queue::rank(const std::string& name, const Pool& pool,
                                                        SteadyTime now) const {
  if (pool.line.empty()) return {true, true, {}, true, 0};
  const Place front = *pool.line.begin();
  if (front.since + policy_.patience <= now) return {false, false, front, true, 0};
  const auto found = policy_.pools.find(name);
  const PoolRules rules = found == policy_.pools.end() ? PoolRules{} : found->second;
  const bool is_needy = pool.cpus < rules.min_share;
  const int32_t part = std::max(is_needy ? rules.min_share : rules.weight, 1);
  return {false, true, {}, !is_needy, static_cast<double>(pool.cpus) / part};
}

std::optional<Place> Queue::first(const Group& group, Duration limit) {
  if (limit == kForever) return *group.places.begin();
  std::optional<Place> found;
  for (const auto& [duration, places] : group.by_duration) {
    if (duration > limit) break;
    found = found ? std::min(*found, *places.begin()) : *places.begin();
  }
  return found;
}

// One look at each group, then only at those from which somebody starts: for the others nothing becomes
// better.
void Queue::fill(const Inventory& free, const Limit& limit, const Start& start) const {
  using Candidate = std::pair<Place, std::map<Demand, Group, ByCpus>::const_iterator>;
  const auto later = [](const Candidate& one, const Candidate& other) { return other.first < one.first; };
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(later)> candidates(later);
  const auto look_at = [&](auto group) {
    if (!free.fits(group->first)) return;
    if (const auto place = first(group->second, limit(group->first))) candidates.push({*place, group});
  };
  for (auto group = groups_.begin(); group != groups_.end() && group->first.cpus() <= free.cpus(); ++group)
    look_at(group);
  while (!candidates.empty()) {
    const auto [place, group] = candidates.top();
    candidates.pop();
    const Demand demand = group->first;
    const bool is_still_allowed = free.fits(demand) && first(group->second, limit(demand)) == place;
    if (is_still_allowed) start(place.stage);
    if (const auto left = groups_.find(demand); left != groups_.end()) look_at(left);
  }
}

int64_t Queue::position(StageId stage) const {
  const Waiting& waiting = waiting_.at(stage);
  return static_cast<int64_t>(pools_.at(waiting.pool).line.order_of_key(waiting.place)) + 1;
}

void Queue::visit(const std::string& pool, const std::function<bool(const Waiting&)>& see) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end()) return;
  for (const Place& place : found->second.line) {
    if (!see(waiting_.at(place.stage))) return;
  }
}

}  // namespace deuteron::scheduler::core
