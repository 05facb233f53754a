// One event's worth of work: the state it changes and the actions it collects. Its parts lie in files by what
// they are about: step.cc (stages and jobs), placement.cc (who gets slots), preemption.cc (who makes way),
// exclusion.cc (addresses where tasks keep dying), task_stage.cc, gang.cc (attempts and what they fail of),
// barrier.cc (epochs, ranks that do not come), progress.cc (ranks that do nothing).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {

constexpr int32_t kNoRank = -1;

class Step {
 public:
  Step(State& state, SteadyTime now) : state_(state), now_(now) {}

  void handle(const SubmitTaskStage& event);
  void handle(const AddTask& event);
  void handle(const NoMoreTasks& event);
  void handle(const SubmitGang& event);
  void handle(const InputMade& event);
  void handle(const CancelJob& event);
  void handle(const TaskEnded& event);
  void handle(const BarrierArrived& event);
  void handle(const RankIdle& event);
  void handle(const AddressFreed& event);
  void handle(const SlotsLost& event);
  void handle(const SlotsBack& event);
  void handle(const Tick& event);

  Actions finish();

 private:
  // step.cc
  Stage* find(StageId id);
  Stage& add_stage(JobId job, StageId id, const Slots& slots_per_task, const QueueRules& rules);
  void refuse(JobId job, StageId stage, Status status);
  void cancel(StageId id, Stage& stage);
  void end_stage(StageId id, const Status& status);
  void kill(StageId id, TaskId task);

  // placement.cc
  void enqueue(StageId id, const Stage& stage);
  void leave_queue(StageId id);
  void waits_no_longer(StageId id);
  void place();
  void go_around(const Demand& need, bool is_new);
  void start(StageId id, Stage& stage);
  int32_t ranks_to_start(StageId id, const Stage& stage, const Gang& gang) const;
  std::optional<Duration> expected_duration(const Stage& stage) const;
  TaskId launch(StageId id, Stage& stage, HoldId hold, int32_t partition, int32_t attempt, int32_t ranks);
  void take_slots(const Stage& stage, HoldId id);
  void give_back_slots(const Stage& stage, HoldId id);
  void tell_who_waits();

  // preemption.cc
  void make_way(StageId head, const Demand& need);
  Inventory slots_to_come() const;
  void note_preemptible(StageId id, const Stage& stage, const Gang& gang);
  void forget_preemptible(const Stage& stage, const Gang& gang);
  void give_notice(StageId id, StageId by);
  void withdraw_notice(StageId id, Gang& gang);
  void way_is_made(StageId by);
  void let_wait_again();
  void stop_making_way(StageId id, Gang& gang);
  void end_at_notice(StageId id, Stage& stage, Gang& gang);

  // task_stage.cc
  void start_task(StageId id, Stage& stage, TaskStage& tasks);
  void task_ended(Stage& stage, TaskStage& tasks, const RunningTask& task, const TaskEnded& event);
  void stop_tasks(StageId id, Stage& stage, TaskStage& tasks);
  void end_if_done(StageId id, const Stage& stage, const TaskStage& tasks);

  // gang.cc
  void start_gang(StageId id, Stage& stage, Gang& gang);
  void start_again(StageId id, Stage& stage, Gang& gang);
  void start_attempt(StageId id, Stage& stage, Gang& gang);
  void rank_ended(Stage& stage, Gang& gang, const RunningTask& task, const TaskEnded& event);
  void attempt_ended(StageId id, Stage& stage, Gang& gang);
  // `is_raised`: an exception of the rank's own code.
  void fail_attempt(StageId id, Stage& stage, Gang& gang, int32_t rank, const Status& status,
                    bool is_raised = false);
  void judge_failure(Gang& gang, int32_t rank, const Status& status, bool is_raised);
  void stop_ranks(StageId id, Stage& stage, Gang& gang);
  void end_at_time_limit(StageId id, Stage& stage, Gang& gang);
  void gang_is_due(StageId id, Stage& stage, Gang& gang);
  void wait_or_pause(StageId id, Stage& stage, Gang& gang);
  void set_timer(StageId id, Gang& gang);
  void clear_timer(StageId id, Gang& gang);

  // barrier.cc
  void release(StageId id, Gang& gang, int32_t last_rank);
  void fail_epoch(StageId id, const Stage& stage, Gang& gang);
  void break_barrier(StageId id, Stage& stage, Gang& gang, int32_t rank, const std::string& reason);
  void break_if_ranks_are_gone(StageId id, Stage& stage, Gang& gang);
  void look_for_missing_ranks(StageId id, Stage& stage, Gang& gang);

  // exclusion.cc
  void note_lost(const RunningTask& task);
  void note_well(const RunningTask& task);
  void readmit();

  // progress.cc
  void note_progress(Gang& gang);
  void expect_progress(StageId id, Gang& gang);
  void look_for_progress(StageId id, Stage& stage, Gang& gang);

  State& state_;
  const SteadyTime now_;
  Actions actions_;
  bool has_changed_ = false;         // who waits, or what is free
  bool is_freed_ = false;            // slots, or the place of somebody who waited
  std::set<StageId> began_to_wait_;  // in this step
  std::set<StageId> way_made_;       // gangs that wait for themselves again
};

// What one start takes: a task's slots, or those of all ranks.
Demand demand_of(const Stage& stage);
// A gang takes as long as others like it with as many ranks.
std::string likeness_of(const Gang& gang);
// How long is too long, where `usual` is usual; none: nothing is.
std::optional<Duration> tolerance(const HangRules& rules, Duration usual);
// "0, 2"
std::string join(const std::vector<int32_t>& ranks);
// In seconds: "90", "0.25"
std::string describe(Duration duration);

}  // namespace deuteron::scheduler::core
