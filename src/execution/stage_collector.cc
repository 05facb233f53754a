#include "execution/stage_collector.h"

#include <utility>

namespace deuteron::execution {

void StageCollector::task_started(int32_t partition, int32_t /*attempt*/) {
  std::lock_guard lock(mutex_);
  running_.insert(partition);
  counts_.running = static_cast<int64_t>(running_.size());
}

void StageCollector::task_succeeded(int32_t partition, int32_t /*attempt*/,
                                    std::shared_ptr<tasks::TaskOutput> output) {
  {
    std::lock_guard lock(mutex_);
    outputs_[partition] = std::static_pointer_cast<PythonOutput>(std::move(output));
    running_.erase(partition);
    counts_.running = static_cast<int64_t>(running_.size());
    ++counts_.succeeded;
  }
  changed_.notify_all();
}

void StageCollector::gang_attempt_failed(int32_t /*attempt*/, const Status& /*status*/) {
  std::lock_guard lock(mutex_);
  outputs_.clear();
  running_.clear();
  counts_ = {};
}

void StageCollector::input_lost(int32_t partition, const Status& /*status*/) {
  {
    std::lock_guard lock(mutex_);
    running_.erase(partition);
    lost_input_.insert(partition);
    counts_.running = static_cast<int64_t>(running_.size());
    counts_.without_input = static_cast<int64_t>(lost_input_.size());
  }
  changed_.notify_all();
}

std::set<int32_t> StageCollector::take_lost_input() {
  std::lock_guard lock(mutex_);
  counts_.without_input = 0;
  return std::exchange(lost_input_, {});
}

void StageCollector::start_anew() {
  std::lock_guard lock(mutex_);
  outputs_.clear();
  counts_.succeeded = 0;
}

void StageCollector::stage_ended(const Status& status) {
  {
    std::lock_guard lock(mutex_);
    status_ = status;
    counts_.ended = true;
  }
  changed_.notify_all();
  if (!status.ok()) on_failure_();
}

StageCollector::Counts StageCollector::wait_for(std::chrono::milliseconds time, int64_t added,
                                                int64_t limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] {
    const int64_t under_way = added - counts_.succeeded - counts_.without_input;
    return counts_.ended || (limit > 0 && under_way < limit);
  });
  return counts_;
}

StageCollector::Counts StageCollector::wait_for_gang(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return counts_.ended || !lost_input_.empty(); });
  return counts_;
}

}  // namespace deuteron::execution
