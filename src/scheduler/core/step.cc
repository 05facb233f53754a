#include <algorithm>

#include "scheduler/core/slots.h"
#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {
namespace {

using tasks::BarrierKind;
using tasks::FailureKind;

constexpr int32_t kNoRank = -1;

std::string kind_name(BarrierKind kind) { return kind == BarrierKind::kBarrier ? "barrier" : "allGather"; }

// One event's worth of work: the state it changes and the actions it collects.
class Step {
 public:
  Step(State& state, SteadyTime now) : state_(state), now_(now) {}

  void handle(const SubmitTaskStage& event) {
    Stage stage;
    stage.job = event.job;
    stage.slots_per_task = event.slots_per_task;
    stage.kind = TaskStage{event.max_task_errors, event.max_lost_workers, {}, {}, false};
    if (!fits(event.slots_per_task, 1, state_.total)) {
      refuse(event.job, event.stage,
             error("TASK_TOO_LARGE",
                   {{"required", describe(event.slots_per_task)}, {"available", describe(state_.total)}}));
      return;
    }
    state_.stages.emplace(event.stage, std::move(stage));
  }

  void handle(const AddTask& event) {
    Stage* stage = find(event.stage);
    if (stage == nullptr || stage->stopping) return;
    std::get<TaskStage>(stage->kind).pending.push_back({event.partition, 0});
    place();
  }

  void handle(const NoMoreTasks& event) {
    Stage* stage = find(event.stage);
    if (stage == nullptr) return;
    std::get<TaskStage>(stage->kind).complete = true;
    end_if_done(event.stage, *stage);
    place();
  }

  void handle(const SubmitGang& event) {
    const Status possible = check_gang(event.slots_per_task, event.ranks, state_.total);
    if (!possible.ok()) {
      refuse(event.job, event.stage, possible);
      return;
    }
    Stage stage;
    stage.job = event.job;
    stage.slots_per_task = event.slots_per_task;
    Gang gang;
    gang.ranks = event.ranks;
    gang.max_attempts = std::max(1, event.max_attempts);
    gang.barrier_timeout = event.barrier_timeout;
    stage.kind = std::move(gang);
    Stage& placed = state_.stages.emplace(event.stage, std::move(stage)).first->second;
    if (event.ranks == 0) placed.stopping = true;  // nothing to do: ends at once and well
    end_if_done(event.stage, placed);
    place();
  }

  void handle(const CancelJob& event) {
    std::vector<StageId> ids;
    for (auto& [id, stage] : state_.stages) {
      if (stage.job == event.job) ids.push_back(id);
    }
    for (const StageId id : ids) {
      Stage& stage = state_.stages.at(id);
      stage.cancelled = true;
      stage.failure = cancelled();
      stop(id, stage);
      end_if_done(id, stage);
    }
    place();
  }

  void handle(const TaskEnded& event) {
    const auto found = state_.running.find(event.task);
    if (found == state_.running.end()) return;
    const RunningTask task = found->second;
    state_.running.erase(found);
    Stage& stage = state_.stages.at(task.stage);
    give_back(stage.slots_per_task, state_.free);
    --stage.running;
    if (std::holds_alternative<Gang>(stage.kind)) {
      rank_ended(stage, task, event);
    } else {
      task_ended(stage, task, event);
    }
    end_if_done(task.stage, stage);
    place();
  }

  void handle(const BarrierArrived& event) {
    const auto found = state_.running.find(event.task);
    if (found == state_.running.end() || found->second.killed) return;
    const RunningTask task = found->second;
    Stage& stage = state_.stages.at(task.stage);
    Gang* gang = std::get_if<Gang>(&stage.kind);
    if (gang == nullptr || stage.stopping) return;
    Epoch& epoch = gang->epoch;
    if (epoch.arrived.empty()) {
      epoch.kind = event.request.kind;
      epoch.deadline = now_ + gang->barrier_timeout;
    }
    if (epoch.kind != event.request.kind) {
      break_barrier(task.stage, stage, task.partition,
                    "rank " + std::to_string(task.partition) + " called " + kind_name(event.request.kind) +
                        "() where other ranks called " + kind_name(epoch.kind) + "()");
      return;
    }
    epoch.arrived[task.partition] = event.request.message;
    if (static_cast<int32_t>(epoch.arrived.size()) == gang->ranks) {
      release(task.stage, *gang);
    } else {
      break_if_ranks_are_gone(task.stage, stage);
    }
  }

