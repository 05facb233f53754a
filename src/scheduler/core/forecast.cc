// When a gang that waits will probably start: the queue is played forward, in order, over the ends that are
// expected.
#include <algorithm>

#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {
namespace {

// What lies behind this many starts nobody can tell.
constexpr int64_t kFarthest = 64;

class Outlook {
 public:
  Outlook(const Ledger& ledger, SteadyTime now)
      : ledger_(ledger), time_(now), free_(ledger.free()), next_(ledger.ends().lower_bound({now, 0})) {}

  // The next in order starts when there is room; none: nobody knows when.
  std::optional<SteadyTime> start(const Demand& demand, std::optional<Duration> expected) {
    while (!free_.fits(demand)) {
      if (!pass_an_end()) return std::nullopt;
    }
    Allocation given = free_.allocate(demand);
    free_.take(given);
    if (expected) own_ends_.emplace(time_ + *expected, std::move(given));
    return time_;
  }

 private:
  bool pass_an_end() {
    const bool has_next = next_ != ledger_.ends().end();
    if (!own_ends_.empty() && (!has_next || own_ends_.begin()->first <= next_->first)) {
      const auto own = own_ends_.begin();
      time_ = std::max(time_, own->first);
      free_.give_back(own->second);
      own_ends_.erase(own);
      return true;
    }
    if (!has_next) return false;
    time_ = std::max(time_, next_->first);
    free_.give_back(ledger_.at(next_->second).given);
    ++next_;
    return true;
  }

  const Ledger& ledger_;
  SteadyTime time_;
  Inventory free_;
  Ledger::Ends::const_iterator next_;
  std::multimap<SteadyTime, Allocation> own_ends_;
};

int64_t starts_of(const Stage& stage) {
  const auto* tasks = std::get_if<TaskStage>(&stage.kind);
  return tasks == nullptr ? 1 : static_cast<int64_t>(tasks->pending.size());
}

std::optional<Duration> expected_start(const State& state, const Waiting& waiting, SteadyTime now) {
  Outlook outlook(state.slots, now);
  std::optional<SteadyTime> found;
  int64_t left = kFarthest;
  const auto pass = [&](const Waiting& one) {
    const bool is_wanted = one.place == waiting.place;
    int64_t starts = is_wanted ? 1 : starts_of(state.stages.at(one.place.stage));
    std::optional<SteadyTime> start;
    for (; starts > 0 && left > 0; --starts, --left) {
      start = outlook.start(one.demand, one.expected);
      if (!start) return false;
    }
    if (is_wanted) found = start;
    return !is_wanted && left > 0;
  };
  const StageId head = state.reservation.stage;
  const bool is_behind_another_pool =
      head != 0 && state.queue.holds(head) && state.queue.at(head).pool != waiting.pool;
  if (is_behind_another_pool && !pass(state.queue.at(head))) return std::nullopt;
  state.queue.visit(waiting.pool, pass);
  if (!found) return std::nullopt;
  return *found - now;
}

std::string reason(const State& state, const Waiting& waiting, int64_t position) {
  const auto* gang = std::get_if<Gang>(&state.stages.at(waiting.place.stage).kind);
  const bool is_elastic = gang != nullptr && gang->least_ranks < gang->most_ranks;
  std::string text = (is_elastic ? "needs at least " : "needs ") + describe(waiting.demand) +
                     ", free: " + state.slots.free().describe(waiting.demand);
  for (const auto& [address, hold] : state.in_use) {
    if (waiting.demand.each.resources.count(address.first) > 0)
      text += ", " + address.first + " " + state.slots.free().address(address.first, address.second) +
              " is in use by another program";
  }
  if (!state.slots.there().fits(waiting.demand)) text += ", which is there when lost slots are back";
  const StageId head = state.reservation.stage;
  if (head != 0 && head != waiting.place.stage) text += ", reserved for stage " + std::to_string(head);
  if (position > 1) text += "; " + std::to_string(position - 1) + " before it in pool " + waiting.pool;
  if (const auto found = state.making_way.find(waiting.place.stage); found != state.making_way.end()) {
    for (const StageId stage : found->second) text += "; stage " + std::to_string(stage) + " makes way";
  }
  return text;
}

std::string reason_to_pause(const Gang& gang) {
  if (gang.lacks_input) return "what was lost of its input is being made again";
  if (!gang.preemption.makes_way) return "pauses before attempt " + std::to_string(gang.attempt);
  return "preempted by stage " + std::to_string(gang.preemption.by) + ", which has not started";
}

}  // namespace

std::optional<GangWaits> forecast(const State& state, StageId id, SteadyTime now) {
  const auto found = state.stages.find(id);
  if (found == state.stages.end()) return std::nullopt;
  const Stage& stage = found->second;
  const auto* gang = std::get_if<Gang>(&stage.kind);
  if (gang == nullptr) return std::nullopt;
  if (gang->phase == GangPhase::kPausing) {
    std::optional<Duration> pause = std::max(gang->pause_ends - now, Duration::zero());
    if (gang->preemption.makes_way || gang->lacks_input) pause.reset();
    return GangWaits{stage.job, id, stage.pool, 0, reason_to_pause(*gang), pause};
  }
  if (!state.queue.holds(id)) return std::nullopt;
  const Waiting& waiting = state.queue.at(id);
  const int64_t position = state.queue.position(id);
  const std::string cause = gang->is_excused && gang->preemption.by != 0
                                ? "preempted by stage " + std::to_string(gang->preemption.by) + "; "
                                : "";
  return GangWaits{stage.job,
                   id,
                   stage.pool,
                   position,
                   cause + reason(state, waiting, position),
                   position > kFarthest ? std::nullopt : expected_start(state, waiting, now)};
}

}  // namespace deuteron::scheduler::core
