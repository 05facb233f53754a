// Cuts a resolved plan into stages: everything below a Python node becomes a fragment that the relational
// engine materializes, the node becomes a Python stage, and what is above reads the stage's output by an
// ExchangeScan. The planner runs nothing itself: it hands each stage, inputs first, to a StageRunner, and
// gives back the fragment that remains.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exchange/stage_output.h"
#include "plan/resolved.h"
#include "relational/engine.h"
#include "worker_pool/pyspark_task.h"

namespace deuteron::execution {

// A Python table function; our own mapInArrow function in the worker calls it (pickled_call.h).
struct TableFunctionOfStage {
  plan::resolved::PythonFunctionPtr function;
  types::Schema input;
};

// A relational input and what workers make of each of its partitions.
struct PythonStage {
  std::string name;  // for people: "mapInArrow(f)"
  plan::resolved::RelationPtr input;
  relational::MaterializeRequest request;  // column group 0 travels to the workers
  bool is_gang = false;
  int32_t resource_profile = 0;  // 0: what the settings say
  // Each stream of a partition is a group of its own; 2: so is each pair of streams of the first two column
  // groups. 0: the partition is one stream.
  int32_t tables_per_group = 0;
  // From which on the input's column groups stand before the results, row by row; none: no group does.
  std::optional<size_t> first_kept_group;
  bool skips_empty = false;  // a partition without rows needs no task
  bool is_by_rows = false;   // one function of ours calls the user's, row by row
  worker_pool::EvaluationType evaluation_type = worker_pool::EvaluationType::kMapArrowIterator;
  std::vector<worker_pool::PythonFunction> functions;
  std::string python_version;
  std::map<std::string, std::string> evaluation_conf;
  std::map<std::string, std::string> runner_conf;                   // beside the session's settings
  exchange::ColumnGroup output{{}, exchange::Layout::kFlat, true};  // what the workers leave
  std::optional<TableFunctionOfStage> table_function;               // instead of `functions`
};

// A relational input whose partitions matter to what is above it, and columns that follow from where each row
// lies there (position_columns.h); without them the rows alone are kept, partition by partition.
struct PositionStage {
  plan::resolved::RelationPtr input;
  relational::MaterializeRequest request;
  plan::resolved::Expressions calls;
};

// A stage's output, to be scanned.
struct Exchange {
  int64_t id = 0;
  int32_t partitions = 0;
};
// A scan of all its columns, which take the ids of `output`.
plan::resolved::RelationPtr scan_all(const Exchange& exchange, const plan::resolved::Columns& output);
using StageRunner = std::function<Result<Exchange>(const PythonStage& stage)>;
using PositionRunner = std::function<Result<Exchange>(const PositionStage& stage)>;

class StagePlanner {
 public:
  StagePlanner(StageRunner run_stage, PositionRunner run_position)
      : run_stage_(std::move(run_stage)), run_position_(std::move(run_position)) {}

  // The plan as one fragment, after all its stages were run. The first failure of a stage ends
  // it.
  Result<plan::resolved::RelationPtr> cut(const plan::resolved::RelationPtr& relation);

 private:
  Result<plan::resolved::RelationPtr> cut_with_cte(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_map(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_aggregate(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_group_map(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_co_group_map(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_window(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_evaluate(const plan::resolved::RelationPtr& relation);
  // A node that reads, somewhere below, columns of an outer query.
  Result<plan::resolved::RelationPtr> cut_correlated(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_position(const plan::resolved::RelationPtr& relation);
  Result<plan::resolved::RelationPtr> cut_local_sort(const plan::resolved::RelationPtr& relation);
  // Adds the results of calls that one stage can make, as columns behind those of `input`, which is cut
  // already.
  Result<plan::resolved::RelationPtr> evaluate(const plan::resolved::RelationPtr& input,
                                               const std::vector<const plan::resolved::PythonCall*>& calls,
                                               const plan::resolved::Columns& results);
  // Runs calls inside arguments first: `calls` then read their results as columns.
  Result<plan::resolved::RelationPtr> evaluate_inner(plan::resolved::RelationPtr input,
                                                     plan::resolved::Expressions& calls);
  // With the definitions of the CTEs around it.
  plan::resolved::RelationPtr complete(const plan::resolved::RelationPtr& fragment) const;
  plan::resolved::ColumnId new_column() { return next_column_++; }

  const StageRunner run_stage_;
  const PositionRunner run_position_;
  std::vector<plan::resolved::CteDefinition> cte_scope_;
  plan::resolved::ColumnId next_column_ = plan::resolved::ColumnId{1} << 48;  // far from the analyzer's
};

}  // namespace deuteron::execution