  void handle(const Tick&) {
    for (auto& [id, stage] : state_.stages) {
      Gang* gang = std::get_if<Gang>(&stage.kind);
      if (gang == nullptr || stage.stopping || gang->epoch.arrived.empty() || now_ < gang->epoch.deadline)
        continue;
      break_barrier(id, stage, kNoRank,
                    "the ranks " + missing_ranks(*gang) + " did not come within " +
                        std::to_string(
                            std::chrono::duration_cast<std::chrono::seconds>(gang->barrier_timeout).count()) +
                        " s");
    }
    place();
  }

  Actions take_actions() { return std::move(actions_); }

 private:
  Stage* find(StageId id) {
    const auto found = state_.stages.find(id);
    return found == state_.stages.end() ? nullptr : &found->second;
  }

  void refuse(JobId job, StageId stage, Status status) {
    actions_.push_back(StageEnded{job, stage, std::move(status)});
  }

  // Hands out free slots, in the order of submission; the first stage that must wait keeps the rest from
  // those behind it.
  void place() {
    for (auto& [id, stage] : state_.stages) {
      if (stage.stopping) {
        if (waits_for_next_attempt(stage)) return;  // what it gives back is for its next attempt
        continue;
      }
      if (auto* gang = std::get_if<Gang>(&stage.kind)) {
        if (gang->running) continue;
        if (!fits(stage.slots_per_task, gang->ranks, state_.free)) return;
        start_gang(id, stage, *gang);
        continue;
      }
      auto& pending = std::get<TaskStage>(stage.kind).pending;
      while (!pending.empty()) {
        if (!fits(stage.slots_per_task, 1, state_.free)) return;
        launch(id, stage, pending.front().partition, pending.front().attempt, 0);
        pending.pop_front();
      }
    }
  }

  static bool waits_for_next_attempt(const Stage& stage) {
    const Gang* gang = std::get_if<Gang>(&stage.kind);
    return gang != nullptr && !stage.cancelled && gang->attempt + 1 < gang->max_attempts;
  }

  TaskId launch(StageId id, Stage& stage, int32_t partition, int32_t attempt, int32_t ranks) {
    const TaskId task = state_.next_task++;
    take(stage.slots_per_task, state_.free);
    ++stage.running;
    state_.running[task] = {id, partition, attempt, false};
    tasks::TaskContext context{stage.job, id, task, partition, attempt, ranks, stage.slots_per_task};
    actions_.push_back(LaunchTask{std::move(context)});
    return task;
  }

  void start_gang(StageId id, Stage& stage, Gang& gang) {
    gang.running = true;
    gang.tasks.clear();
    gang.finished.clear();
    gang.epoch = {};
    actions_.push_back(GangAttemptStarted{id, gang.attempt, gang.ranks});
    for (int32_t rank = 0; rank < gang.ranks; ++rank) {
      gang.tasks.push_back(launch(id, stage, rank, gang.attempt, gang.ranks));
    }
  }

  void task_ended(Stage& stage, const RunningTask& task, const TaskEnded& event) {
    if (event.failure == FailureKind::kNone) {
      if (!stage.stopping)
        actions_.push_back(TaskSucceeded{task.stage, event.task, task.partition, task.attempt});
      return;
    }
    if (stage.stopping) return;
    TaskStage& tasks = std::get<TaskStage>(stage.kind);
    Failures& failures = tasks.failures[task.partition];
    const bool lost = event.failure == FailureKind::kWorkerLost;
    const int32_t count = lost ? ++failures.lost_workers : ++failures.task_errors;
    if (count < (lost ? tasks.max_lost_workers : tasks.max_task_errors)) {
      tasks.pending.push_front({task.partition, task.attempt + 1});
      return;
    }
    stage.failure = lost ? error("TASK_FAILED", {{"partition", std::to_string(task.partition)},
                                                 {"stage", std::to_string(task.stage)},
                                                 {"count", std::to_string(count)},
                                                 {"reason", event.status.detail().message}})
                         : event.status;
    stop(task.stage, stage);
  }

  void rank_ended(Stage& stage, const RunningTask& task, const TaskEnded& event) {
    Gang& gang = std::get<Gang>(stage.kind);
    if (event.failure == FailureKind::kNone && !stage.stopping) {
      gang.finished.insert(task.partition);
      actions_.push_back(TaskSucceeded{task.stage, event.task, task.partition, task.attempt});
      break_if_ranks_are_gone(task.stage, stage);
    } else if (event.failure != FailureKind::kNone) {
      fail_attempt(task.stage, stage, task.partition, event.status);
    }
    if (stage.running > 0) return;
    // All slots are back.
    if (!stage.stopping || stage.cancelled) {
      stage.stopping = true;
      return;
    }
    ++gang.attempt;
    if (gang.attempt >= gang.max_attempts) {
      stage.failure = exhausted(stage.failure, gang);
      return;
    }
    stage.stopping = false;
    stage.failure = Status();
    gang.running = false;
  }

