// Waits for a stage and keeps what its tasks leave, by partition. The scheduler writes, on whichever thread
// has its turn; the query's threads wait. What it keeps may be handed out while the stage runs, in the order
// of the partitions.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "execution/python_task.h"
#include "scheduler/scheduler.h"

namespace deuteron::execution {

using PythonOutputs = std::map<int32_t, std::shared_ptr<PythonOutput>>;  // null: there was nothing to do

class StageCollector : public scheduler::StageListener {
 public:
  // `on_failure` is called once, in a turn of the scheduler, when the stage has ended badly; must not block.
  explicit StageCollector(std::function<void()> on_failure) : on_failure_(std::move(on_failure)) {}

  void task_started(int32_t partition, int32_t attempt) override;
  void task_succeeded(int32_t partition, int32_t attempt, std::shared_ptr<tasks::TaskOutput> output) override;
  void gang_attempt_failed(int32_t attempt, const Status& status) override;
  void input_lost(int32_t partition, const Status& status) override;
  void stage_ended(const Status& status) override;

  struct Counts {
    int64_t running = 0;
    int64_t succeeded = 0;
    int64_t without_input = 0;  // see take_lost_input()
    // Tasks that hold nothing up any more: they have succeeded and, where that is done, were handed out.
    int64_t done = 0;
    int32_t next = -1;  // the first partition that was not handed out; -1: none is
    bool ended = false;
  };
  // Waits until the stage has ended, or input of a gang was lost, or the time is over.
  Counts wait_for_gang(std::chrono::milliseconds time);
  // Partitions, or ranks, whose input was lost since the last call; not counted any more.
  std::set<int32_t> take_lost_input();
  // Forgets who has succeeded.
  void start_anew();
  // Waits until the stage has ended, or less than `limit` of the added tasks are under way, or the time is
  // over.
  Counts wait_for(std::chrono::milliseconds time, int64_t added = 0, int64_t limit = 0);
  // Waits until the stage has ended, or the time is over, or a task for this partition may be added to those
  // that were begun.
  Counts wait_to_begin(std::chrono::milliseconds time, int32_t partition, int64_t begun, int64_t limit);
  static bool may_begin(const Counts& counts, int32_t partition, int64_t begun, int64_t limit);

  // A partition is handed out when its input is complete and its task has succeeded, or none was needed.
  void input_complete(int32_t partition, bool needs_task);
  // From now on, beginning with `next`; `made`: what there is of these partitions already.
  void hand_out(int32_t next, PythonOutputs made);
  struct Run {
    int32_t first = 0;
    std::vector<std::shared_ptr<PythonOutput>> outputs;  // of this partition and those that follow
    bool ended = false;                                  // the stage has ended
  };
  // The next partitions that can be handed out; waits for one until the stage has ended, or the time is over.
  Run wait_for_run(std::chrono::milliseconds time);
  // All before `next` were handed out, and are not kept any more.
  void handed_out(int32_t next);
  // Nothing can be made of it: it was lost.
  void drop(int32_t partition);

  // Requires that the stage has ended.
  const Status& status() const { return status_; }
  PythonOutputs take_outputs() { return std::move(outputs_); }

 private:
  Counts counts() const;       // under the lock
  bool is_next_ready() const;  // likewise

  const std::function<void()> on_failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  PythonOutputs outputs_;
  std::set<int32_t> running_;   // partitions
  std::set<int32_t> complete_;  // partitions whose input is, and that were not handed out
  int64_t handed_out_ = 0;      // tasks
  std::set<int32_t> lost_input_;
  Counts counts_;
  Status status_;
};

}  // namespace deuteron::execution
