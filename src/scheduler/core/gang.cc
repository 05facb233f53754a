#include <algorithm>

#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {
namespace {

using tasks::FailureKind;

// How far attempt `next` must lie from the start of the one before it.
Duration distance(const GangRules& rules, int32_t next) {
  constexpr Duration kLongest = std::chrono::seconds(30);
  if (next < 2) return Duration::zero();
  const Duration most = std::max(kLongest, rules.backoff);
  Duration distance = rules.backoff;
  for (int32_t doublings = next - 2; doublings > 0 && distance < most; --doublings) distance *= 2;
  return std::min(distance, most);
}

Status exhausted(const Status& failure, int32_t attempts) {
  return error("BARRIER_STAGE_FAILED",
               {{"attempts", std::to_string(attempts)}, {"reason", failure.detail().message}})
      .with_traceback(failure.detail().python_traceback);
}

}  // namespace

void Step::start_gang(StageId id, Stage& stage, Gang& gang) {
  gang.ranks = ranks_to_start(id, stage, gang);
  gang.hold = state_.next_task;
  take_slots(stage, gang.hold);
  if (!gang.time_limit && gang.time_left) gang.time_limit = now_ + *gang.time_left;
  note_preemptible(id, stage, gang);
  start_attempt(id, stage, gang);
  waits_no_longer(id);
}

void Step::start_attempt(StageId id, Stage& stage, Gang& gang) {
  gang.phase = GangPhase::kRunning;
  gang.attempt_started = now_;
  gang.is_excused = false;
  gang.preemption.by = 0;
  gang.tasks.clear();
  gang.finished.clear();
  gang.epoch = {};
  gang.activity = {{}, now_, std::nullopt};
  stage.failure = Status();
  actions_.push_back(GangAttemptStarted{id, gang.attempt, gang.ranks});
  for (int32_t rank = 0; rank < gang.ranks; ++rank)
    gang.tasks.push_back(launch(id, stage, gang.hold, rank, gang.attempt, gang.ranks));
  set_timer(id, gang);
}

void Step::rank_ended(Stage& stage, Gang& gang, const RunningTask& task, const TaskEnded& event) {
  if (gang.phase == GangPhase::kRunning && event.failure == FailureKind::kNone) {
    note_progress(gang);
    gang.finished.insert(task.partition);
    gang.activity.idle.erase(task.partition);
    expect_progress(task.stage, gang);
    actions_.push_back(TaskSucceeded{task.stage, event.task, task.partition, task.attempt});
    break_if_ranks_are_gone(task.stage, stage, gang);
  } else if (gang.phase == GangPhase::kRunning) {
    const bool is_raised = event.failure == FailureKind::kTaskError;
    gang.lacks_input = event.failure == FailureKind::kInputLost;
    fail_attempt(task.stage, stage, gang, task.partition, event.status, is_raised);
  }
  if (stage.running == 0) attempt_ended(task.stage, stage, gang);
}

// All ranks have ended. Slots that are wanted again at once are not given back.
void Step::attempt_ended(StageId id, Stage& stage, Gang& gang) {
  const bool ended_well = gang.phase == GangPhase::kRunning;
  if (!ended_well && !stage.cancelled && !gang.verdict) {
    ++gang.attempt;
    if (!gang.is_excused && ++gang.failures >= gang.rules.max_attempts) {
      gang.verdict = exhausted(stage.failure, gang.failures);
    } else {
      gang.pause_ends = gang.is_excused ? now_ : gang.attempt_started + distance(gang.rules, gang.failures);
      const Inventory& free = state_.slots.free();
      const bool keeps_slots = !gang.preemption.makes_way && !gang.lacks_input && !free.is_overdrawn() &&
                               !free.is_left_out(state_.slots.at(gang.hold).given);
      if (gang.pause_ends <= now_ && keeps_slots) return start_again(id, stage, gang);
    }
  }
  if (ended_well) state_.durations.add(likeness_of(gang), now_ - gang.attempt_started);
  forget_preemptible(stage, gang);
  give_back_slots(stage, gang.hold);
  if (ended_well || stage.cancelled) return end_stage(id, Status(stage.failure));
  if (gang.verdict) return end_stage(id, Status(*gang.verdict));
  // Making way for others does not take from its own time.
  if (gang.preemption.makes_way && gang.time_limit) {
    gang.time_left = *gang.time_limit - now_;
    gang.time_limit.reset();
  }
  gang.phase = GangPhase::kPausing;
  began_to_wait_.insert(id);
  wait_or_pause(id, stage, gang);
}

