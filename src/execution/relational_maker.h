// Makes what a relational stage leaves: rows that the engine writes into shared memory, with columns that
// follow from where each row lies there.
#pragma once

#include <optional>
#include <vector>

#include "execution/lineage.h"
#include "execution/query_run.h"

namespace deuteron::execution {

class RelationalMaker : public Maker {
 public:
  RelationalMaker(QueryRun& run, PositionStage stage);

  Result<exchange::StageOutputPtr> make(const std::optional<Partitions>& wanted) override;

 private:
  QueryRun& run_;
  const PositionStage stage_;
  const std::vector<int64_t> seeds_;  // drawn once: rows that are made again have the random numbers they had
};

// Rows of a plan that the session keeps; all of them are made again.
class CachedMaker : public Maker {
 public:
  CachedMaker(QueryRun& run, CachedPlanPtr cached) : run_(run), cached_(std::move(cached)) {}

  Result<exchange::StageOutputPtr> make(const std::optional<Partitions>& wanted) override;

 private:
  QueryRun& run_;
  const CachedPlanPtr cached_;
  exchange::StageOutputPtr seen_;
};

}  // namespace deuteron::execution
