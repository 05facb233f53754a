#include "execution/python_program.h"

#include <algorithm>
#include <atomic>

#include "execution/pickled_call.h"

namespace deuteron::execution {
namespace {

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

// Profiles and logs, where the user wants them. Functions of ours that call the user's do both themselves
// (python/deuteron/worker/): neither shall tell of them.
void observe(PythonProgram& program, const PythonStage& stage, const Request& request) {
  static std::atomic<int64_t> next_result{0};
  const auto results = static_cast<int64_t>(std::max(program.functions.size(), stage.output.schema.size()));
  int64_t result = next_result.fetch_add(results);
  program.environment["DEUTERON_FIRST_RESULT"] = std::to_string(result);
  for (worker_pool::PythonFunction& function : program.functions) function.result_id = result++;

  const bool is_question = program.functions[0].commands[0].starts_with("(cdeuteron.worker.data_sources\n");
  const std::string udf_profiler = request.setting("spark.sql.pyspark.udf.profiler", "");
  if (stage.is_by_rows) {
    program.environment["DEUTERON_UDF_PROFILER"] = udf_profiler;
  } else if (!udf_profiler.empty() && !is_question && !stage.table_function.has_value()) {
    program.runner_conf["spark.sql.pyspark.udf.profiler"] = udf_profiler;
  }
  if (const std::string profiler = request.setting("spark.sql.pyspark.dataSource.profiler", "");
      !profiler.empty()) {
    program.runner_conf["spark.sql.pyspark.dataSource.profiler"] = profiler;
    program.environment["DEUTERON_DATA_SOURCE_PROFILER"] = profiler;
  }
  if (request.setting("spark.sql.pyspark.worker.logging.enabled", "false") == "true") {
    program.environment[is_question ? "DEUTERON_LOGGING_SESSION" : "PYSPARK_SPARK_SESSION_UUID"] =
        request.session_id;
    program.reports = request.reports;
  }
}

}  // namespace

std::shared_ptr<PythonProgram> make_program(const Services& services, const Request& request,
                                            const PythonStage& stage) {
  auto program = std::make_shared<PythonProgram>();
  program->evaluation_type = stage.evaluation_type;
  program->functions = stage.functions;
  program->python_version = stage.python_version;
  program->evaluation_conf = stage.evaluation_conf;
  program->local_properties = request.local_properties;
  program->name = stage.name;
  program->session_id = request.session_id;
  program->operation_id = request.operation_id;
  program->files_directory = services.files_directory;
  program->python_paths = request.python_paths;
  program->zygote = services.zygote_for(request);
  for (const char* key : kRunnerSettings) {
    const auto found = request.settings.find(key);
    if (found != request.settings.end()) program->runner_conf[key] = found->second;
  }
  program->runner_conf["spark.sql.session.timeZone"] = request.time_zone;
  program->runner_conf.insert(stage.runner_conf.begin(), stage.runner_conf.end());
  if (stage.table_function.has_value()) {
    program->functions[0].commands = {pickle_table_function(
        *stage.table_function->function, stage.table_function->input, program->runner_conf)};
  }
  program->environment[kFilesVariable] =
      request.files_directory.empty() ? services.runtime_directory : request.files_directory;
  if (!request.files_directory.empty()) {
    program->python_paths.push_back(request.files_directory);
    program->environment["DEUTERON_WORKING_DIRECTORY"] = request.files_directory;
  }
  program->reuses_workers = request.setting("spark.python.worker.reuse", "true") == "true";
  if (request.setting("spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled", "true") == "true") {
    program->environment.insert_or_assign("SPARK_SIMPLIFIED_TRACEBACK", "1");
  }
  if (request.setting("spark.sql.execution.pyspark.udf.hideTraceback.enabled", "false") == "true")
    program->environment.insert_or_assign("SPARK_HIDE_TRACEBACK", "1");
  observe(*program, stage, request);
  return program;
}

}  // namespace deuteron::execution
