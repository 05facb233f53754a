// The scheduler's core: a state machine without threads, clock or IO. `step` takes what happened and the
// time, changes the state and returns what to do; the loop around it (scheduler.h) does it. The same history
// always gives the same actions.
//
// A task stage takes what slots are free. A gang takes the slots of all its ranks at once or none, and gives
// them back at once, when the last rank has ended. How many ranks it has may differ from attempt to attempt
// (GangRules::min_ranks). Who waits stands in the queue (queue.h); its head holds a
// reservation (ledger.h), and others may use the slots meanwhile if that does not delay it. Gangs of lower
// priority that allow it make way for the head (preemption.cc). When a rank of a gang fails, the other ranks
// are killed, and when all have ended, the next attempt starts with the same ranks.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "scheduler/core/durations.h"
#include "scheduler/core/ledger.h"
#include "scheduler/core/messages.h"
#include "scheduler/core/queue.h"

namespace deuteron::scheduler::core {

struct RunningTask {
  StageId stage = 0;
  int32_t partition = 0;
  int32_t attempt = 0;
  SteadyTime started{};
  bool killed = false;
  HoldId hold = 0;
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
  std::map<int32_t, Failures> failures;   // by partition
  std::map<int32_t, int32_t> lost_input;  // partitions without it: the next attempt
  std::set<TaskId> tasks;                 // that run
  std::string likeness;
  Observed durations;     // of this stage's tasks
  bool complete = false;  // no more tasks will be added
};

// The barrier that some ranks have reached and others not.
struct Epoch {
  int64_t number = 0;
  tasks::BarrierKind kind = tasks::BarrierKind::kBarrier;
  std::map<int32_t, std::string> arrived;  // rank -> message
  SteadyTime first_arrival{};
  SteadyTime deadline{};
  std::optional<SteadyTime> look_at;  // when who has not come is taken as hanging
};

// Whether the ranks of an attempt do anything.
struct Activity {
  std::map<int32_t, SteadyTime> idle;  // ranks that do nothing, since
  SteadyTime last_progress{};          // a barrier that was passed, a rank that came or ended
  std::optional<SteadyTime> look_at;   // when it is taken as a hang that all are idle
};

// What ended an attempt, where it may tell that the next will end alike.
struct RaisedFailure {
  int32_t rank = 0;
  std::string text;
  bool operator==(const RaisedFailure&) const = default;
};

enum class GangPhase {
  kWaiting,  // in the queue
  kRunning,
  kEnding,  // the attempt has failed, and not all of its ranks have ended
  kPausing  // before the next attempt, without slots: for some time, until another has started, or until what
            // was lost of its input is there again
};

// Of a gang that has to make way for another stage, or had to.
struct Preemption {
  StageId by = 0;                  // who asked this attempt, or the one before while there is none; 0: nobody
  bool makes_way = false;          // `by` still waits, and this gang does not wait before it
  std::optional<SteadyTime> ends;  // of the notice
  std::optional<SteadyTime> expected_before;  // the end of its hold that was expected without this
  int32_t times = 0;  // how often it was asked: each protects it by one level of priority
};

struct Gang {
  int32_t ranks = 0;  // of the attempt that runs, or that it waits for at least
  int32_t least_ranks = 0;
  int32_t most_ranks = 0;
  GangRules rules;
  std::string likeness;
  GangPhase phase = GangPhase::kWaiting;
  int32_t attempt = 0;
  int32_t failures = 0;      // attempts that count as such
  bool is_excused = false;   // this attempt has failed, and does not count
  bool lacks_input = false;  // until it is made again
  SteadyTime attempt_started{};
  std::optional<Duration> time_left;     // of its limit, when it starts
  std::optional<SteadyTime> time_limit;  // from then on
  Preemption preemption;
  SteadyTime pause_ends{};
  HoldId hold = 0;
  std::vector<TaskId> tasks;   // of this attempt, by rank
  std::set<int32_t> finished;  // ranks that ended well in this attempt
  Epoch epoch;
  Activity activity;
  Duration usual_skew{};
  Duration usual_idle{};  // how long all ranks do nothing at once
  std::optional<RaisedFailure> last_failure;
  std::optional<Status> verdict;  // no further attempt, and what the stage ends with
  std::optional<SteadyTime> due;  // its entry among the timers
};

struct Stage {
  JobId job = 0;
  Slots slots_per_task;
  std::string pool;
  int32_t priority = 0;
  Place place;
  std::variant<TaskStage, Gang> kind;
  int32_t running = 0;    // tasks that have not ended
  bool stopping = false;  // of a task stage: it has failed, and what runs is being killed
  bool cancelled = false;
  Status failure;  // the first one
};

// An address of a resource: its name, and the index.
using Address = std::pair<std::string, int32_t>;

// Addresses where so many tasks in a row have lost their process are left out for a while.
struct ExclusionPolicy {
  int32_t lost_tasks = 2;  // 0: never
  Duration time = std::chrono::hours(1);
};

struct State {
  explicit State(const tasks::Machine& machine, QueuePolicy policy = {},
                 ExclusionPolicy exclusion_policy = {})
      : slots(machine), queue(std::move(policy)), exclusion(exclusion_policy) {}
  // Before anything else: another program has this address, until AddressFreed.
  void set_in_use(const Address& address);

  Ledger slots;
  Queue queue;
  Reservation reservation;  // of the head of the queue, when it waits
  std::map<StageId, Stage> stages;
  std::map<JobId, std::set<StageId>> jobs;
  std::unordered_map<TaskId, RunningTask> running;
  std::set<std::pair<SteadyTime, StageId>> timers;
  // Gangs that hold slots and may be asked to make way, who is asked first in front: the least protected,
  // then the latest start.
  std::map<std::pair<int32_t, HoldId>, StageId> preemptible;
  std::map<StageId, std::set<StageId>> making_way;  // who makes way for a stage that waits
  Durations durations;                              // by likeness
  const ExclusionPolicy exclusion;
  std::map<Address, HoldId> in_use;                   // by others
  std::map<Address, int32_t> lost;                    // tasks in a row, by address
  std::set<std::pair<SteadyTime, Address>> left_out;  // until then
  TaskId next_task = 1;
};

// Events about stages and tasks that are no more (late messages) change nothing.
Actions step(State& state, const Event& event, SteadyTime now);
// When the next Tick is due, if ever.
std::optional<SteadyTime> next_deadline(const State& state);
// Of a gang that waits; none of a stage that does not. Costs a look at what is in front of it.
std::optional<GangWaits> forecast(const State& state, StageId stage, SteadyTime now);

}  // namespace deuteron::scheduler::core
