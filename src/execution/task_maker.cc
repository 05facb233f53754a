#include "execution/task_maker.h"

#include <algorithm>

#include "exchange/integrity.h"
#include "execution/python_output.h"
#include "execution/python_program.h"
#include "execution/queue_settings.h"

namespace deuteron::execution {

TaskMaker::TaskMaker(QueryRun& run, PythonStage stage, bool is_final)
    : run_(run),
      stage_(std::move(stage)),
      program_(make_program(run.services_, run.request_, stage_)),
      is_final_(is_final) {}

Result<exchange::StageOutputPtr> TaskMaker::make(const std::optional<Partitions>& wanted) {
  wanted_ = wanted;
  if (wanted_.has_value() || !outputs_.empty()) {
    ASSIGN_OR_RETURN(const bool singly, makes_singly());
    if (!singly) RETURN_IF_ERROR(start_anew());
  }
  ASSIGN_OR_RETURN(Tasks tasks, submit());
  const Status fed = feed(tasks);
  if (exchange::is_lost(fed)) tasks.feed->give_up();
  if (!fed.ok() && !exchange::is_lost(fed)) run_.services_.scheduler.cancel_job(run_.job());
  run_.services_.scheduler.no_more_tasks(tasks.stage);
  const Status ended = run_.wait(*tasks.collector, tasks.count());
  take_outputs(tasks);
  // Whoever failed first made the other stop: a cancelled input tells nothing when the stage has a reason of
  // its own.
  if (!fed.ok() && fed.condition() != "OPERATION_CANCELED" && !exchange::is_lost(fed)) return fed;
  RETURN_IF_ERROR(ended);
  RETURN_IF_ERROR(fed);
  return assemble();
}

Status TaskMaker::start_anew() {
  if (is_final_ && !outputs_.empty())
    return error("STAGE_OUTPUT_LOST", {{"reason", "what it has written cannot be taken back"}});
  outputs_.clear();
  kept_.clear();
  wanted_.reset();
  return Status();
}

Result<TaskMaker::Tasks> TaskMaker::submit() {
  Tasks tasks;
  ASSIGN_OR_RETURN(const int32_t planned, run_.planned_tasks(stage_));
  tasks.planned = wanted_.has_value() ? static_cast<int64_t>(wanted_->size()) : planned;
  tasks.stop = std::make_shared<CancelToken>();
  tasks.collector = std::make_shared<StageCollector>([stop = tasks.stop] { stop->cancel(); });
  scheduler::TaskStageRequest request;
  request.job = run_.job();
  request.name = stage_.name;
  ASSIGN_OR_RETURN(request.slots_per_task, run_.slots_per_task(stage_));
  // As Spark on one machine does: what a function raises is final. A lost worker says nothing about the
  // function, so its task is tried again.
  request.max_task_errors = 1;
  request.max_lost_workers = run_.number("spark.task.maxFailures", 4);
  ASSIGN_OR_RETURN(request.queue, queue_rules(run_.request_.settings));
  request.likeness = run_.request_.session_id + "/" + stage_.name;
  tasks.stage = run_.services_.scheduler.submit_tasks(request, tasks.collector);
  run_.begin_stage(tasks.planned);
  tasks.feed = std::make_unique<StageFeed>(
      stage_, program_, run_.services_.scheduler, tasks.stage, tasks.collector, tasks.stop,
      [this, planned = tasks.planned](int64_t added, const StageCollector::Counts& counts) {
        run_.report(std::max(planned, added), counts, false);
      });
  return tasks;
}

// Adds a task for each partition that is missing, and again for those whose task found its input lost.
Status TaskMaker::feed(Tasks& tasks) {
  const CancelToken::Registration registration =
      run_.stop_->on_cancel([stop = tasks.stop] { stop->cancel(); });
  relational::MaterializeRequest request = stage_.request;
  request.hands_over = true;  // a task lets go of its input when it has ended
  request.takes_views = !stage_.first_kept_group.has_value();
  request.sink = sink_of(tasks);
  if (wanted_.has_value() || !outputs_.empty())
    request.only = [this](int32_t index) { return is_missing(index); };
  while (true) {
    keeping_.clear();
    const auto input = run_.services_.engine.materialize(stage_.input, run_.context(), request, *tasks.stop);
    for (const int32_t index : tasks.feed->skipped()) outputs_[index] = nullptr;
    if (!input.ok()) return input.status();
    partitions_ = (*input)->partitions.size();
    const auto& groups = (*input)->groups;
    const size_t first = std::min(stage_.first_kept_group.value_or(groups.size()), groups.size());
    kept_groups_.assign(groups.begin() + static_cast<long>(first), groups.end());
    if (!tasks.feed->reads_disk()) return Status();  // nothing can be lost
    ASSIGN_OR_RETURN(const Partitions lost, wait_for_lost_input(tasks));
    if (lost.empty()) return Status();
    RETURN_IF_ERROR(count_lost_input(lost));
    ASSIGN_OR_RETURN(const bool singly, makes_singly());
    tasks.feed->expect_again(singly ? lost : Partitions());
    request.only = [lost](int32_t index) { return lost.contains(index); };
    if (singly) continue;
    take_outputs(tasks);
    RETURN_IF_ERROR(start_anew());
    tasks.collector->start_anew();
    request.only = nullptr;
  }
}

relational::PartitionSink TaskMaker::sink_of(Tasks& tasks) {
  relational::PartitionSink sink = tasks.feed->sink();
  if (!stage_.first_kept_group.has_value()) return sink;
  sink.add = [this, add = std::move(sink.add)](int32_t index, const exchange::Partition& streams,
                                               bool is_complete) {
    keep(index, streams, is_complete);
    return add(index, streams, is_complete);
  };
  return sink;
}

void TaskMaker::keep(int32_t index, const exchange::Partition& streams, bool is_complete) {
  exchange::Partition& kept = keeping_[index];
  const size_t first = std::min(*stage_.first_kept_group, streams.size());
  kept.resize(std::max(kept.size(), streams.size() - first));
  for (size_t group = first; group < streams.size(); ++group)
    kept[group - first].insert(kept[group - first].end(), streams[group].begin(), streams[group].end());
  if (!is_complete) return;
  kept_[index] = std::move(kept);
  keeping_.erase(index);
}

Result<Partitions> TaskMaker::wait_for_lost_input(Tasks& tasks) {
  while (true) {
    const auto counts = tasks.collector->wait_for(QueryRun::kProgressInterval, tasks.feed->added(), 1);
    run_.report(tasks.count(), counts, false);
    if (counts.ended || tasks.stop->cancelled()) return cancelled();
    if (counts.succeeded + counts.without_input >= tasks.feed->added())
      return tasks.collector->take_lost_input();
  }
}

Status TaskMaker::count_lost_input(const Partitions& lost) {
  for (const int32_t partition : lost) {
    const int32_t times = ++times_without_input_[partition];
    if (times < run_.most_attempts()) continue;
    return error("STAGE_OUTPUT_LOST_TOO_OFTEN", {{"stage", "the input"},
                                                 {"name", "of " + stage_.name},
                                                 {"partition", std::to_string(partition)},
                                                 {"times", std::to_string(times)},
                                                 {"reason", "its task found it lost"}});
  }
  return Status();
}

Result<bool> TaskMaker::makes_singly() {
  if (!makes_singly_.has_value()) {
    ASSIGN_OR_RETURN(makes_singly_, run_.services_.engine.makes_partitions_singly(
                                        stage_.input, run_.context(), stage_.request));
  }
  return *makes_singly_;
}

bool TaskMaker::is_missing(int32_t index) const {
  return (!wanted_.has_value() || wanted_->contains(index)) && !outputs_.contains(index);
}

void TaskMaker::take_outputs(Tasks& tasks) {
  const auto made = tasks.collector->take_outputs();
  for (const auto& [partition, output] : made) {
    // A task may end before its partition is complete; what it has left belongs to all of it.
    if (stage_.first_kept_group.has_value() && !kept_.contains(partition)) continue;
    outputs_[partition] = output;
    if (run_.request_.reports != nullptr && reported_.insert(partition).second)
      run_.request_.reports->add_updates(output->updates);
  }
  QueryRun::LastStage& last = run_.last_stage_;
  last = {stage_.functions[0].commands[0], std::max(tasks.planned, static_cast<int64_t>(partitions_)), {}};
  for (const auto& [partition, output] : outputs_) {
    if (output == nullptr) continue;
    last.outputs[partition] = output;
    last.tasks = std::max<int64_t>(last.tasks, partition + 1);
  }
}

Result<exchange::StageOutputPtr> TaskMaker::assemble() {
  auto whole = std::make_shared<exchange::StageOutput>();
  whole->groups = kept_groups_;
  whole->groups.push_back(stage_.output);
  whole->partitions.resize(partitions_);
  for (size_t index = 0; index < partitions_; ++index) {
    const auto number = static_cast<int32_t>(index);
    if (wanted_.has_value() && !wanted_->contains(number)) continue;
    const auto found = outputs_.find(number);
    ASSIGN_OR_RETURN(exchange::Stream stream,
                     stream_of(stage_.output, found == outputs_.end() ? nullptr : found->second.get()));
    whole->partitions[index] = std::move(kept_[number]);
    whole->partitions[index].push_back({std::move(stream)});
  }
  outputs_.clear();
  kept_.clear();
  return exchange::StageOutputPtr(std::move(whole));
}

}  // namespace deuteron::execution
