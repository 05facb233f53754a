// The loop around the core: the core's state, an inbox in front of it, timers by the steady clock. It tells
// the launcher what to do, the listeners what became of their stages, and the event bus everything. One per
// process.
//
// Thread-safe. Whoever has the turn owns the state; there is one turn at a time, and no lock is held in it.
// The scheduler's own thread takes turns to handle what is in the inbox or due; calls put a message there and
// return. Only barrier_requested() takes the turn itself, when nobody has it and the inbox is empty: a
// barrier is then decided and answered on the thread that hears of it, and nobody is woken.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "events/bus.h"
#include "scheduler/core/state.h"
#include "scheduler/launcher.h"

namespace deuteron::scheduler {

// Called in a turn of the scheduler (below), on whichever thread has it; must not block.
class StageListener {
 public:
  virtual ~StageListener() = default;
  virtual void task_started(int32_t /*partition*/, int32_t /*attempt*/) {}
  // Of a gang: counts only when the stage ends well; a later attempt replaces it.
  virtual void task_succeeded(int32_t partition, int32_t attempt,
                              std::shared_ptr<tasks::TaskOutput> output) = 0;
  // Or made way for another gang: whatever the ranks of this attempt left must be dropped.
  virtual void gang_attempt_failed(int32_t /*attempt*/, const Status& /*status*/) {}
  // Input is gone. A partition of a task stage may be added again with what was made in its place, before
  // no_more_tasks(); a gang, whose attempt has failed (gang_attempt_failed), waits for input_made().
  // `partition`: of a gang the rank that missed it.
  virtual void input_lost(int32_t /*partition*/, const Status& /*status*/) {}
  // The last call about the stage: none of its tasks runs any more.
  virtual void stage_ended(const Status& status) = 0;
};

struct TaskStageRequest {
  tasks::JobId job = 0;
  std::string name;
  tasks::Slots slots_per_task;
  int32_t max_task_errors = 1;
  int32_t max_lost_workers = 4;
  core::QueueRules queue;
  std::string likeness;  // core::SubmitTaskStage
};

struct GangRequest {
  tasks::JobId job = 0;
  std::string name;
  tasks::Slots slots_per_task;
  std::vector<std::shared_ptr<const tasks::TaskWork>> ranks;  // at most; see core::GangRules::min_ranks
  core::GangRules rules;
  core::QueueRules queue;
  std::string likeness;  // core::SubmitGang
};

class Scheduler : public LaunchObserver {
 public:
  // The launcher and the bus must outlive the scheduler.
  Scheduler(tasks::Machine machine, Launcher& launcher, events::Bus& bus, core::QueuePolicy policy = {},
            core::ExclusionPolicy exclusion = {}, const std::vector<core::Address>& in_use = {});
  // Calls stop().
  ~Scheduler() override;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Ends the thread, kills what still runs and ends its stages as cancelled. The launcher is not called
  // afterwards, nor is any listener; what others still report is not looked at.
  void stop();

  const tasks::Machine& machine() const { return machine_; }

  tasks::JobId new_job(const std::string& session_id, const std::string& operation_id);
  // Stops everything of the job: its stages end as cancelled.
  void cancel_job(tasks::JobId job);

  tasks::StageId submit_tasks(const TaskStageRequest& request, std::shared_ptr<StageListener> listener);
  void add_task(tasks::StageId stage, int32_t partition, std::shared_ptr<const tasks::TaskWork> work);
  void no_more_tasks(tasks::StageId stage);
  tasks::StageId submit_gang(GangRequest request, std::shared_ptr<StageListener> listener);
  // What was lost of the gang's input is there again: the ranks as in GangRequest.
  void input_made(tasks::StageId stage, std::vector<std::shared_ptr<const tasks::TaskWork>> ranks);

  // The job's gangs that wait: their place, why, and when they will probably start. Blocks for a turn of the
  // scheduler's thread.
  std::vector<core::GangWaits> waiting(tasks::JobId job);

  // One of `in_use` is ours from now on.
  void address_freed(const core::Address& address);

