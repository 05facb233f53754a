#include "execution/query_run.h"

#include <atomic>
#include <charconv>

#include "exchange/arrow_schema.h"
#include "execution/gang_directory.h"
#include "execution/pickled_call.h"
#include "execution/plan_rewrite.h"
#include "execution/position_columns.h"
#include "execution/queue_settings.h"
#include "execution/resource_settings.h"
#include "execution/stage_feed.h"
#include "scheduler/core/inventory.h"

namespace deuteron::execution {
namespace {

using worker_pool::TaskResult;

constexpr std::chrono::milliseconds kProgressInterval{200};
// Spark's default is far too small for shared memory: batches are larger unless a user asks for something
// else.
constexpr const char* kBatchRowsSetting = "spark.sql.execution.arrow.maxRecordsPerBatch";
constexpr int32_t kDefaultBatchRows = 10000;

// Where a task's SparkFiles lie (python/deuteron/worker/spark_files.py), and where libraries put what they
// need for a moment: the session's files; without any a folder that goes with the gang, or with the server.
constexpr const char* kFilesVariable = "DEUTERON_FILES_DIRECTORY";

// Settings that PySpark's worker reads.
constexpr const char* kRunnerSettings[] = {
    "spark.sql.legacy.execution.pandas.groupedMap.assignColumnsByName",
    "spark.sql.execution.arrow.useLargeVarTypes",
    "spark.sql.legacy.execution.pythonUDF.pandas.conversion.enabled",
    "spark.sql.legacy.execution.pythonUDTF.pandas.conversion.enabled",
    "spark.sql.execution.pyspark.binaryAsBytes",
    "spark.sql.execution.pandas.convertToArrowArraySafely",
    "spark.sql.execution.pythonUDF.pandas.intToDecimalCoercionEnabled",
    "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype",
    "spark.sql.execution.arrow.maxRecordsPerBatch",
    "spark.sql.execution.arrow.maxBytesPerBatch",
    "spark.sql.execution.pythonUDF.arrow.concurrency.level",
};

// What Spark calls to read a value of a type; its error for a column of another type names it.
std::string reader_of(const types::DataType& type) {
  switch (type.id()) {
    case types::TypeId::kBoolean: return "getBoolean";
    case types::TypeId::kByte: return "getByte";
    case types::TypeId::kShort: return "getShort";
    case types::TypeId::kInteger:
    case types::TypeId::kDate:
    case types::TypeId::kYearMonthInterval: return "getInt";
    case types::TypeId::kFloat: return "getFloat";
    case types::TypeId::kDouble: return "getDouble";
    case types::TypeId::kDecimal: return "getDecimal";
    case types::TypeId::kString: return "getUTF8String";
    case types::TypeId::kBinary: return "getBinary";
    case types::TypeId::kArray: return "getArray";
    case types::TypeId::kMap: return "getMap";
    case types::TypeId::kStruct: return "getStruct";
    default: return "getLong";
  }
}

Status wrong_type(const types::StructField& declared, const std::string& found) {
  const Status plain =
      error("UNSUPPORTED_CALL.WITHOUT_SUGGESTION",
            {{"methodName", reader_of(declared.type)},
             {"className", "org.apache.spark.sql.vectorized.ArrowColumnVector$ArrowVectorAccessor"}});
  ErrorDetail detail = plain.detail();
  detail.message += " The Python function was declared to return " + declared.name + " as " +
                    declared.type.simple_string() + ", and returned " + found + ".";
  return Status(std::move(detail));
}

// Spark reads columns by position, ignores those beyond the declared ones, and fails at the first value of
// another type.
Status check_types(const types::Schema& declared, exchange::Layout layout, const exchange::Region& region) {
  ASSIGN_OR_RETURN(const std::string_view bytes, region.bytes());
  ASSIGN_OR_RETURN(types::Schema found, exchange::schema_of_stream(bytes));
  if (layout == exchange::Layout::kStructColumn) {
    if (found.size() != 1 || !found[0].type.is(types::TypeId::kStruct))
      return internal_error("a worker's output is no struct column");
    found = types::Schema(found[0].type.fields());
  }
  for (size_t index = 0; index < declared.size(); ++index) {
    if (index >= found.size()) return wrong_type(declared[index], "no such column");
    if (!declared[index].type.same_type(found[index].type))
      return wrong_type(declared[index], found[index].type.simple_string());
  }
  return Status();
}

}  // namespace

QueryRun::QueryRun(const Services& services, const Request& request, ProgressSink& sink, CancelToken& cancel)
    : services_(services), request_(request), sink_(sink), cancel_(cancel) {
  on_cancel_ = cancel_.on_cancel([stop = stop_] { stop->cancel(); });
}

QueryRun::~QueryRun() {
  if (job_ != 0) services_.jobs.remove(job_);
}

relational::RunContext QueryRun::context() const {
  relational::RunContext context;
  context.inputs = outputs_;
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
  if (request_.cache == nullptr || request_.cache->empty()) return run_python(plan);
  ASSIGN_OR_RETURN(const auto reading, read_cached(plan));
  return run_python(reading);
}

Result<plan::resolved::RelationPtr> QueryRun::read_cached(const plan::resolved::RelationPtr& plan) {
  return replace_cached(plan, *request_.cache,
                        [this](const CachedPlanPtr& cached,
                               const plan::resolved::Columns& output) -> Result<plan::resolved::RelationPtr> {
                          ASSIGN_OR_RETURN(exchange::StageOutputPtr rows,
                                           cached->rows([&] { return fill(*cached); }, *stop_));
                          const Exchange exchange = keep(std::move(rows));
                          return scan_all(exchange, output);
                        });
}

// The plan itself is in the cache: only what is below it may be read from there.
Result<exchange::StageOutputPtr> QueryRun::fill(const CachedPlan& cached) {
  ASSIGN_OR_RETURN(const auto reading,
                   map_children(cached.plan(), [this](const auto& child) { return read_cached(child); }));
  ASSIGN_OR_RETURN(const auto fragment, run_python(reading));
  relational::MaterializeRequest request;
  request.keeps_order = true;
  return services_.engine.materialize(fragment, context(), request, *stop_);
}

Result<Exchange> QueryRun::run_position(const PositionStage& stage) {
  ASSIGN_OR_RETURN(exchange::StageOutputPtr rows,
                   services_.engine.materialize(stage.input, context(), stage.request, *stop_));
  if (!stage.calls.empty()) {
    ASSIGN_OR_RETURN(
        rows, add_positions(*rows, stage.calls, services_.memory.shared_from_this(), request_.session_id));
  }
  return keep(std::move(rows));
}

Exchange QueryRun::keep(exchange::StageOutputPtr output) {
  const auto id = static_cast<int64_t>(outputs_.size()) + 1;
  const auto partitions = static_cast<int32_t>(output->partitions.size());
  outputs_[id] = std::move(output);
  return Exchange{id, partitions};
}

Result<plan::resolved::RelationPtr> QueryRun::run_python(const plan::resolved::RelationPtr& plan) {
  StagePlanner planner([this](const PythonStage& stage) { return run_stage(stage); },
                       [this](const PositionStage& stage) { return run_position(stage); });
  return planner.cut(plan);
}

Result<Exchange> QueryRun::run_stage(const PythonStage& planned) {
  PythonStage stage = planned;
  const int32_t batch_rows = number(kBatchRowsSetting, kDefaultBatchRows);
  if (batch_rows != kDefaultBatchRows) stage.request.max_rows_per_batch = batch_rows;
  const auto program = make_program(stage);
  std::map<int32_t, std::shared_ptr<PythonOutput>> outputs;
  ASSIGN_OR_RETURN(const exchange::StageOutputPtr input,
                   stage.is_gang ? run_gang(stage, program, outputs) : run_tasks(stage, program, outputs));
  ASSIGN_OR_RETURN(exchange::StageOutputPtr output, assemble(stage, *input, outputs));
  return keep(std::move(output));
}

// Pipelined: a task starts with the first batch of its partition, while the others are still being made.
Result<exchange::StageOutputPtr> QueryRun::run_tasks(
    const PythonStage& stage, const std::shared_ptr<const PythonProgram>& program,
    std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) {
  const auto collector = std::make_shared<StageCollector>([stop = stop_] { stop->cancel(); });
  scheduler::TaskStageRequest request;
  request.job = job();
  request.name = stage.name;
  ASSIGN_OR_RETURN(request.slots_per_task, slots_per_task(stage));
  // As Spark on one machine does: what a function raises is final. A lost worker says nothing about the
  // function, so its task is tried again.
  request.max_task_errors = 1;
  request.max_lost_workers = number("spark.task.maxFailures", 4);
  ASSIGN_OR_RETURN(request.queue, queue_rules(request_.settings));
  request.likeness = request_.session_id + "/" + stage.name;
  const tasks::StageId id = services_.scheduler.submit_tasks(request, collector);
  ASSIGN_OR_RETURN(const int32_t planned, planned_tasks(stage));
  begin_stage(planned);

  StageFeed feed(stage, program, services_.scheduler, id, collector, stop_,
                 [&](int64_t added, const StageCollector::Counts& counts) {
                   report(std::max<int64_t>(planned, added), counts, false);
                 });
  relational::MaterializeRequest materialize = stage.request;
  // A task lets go of its input when it has ended.
  materialize.hands_over = materialize.takes_views = !stage.first_kept_group.has_value();
  materialize.sink = feed.sink();
  auto input = services_.engine.materialize(stage.input, context(), materialize, *stop_);
  if (!input.ok()) services_.scheduler.cancel_job(job());
  services_.scheduler.no_more_tasks(id);
  const Status status = wait(*collector, feed.added());
  outputs = collector->take_outputs();
  report_updates(outputs);
  last_stage_ = {stage.functions[0].commands[0], std::max<int64_t>(planned, feed.added()), outputs};
  // Whoever failed first made the other stop: a cancelled input tells nothing when the stage has a reason of
  // its own.
  if (!input.ok() && input.status().condition() != "OPERATION_CANCELED") return input.status();
  RETURN_IF_ERROR(status);
  if (!input.ok()) return input.status();
  return *std::move(input);
}

// Committed: all of the input is there before the gang starts, and serves each of its attempts.
Result<exchange::StageOutputPtr> QueryRun::run_gang(
    const PythonStage& stage, const std::shared_ptr<PythonProgram>& program,
    std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) {
  RETURN_IF_ERROR(check_gang(stage));
  ASSIGN_OR_RETURN(const GangDirectory directory, GangDirectory::make(services_.runtime_directory));
  program->gang_directory = directory.path();
  if (request_.files_directory.empty()) program->environment[kFilesVariable] = directory.path();
  scheduler::GangRequest request;
  ASSIGN_OR_RETURN(request.rules, gang_rules(request_.settings));
  ASSIGN_OR_RETURN(request.queue, queue_rules(request_.settings));
  relational::MaterializeRequest materialize = stage.request;
  materialize.takes_views = !stage.first_kept_group.has_value();
  ASSIGN_OR_RETURN(exchange::StageOutputPtr input,
                   services_.engine.materialize(stage.input, context(), materialize, *stop_));
  const auto collector = std::make_shared<StageCollector>([stop = stop_] { stop->cancel(); });
  request.job = job();
  request.name = stage.name;
  ASSIGN_OR_RETURN(request.slots_per_task, slots_per_task(stage));
  for (const exchange::Partition& partition : input->partitions) {
    ASSIGN_OR_RETURN(auto work, PythonWork::of_streams(program, partition[0]));
    request.ranks.push_back(std::move(work));
  }
  const auto ranks = static_cast<int64_t>(request.ranks.size());
  request.likeness = request_.session_id + "/" + stage.name + "/" + std::to_string(ranks);
  begin_stage(ranks);
  services_.scheduler.submit_gang(std::move(request), collector);
  RETURN_IF_ERROR(wait(*collector, ranks));
  outputs = collector->take_outputs();
  report_updates(outputs);
  return input;
}

void QueryRun::report_updates(const std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) const {
  if (request_.reports == nullptr) return;
  for (const auto& [partition, output] : outputs) request_.reports->add_updates(output->updates);
}

// Before its input is made: a gang that can never run should not cost anything.
Status QueryRun::check_gang(const PythonStage& stage) const {
  ASSIGN_OR_RETURN(const int32_t ranks, planned_tasks(stage));
  ASSIGN_OR_RETURN(const scheduler::core::GangRules rules, gang_rules(request_.settings));
  ASSIGN_OR_RETURN(const tasks::Slots slots, slots_per_task(stage));
  const int32_t least = rules.min_ranks > 0 ? std::min(rules.min_ranks, ranks) : ranks;
  return scheduler::core::check_gang(slots, least, services_.scheduler.machine());
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
  if (!progress_.empty()) progress_.back().done = true;
  progress_.push_back({static_cast<int64_t>(progress_.size()), tasks, 0, 0, false});
}

void QueryRun::report(int64_t tasks, const StageCollector::Counts& counts, bool done) {
  StageProgress& stage = progress_.back();
  stage.tasks = tasks;
  stage.completed_tasks = counts.succeeded;
  stage.done = done;
  sink_.on_progress(progress_, counts.running);
}

Result<exchange::StageOutputPtr> QueryRun::assemble(
    const PythonStage& stage, const exchange::StageOutput& input,
    const std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) const {
  auto output = std::make_shared<exchange::StageOutput>();
  const auto keep = [&](const auto& of_input) {
    const size_t first = std::min(stage.first_kept_group.value_or(of_input.size()), of_input.size());
    return std::decay_t<decltype(of_input)>(of_input.begin() + static_cast<long>(first), of_input.end());
  };
  output->groups = keep(input.groups);
  output->groups.push_back(stage.output);
  for (size_t index = 0; index < input.partitions.size(); ++index) {
    exchange::Partition partition = keep(input.partitions[index]);
    const auto found = outputs.find(static_cast<int32_t>(index));
    exchange::Stream stream;
    if (found == outputs.end() || found->second->kind == TaskResult::Kind::kNone) {
      stream.rows = 0;
    } else {
      stream.region = found->second->data;
      RETURN_IF_ERROR(check_types(stage.output.schema, stage.output.layout, stream.region));
    }
    partition.push_back({std::move(stream)});
    output->partitions.push_back(std::move(partition));
  }
  return exchange::StageOutputPtr(std::move(output));
}

PartitionBytes QueryRun::run_partitions(const plan::resolved::RelationPtr& plan) {
  PartitionBytes left{run_stages(plan).status(), {}};
  // Where a stage below has failed, no task of the last one has begun.
  const auto* map = plan::resolved::as<plan::resolved::MapPartitions>(plan);
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
  rows->groups.push_back({to_schema(columns), exchange::Layout::kStructColumn, ""});
  for (const auto& [partition, output] : last_stage_.outputs) {
    if (output->kind == TaskResult::Kind::kNone) continue;
    RETURN_IF_ERROR(check_types(rows->groups[0].schema, rows->groups[0].layout, output->data));
    rows->partitions.push_back({{{output->data, -1}}});
  }
  if (rows->partitions.empty()) return digits;
  const Exchange exchange = keep(std::move(rows));
  const auto bytes = make_expression(plan::resolved::ColumnReference{columns[0].id}, columns[0].type, true);
  const auto told = make_expression(plan::resolved::Call{"hex", {bytes}, true}, text, true);
  const auto fragment =
      make_relation(plan::resolved::Project{scan_all(exchange, columns), {told}},
                    {{columns[0].id + 1, columns[0].name, text, true, {}, ""}}, exchange.partitions);
  CancelToken never;  // what is there is wanted also when the stage was stopped
  ASSIGN_OR_RETURN(auto found, services_.engine.collect_text(fragment, context(), -1, never));
  for (auto& row : found) digits.push_back(std::move(row[0]));
  return digits;
}

std::shared_ptr<PythonProgram> QueryRun::make_program(const PythonStage& stage) const {
  auto program = std::make_shared<PythonProgram>();
  program->evaluation_type = stage.evaluation_type;
  program->functions = stage.functions;
  program->python_version = stage.python_version;
  program->evaluation_conf = stage.evaluation_conf;
  program->local_properties = request_.local_properties;
  program->name = stage.name;
  program->session_id = request_.session_id;
  program->operation_id = request_.operation_id;
  program->files_directory = services_.files_directory;
  program->python_paths = request_.python_paths;
  program->zygote = services_.zygote_for(request_);
  for (const char* key : kRunnerSettings) {
    const auto found = request_.settings.find(key);
    if (found != request_.settings.end()) program->runner_conf[key] = found->second;
  }
  program->runner_conf["spark.sql.session.timeZone"] = request_.time_zone;
  program->runner_conf.insert(stage.runner_conf.begin(), stage.runner_conf.end());
  if (stage.table_function.has_value()) {
    program->functions[0].commands = {pickle_table_function(
        *stage.table_function->function, stage.table_function->input, program->runner_conf)};
  }
  program->environment[kFilesVariable] =
      request_.files_directory.empty() ? services_.runtime_directory : request_.files_directory;
  if (!request_.files_directory.empty()) {
    program->python_paths.push_back(request_.files_directory);
    program->environment["DEUTERON_WORKING_DIRECTORY"] = request_.files_directory;
  }
  program->reuses_workers = setting("spark.python.worker.reuse", "true") == "true";
  if (setting("spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled", "true") == "true") {
    program->environment["SPARK_SIMPLIFIED_TRACEBACK"] = "1";
  }
  observe(*program, stage);
  return program;
}

// Profiles and logs, where the user wants them. Functions of ours that call the user's do both themselves
// (python/deuteron/worker/): neither shall tell of them.
void QueryRun::observe(PythonProgram& program, const PythonStage& stage) const {
  static std::atomic<int64_t> next_result{0};
  const auto results = static_cast<int64_t>(std::max(program.functions.size(), stage.output.schema.size()));
  int64_t result = next_result.fetch_add(results);
  program.environment["DEUTERON_FIRST_RESULT"] = std::to_string(result);
  for (worker_pool::PythonFunction& function : program.functions) function.result_id = result++;

  const bool is_question = program.functions[0].commands[0].starts_with("(cdeuteron.worker.data_sources\n");
  const std::string udf_profiler = setting("spark.sql.pyspark.udf.profiler", "");
  if (stage.is_by_rows) {
    program.environment["DEUTERON_UDF_PROFILER"] = udf_profiler;
  } else if (!udf_profiler.empty() && !is_question && !stage.table_function.has_value()) {
    program.runner_conf["spark.sql.pyspark.udf.profiler"] = udf_profiler;
  }
  if (const std::string profiler = setting("spark.sql.pyspark.dataSource.profiler", ""); !profiler.empty()) {
    program.runner_conf["spark.sql.pyspark.dataSource.profiler"] = profiler;
    program.environment["DEUTERON_DATA_SOURCE_PROFILER"] = profiler;
  }
  if (setting("spark.sql.pyspark.worker.logging.enabled", "false") == "true") {
    program.environment[is_question ? "DEUTERON_LOGGING_SESSION" : "PYSPARK_SPARK_SESSION_UUID"] =
        request_.session_id;
    program.reports = request_.reports;
  }
}

std::string QueryRun::setting(const std::string& key, const std::string& otherwise) const {
  const auto found = request_.settings.find(key);
  return found == request_.settings.end() ? otherwise : found->second;
}

// A number, with or without the unit of seconds ("365d" is not needed and not understood: then `otherwise`).
int32_t QueryRun::number(const std::string& key, int32_t otherwise) const {
  const std::string text = setting(key, "");
  int32_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number =
      failure == std::errc() && (end == text.data() + text.size() || std::string(end) == "s");
  return is_number && value > 0 ? value : otherwise;
}

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
