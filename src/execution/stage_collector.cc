#include "execution/stage_collector.h"

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
  changed_.wait_for(lock, time,
                    [&] { return counts_.ended || (limit > 0 && added - counts_.succeeded < limit); });
  return counts_;
}

}  // namespace deuteron::execution
