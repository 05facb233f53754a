#include "execution/task_maker.h"

#include <algorithm>
#include <future>

#include "base/byte_size.h"
#include "exchange/integrity.h"
#include "exchange/stream_writer.h"
#include "execution/python_output.h"
#include "execution/python_program.h"
#include "execution/queue_settings.h"

namespace deuteron::execution {
namespace {

constexpr const char* kReadAheadSetting = "spark.deuteron.python.readAhead";

// Whether it tells why something failed, not that it was stopped or misses something.
bool is_own(const Status& status) {
  return !status.ok() && status.condition() != "OPERATION_CANCELED" && !exchange::is_lost(status);
}

struct StopAtEnd {
  ~StopAtEnd() { stop->cancel(); }
  const std::shared_ptr<CancelToken> stop;
};

}  // namespace

TaskMaker::TaskMaker(QueryRun& run, PythonStage stage, bool is_final)
    : run_(run),
      stage_(std::move(stage)),
      program_(make_program(run.services_, run.request_, stage_)),
      is_final_(is_final) {}

TaskMaker::TaskMaker(QueryRun& run, PythonStage stage, std::unique_ptr<ResultStream> results)
    : run_(run),
      stage_(std::move(stage)),
      program_(make_program(run.services_, run.request_, stage_)),
      is_final_(false),
      results_(std::move(results)) {}

Result<exchange::StageOutputPtr> TaskMaker::make(const std::optional<Partitions>& wanted) {
  wanted_ = wanted;
  if (wanted_.has_value() || !made().empty()) {
    ASSIGN_OR_RETURN(const bool singly, makes_singly());
    if (!singly) RETURN_IF_ERROR(start_anew());
  }
  ASSIGN_OR_RETURN(Tasks tasks, submit());
  std::future<Status> handing_out;
  const StopAtEnd stop_at_end{tasks.stop};
  if (results_ != nullptr) handing_out = std::async(std::launch::async, [&] { return hand_out(tasks); });
  const Status fed = feed(tasks);
  Status handed_out;
  if (!fed.ok()) {
    if (is_own(fed)) run_.services_.scheduler.cancel_job(run_.job());
    tasks.stop->cancel();
    if (handing_out.valid()) handed_out = handing_out.get();  // perhaps it was the first to stop
    if (exchange::is_lost(fed) || exchange::is_lost(handed_out)) tasks.feed->give_up();
  }
  run_.services_.scheduler.no_more_tasks(tasks.stage);
  const Status ended = run_.wait(*tasks.collector, tasks.count());
  if (handing_out.valid()) handed_out = handing_out.get();
  take_outputs(tasks);
  return result_of(fed, handed_out, ended);
}

// Whoever failed first made the others stop: being cancelled tells nothing when another one has a reason of
// its own.
Result<exchange::StageOutputPtr> TaskMaker::result_of(const Status& fed, const Status& handed_out,
                                                      const Status& ended) {
  const bool has_enough = results_ != nullptr && results_->has_enough() && handed_out.ok();
  if (!has_enough) {
    for (const Status& status : {fed, handed_out, ended}) {
      if (is_own(status)) return status;
    }
    RETURN_IF_ERROR(ended);
    if (exchange::is_lost(handed_out)) {
      RETURN_IF_ERROR(drop_lost_outputs());
      return handed_out;
    }
    RETURN_IF_ERROR(fed);
    RETURN_IF_ERROR(handed_out);
    if (results_ == nullptr) return assemble();
    if (static_cast<size_t>(results_->next()) != partitions_)
      return internal_error("partitions of " + stage_.name + " were not handed out");
  }
  RETURN_IF_ERROR(results_->end());
  return exchange::StageOutputPtr(std::make_shared<exchange::StageOutput>());
}

Status TaskMaker::hand_out(Tasks& tasks) {
  while (!results_->has_enough()) {
    const auto run = tasks.collector->wait_for_run(QueryRun::kProgressInterval);
    if (tasks.stop->cancelled()) return cancelled();
    if (run.outputs.empty() && run.ended) return Status();
    Status sent;
    try {
      sent = send(run);
    } catch (const std::exception& failure) {
      sent = internal_error(failure.what());
    }
    tasks.collector->handed_out(results_->next());
    if (sent.ok()) continue;
    tasks.stop->cancel();
    if (!exchange::is_lost(sent)) run_.services_.scheduler.cancel_job(run_.job());
    return sent;
  }
  tasks.stop->cancel();
  run_.services_.scheduler.cancel_job(run_.job());
  return Status();
}

Status TaskMaker::send(const StageCollector::Run& run) {
  std::vector<exchange::Partition> partitions;
  for (const auto& output : run.outputs) {
    const int32_t index = run.first + static_cast<int32_t>(partitions.size());
    report_updates(index, output.get());
    ASSIGN_OR_RETURN(exchange::Partition partition, partition_of(index, output.get()));
    partitions.push_back(std::move(partition));
  }
  if (partitions.empty()) return Status();
  const Status status = results_->add(std::move(partitions));
  const std::lock_guard lock(kept_mutex_);
  kept_.erase(kept_.begin(), kept_.lower_bound(results_->next()));
  return status;
}

// What was lost of what waits to be handed out is made again.
Status TaskMaker::drop_lost_outputs() {
  for (auto next = outputs_.begin(); next != outputs_.end();) {
    const auto [index, output] = *next++;
    ASSIGN_OR_RETURN(const exchange::Partition partition, partition_of(index, output.get()));
    const Status whole = exchange::verify(partition);
    if (whole.ok()) continue;
    RETURN_IF_ERROR(results_->note_lost(index, partition, whole));
    outputs_.erase(index);
    kept_.erase(index);
  }
  return Status();
}

Status TaskMaker::start_anew() {
  if (results_ != nullptr) RETURN_IF_ERROR(results_->start_anew());
  if (is_final_ && !outputs_.empty())
    return error("STAGE_OUTPUT_LOST", {{"reason", "what it has written cannot be taken back"}});
  outputs_.clear();
  kept_.clear();
  wanted_.reset();
  return Status();
}

Result<TaskMaker::Tasks> TaskMaker::submit() {
  Tasks tasks;
  ASSIGN_OR_RETURN(const uint64_t window, read_ahead());
  ASSIGN_OR_RETURN(const int32_t planned, run_.planned_tasks(stage_));
  tasks.planned = wanted_.has_value() ? static_cast<int64_t>(wanted_->size()) : planned;
  tasks.stop = std::make_shared<CancelToken>();
  tasks.collector = std::make_shared<StageCollector>([stop = tasks.stop] { stop->cancel(); });
  tasks.made = made();
  if (results_ != nullptr) tasks.collector->hand_out(results_->next(), std::exchange(outputs_, {}));
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
      stage_, program_, run_.services_.scheduler, tasks.stage, tasks.collector, tasks.stop, window,
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
  if (wanted_.has_value() || !tasks.made.empty())
    request.only = [&](int32_t index) { return is_missing(index, tasks); };
  while (true) {
    keeping_.clear();
    const auto input = run_.services_.engine.materialize(stage_.input, run_.context(), request, *tasks.stop);
    if (!input.ok()) return input.status();
    partitions_ = (*input)->partitions.size();
    if (!tasks.feed->may_be_lost()) return Status();
    ASSIGN_OR_RETURN(const Partitions lost, wait_for_lost_input(tasks));
    if (lost.empty()) return Status();
    RETURN_IF_ERROR(count_lost_input(tasks, lost));
    ASSIGN_OR_RETURN(const bool singly, makes_singly());
    // What waits to be handed out must not be: all of it is made anew.
    if (!singly && results_ != nullptr)
      return error("STAGE_OUTPUT_LOST", {{"reason", "what tasks read, which is made again as a whole"}});
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
  const std::lock_guard lock(kept_mutex_);
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

// How often a worker may be lost is the scheduler's to say.
Status TaskMaker::count_lost_input(const Tasks& tasks, const Partitions& lost) {
  for (const int32_t partition : lost) {
    if (tasks.feed->was_let_go(partition)) continue;
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

// How much of a partition may be made before its task has read it. As many partitions as threads are under
// way, each with slabs that are half read: all of them are to fit into the budget.
Result<uint64_t> TaskMaker::read_ahead() const {
  constexpr uint64_t kShareOfBudget = 16;
  ASSIGN_OR_RETURN(const uint64_t wanted, parse_byte_size(run_.request_.setting(kReadAheadSetting, "64m")));
  const uint64_t share = run_.services_.memory.budget_bytes() / kShareOfBudget;
  return std::max<uint64_t>(1, std::min(wanted, std::max(exchange::kBytesPerBatch, share)));
}

Result<bool> TaskMaker::makes_singly() {
  if (!makes_singly_.has_value()) {
    ASSIGN_OR_RETURN(makes_singly_, run_.services_.engine.makes_partitions_singly(
                                        stage_.input, run_.context(), stage_.request));
  }
  return *makes_singly_;
}

bool TaskMaker::is_missing(int32_t index, const Tasks& tasks) const {
  return (!wanted_.has_value() || wanted_->contains(index)) && !tasks.made.contains(index);
}

Partitions TaskMaker::made() const {
  Partitions made;
  for (const auto& [partition, output] : outputs_) made.insert(partition);
  for (int32_t partition = 0; results_ != nullptr && partition < results_->next(); ++partition)
    made.insert(partition);
  return made;
}

// A partition's accumulators count once, however often it is made.
void TaskMaker::report_updates(int32_t index, const PythonOutput* output) {
  if (output != nullptr && run_.request_.reports != nullptr && reported_.insert(index).second)
    run_.request_.reports->add_updates(output->updates);
}

void TaskMaker::take_outputs(Tasks& tasks) {
  const auto made = tasks.collector->take_outputs();
  for (const auto& [partition, output] : made) {
    // A task may end before its partition is complete; what it has left belongs to all of it.
    if (stage_.first_kept_group.has_value() && !kept_.contains(partition)) continue;
    outputs_[partition] = output;
    report_updates(partition, output.get());
  }
  QueryRun::LastStage& last = run_.last_stage_;
  last = {stage_.functions[0].commands[0], std::max(tasks.planned, static_cast<int64_t>(partitions_)), {}};
  for (const auto& [partition, output] : outputs_) {
    if (output == nullptr) continue;
    last.outputs[partition] = output;
    last.tasks = std::max<int64_t>(last.tasks, partition + 1);
  }
}

Result<exchange::Partition> TaskMaker::partition_of(int32_t index, const PythonOutput* output) {
  ASSIGN_OR_RETURN(exchange::Stream stream, stream_of(stage_.output, output));
  const std::lock_guard lock(kept_mutex_);
  exchange::Partition partition = kept_[index];
  partition.push_back({std::move(stream)});
  return partition;
}

Result<exchange::StageOutputPtr> TaskMaker::assemble() {
  auto whole = std::make_shared<exchange::StageOutput>();
  whole->groups = output_groups(stage_);
  whole->partitions.resize(partitions_);
  for (size_t index = 0; index < partitions_; ++index) {
    const auto number = static_cast<int32_t>(index);
    if (wanted_.has_value() && !wanted_->contains(number)) continue;
    const auto found = outputs_.find(number);
    ASSIGN_OR_RETURN(whole->partitions[index],
                     partition_of(number, found == outputs_.end() ? nullptr : found->second.get()));
  }
  outputs_.clear();
  kept_.clear();
  return exchange::StageOutputPtr(std::move(whole));
}

}  // namespace deuteron::execution