// With the slots it has; with more, if it lacks some and nobody waits for them.
void Step::start_again(StageId id, Stage& stage, Gang& gang) {
  if (gang.ranks == gang.most_ranks || state_.queue.size() > 0) return start_attempt(id, stage, gang);
  forget_preemptible(stage, gang);
  give_back_slots(stage, gang.hold);
  start_gang(id, stage, gang);
}

void Step::wait_or_pause(StageId id, Stage& stage, Gang& gang) {
  if (gang.pause_ends <= now_ && !gang.preemption.makes_way && !gang.lacks_input) {
    gang.phase = GangPhase::kWaiting;
    gang.ranks = gang.least_ranks;
    enqueue(id, stage);
  }
  set_timer(id, gang);
}

void Step::fail_attempt(StageId id, Stage& stage, Gang& gang, int32_t rank, const Status& status,
                        bool is_raised) {
  if (gang.phase != GangPhase::kRunning) return;  // only the first failure counts
  stage.failure = status;
  gang.is_excused = (gang.preemption.by != 0 || gang.lacks_input) && !gang.verdict;
  if (gang.lacks_input) {
    actions_.push_back(GangInputLost{id, gang.attempt, rank, status});
  } else if (gang.is_excused) {
    actions_.push_back(GangPreempted{id, gang.attempt, gang.preemption.by, rank, status});
  } else {
    judge_failure(gang, rank, status, is_raised);
    actions_.push_back(GangAttemptFailed{id, gang.attempt, rank, status});
  }
  stop_ranks(id, stage, gang);
}

// What a rank raises twice in a row, it would raise for ever. Who was killed may have had bad luck.
void Step::judge_failure(Gang& gang, int32_t rank, const Status& status, bool is_raised) {
  if (!is_raised) return gang.last_failure.reset();
  RaisedFailure failure{rank, status.detail().message};
  const bool is_same = gang.last_failure == failure;
  gang.last_failure = std::move(failure);
  const int32_t attempts = gang.failures + 1;
  if (!is_same || !gang.rules.stops_on_same_failure || attempts >= gang.rules.max_attempts) return;
  gang.verdict = error("GANG_FAILS_ALIKE", {{"attempts", std::to_string(attempts)},
                                            {"rank", std::to_string(rank)},
                                            {"reason", status.detail().message}})
                     .with_traceback(status.detail().python_traceback);
}

void Step::stop_ranks(StageId id, Stage& stage, Gang& gang) {
  gang.phase = GangPhase::kEnding;
  gang.preemption.ends.reset();
  fail_epoch(id, stage, gang);
  for (const TaskId task : gang.tasks) kill(id, task);
  set_timer(id, gang);
}

void Step::gang_is_due(StageId id, Stage& stage, Gang& gang) {
  clear_timer(id, gang);
  if (gang.time_limit && *gang.time_limit <= now_) return end_at_time_limit(id, stage, gang);
  if (gang.phase == GangPhase::kPausing) return wait_or_pause(id, stage, gang);
  if (gang.phase == GangPhase::kRunning) {
    if (gang.preemption.ends && *gang.preemption.ends <= now_) return end_at_notice(id, stage, gang);
    look_for_missing_ranks(id, stage, gang);
    look_for_progress(id, stage, gang);
  }
  set_timer(id, gang);
}

void Step::end_at_time_limit(StageId id, Stage& stage, Gang& gang) {
  const Status status = error("GANG_TIME_LIMIT", {{"seconds", describe(*gang.rules.time_limit)}});
  gang.time_limit.reset();
  if (stage.running == 0) return end_stage(id, status);
  if (!gang.verdict) gang.verdict = status;
  fail_attempt(id, stage, gang, kNoRank, status);
}

void Step::set_timer(StageId id, Gang& gang) {
  clear_timer(id, gang);
  std::optional<SteadyTime> due = gang.time_limit;
  const auto also = [&due](SteadyTime time) { due = due ? std::min(*due, time) : time; };
  if (gang.phase == GangPhase::kPausing && gang.pause_ends > now_) also(gang.pause_ends);
  if (gang.phase == GangPhase::kRunning && gang.preemption.ends) also(*gang.preemption.ends);
  if (gang.phase == GangPhase::kRunning && gang.activity.look_at) also(*gang.activity.look_at);
  if (gang.phase == GangPhase::kRunning && !gang.epoch.arrived.empty()) {
    also(gang.epoch.deadline);
    if (gang.epoch.look_at) also(*gang.epoch.look_at);
  }
  if (due) state_.timers.insert({*due, id});
  gang.due = due;
}

void Step::clear_timer(StageId id, Gang& gang) {
  if (gang.due) state_.timers.erase({*gang.due, id});
  gang.due.reset();
}

}  // namespace deuteron::scheduler::core
