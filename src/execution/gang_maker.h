// Makes what a gang leaves. Committed: all of its input, a stage of its own, is there before it starts, and
// serves each of its attempts. Its ranks know of each other: what one of them has left is made again by all.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "execution/lineage.h"
#include "execution/query_run.h"

namespace deuteron::execution {

class GangMaker : public Maker {
 public:
  // input: the number of the stage that it reads.
  GangMaker(QueryRun& run, PythonStage stage, int64_t input)
      : run_(run), stage_(std::move(stage)), input_(input) {}

  // Before its input is made: a gang that can never run should not cost anything.
  static Status check(QueryRun& run, const PythonStage& stage);

  Result<exchange::StageOutputPtr> make(const std::optional<Partitions>& wanted) override;

 private:
  using Ranks = std::vector<std::shared_ptr<const tasks::TaskWork>>;
  Result<Ranks> ranks_of(const std::shared_ptr<const PythonProgram>& program) const;
  Status wait(StageCollector& collector, tasks::StageId id,
              const std::shared_ptr<const PythonProgram>& program);
  Result<exchange::StageOutputPtr> assemble(
      const std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) const;

  QueryRun& run_;
  const PythonStage stage_;
  const int64_t input_;
  bool is_reported_ = false;
};

}  // namespace deuteron::execution
