// Makes what a task stage leaves. Pipelined: a task starts with the first batch of its partition, while the
// others are still being made. The input itself is not kept: what a task cannot read any more is made again
// for it alone.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "execution/lineage.h"
#include "execution/query_run.h"
#include "execution/stage_feed.h"

namespace deuteron::execution {

class TaskMaker : public Maker {
 public:
  // is_final: the tasks have effects elsewhere, and a partition whose task has succeeded cannot be done
  // again.
  TaskMaker(QueryRun& run, PythonStage stage, bool is_final);

  Result<exchange::StageOutputPtr> make(const std::optional<Partitions>& wanted) override;
  Status start_anew() override;

 private:
  // One stage of the scheduler.
  struct Tasks {
    tasks::StageId stage = 0;
    std::shared_ptr<StageCollector> collector;
    std::shared_ptr<CancelToken> stop;
    std::unique_ptr<StageFeed> feed;
    int64_t planned = 0;

    int64_t count() const { return std::max(planned, feed->added()); }
  };
  Result<Tasks> submit();
  Status feed(Tasks& tasks);
  relational::PartitionSink sink_of(Tasks& tasks);
  void keep(int32_t index, const exchange::Partition& streams, bool is_complete);
  Result<Partitions> wait_for_lost_input(Tasks& tasks);
  Status count_lost_input(const Partitions& lost);
  Result<bool> makes_singly();
  bool is_missing(int32_t index) const;
  void take_outputs(Tasks& tasks);
  Result<exchange::StageOutputPtr> assemble();

  QueryRun& run_;
  const PythonStage stage_;
  const std::shared_ptr<const PythonProgram> program_;
  const bool is_final_;
  std::optional<Partitions> wanted_;  // of this make()
  std::optional<bool> makes_singly_;
  std::vector<exchange::ColumnGroup> kept_groups_;
  size_t partitions_ = 0;
  // What has been made since the last make() that ended well:
  std::map<int32_t, std::shared_ptr<PythonOutput>> outputs_;  // null: there was nothing to do
  std::map<int32_t, exchange::Partition> kept_;               // column groups that stand before the results
  std::map<int32_t, exchange::Partition> keeping_;            // likewise, of partitions that are being made
  std::map<int32_t, int32_t> times_without_input_;
  Partitions reported_;  // whose accumulators have been counted, once and for all
};

}  // namespace deuteron::execution
