// What the scheduler asks of whoever runs tasks, and what it must be told. execution/ joins it with the
// worker pool.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "tasks/task.h"

namespace deuteron::scheduler {

// A task does its partition's work; a rank of a gang that has fewer ranks than partitions that of several, in
// order.
struct LaunchRequest {
  tasks::TaskContext context;
  std::vector<std::shared_ptr<const tasks::TaskWork>> works;
};

// Called in a turn of the scheduler (scheduler.h): on its thread, or within barrier_requested() below. No
// call may block. What a call tells the LaunchObserver on the same stack is handled later.
class Launcher {
 public:
  virtual ~Launcher() = default;
  virtual void start(LaunchRequest request) = 0;
  // At once and by force. The task's end is told as any other's; a task that has ended already is no error.
  virtual void kill(tasks::TaskId task) = 0;
  // To ranks whose barrier requests were told, the same to each; any may have died since.
  virtual void answer_barrier(const std::vector<tasks::TaskId>& tasks, tasks::BarrierReply reply) = 0;
  // The attempt of these ranks will be ended at that time, to make way for others, or will not (none): for
  // their program to know.
  virtual void give_notice(const std::vector<tasks::TaskId>& /*tasks*/, std::optional<SteadyTime> /*end*/) {}
  // These ranks keep others waiting for suspiciously long, or are kept waiting by others: tell what they do
  // (task_stacks), before they are killed, if that follows.
  virtual void look_at(const std::vector<tasks::TaskId>& /*tasks*/) {}
};

// Told by the launcher, from any thread. Each started task ends exactly once, whatever happens, and nothing
// about it comes later.
class LaunchObserver {
 public:
  virtual ~LaunchObserver() = default;
  virtual void task_running(tasks::TaskId task, int64_t process_id) = 0;  // for the event log only
  // The task has done nothing since then; none: it does again.
  virtual void task_idle(tasks::TaskId task, std::optional<SteadyTime> since) = 0;
  // The launcher may be called before this returns: answer_barrier() for this task and others.
  virtual void barrier_requested(tasks::TaskId task, tasks::BarrierRequest request) = 0;
  // The answer to look_at, if the task has not ended before.
  virtual void task_stacks(tasks::TaskId task, tasks::TaskStacks stacks) = 0;
  virtual void task_ended(tasks::TaskId task, tasks::TaskOutcome outcome) = 0;
};

}  // namespace deuteron::scheduler
