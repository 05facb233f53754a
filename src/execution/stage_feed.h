// Makes tasks of the partitions of a stage's input while they are being made: a task starts with the first
// batch of its partition. As many partitions are under way as the slots keep busy; whoever wants to begin
// another waits. Thread-safe; used as the sink of a materialize() that it outlives.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "base/cancellation.h"
#include "execution/python_task.h"
#include "execution/stage_collector.h"
#include "execution/stage_planner.h"
#include "relational/engine.h"
#include "scheduler/scheduler.h"

namespace deuteron::execution {

class StageFeed {
 public:
  using Report = std::function<void(int64_t tasks, const StageCollector::Counts& counts)>;

  // `stage` and `scheduler` outlive it. `report` is called now and then, by any thread. `stop`: of the query.
  // `window`: of each task's input, in bytes.
  StageFeed(const PythonStage& stage, std::shared_ptr<const PythonProgram> program,
            scheduler::Scheduler& scheduler, tasks::StageId id, std::shared_ptr<StageCollector> collector,
            std::shared_ptr<const CancelToken> stop, uint64_t window, Report report);

  relational::PartitionSink sink();
  // Tasks so far, without those whose partitions are to come again.
  int64_t added() const;
  // Whether tasks may find input lost: some of it lies on disk, or is not kept.
  bool may_be_lost() const;
  // Whether that of the partition was not kept, and its worker was lost.
  bool was_let_go(int32_t partition) const;
  // No more comes: tasks that have only a part of their input end as without it.
  void give_up();
  // These partitions are made again, all of them when there are none.
  void expect_again(const std::set<int32_t>& partitions);

 private:
  Status begin(int32_t index, const CancelToken& stop);
  Status add(int32_t index, const exchange::Partition& streams, bool is_complete);
  Status wait_for_room(int32_t index, const std::function<uint64_t()>& waiting, bool makes_whole,
                       const CancelToken& stop);

  const PythonStage& stage_;
  const std::shared_ptr<const PythonProgram> program_;
  scheduler::Scheduler& scheduler_;
  const tasks::StageId id_;
  const std::shared_ptr<StageCollector> collector_;
  const std::shared_ptr<const CancelToken> stop_;
  const Report report_;
  const uint64_t window_;
  const int64_t limit_;  // of partitions under way
  mutable std::mutex mutex_;
  std::set<int32_t> begun_;
  std::set<int32_t> skipped_;  // of these: no task was needed
  int64_t added_ = 0;          // a task was added
  bool reads_disk_ = false;
  std::map<int32_t, std::shared_ptr<PythonInput>> inputs_;  // of those that were begun
  std::set<int32_t> growing_;                               // of these: their tasks were added
};

}  // namespace deuteron::execution
