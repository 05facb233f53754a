#include "execution/plan_cache.h"

#include <algorithm>

#include "execution/plan_rewrite.h"
#include "plan/equality.h"

namespace deuteron::execution {

using plan::resolved::RelationPtr;

Result<exchange::StageOutputPtr> CachedPlan::rows(
    const std::function<Result<exchange::StageOutputPtr>()>& fill, CancelToken& cancel) {
  const CancelToken::Registration wake = cancel.on_cancel([this] { changed_.notify_all(); });
  std::unique_lock lock(mutex_);
  // A cancel between the test and the wait would be missed: hence the limit.
  while (filling_ && !cancel.cancelled()) changed_.wait_for(lock, std::chrono::milliseconds(100));
  if (cancel.cancelled()) return cancelled();
  if (rows_ != nullptr) return rows_;
  filling_ = true;
  const int64_t generation = generation_;
  lock.unlock();
  Result<exchange::StageOutputPtr> made = fill();
  lock.lock();
  filling_ = false;
  if (made.ok() && generation == generation_) rows_ = *made;
  changed_.notify_all();
  return made;
}

exchange::StageOutputPtr CachedPlan::rows_if_made() const {
  const std::lock_guard lock(mutex_);
  return rows_;
}

void CachedPlan::forget_rows() {
  exchange::StageOutputPtr dropped;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  ++generation_;
  dropped.swap(rows_);
}

void CachedPlan::forget_rows(const exchange::StageOutputPtr& rows) {
  exchange::StageOutputPtr dropped;  // freed outside the lock
  const std::lock_guard lock(mutex_);
  if (rows_ == rows) dropped.swap(rows_);
}

void PlanCache::add(const RelationPtr& plan, const StorageLevel& level) {
  if (find(plan) != nullptr) return;
  const std::lock_guard lock(mutex_);
  plans_.push_back(std::make_shared<CachedPlan>(plan, level));
}

void PlanCache::remove(const RelationPtr& plan) {
  const CachedPlanPtr found = find(plan);
  const std::lock_guard lock(mutex_);
  std::erase(plans_, found);
}

void PlanCache::clear() {
  std::vector<CachedPlanPtr> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(plans_);
}

CachedPlanPtr PlanCache::find(const RelationPtr& plan) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const CachedPlanPtr& cached) {
    return plan::resolved::same_plan(cached->plan(), plan);
  });
  return found == plans_.end() ? nullptr : *found;
}

bool PlanCache::empty() const {
  const std::lock_guard lock(mutex_);
  return plans_.empty();
}

void PlanCache::forget_files(const std::string& path) {
  const auto reads = [&](const plan::resolved::Relation& relation) {
    const auto* scan = std::get_if<plan::resolved::FileScan>(&relation.node);
    return scan != nullptr &&
           std::any_of(scan->paths.begin(), scan->paths.end(), [&](const std::string& file) {
             return file == path || file.starts_with(path.ends_with("/") ? path : path + "/");
           });
  };
  const std::lock_guard lock(mutex_);
  for (const CachedPlanPtr& cached : plans_) {
    if (any_relation(cached->plan(), reads)) cached->forget_rows();
  }
}

Result<RelationPtr> replace_cached(
    const RelationPtr& plan, const PlanCache& cache,
    const std::function<Result<RelationPtr>(const CachedPlanPtr&, const plan::resolved::Columns&)>& scan) {
  if (const CachedPlanPtr cached = cache.find(plan)) return scan(cached, plan->output);
  return map_children(plan, [&](const RelationPtr& child) { return replace_cached(child, cache, scan); });
}

}  // namespace deuteron::execution
