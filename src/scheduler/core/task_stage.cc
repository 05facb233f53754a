#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {

using tasks::FailureKind;

void Step::start_task(StageId id, Stage& stage, TaskStage& tasks) {
  const PendingTask next = tasks.pending.front();
  tasks.pending.pop_front();
  if (tasks.pending.empty()) waits_no_longer(id);
  const HoldId hold = state_.next_task;
  take_slots(stage, hold);
  tasks.tasks.insert(launch(id, stage, hold, next.partition, next.attempt, 0));
}

void Step::task_ended(Stage& stage, TaskStage& tasks, const RunningTask& task, const TaskEnded& event) {
  tasks.tasks.erase(event.task);
  give_back_slots(stage, event.task);
  if (stage.stopping) return end_if_done(task.stage, stage, tasks);
  if (event.failure == FailureKind::kNone) {
    actions_.push_back(TaskSucceeded{task.stage, event.task, task.partition, task.attempt});
    tasks.durations.add(now_ - task.started);
    state_.durations.add(tasks.likeness, now_ - task.started);
    state_.queue.expect(task.stage, tasks.durations.expected());
    return end_if_done(task.stage, stage, tasks);
  }
  if (event.failure == FailureKind::kInputLost) {
    tasks.lost_input[task.partition] = task.attempt + 1;
    actions_.push_back(TaskInputLost{task.stage, event.task, task.partition, task.attempt, event.status});
    return end_if_done(task.stage, stage, tasks);
  }
  Failures& failures = tasks.failures[task.partition];
  const bool lost = event.failure == FailureKind::kWorkerLost;
  const int32_t count = lost ? ++failures.lost_workers : ++failures.task_errors;
  if (count < (lost ? tasks.max_lost_workers : tasks.max_task_errors)) {
    tasks.pending.push_front({task.partition, task.attempt + 1});
    return enqueue(task.stage, stage);
  }
  stage.failure = lost ? error("TASK_FAILED", {{"partition", std::to_string(task.partition)},
                                               {"stage", std::to_string(task.stage)},
                                               {"count", std::to_string(count)},
                                               {"reason", event.status.detail().message}})
                       : event.status;
  stop_tasks(task.stage, stage, tasks);
  end_if_done(task.stage, stage, tasks);
}

// Kills what runs; the stage ends when the last of it has ended.
void Step::stop_tasks(StageId id, Stage& stage, TaskStage& tasks) {
  stage.stopping = true;
  tasks.pending.clear();
  leave_queue(id);
  for (const TaskId task : tasks.tasks) kill(id, task);
}

void Step::end_if_done(StageId id, const Stage& stage, const TaskStage& tasks) {
  const bool is_done = stage.stopping || (tasks.complete && tasks.pending.empty());
  if (stage.running == 0 && is_done) end_stage(id, Status(stage.failure));
}

}  // namespace deuteron::scheduler::core