  static Status exhausted(const Status& failure, const Gang& gang) {
    return error("BARRIER_STAGE_FAILED",
                 {{"attempts", std::to_string(gang.attempt)}, {"reason", failure.detail().message}})
        .with_traceback(failure.detail().python_traceback);
  }

  void fail_attempt(StageId id, Stage& stage, int32_t rank, const Status& status) {
    if (stage.stopping) return;  // only the first failure counts
    stage.failure = status;
    actions_.push_back(GangAttemptFailed{id, std::get<Gang>(stage.kind).attempt, rank, status});
    stop(id, stage);
  }

  // Kills what runs; the stage ends, or its next attempt starts, when the last of it has ended.
  void stop(StageId id, Stage& stage) {
    stage.stopping = true;
    if (auto* tasks = std::get_if<TaskStage>(&stage.kind)) tasks->pending.clear();
    fail_epoch(id, stage);
    if (stage.running == 0) return;
    for (auto& [task, running] : state_.running) {
      if (running.stage != id || running.killed) continue;
      running.killed = true;
      actions_.push_back(KillTask{id, task});
    }
  }

  void fail_epoch(StageId id, Stage& stage) {
    Gang* gang = std::get_if<Gang>(&stage.kind);
    if (gang == nullptr || gang->epoch.arrived.empty()) return;
    FailBarrier action{id, gang->attempt, gang->epoch.number, {}, stage.failure};
    for (const auto& [rank, message] : gang->epoch.arrived) action.tasks.push_back(gang->tasks[rank]);
    actions_.push_back(std::move(action));
    gang->epoch.arrived.clear();
  }

  void release(StageId id, Gang& gang) {
    ReleaseBarrier action{id, gang.attempt, gang.epoch.number, gang.epoch.kind, gang.tasks, {}};
    for (auto& [rank, message] : gang.epoch.arrived) action.messages.push_back(std::move(message));
    actions_.push_back(std::move(action));
    gang.epoch = {gang.epoch.number + 1, BarrierKind::kBarrier, {}, {}};
  }

  // Ranks that have ended will never reach the barrier that others wait at.
  void break_if_ranks_are_gone(StageId id, Stage& stage) {
    Gang& gang = std::get<Gang>(stage.kind);
    if (gang.epoch.arrived.empty() || gang.finished.empty()) return;
    std::string gone;
    for (const int32_t rank : gang.finished) gone += (gone.empty() ? "" : ", ") + std::to_string(rank);
    break_barrier(id, stage, *gang.finished.begin(),
                  "the ranks " + gone + " have ended without coming to it");
  }

  void break_barrier(StageId id, Stage& stage, int32_t rank, const std::string& reason) {
    const Gang& gang = std::get<Gang>(stage.kind);
    std::string waiting;
    for (const auto& [waiter, message] : gang.epoch.arrived)
      waiting += (waiting.empty() ? "" : ", ") + std::to_string(waiter);
    fail_attempt(
        id, stage, rank,
        error("BARRIER_BROKEN",
              {{"epoch", std::to_string(gang.epoch.number)}, {"waiting", waiting}, {"reason", reason}}));
  }

  static std::string missing_ranks(const Gang& gang) {
    std::string missing;
    for (int32_t rank = 0; rank < gang.ranks; ++rank) {
      if (gang.epoch.arrived.count(rank) == 0)
        missing += (missing.empty() ? "" : ", ") + std::to_string(rank);
    }
    return missing;
  }

  void end_if_done(StageId id, const Stage& stage) {
    if (stage.running > 0) return;
    const auto* tasks = std::get_if<TaskStage>(&stage.kind);
    const bool done = stage.stopping || (tasks != nullptr && tasks->complete && tasks->pending.empty());
    if (!done) return;
    actions_.push_back(StageEnded{stage.job, id, stage.failure});
    state_.stages.erase(id);
  }

  State& state_;
  const SteadyTime now_;
  Actions actions_;
};

}  // namespace

Actions step(State& state, const Event& event, SteadyTime now) {
  Step step(state, now);
  std::visit([&step](const auto& what) { step.handle(what); }, event);
  return step.take_actions();
}

std::optional<SteadyTime> next_deadline(const State& state) {
  std::optional<SteadyTime> next;
  for (const auto& [id, stage] : state.stages) {
    const Gang* gang = std::get_if<Gang>(&stage.kind);
    if (gang == nullptr || stage.stopping || gang->epoch.arrived.empty()) continue;
    next = next ? std::min(*next, gang->epoch.deadline) : gang->epoch.deadline;
  }
  return next;
}

}  // namespace deuteron::scheduler::core
