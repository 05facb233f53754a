// Hands out the rows of a query while its last stage, a task stage, is still running: what its tasks leave is
// read partition by partition, in their order, and goes to the client at once. Rows that were handed out
// are never made again. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "execution/query_run.h"

namespace deuteron::execution {

class ResultStream {
 public:
  // How the plan is cut when its last stage can be streamed: what remains above that looks at each row alone,
  // or takes the first rows. None: it cannot be.
  struct Cut {
    size_t stages_before = 0;  // of the StagePlanner's
  };
  static Result<std::optional<Cut>> find(const plan::resolved::RelationPtr& plan);

  // `stage`: the last one. `rest`: that fragment, which reads the stage by its number in the lineage. `sink`
  // is not called while progress is told.
  ResultStream(QueryRun& run, const PythonStage& stage, int64_t number, plan::resolved::RelationPtr rest,
               relational::BatchSink sink);

  // The partitions that follow those which were handed out. STAGE_OUTPUT_LOST: those from next() on were not
  // handed out, and something of them or of what the stage reads was lost. Any other error is final.
  Status add(std::vector<exchange::Partition> partitions);
  // No partition follows.
  Status end();
  // Begins with the first partition again. Fails after the first rows.
  Status start_anew();
  // A partition that was not handed out is lost, and will be made again. An error when that was too often.
  Status note_lost(int32_t index, const exchange::Partition& partition, const Status& status);

  // So many partitions were handed out.
  int32_t next() const { return next_; }
  // The client wants no more.
  bool has_enough() const { return remaining_ == 0; }

 private:
  struct Lost {
    int32_t times = 0;
    std::optional<uint64_t> digest;
  };
  void note_made_again(const std::vector<exchange::Partition>& partitions);
  Status send(std::vector<exchange::Partition> partitions, bool is_last);
  Status misread(const exchange::StageOutput& part) const;
  plan::resolved::RelationPtr fragment() const;

  QueryRun& run_;
  const std::string name_;  // of the stage
  const int64_t number_;    // likewise
  const std::vector<exchange::ColumnGroup> groups_;
  const std::set<int64_t> reads_;  // by the stage
  const plan::resolved::RelationPtr rest_;
  const relational::BatchSink sink_;
  int32_t next_ = 0;
  bool has_begun_ = false;        // the client has got rows
  int64_t remaining_ = -1;        // rows that are wanted; -1: all
  std::map<int32_t, Lost> lost_;  // partitions that were, until they are handed out
};

}  // namespace deuteron::execution
