// Makes what a task stage leaves. Pipelined: a task starts with the first batch of its partition, while the
// others are still being made. The input itself is not kept: what a task cannot read any more is made again
// for it alone.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "execution/lineage.h"
#include "execution/query_run.h"
#include "execution/result_stream.h"
#include "execution/stage_feed.h"

namespace deuteron::execution {

class TaskMaker : public Maker {
 public:
  // is_final: the tasks have effects elsewhere, and a partition whose task has succeeded cannot be done
  // again.
  TaskMaker(QueryRun& run, PythonStage stage, bool is_final);
  // What the tasks leave goes to `results` while others are still running, and is not in the answer. No more
  // partitions are begun than wait there.
  TaskMaker(QueryRun& run, PythonStage stage, std::unique_ptr<ResultStream> results);

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
    std::set<int32_t> made;  // partitions that were before

    int64_t count() const { return std::max(planned, feed->added()); }
  };
  Result<Tasks> submit();
  Status feed(Tasks& tasks);
  relational::PartitionSink sink_of(Tasks& tasks);
  void keep(int32_t index, const exchange::Partition& streams, bool is_complete);
  Result<Partitions> wait_for_lost_input(Tasks& tasks);
  Status count_lost_input(const Tasks& tasks, const Partitions& lost);
  Result<uint64_t> read_ahead() const;
  Result<bool> makes_singly();
  bool is_missing(int32_t index, const Tasks& tasks) const;
  Partitions made() const;
  // By a thread of its own, until all that ends was handed out, the client has enough, or it cannot go on.
  Status hand_out(Tasks& tasks);
  Status send(const StageCollector::Run& run);
  Result<exchange::StageOutputPtr> result_of(const Status& fed, const Status& handed_out,
                                             const Status& ended);
  Result<exchange::Partition> partition_of(int32_t index, const PythonOutput* output);
  Status drop_lost_outputs();
  void report_updates(int32_t index, const PythonOutput* output);
  void take_outputs(Tasks& tasks);
  Result<exchange::StageOutputPtr> assemble();

  QueryRun& run_;
  const PythonStage stage_;
  const std::shared_ptr<const PythonProgram> program_;
  const bool is_final_;
  const std::unique_ptr<ResultStream> results_;  // null: the answer has what the tasks leave
  std::optional<Partitions> wanted_;             // of this make()
  std::optional<bool> makes_singly_;
  size_t partitions_ = 0;
  // What has been made since the last make() that ended well, and was not handed out:
  PythonOutputs outputs_;
  std::mutex kept_mutex_;                           // guards kept_ while it runs
  std::map<int32_t, exchange::Partition> kept_;     // column groups that stand before the results
  std::map<int32_t, exchange::Partition> keeping_;  // likewise, of partitions that are being made
  std::map<int32_t, int32_t> times_without_input_;
  Partitions reported_;  // whose accumulators have been counted, once and for all
};

}  // namespace deuteron::execution
