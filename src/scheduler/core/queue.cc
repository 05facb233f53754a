#include "scheduler/core/queue.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "scheduler/core/slots.h"

namespace deuteron::scheduler::core {
namespace {

// Keeps the three leading bits.
int64_t round_up(int64_t milliseconds) {
  const int64_t positive = std::max<int64_t>(milliseconds, 1);
  const int64_t step =
      std::max<int64_t>(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(positive))) / 4, 1);
  return (positive + step - 1) / step * step;
}

}  // namespace

bool Queue::Shape::operator<(const Shape& other) const {
  return std::tie(demand.cpus, demand.resources, milliseconds) <
         std::tie(other.demand.cpus, other.demand.resources, other.milliseconds);
}

Queue::Shape Queue::shape_of(const Waiting& waiting) {
  if (!waiting.expected) return {waiting.demand, kUnknown};
  return {waiting.demand, round_up(std::chrono::ceil<std::chrono::milliseconds>(*waiting.expected).count())};
}

Place Queue::place(StageId stage, int32_t priority, SteadyTime now) const {
  return {now - policy_.ageing * std::clamp(priority, -kHighestPriority, kHighestPriority), stage};
}

std::string Queue::pool_of(const QueueRules& rules) const {
  return policy_.mode == QueueMode::kFifo ? "default" : rules.pool;
}

void Queue::add(Waiting waiting) {
  pools_[waiting.pool].line.insert(waiting.place);
  shapes_[shape_of(waiting)].insert(waiting.place);
  waiting_.emplace(waiting.place.stage, std::move(waiting));
}

void Queue::remove(StageId stage) {
  const auto found = waiting_.find(stage);
  if (found == waiting_.end()) return;
  const Waiting& waiting = found->second;
  const auto shape = shapes_.find(shape_of(waiting));
  shape->second.erase(waiting.place);
  if (shape->second.empty()) shapes_.erase(shape);
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

void Queue::gave_back(const std::string& pool, int32_t cpus) {
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

std::optional<StageId> Queue::first(const Slots& free, const Allowed& allowed) const {
  const Place* best = nullptr;
  for (const auto& [shape, places] : shapes_) {
    if (shape.demand.cpus > free.cpus) break;
    if (best != nullptr && *best < *places.begin()) continue;
    if (!fits(shape.demand, free)) continue;
    const bool is_known = shape.milliseconds != kUnknown;
    const std::optional<Duration> expected =
        is_known ? std::optional<Duration>(std::chrono::milliseconds(shape.milliseconds)) : std::nullopt;
    if (allowed(shape.demand, expected)) best = &*places.begin();
  }
  return best == nullptr ? std::nullopt : std::optional(best->stage);
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
