// Gangs that meet at no barrier and still hang: all of their ranks wait for each other, or for something that
// never comes, in whatever library. Progress is CPU time (as the pool sees it), a barrier, and a rank's end.
#include <algorithm>

#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {
namespace {

// Since when no rank does anything; none: some do, or wait at a barrier, which barrier.cc looks after.
std::optional<SteadyTime> idle_since(const Gang& gang) {
  const auto& idle = gang.activity.idle;
  const bool are_all_idle = static_cast<int32_t>(idle.size() + gang.finished.size()) == gang.ranks;
  if (gang.phase != GangPhase::kRunning || !gang.epoch.arrived.empty() || idle.empty() || !are_all_idle)
    return std::nullopt;
  SteadyTime since = gang.activity.last_progress;
  for (const auto& [rank, begin] : idle) since = std::max(since, begin);
  return since;
}

}  // namespace

void Step::handle(const RankIdle& event) {
  const auto found = state_.running.find(event.task);
  if (found == state_.running.end() || found->second.killed) return;
  const RunningTask& task = found->second;
  auto* gang = std::get_if<Gang>(&state_.stages.at(task.stage).kind);
  if (gang == nullptr || gang->phase != GangPhase::kRunning) return;
  if (event.since) {
    gang->activity.idle[task.partition] = *event.since;
  } else if (gang->activity.idle.count(task.partition) > 0) {
    note_progress(*gang);
    gang->activity.idle.erase(task.partition);
  }
  expect_progress(task.stage, *gang);
}

// What is usual follows slowly, as the usual skew does.
void Step::note_progress(Gang& gang) {
  if (const auto since = idle_since(gang)) {
    const Duration idle = std::max(now_ - *since, Duration::zero());
    const Duration most = tolerance(gang.rules.hang, gang.usual_idle).value_or(idle);
    gang.usual_idle += (std::min(idle, most) - gang.usual_idle) / 8;
  }
  gang.activity.last_progress = now_;
}

void Step::expect_progress(StageId id, Gang& gang) {
  const auto since = idle_since(gang);
  const auto patience = tolerance(gang.rules.hang, gang.usual_idle);
  const auto look_at = since && patience ? std::optional(*since + *patience) : std::nullopt;
  if (gang.activity.look_at == look_at) return;
  gang.activity.look_at = look_at;
  set_timer(id, gang);
}

void Step::look_for_progress(StageId id, Stage& stage, Gang& gang) {
  Activity& activity = gang.activity;
  if (gang.phase != GangPhase::kRunning || !activity.look_at || *activity.look_at > now_) return;
  activity.look_at.reset();
  const HangPolicy policy = gang.rules.hang.policy;
  NoProgress action{id, gang.attempt, gang.epoch.number, {}, now_ - *idle_since(gang), policy};
  for (const auto& [rank, since] : activity.idle) action.ranks.push_back(rank);
  const Status status = error("GANG_STALLS", {{"ranks", join(action.ranks)},
                                              {"epoch", std::to_string(gang.epoch.number)},
                                              {"seconds", describe(action.idle)}});
  actions_.push_back(std::move(action));
  if (policy == HangPolicy::kWarn) return;
  if (policy == HangPolicy::kFail) gang.verdict = status;
  fail_attempt(id, stage, gang, kNoRank, status);
}

}  // namespace deuteron::scheduler::core
