#include "execution/query_run.h"

#include <charconv>

#include "base/byte_size.h"
#include "exchange/integrity.h"
#include "execution/gang_maker.h"
#include "execution/plan_rewrite.h"
#include "execution/python_output.h"
#include "execution/relational_maker.h"
#include "execution/resource_settings.h"
#include "execution/result_stream.h"
#include "execution/task_maker.h"

namespace deuteron::execution {
namespace {

using worker_pool::TaskResult;

constexpr int64_t kLastStage = INT64_MAX;  // as an exchange
// Spark's default is far too small for shared memory: batches are larger unless a user asks for something
// else.
constexpr const char* kBatchRowsSetting = "spark.sql.execution.arrow.maxRecordsPerBatch";
constexpr int32_t kDefaultBatchRows = 10000;
constexpr const char* kBatchBytesSetting = "spark.sql.execution.arrow.maxBytesPerBatch";

}  // namespace

std::set<int64_t> exchanges_in(const plan::resolved::RelationPtr& fragment) {
  std::set<int64_t> exchanges;
  any_relation(fragment, [&](const plan::resolved::Relation& relation) {
    if (const auto* scan = std::get_if<plan::resolved::ExchangeScan>(&relation.node))
      exchanges.insert(scan->exchange_id);
    return false;
  });
  return exchanges;
}

QueryRun::QueryRun(const Services& services, const Request& request, ProgressSink& sink, CancelToken& cancel)
    : services_(services),
      request_(request),
      sink_(sink),
      cancel_(cancel),
      lineage_(services.bus, request.session_id, request.operation_id, most_attempts()) {
  on_cancel_ = cancel_.on_cancel([stop = stop_] { stop->cancel(); });
}

QueryRun::~QueryRun() {
  if (job_ != 0) services_.jobs.remove(job_);
}

relational::RunContext QueryRun::context() const {
  relational::RunContext context;
  context.inputs = lineage_.outputs();
  context.settings = request_.settings;
  context.time_zone = request_.time_zone;
  context.now_micros = now_micros_;
  context.owner = request_.session_id;
  context.default_parallelism = services_.scheduler.machine().cpus;
  return context;
}

// The engine tells shares, not tasks: they are shown as hundredths.
relational::RunContext QueryRun::begin_relational_stage() {
  constexpr int64_t kParts = 100;
  relational::RunContext with_progress = context();
  begin_stage(kParts);
  with_progress.on_progress = [this](double share) {
    progress_.back().completed_tasks = static_cast<int64_t>(share * kParts);
    sink_.on_progress(progress_, 1);
  };
  return with_progress;
}

Status QueryRun::final_status(const Status& status) const {
  return !status.ok() && cancel_.cancelled() ? cancelled() : status;
}

Result<plan::resolved::RelationPtr> QueryRun::run_stages(const plan::resolved::RelationPtr& plan) {
  ASSIGN_OR_RETURN(const auto reading, read_cached(plan));
  return run_python(reading);
}

Result<plan::resolved::RelationPtr> QueryRun::run_stages(const plan::resolved::RelationPtr& plan,
                                                         const relational::BatchSink& sink) {
  ASSIGN_OR_RETURN(const auto reading, read_cached(plan));
  ASSIGN_OR_RETURN(const auto streamed, ResultStream::find(reading));
  if (!streamed.has_value()) return run_python(reading);
  size_t stages = 0;
  std::optional<PythonStage> last;
  StagePlanner planner(
      [&](const PythonStage& stage) -> Result<Exchange> {
        if (stages++ < streamed->stages_before) return run_stage(stage);
        last = stage;
        return Exchange{lineage_.next_number(), stage.input->partitions};
      },
      [&](const PositionStage& stage) {
        ++stages;
        return run_position(stage);
      });
  ASSIGN_OR_RETURN(const auto rest, planner.cut(reading));
  if (!last.has_value()) return internal_error("a plan was cut in two ways");
  RETURN_IF_ERROR(stream(*std::move(last), rest, sink));
  return plan::resolved::RelationPtr();
}

Status QueryRun::stream(PythonStage stage, const plan::resolved::RelationPtr& rest,
                        const relational::BatchSink& sink) {
  set_batch_size(stage);
  const std::string name = stage.name;
  const std::set<int64_t> reads = exchanges_in(stage.input);
  auto results = std::make_unique<ResultStream>(*this, stage, lineage_.next_number(), rest, sink);
  return add(name, reads, std::make_unique<TaskMaker>(*this, std::move(stage), std::move(results))).status();
}

Result<plan::resolved::RelationPtr> QueryRun::read_cached(const plan::resolved::RelationPtr& plan) {
  if (request_.cache == nullptr || request_.cache->empty()) return plan;
  return replace_cached(plan, *request_.cache,
                        [this](const CachedPlanPtr& cached,
                               const plan::resolved::Columns& output) -> Result<plan::resolved::RelationPtr> {
                          auto known = cached_.find(cached.get());
                          if (known == cached_.end()) {
                            ASSIGN_OR_RETURN(
                                const Exchange made,
                                add("cached rows", {}, std::make_unique<CachedMaker>(*this, cached)));
                            known = cached_.emplace(cached.get(), made).first;
                          }
                          return scan_all(known->second, output);
                        });
}

// The plan itself is in the cache: only what is below it may be read from there.
Result<exchange::StageOutputPtr> QueryRun::fill(const CachedPlan& cached) {
  ASSIGN_OR_RETURN(const auto reading,
                   map_children(cached.plan(), [this](const auto& child) { return read_cached(child); }));
  ASSIGN_OR_RETURN(const auto fragment, run_python(reading));
  relational::MaterializeRequest request;
  request.keeps_order = true;
  exchange::StageOutputPtr rows;
  RETURN_IF_ERROR(read(fragment, [&]() -> Status {
    ASSIGN_OR_RETURN(rows, services_.engine.materialize(fragment, context(), request, *stop_));
    return Status();
  }));
  return rows;
}

Status QueryRun::read(const plan::resolved::RelationPtr& fragment, const std::function<Status()>& work,
                      const bool* has_begun) {
  const std::set<int64_t> exchanges = exchanges_in(fragment);
  return lineage_.reading(exchanges, [&]() -> Status {
    Status status = work();
    if (const Status misread = lineage_.check(exchanges); !misread.ok()) status = misread;
    if (!exchange::is_lost(status) || has_begun == nullptr || !*has_begun) return status;
    return error("STAGE_OUTPUT_LOST_AFTER_FIRST_ROWS", {{"reason", status.detail().parameters.at("reason")}});
  });
}

Status QueryRun::check(const plan::resolved::RelationPtr& fragment) const {
  return lineage_.check(exchanges_in(fragment));
}

Result<Exchange> QueryRun::add(std::string name, std::set<int64_t> reads, std::unique_ptr<Maker> maker) {
  ASSIGN_OR_RETURN(const int64_t number, lineage_.add(std::move(name), std::move(reads), std::move(maker)));
  return Exchange{number, static_cast<int32_t>(lineage_.output(number)->partitions.size())};
}

Result<Exchange> QueryRun::run_position(const PositionStage& stage) {
  return add("a relational stage", exchanges_in(stage.input),
             std::make_unique<RelationalMaker>(*this, stage));
}

Result<plan::resolved::RelationPtr> QueryRun::run_python(const plan::resolved::RelationPtr& plan) {
  StagePlanner planner([this](const PythonStage& stage) { return run_stage(stage); },
                       [this](const PositionStage& stage) { return run_position(stage); });
  return planner.cut(plan);
}

Result<Exchange> QueryRun::run_stage(const PythonStage& planned) {
  PythonStage stage = planned;
  set_batch_size(stage);
  const std::string name = stage.name;
  if (!stage.is_gang) {
    const bool is_final = !final_command_.empty() && stage.functions[0].commands[0] == final_command_;
    const std::set<int64_t> reads = exchanges_in(stage.input);
    return add(name, reads, std::make_unique<TaskMaker>(*this, std::move(stage), is_final));
  }
  RETURN_IF_ERROR(GangMaker::check(*this, stage));
  PositionStage before{stage.input, stage.request, {}};
  before.request.takes_views = true;
  ASSIGN_OR_RETURN(const Exchange input, add("the input of " + name, exchanges_in(stage.input),
                                             std::make_unique<RelationalMaker>(*this, std::move(before))));
  ASSIGN_OR_RETURN(const Exchange output,
                   add(name, {input.id}, std::make_unique<GangMaker>(*this, std::move(stage), input.id)));
  lineage_.release(input.id);
  return output;
}

void QueryRun::set_batch_size(PythonStage& stage) const {
  const int32_t batch_rows = number(kBatchRowsSetting, kDefaultBatchRows);
  if (batch_rows != kDefaultBatchRows) stage.request.max_rows_per_batch = batch_rows;
  const auto batch_bytes = parse_byte_size(request_.setting(kBatchBytesSetting, "0"));
  if (batch_bytes.ok()) stage.request.max_bytes_per_batch = *batch_bytes;
}

Result<int32_t> QueryRun::planned_tasks(const PythonStage& stage) const {
  if (stage.request.partitions > 0) return stage.request.partitions;
  if (stage.input->partitions > 0) return stage.input->partitions;
  return services_.engine.partition_count(stage.input, context());
}

// Ends when the stage has ended, which the scheduler and the worker pool guarantee, also after a cancel.
Status QueryRun::wait(StageCollector& collector, int64_t tasks) {
  while (true) {
    const auto counts = collector.wait_for(kProgressInterval);
    report(tasks, counts, counts.ended);
    if (counts.ended) return collector.status();
  }
}

void QueryRun::begin_stage(int64_t tasks) {
  const std::lock_guard lock(sink_mutex_);
  if (!progress_.empty()) progress_.back().done = true;
  progress_.push_back({static_cast<int64_t>(progress_.size()), tasks, 0, 0, false});
}

// While somebody else reports, or rows are handed out, only the end is worth a wait.
void QueryRun::report(int64_t tasks, const StageCollector::Counts& counts, bool done) {
  std::unique_lock lock(sink_mutex_, std::defer_lock);
  if (done) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return;
  }
  StageProgress& stage = progress_.back();
  stage.tasks = tasks;
  stage.completed_tasks = counts.succeeded;
  stage.done = done;
  sink_.on_progress(progress_, counts.running);
}

