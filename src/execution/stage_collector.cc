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
    complete_.erase(partition);
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
  complete_.clear();
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
  return counts();
}

// While input has to be made again, which is done after all other input, nothing waits for what comes before
// it.
StageCollector::Counts StageCollector::counts() const {
  Counts counts = counts_;
  const bool holds_back = counts.next >= 0 && lost_input_.empty();
  counts.done = holds_back ? handed_out_ : counts.succeeded;
  return counts;
}

// Threads may overtake each other on their way here. The partition that is to be handed out next must not
// wait for those behind it, which wait for it.
bool StageCollector::may_begin(const Counts& counts, int32_t partition, int64_t begun, int64_t limit) {
  return begun - counts.done - counts.without_input < limit || partition <= counts.next;
}

StageCollector::Counts StageCollector::wait_to_begin(std::chrono::milliseconds time, int32_t partition,
                                                     int64_t begun, int64_t limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time,
                    [&] { return counts_.ended || may_begin(counts(), partition, begun, limit); });
  return counts();
}

void StageCollector::input_complete(int32_t partition, bool needs_task) {
  {
    std::lock_guard lock(mutex_);
    complete_.insert(partition);
    if (!needs_task) outputs_[partition] = nullptr;
  }
  changed_.notify_all();
}

void StageCollector::hand_out(int32_t next, PythonOutputs made) {
  std::lock_guard lock(mutex_);
  counts_.next = next;
  for (const auto& [partition, output] : made) {
    complete_.insert(partition);
    if (output != nullptr) --handed_out_;  // of another stage of the scheduler
  }
  outputs_.merge(std::move(made));
}

bool StageCollector::is_next_ready() const {
  return outputs_.contains(counts_.next) && complete_.contains(counts_.next);
}

StageCollector::Run StageCollector::wait_for_run(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return counts_.ended || is_next_ready(); });
  Run run{counts_.next, {}, counts_.ended};
  if (!is_next_ready()) return run;
  for (int32_t next = run.first; complete_.contains(next) && outputs_.contains(next); ++next)
    run.outputs.push_back(outputs_.at(next));
  return run;
}

void StageCollector::handed_out(int32_t next) {
  {
    std::lock_guard lock(mutex_);
    for (; counts_.next < next; ++counts_.next) {
      const auto output = outputs_.extract(counts_.next);
      complete_.erase(counts_.next);
      if (!output.empty() && output.mapped() != nullptr) ++handed_out_;
    }
  }
  changed_.notify_all();
}

void StageCollector::drop(int32_t partition) {
  std::lock_guard lock(mutex_);
  outputs_.erase(partition);
}

StageCollector::Counts StageCollector::wait_for_gang(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [&] { return counts_.ended || !lost_input_.empty(); });
  return counts_;
}

}  // namespace deuteron::execution
