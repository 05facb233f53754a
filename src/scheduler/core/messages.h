// What the scheduler's core is told (events) and what it answers (actions), and the rules that come with a
// submission. Plain values. Ids of stages are new and larger than all before.
#pragma once

#include <optional>
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

// ---- rules of one stage

// Where a stage waits. Priorities beyond ±kHighestPriority count as that.
struct QueueRules {
  std::string pool = "default";
  int32_t priority = 0;
};
constexpr int32_t kHighestPriority = 10;

enum class HangPolicy { kWarn, kRelaunch, kFail };

// When ranks that others wait for are taken as hanging: after `timeout`, or after `factor` times the usual
// time between the first and the last arrival, whichever is longer; likewise a gang none of whose ranks does
// anything, nor waits at a barrier, by the usual time of that. No timeout: never.
struct HangRules {
  HangPolicy policy = HangPolicy::kWarn;
  std::optional<Duration> timeout = std::chrono::milliseconds(1500);
  int32_t factor = 10;
};

struct GangRules {
  int32_t max_attempts = 4;
  Duration barrier_timeout = std::chrono::hours(24 * 365);
  // From the start of the first attempt to the end of the last.
  std::optional<Duration> time_limit;
  // How long an attempt will probably take, where nothing like it has been seen: a guess that ends nothing.
  std::optional<Duration> expected;
  // The second attempt starts at once, the third not before `backoff` after the start of the second, and the
  // distance doubles from attempt to attempt.
  Duration backoff = std::chrono::milliseconds(250);
  // Two attempts in a row that end with the same exception of the same rank are the last.
  bool stops_on_same_failure = false;
  HangRules hang;
  // May be stopped for a stage of higher priority, `notice` after it was told; such an end is no failure.
  bool is_preemptible = false;
  Duration notice = std::chrono::seconds(30);
  // An attempt may have fewer ranks than the gang has, but not fewer than this; 0: it may not.
  int32_t min_ranks = 0;
};

// ---- what happened

// A stage whose tasks are added one by one (AddTask), until NoMoreTasks.
struct SubmitTaskStage {
  JobId job = 0;
  StageId stage = 0;
  Slots slots_per_task;
  int32_t max_task_errors = 1;   // this many errors of the task's own code in one partition fail the stage
  int32_t max_lost_workers = 4;  // this many lost workers in one partition fail the stage
  QueueRules queue;
  std::string likeness;  // tasks of stages of the same one are expected to take as long; "": not known
};
// Also of a partition that has lost its input (TaskInputLost), when that was made again: the next attempt.
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
  int32_t ranks = 0;  // at most
  GangRules rules;
  QueueRules queue;
  std::string likeness;  // gangs of the same one are expected to take as long as each other; "": not known
};
// What a gang has lost (GangInputLost) was made again.
struct InputMade {
  StageId stage = 0;
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
// A rank's processes have used next to no CPU time since then; none: they do again.
struct RankIdle {
  TaskId task = 0;
  std::optional<SteadyTime> since;
};
// An address that another program had (State::in_use) is ours.
struct AddressFreed {
  std::string resource;
  int32_t address = 0;  // index
};
// A machine is gone, with so many slots of what is only counted (no addresses), or has come back. Its tasks
// end as any others do, and what they held is not missing twice.
struct SlotsLost {
  Slots slots;
};
struct SlotsBack {
  Slots slots;
};
// Time has passed; due when next_deadline says so.
struct Tick {};
using Event = std::variant<SubmitTaskStage, AddTask, NoMoreTasks, SubmitGang, InputMade, CancelJob, TaskEnded,
                           BarrierArrived, RankIdle, AddressFreed, SlotsLost, SlotsBack, Tick>;

// ---- what to do

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
  Duration skew{};        // between the first and the last arrival
  int32_t last_rank = 0;  // who came last
};
struct FailBarrier {
  StageId stage = 0;
  int32_t attempt = 0;
  int64_t epoch = 0;
  std::vector<TaskId> tasks;  // those that wait
  Status status;
};
// Others have waited for these ranks for longer than the gang's HangRules allow; told once per epoch. What
// the policy asks for follows as actions of its own.
struct RanksMissing {
  StageId stage = 0;
  int32_t attempt = 0;
  int64_t epoch = 0;
  std::vector<int32_t> ranks;
  std::vector<TaskId> tasks;  // of those ranks
  Duration waited{};
  HangPolicy policy = HangPolicy::kWarn;
};
// All ranks that have not ended have been idle for longer than the gang's HangRules allow, and none of them
// waits at a barrier; told once. What the policy asks for follows.
struct NoProgress {
  StageId stage = 0;
  int32_t attempt = 0;
  int64_t epoch = 0;
  std::vector<int32_t> ranks;
  Duration idle{};
  HangPolicy policy = HangPolicy::kWarn;
};
// An attempt counts. Of a gang: only if the gang attempt ends well.
struct TaskSucceeded {
  StageId stage = 0;
  TaskId task = 0;
  int32_t partition = 0;
  int32_t attempt = 0;
};
// The task's input is gone, which is no failure: the partition may be added again (AddTask), before
// NoMoreTasks.
struct TaskInputLost {
  StageId stage = 0;
  TaskId task = 0;
  int32_t partition = 0;
  int32_t attempt = 0;
  Status status;
};
// A gang that waits: its place in its pool, why, and when it will probably start. Told when it begins to wait
// and when it has come to the front.
struct GangWaits {
  JobId job = 0;
  StageId stage = 0;
  std::string pool;
  int64_t position = 0;  // 1: the first of its pool; 0: not in the queue, it pauses before its next attempt
  std::string reason;
  std::optional<Duration> expected;  // from now; none: not known
};
// The attempt will be ended after `left`, to make way for the stage `by`; its ranks are told, so that they
// can write what the next attempt starts from. None: it goes on, nobody needs its slots any more.
struct GiveNotice {
  StageId stage = 0;
  int32_t attempt = 0;
  StageId by = 0;
  std::optional<Duration> left;
};
// Such an attempt ends, at the end of the notice or because a rank has failed after it was told. Does not
// count as a failure.
struct GangPreempted {
  StageId stage = 0;
  int32_t attempt = 0;
  StageId by = 0;
  int32_t rank = -1;  // who has failed
  Status status;
};
// An attempt ends because input of the gang is gone. It waits, without slots, until InputMade, and then has
// its old place. Does not count as a failure.
struct GangInputLost {
  StageId stage = 0;
  int32_t attempt = 0;
  int32_t rank = 0;  // who has missed it
  Status status;
};
// The address is given to nobody who can do without it, for `time`.
struct AddressLeftOut {
  std::string resource;
  std::string address;
  int32_t lost_tasks = 0;
  Duration time{};
};
struct AddressReadmitted {
  std::string resource;
  std::string address;
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
using Action =
    std::variant<LaunchTask, KillTask, ReleaseBarrier, FailBarrier, RanksMissing, NoProgress, TaskSucceeded,
                 TaskInputLost, GangWaits, GiveNotice, GangPreempted, GangInputLost, AddressLeftOut,
                 AddressReadmitted, GangAttemptStarted, GangAttemptFailed, StageEnded>;
using Actions = std::vector<Action>;

}  // namespace deuteron::scheduler::core