  void task_running(tasks::TaskId task, int64_t process_id) override;
  void task_idle(tasks::TaskId task, std::optional<SteadyTime> since) override;
  void barrier_requested(tasks::TaskId task, tasks::BarrierRequest request) override;
  void task_stacks(tasks::TaskId task, tasks::TaskStacks stacks) override;
  void task_ended(tasks::TaskId task, tasks::TaskOutcome outcome) override;

 private:
  // What was seen when ranks were missing, or none made progress.
  struct HangReport {
    std::vector<int32_t> missing;
    bool is_stall = false;
    std::map<int32_t, std::string> ranks;  // what each does
    bool ends_attempt = false;             // not only a warning
  };
  struct StageRecord {
    std::shared_ptr<StageListener> listener;
    std::map<int32_t, std::shared_ptr<const tasks::TaskWork>>
        works;  // by partition; of a gang kept for the next attempt
    bool is_gang = false;
    HangReport hang;  // of the attempt that runs
  };
  struct Message {
    core::Event event;
    tasks::StageId stage = 0;                 // of the next three
    std::shared_ptr<StageListener> listener;  // with a submission
    std::map<int32_t, std::shared_ptr<const tasks::TaskWork>> works;
    tasks::TaskOutcome outcome;  // with TaskEnded; its status is in the event
    std::shared_ptr<std::promise<std::vector<core::GangWaits>>> question{};  // instead of an event
    tasks::JobId asked = 0;
    tasks::TaskId seen = 0;  // instead of an event: what this task does
    tasks::TaskStacks stacks{};
  };
  struct RunningTask {
    tasks::TaskContext context;
  };

  void send(Message message);
  void wake(std::unique_lock<std::mutex>& lock);        // and unlocks it
  void take_turn(std::unique_lock<std::mutex>& lock);   // with the lock held before and after
  tasks::StageId end_at_once(StageListener& listener);  // of a scheduler that has stopped
  void run();
  void handle(Message message);
  void perform(const core::Action& action);
  std::vector<tasks::TaskId> tasks_of(tasks::StageId stage) const;
  std::vector<core::GangWaits> forecast(tasks::JobId job) const;
  static Status with_stacks(const Status& status, const HangReport& hang);
  void report_stacks(tasks::TaskId task, const tasks::TaskStacks& stacks);
  void report_end(const core::TaskEnded& ended, const tasks::TaskOutcome& outcome);

  void act(const core::LaunchTask& action);
  void act(const core::KillTask& action);
  void act(const core::ReleaseBarrier& action);
  void act(const core::FailBarrier& action);
  void act(const core::RanksMissing& action);
  void act(const core::NoProgress& action);
  void act(const core::TaskSucceeded& action);
  void act(const core::TaskInputLost& action);
  void act(const core::GangWaits& action);
  void act(const core::GiveNotice& action);
  void act(const core::GangPreempted& action);
  void act(const core::GangInputLost& action);
  void act(const core::AddressLeftOut& action);
  void act(const core::AddressReadmitted& action);
  void act(const core::GangAttemptStarted& action);
  void act(const core::GangAttemptFailed& action);
  void act(const core::StageEnded& action);

  static constexpr SteadyTime kNever = SteadyTime::max();

  const tasks::Machine machine_;
  Launcher& launcher_;
  events::Bus& bus_;

  // Guarded by mutex_:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Message> inbox_;
  bool is_at_work_ = false;           // somebody has the turn
  SteadyTime deadline_ = kNever;      // when something is due, as the last turn left it
  SteadyTime sleeps_until_ = kNever;  // the thread, unless it is woken
  bool stopping_ = false;             // the thread shall end
  bool stopped_ = false;              // it has
  tasks::StageId next_stage_ = 1;
  tasks::JobId next_job_ = 1;

  // Of whoever has the turn:
  core::State state_;
  std::map<tasks::StageId, StageRecord> stages_;
  std::map<tasks::TaskId, RunningTask> tasks_;
  std::shared_ptr<tasks::TaskOutput> current_output_;  // of the TaskEnded that is being handled
  std::thread thread_;
};

}  // namespace deuteron::scheduler
