#include "execution/relational_maker.h"

#include "execution/position_columns.h"

namespace deuteron::execution {

RelationalMaker::RelationalMaker(QueryRun& run, PositionStage stage)
    : run_(run), stage_(std::move(stage)), seeds_(position_seeds(stage_.calls)) {}

Result<exchange::StageOutputPtr> RelationalMaker::make(const std::optional<Partitions>& wanted) {
  relational::MaterializeRequest request = stage_.request;
  if (wanted.has_value()) {
    ASSIGN_OR_RETURN(const bool singly,
                     run_.services_.engine.makes_partitions_singly(stage_.input, run_.context(), request));
    if (singly) request.only = [&](int32_t index) { return wanted->contains(index); };
  }
  ASSIGN_OR_RETURN(exchange::StageOutputPtr rows,
                   run_.services_.engine.materialize(stage_.input, run_.context(), request, *run_.stop_));
  if (stage_.calls.empty()) return rows;
  return add_positions(*rows, stage_.calls, seeds_, run_.services_.memory.shared_from_this(),
                       run_.request_.session_id);
}

Result<exchange::StageOutputPtr> CachedMaker::make(const std::optional<Partitions>& wanted) {
  if (wanted.has_value()) cached_->forget_rows(seen_);
  ASSIGN_OR_RETURN(seen_, cached_->rows([&] { return run_.fill(*cached_); }, *run_.stop_));
  return seen_;
}

}  // namespace deuteron::execution