PartitionBytes QueryRun::run_partitions(const plan::resolved::RelationPtr& plan) {
  const auto* map = plan::resolved::as<plan::resolved::MapPartitions>(plan);
  if (map != nullptr) final_command_ = map->function->command;
  PartitionBytes left{run_stages(plan).status(), {}};
  // Where a stage below has failed, no task of the last one has begun.
  const bool has_begun = map != nullptr && last_stage_.command == map->function->command;
  left.digits.resize(static_cast<size_t>(has_begun ? last_stage_.tasks : std::max(0, plan->partitions)));
  if (!has_begun) return left;
  auto digits = digits_of_last_stage(plan->output);
  if (!digits.ok()) {
    if (left.status.ok()) left.status = digits.status();
    return left;
  }
  size_t next = 0;
  for (const auto& [partition, output] : last_stage_.outputs) {
    if (output->kind != TaskResult::Kind::kNone && next < digits->size())
      left.digits[static_cast<size_t>(partition)] = std::move((*digits)[next++]);
  }
  return left;
}

Result<std::vector<std::optional<std::string>>> QueryRun::digits_of_last_stage(
    const plan::resolved::Columns& columns) {
  using plan::resolved::make_expression;
  const types::DataType text(types::TypeId::kString);
  std::vector<std::optional<std::string>> digits;
  auto rows = std::make_shared<exchange::StageOutput>();
  rows->groups.push_back({to_schema(columns), exchange::Layout::kStructColumn});
  for (const auto& [partition, output] : last_stage_.outputs) {
    if (output->kind == TaskResult::Kind::kNone) continue;
    ASSIGN_OR_RETURN(exchange::Stream stream, stream_of(rows->groups[0], output.get()));
    rows->partitions.push_back({{std::move(stream)}});
  }
  if (rows->partitions.empty()) return digits;
  const Exchange exchange{kLastStage, static_cast<int32_t>(rows->partitions.size())};
  relational::RunContext with_rows = context();
  with_rows.inputs[kLastStage] = std::move(rows);
  const auto bytes = make_expression(plan::resolved::ColumnReference{columns[0].id}, columns[0].type, true);
  const auto told = make_expression(plan::resolved::Call{"hex", {bytes}, true}, text, true);
  const auto fragment =
      make_relation(plan::resolved::Project{scan_all(exchange, columns), {told}},
                    {{columns[0].id + 1, columns[0].name, text, true, {}, ""}}, exchange.partitions);
  CancelToken never;  // what is there is wanted also when the stage was stopped
  ASSIGN_OR_RETURN(auto found, services_.engine.collect_text(fragment, with_rows, -1, never));
  for (auto& row : found) digits.push_back(std::move(row[0]));
  return digits;
}

// A number, with or without the unit of seconds ("365d" is not needed and not understood: then `otherwise`).
int32_t QueryRun::number(const std::string& key, int32_t otherwise) const {
  const std::string text = request_.setting(key, "");
  int32_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number =
      failure == std::errc() && (end == text.data() + text.size() || std::string(end) == "s");
  return is_number && value > 0 ? value : otherwise;
}

int32_t QueryRun::most_attempts() const { return number("spark.stage.maxConsecutiveAttempts", 4); }

Result<tasks::Slots> QueryRun::slots_per_task(const PythonStage& stage) const {
  if (stage.resource_profile == 0 || request_.profiles == nullptr) return task_slots(request_.settings);
  ASSIGN_OR_RETURN(const ResourceProfile profile, request_.profiles->find(stage.resource_profile));
  return task_slots(request_.settings, profile);
}

tasks::JobId QueryRun::job() {
  if (job_ == 0) {
    job_ = services_.scheduler.new_job(request_.session_id, request_.operation_id);
    services_.jobs.add(job_, request_.session_id, request_.operation_id);
    on_stop_ =
        stop_->on_cancel([scheduler = &services_.scheduler, job = job_] { scheduler->cancel_job(job); });
  }
  return job_;
}

}  // namespace deuteron::execution
