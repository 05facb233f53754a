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
  const auto current = turn_ ? pools_.find(*turn_) : pools_.end();
  const bool is_kept = current != pools_.end() && !current->second.line.empty() &&
                       waiting_.at(current->second.line.begin()->stage).is_gang;
  if (!is_kept) turn_ = *next_pool(now);
  return pools_.at(*turn_).line.begin()->stage;
}

const std::string* Queue::next_pool(SteadyTime now) const {
  const std::string* next = nullptr;
  const Pool* chosen = nullptr;
  const auto impatient = [&](const Pool& pool) { return pool.line.begin()->since + policy_.patience <= now; };
  for (const auto& [name, pool] : pools_) {
    if (pool.line.empty()) continue;
    bool better = next == nullptr;
    if (!better && impatient(pool) != impatient(*chosen)) {
      better = impatient(pool);
    } else if (!better && impatient(pool)) {
      better = *pool.line.begin() < *chosen->line.begin();
    } else if (!better) {
      better = goes_before(name, pool, *next, *chosen);
    }
    if (better) {
      next = &name;
      chosen = &pool;
    }
  }
  return next;
}

// As Spark's fair scheduler: who has less than its minimum share first, then by CPUs for each weight.
bool Queue::goes_before(const std::string& one, const Pool& pool, const std::string& other,
                        const Pool& than) const {
  const auto rank = [this](const std::string& name, const Pool& of) {
    const auto found = policy_.pools.find(name);
    const PoolRules rules = found == policy_.pools.end() ? PoolRules{} : found->second;
    const auto cpus = static_cast<double>(of.cpus);
    const bool is_needy = of.cpus < rules.min_share;
    const double share = is_needy ? cpus / std::max(rules.min_share, 1) : cpus / std::max(rules.weight, 1);
    return std::make_tuple(!is_needy, share, name);
  };
  return rank(one, pool) < rank(other, than);
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
