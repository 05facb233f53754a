// The scheduler's core: a state machine without threads, clock or IO. `step` takes what happened and the
// time, changes the state and returns what to do; the loop around it (scheduler.h) does it. The same history
// always gives the same actions.
//
// A task stage takes what slots are free. A gang takes the slots of all its ranks at once or none. Stages are
// served in the order in which they were submitted, and the first that has to wait holds the free slots: so a
// gang is never starved by small tasks behind it. When a rank of a gang fails, the other ranks are killed,
// and when all slots are back, the next attempt starts with the same ranks.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "tasks/task.h"

namespace deuteron::scheduler::core {

using tasks::JobId;
using tasks::Slots;
using tasks::StageId;
using tasks::TaskId;

// ---- what happened
// ----------------------------------------------------------------------------------------------------- A
// stage whose tasks are added one by one (AddTask), until NoMoreTasks. Ids are new and larger than all
// before.
struct SubmitTaskStage {
  JobId job = 0;
  StageId stage = 0;
  Slots slots_per_task;
  int32_t max_task_errors = 1;   // this many errors of the task's own code in one partition fail the stage
  int32_t max_lost_workers = 4;  // this many lost workers in one partition fail the stage
};
struct AddTask {
  StageId stage = 0;
  int32_t partition = 0;
};
struct NoMoreTasks {
  StageId stage = 0;
};
struct SubmitGang {
  JobId job = 0;
  StageId stage = 0;
  Slots slots_per_task;
  int32_t ranks = 0;
  int32_t max_attempts = 4;
  Duration barrier_timeout = std::chrono::hours(24 * 365);
};
struct CancelJob {
  JobId job = 0;
};
struct TaskEnded {
  TaskId task = 0;
  tasks::FailureKind failure = tasks::FailureKind::kNone;
  Status status;
};
struct BarrierArrived {
  TaskId task = 0;
  tasks::BarrierRequest request;
};
// Time has passed; due when next_deadline says so.
struct Tick {};
using Event = std::variant<SubmitTaskStage, AddTask, NoMoreTasks, SubmitGang, CancelJob, TaskEnded,
                           BarrierArrived, Tick>;

// ---- what to do
// --------------------------------------------------------------------------------------------------------
struct LaunchTask {
  tasks::TaskContext context;
};
// The task's TaskEnded follows, as after any other end.
struct KillTask {
  StageId stage = 0;
  TaskId task = 0;
};
struct ReleaseBarrier {
  StageId stage = 0;
  int32_t attempt = 0;
  int64_t epoch = 0;
  tasks::BarrierKind kind = tasks::BarrierKind::kBarrier;
  std::vector<TaskId> tasks;  // by rank
  std::vector<std::string> messages;
};
struct FailBarrier {
  StageId stage = 0;
  int32_t attempt = 0;
  int64_t epoch = 0;
  std::vector<TaskId> tasks;  // those that wait
  Status status;
};
// An attempt counts. Of a gang: only if the gang attempt ends well.
struct TaskSucceeded {
  StageId stage = 0;
  TaskId task = 0;
  int32_t partition = 0;
  int32_t attempt = 0;
};
struct GangAttemptStarted {
  StageId stage = 0;
  int32_t attempt = 0;
  int32_t ranks = 0;
};
struct GangAttemptFailed {
  StageId stage = 0;
  int32_t attempt = 0;
  int32_t rank = -1;  // whose failure was the first
  Status status;
};
// The last word about a stage: none of its tasks runs any more.
struct StageEnded {
  JobId job = 0;
  StageId stage = 0;
  Status status;
};
using Action = std::variant<LaunchTask, KillTask, ReleaseBarrier, FailBarrier, TaskSucceeded,
                            GangAttemptStarted, GangAttemptFailed, StageEnded>;
using Actions = std::vector<Action>;

// ---- the state
// ---------------------------------------------------------------------------------------------------------
struct RunningTask {
  StageId stage = 0;
  int32_t partition = 0;
  int32_t attempt = 0;
  bool killed = false;
};

struct PendingTask {
  int32_t partition = 0;
  int32_t attempt = 0;
};

// How often a partition failed.
struct Failures {
  int32_t task_errors = 0;
  int32_t lost_workers = 0;
};

struct TaskStage {
  int32_t max_task_errors = 1;
  int32_t max_lost_workers = 4;
  std::deque<PendingTask> pending;
  std::map<int32_t, Failures> failures;  // by partition
  bool complete = false;                 // no more tasks will be added
};

// The barrier that some ranks have reached and others not.
struct Epoch {
  int64_t number = 0;
  tasks::BarrierKind kind = tasks::BarrierKind::kBarrier;
  std::map<int32_t, std::string> arrived;  // rank -> message
  SteadyTime deadline{};
};

struct Gang {
  int32_t ranks = 0;
  int32_t max_attempts = 4;
  Duration barrier_timeout{};
  int32_t attempt = 0;
  bool running = false;        // has its slots
  std::vector<TaskId> tasks;   // of this attempt, by rank
  std::set<int32_t> finished;  // ranks that ended well in this attempt
  Epoch epoch;
};

struct Stage {
  JobId job = 0;
  Slots slots_per_task;
  std::variant<TaskStage, Gang> kind;
  int32_t running = 0;    // tasks that hold slots
  bool stopping = false;  // an attempt (gang) or the stage has failed; what runs is being killed
  bool cancelled = false;
  Status failure;  // the first one
};

struct State {
  explicit State(Slots all) : total(all), free(std::move(all)) {}
  const Slots total;
  Slots free;
  std::map<StageId, Stage> stages;  // in the order of submission
  std::map<TaskId, RunningTask> running;
  TaskId next_task = 1;
};

// Events about stages and tasks that are no more (late messages) change nothing.
Actions step(State& state, const Event& event, SteadyTime now);
// When the next Tick is due, if ever.
std::optional<SteadyTime> next_deadline(const State& state);

}  // namespace deuteron::scheduler::core
