// The plans that a session has asked to keep (cache, persist), and what they gave. The rows lie in the
// exchange's shared memory, which has a budget and spills; they are made when a query first needs them, and
// go with the last query that reads them after the plan was dropped. Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "exchange/stage_output.h"
#include "plan/resolved.h"

namespace deuteron::execution {

// As the user gave it, to be told again; rows lie in memory whatever it says, and spill when that is full.
struct StorageLevel {
  bool use_disk = false;
  bool use_memory = false;
  bool use_off_heap = false;
  bool deserialized = false;
  int32_t replication = 1;
  bool is_kept() const { return use_disk || use_memory; }
};
inline constexpr StorageLevel kMemoryAndDisk{true, true, false, true, 1};

// One plan of the cache.
class CachedPlan {
 public:
  CachedPlan(plan::resolved::RelationPtr plan, const StorageLevel& level)
      : plan_(std::move(plan)), level_(level) {}

  const plan::resolved::RelationPtr& plan() const { return plan_; }
  const StorageLevel& level() const { return level_; }
  // The rows; made by `fill` when there are none. Who comes while another one fills waits, and fills itself
  // when that failed.
  Result<exchange::StageOutputPtr> rows(const std::function<Result<exchange::StageOutputPtr>()>& fill,
                                        CancelToken& cancel);
  // Null when they have not been made.
  exchange::StageOutputPtr rows_if_made() const;
  void forget_rows();
  // Those alone: some of them are lost.
  void forget_rows(const exchange::StageOutputPtr& rows);

 private:
  const plan::resolved::RelationPtr plan_;
  const StorageLevel level_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool filling_ = false;
  int64_t generation_ = 0;  // counts forget_rows(): what was begun before is not kept
  exchange::StageOutputPtr rows_;
};
using CachedPlanPtr = std::shared_ptr<CachedPlan>;

class PlanCache {
 public:
  // Keeps the level that the plan has when it is there already.
  void add(const plan::resolved::RelationPtr& plan, const StorageLevel& level);
  void remove(const plan::resolved::RelationPtr& plan);
  void clear();
  CachedPlanPtr find(const plan::resolved::RelationPtr& plan) const;
  bool empty() const;
  // Files below `path` have changed: rows made from them are made anew.
  void forget_files(const std::string& path);

 private:
  mutable std::mutex mutex_;
  std::vector<CachedPlanPtr> plans_;
};

// The plan with `scan` in the place of each part, as large as possible, that the cache holds.
Result<plan::resolved::RelationPtr> replace_cached(
    const plan::resolved::RelationPtr& plan, const PlanCache& cache,
    const std::function<Result<plan::resolved::RelationPtr>(const CachedPlanPtr& cached,
                                                            const plan::resolved::Columns& output)>& scan);

}  // namespace deuteron::execution
