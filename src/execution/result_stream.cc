#include "execution/result_stream.h"

#include "exchange/integrity.h"
#include "execution/plan_rewrite.h"
#include "execution/python_output.h"

namespace deuteron::execution {
namespace {

using plan::resolved::as;
using plan::resolved::ExchangeScan;
using plan::resolved::Limit;
using plan::resolved::Relation;
using plan::resolved::RelationPtr;

Status lost_too_late(const std::string& reason) {
  return error("STAGE_OUTPUT_LOST_AFTER_FIRST_ROWS", {{"reason", reason}});
}

// Whether the rows of the fragment are those of the partitions of this exchange, each looked at alone.
bool follows_partitions(const RelationPtr& fragment, int64_t exchange) {
  const auto* limit = as<Limit>(fragment);
  if (limit != nullptr && (limit->offset != 0 || limit->count < 0)) return false;
  return !any_relation(limit == nullptr ? fragment : limit->input, [exchange](const Relation& step) {
    const auto* scan = std::get_if<ExchangeScan>(&step.node);
    return scan == nullptr ? !relational::is_row_wise(step) : scan->exchange_id != exchange;
  });
}

}  // namespace

// Cuts without running anything.
Result<std::optional<ResultStream::Cut>> ResultStream::find(const RelationPtr& plan) {
  constexpr int64_t kNoLineage = int64_t{1} << 62;  // far from the numbers of what is read already
  int64_t stages = 0;
  bool is_task_stage = false;
  const auto planned = [&](const auto& stage, bool runs_tasks) -> Result<Exchange> {
    is_task_stage = runs_tasks;
    return Exchange{kNoLineage + ++stages, stage.input->partitions};
  };
  StagePlanner planner([&](const PythonStage& stage) { return planned(stage, !stage.is_gang); },
                       [&](const PositionStage& stage) { return planned(stage, false); });
  ASSIGN_OR_RETURN(const RelationPtr rest, planner.cut(plan));
  if (!is_task_stage || !follows_partitions(rest, kNoLineage + stages)) return std::optional<Cut>();
  return std::optional(Cut{static_cast<size_t>(stages) - 1});
}

ResultStream::ResultStream(QueryRun& run, const PythonStage& stage, int64_t number, RelationPtr rest,
                           relational::BatchSink sink)
    : run_(run),
      name_(stage.name),
      number_(number),
      groups_(output_groups(stage)),
      reads_(exchanges_in(stage.input)),
      rest_(std::move(rest)),
      sink_(std::move(sink)) {
  if (const auto* limit = as<Limit>(rest_)) remaining_ = limit->count;
}

Status ResultStream::add(std::vector<exchange::Partition> partitions) {
  Status whole;
  for (size_t index = 0; index < partitions.size() && whole.ok(); ++index) {
    whole = exchange::verify(partitions[index]);
    if (!whole.ok()) partitions.resize(index);
  }
  if (partitions.empty()) return whole;
  RETURN_IF_ERROR(send(partitions, false));
  note_made_again(partitions);
  next_ += static_cast<int32_t>(partitions.size());
  return whole;
}

Status ResultStream::end() { return has_begun_ ? Status() : send({}, true); }

Status ResultStream::start_anew() {
  if (has_begun_) return lost_too_late("what its rows were made from");
  next_ = 0;
  return Status();
}

Status ResultStream::note_lost(int32_t index, const exchange::Partition& partition, const Status& status) {
  const std::string& reason = status.detail().parameters.at("reason");
  Lost& lost = lost_[index];
  lost.digest = exchange::digest_of(partition);
  run_.services_.bus.publish(events::OutputLost{run_.request_.session_id, run_.request_.operation_id, number_,
                                                name_, std::to_string(index), ++lost.times, reason});
  if (lost.times < run_.most_attempts()) return Status();
  return error("STAGE_OUTPUT_LOST_TOO_OFTEN", {{"stage", std::to_string(number_)},
                                               {"name", name_},
                                               {"partition", std::to_string(index)},
                                               {"times", std::to_string(lost.times)},
                                               {"reason", reason}});
}

void ResultStream::note_made_again(const std::vector<exchange::Partition>& partitions) {
  for (size_t index = 0; index < partitions.size(); ++index) {
    const auto lost = lost_.find(next_ + static_cast<int32_t>(index));
    if (lost == lost_.end()) continue;
    const auto& [partition, before] = *lost;
    const bool same = before.digest.has_value() && before.digest == exchange::digest_of(partitions[index]);
    run_.services_.bus.publish(events::OutputMadeAgain{run_.request_.session_id, run_.request_.operation_id,
                                                       number_, name_, std::to_string(partition), same});
    lost_.erase(lost);
  }
}

// An empty batch says nothing, except that there are no rows at all.
Status ResultStream::send(std::vector<exchange::Partition> partitions, bool is_last) {
  auto part = std::make_shared<exchange::StageOutput>();
  part->groups = groups_;
  part->partitions = std::move(partitions);
  relational::RunContext context = run_.context();
  context.inputs = {{number_, part}};
  bool is_sent = false;  // some of this part
  const auto deliver = [&](exchange::EncodedBatch batch) -> Status {
    RETURN_IF_ERROR(misread(*part));
    if (batch.rows == 0 && !is_last) return Status();
    if (remaining_ > 0) remaining_ -= batch.rows;
    is_sent = has_begun_ = true;
    const std::lock_guard lock(run_.sink_mutex_);
    return sink_(std::move(batch));
  };
  Status status = run_.services_.engine.query(fragment(), context, deliver, *run_.stop_);
  if (const Status wrong = misread(*part); !wrong.ok()) status = wrong;
  if (!exchange::is_lost(status) || !is_sent) return status;
  return lost_too_late(status.detail().parameters.at("reason"));
}

// What was made from something else than what was written must not be seen.
Status ResultStream::misread(const exchange::StageOutput& part) const {
  for (const exchange::Partition& partition : part.partitions) {
    if (exchange::is_misread(partition)) return exchange::look_at(partition);
  }
  return run_.lineage_.check(reads_);
}

RelationPtr ResultStream::fragment() const {
  const auto* limit = as<Limit>(rest_);
  if (limit == nullptr) return rest_;
  return plan::resolved::make_relation(Limit{limit->input, remaining_, 0}, rest_->output, rest_->partitions);
}

}  // namespace deuteron::execution
