// Waits for a stage and keeps what its tasks leave, by partition. The scheduler writes, on whichever thread
// has its turn; the query's thread waits.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "execution/python_task.h"
#include "scheduler/scheduler.h"

namespace deuteron::execution {

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
  // Requires that the stage has ended.
  const Status& status() const { return status_; }
  std::map<int32_t, std::shared_ptr<PythonOutput>> take_outputs() { return std::move(outputs_); }

 private:
  const std::function<void()> on_failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int32_t, std::shared_ptr<PythonOutput>> outputs_;
  std::set<int32_t> running_;  // partitions
  std::set<int32_t> lost_input_;
  Counts counts_;
  Status status_;
};

}  // namespace deuteron::execution
