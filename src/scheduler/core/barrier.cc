#include <algorithm>

#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {
namespace {

using tasks::BarrierKind;

std::string kind_name(BarrierKind kind) { return kind == BarrierKind::kBarrier ? "barrier" : "allGather"; }

std::vector<int32_t> missing_ranks(const Gang& gang) {
  std::vector<int32_t> missing;
  for (int32_t rank = 0; rank < gang.ranks; ++rank) {
    if (gang.epoch.arrived.count(rank) == 0) missing.push_back(rank);
  }
  return missing;
}

}  // namespace

std::optional<Duration> tolerance(const HangRules& rules, Duration usual) {
  if (!rules.timeout) return std::nullopt;
  return std::max(*rules.timeout, usual * rules.factor);
}

std::string join(const std::vector<int32_t>& ranks) {
  std::string text;
  for (const int32_t rank : ranks) text += (text.empty() ? "" : ", ") + std::to_string(rank);
  return text;
}

std::string describe(Duration duration) {
  const int64_t milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  std::string text = std::to_string(milliseconds / 1000);
  if (milliseconds % 1000 == 0) return text;
  const std::string rest = std::to_string(1000 + milliseconds % 1000).substr(1);
  return text + "." + rest.substr(0, rest.find_last_not_of('0') + 1);
}

void Step::handle(const BarrierArrived& event) {
  const auto found = state_.running.find(event.task);
  if (found == state_.running.end() || found->second.killed) return;
  const RunningTask& task = found->second;
  Stage& stage = state_.stages.at(task.stage);
  Gang* gang = std::get_if<Gang>(&stage.kind);
  if (gang == nullptr || gang->phase != GangPhase::kRunning) return;
  Epoch& epoch = gang->epoch;
  const bool is_first = epoch.arrived.empty();
  note_progress(*gang);
  if (is_first) {
    epoch.kind = event.request.kind;
    epoch.first_arrival = now_;
    epoch.deadline = now_ + gang->rules.barrier_timeout;
    if (const auto wait = tolerance(gang->rules.hang, gang->usual_skew)) epoch.look_at = now_ + *wait;
  }
  if (epoch.kind != event.request.kind) {
    break_barrier(task.stage, stage, *gang, task.partition,
                  "rank " + std::to_string(task.partition) + " called " + kind_name(event.request.kind) +
                      "() where other ranks called " + kind_name(epoch.kind) + "()");
    return;
  }
  epoch.arrived[task.partition] = event.request.message;
  if (static_cast<int32_t>(epoch.arrived.size()) == gang->ranks) {
    release(task.stage, *gang, task.partition);
  } else {
    expect_progress(task.stage, *gang);
    if (is_first) set_timer(task.stage, *gang);
    break_if_ranks_are_gone(task.stage, stage, *gang);
  }
}

// The usual skew follows slowly, and no single epoch counts as more than what is tolerated.
void Step::release(StageId id, Gang& gang, int32_t last_rank) {
  Epoch& epoch = gang.epoch;
  const Duration skew = now_ - epoch.first_arrival;
  ReleaseBarrier action{id, gang.attempt, epoch.number, epoch.kind, gang.tasks, {}, skew, last_rank};
  for (auto& [rank, message] : epoch.arrived) action.messages.push_back(std::move(message));
  actions_.push_back(std::move(action));
  gang.usual_skew +=
      (std::min(skew, tolerance(gang.rules.hang, gang.usual_skew).value_or(skew)) - gang.usual_skew) / 8;
  epoch = {epoch.number + 1, BarrierKind::kBarrier, {}, {}, {}, {}};
  expect_progress(id, gang);
  set_timer(id, gang);
}

void Step::fail_epoch(StageId id, const Stage& stage, Gang& gang) {
  if (gang.epoch.arrived.empty()) return;
  FailBarrier action{id, gang.attempt, gang.epoch.number, {}, stage.failure};
  action.tasks.reserve(gang.epoch.arrived.size());
  for (const auto& [rank, message] : gang.epoch.arrived) action.tasks.push_back(gang.tasks[rank]);
  actions_.push_back(std::move(action));
  gang.epoch.arrived.clear();
}

void Step::break_barrier(StageId id, Stage& stage, Gang& gang, int32_t rank, const std::string& reason) {
  std::vector<int32_t> waiting;
  for (const auto& [waiter, message] : gang.epoch.arrived) waiting.push_back(waiter);
  fail_attempt(
      id, stage, gang, rank,
      error("BARRIER_BROKEN",
            {{"epoch", std::to_string(gang.epoch.number)}, {"waiting", join(waiting)}, {"reason", reason}}));
}

// Ranks that have ended will never reach the barrier that others wait at.
void Step::break_if_ranks_are_gone(StageId id, Stage& stage, Gang& gang) {
  if (gang.epoch.arrived.empty() || gang.finished.empty()) return;
  break_barrier(
      id, stage, gang, *gang.finished.begin(),
      "the ranks " + join({gang.finished.begin(), gang.finished.end()}) + " have ended without coming to it");
}

void Step::look_for_missing_ranks(StageId id, Stage& stage, Gang& gang) {
  Epoch& epoch = gang.epoch;
  if (epoch.arrived.empty()) return;
  const std::vector<int32_t> missing = missing_ranks(gang);
  if (epoch.look_at && *epoch.look_at <= now_) {
    epoch.look_at.reset();
    const HangPolicy policy = gang.rules.hang.policy;
    RanksMissing action{id, gang.attempt, epoch.number, missing, {}, now_ - epoch.first_arrival, policy};
    action.tasks.reserve(missing.size());
    for (const int32_t rank : missing) action.tasks.push_back(gang.tasks[rank]);
    actions_.push_back(std::move(action));
    if (policy != HangPolicy::kWarn) {
      const Status status = error("GANG_HANGS", {{"ranks", join(missing)},
                                                 {"epoch", std::to_string(epoch.number)},
                                                 {"seconds", describe(now_ - epoch.first_arrival)}});
      if (policy == HangPolicy::kFail) gang.verdict = status;
      return fail_attempt(id, stage, gang, missing.front(), status);
    }
  }
  if (epoch.deadline <= now_) {
    break_barrier(
        id, stage, gang, kNoRank,
        "the ranks " + join(missing) + " did not come within " + describe(gang.rules.barrier_timeout) + " s");
  }
}

}  // namespace deuteron::scheduler::core
