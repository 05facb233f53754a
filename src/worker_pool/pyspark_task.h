// What PySpark's worker is told before a task's data: evaluation type, functions, context, settings. Built
// into the bytes that pyspark.worker.main reads (Spark 4.2). The data follows as further parts of the input,
// then kEndOfStream.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tasks/task.h"

namespace deuteron::worker_pool {

// Spark's numbers (PythonEvalType); only those that are used here.
enum class EvaluationType : int32_t {
  kPickled = 100,
  kArrowBatched = 101,
  kScalarPandas = 200,
  kGroupedMapPandas = 201,
  kGroupedAggregatePandas = 202,
  kWindowAggregatePandas = 203,
  kScalarPandasIterator = 204,
  kMapPandasIterator = 205,
  kCogroupedMapPandas = 206,
  kMapArrowIterator = 207,
  kGroupedMapArrow = 209,
  kCogroupedMapArrow = 210,
  kGroupedMapArrowIterator = 215,
  kGroupedMapPandasIterator = 216,
  kGroupedAggregatePandasIterator = 217,
  kScalarArrow = 250,
  kScalarArrowIterator = 251,
  kGroupedAggregateArrow = 252,
  kWindowAggregateArrow = 253,
  kGroupedAggregateArrowIterator = 254,
};

// Marks between and after Arrow streams, as input parts (see WorkerTask).
inline constexpr int32_t kEndOfStream = -4;     // after all data
inline constexpr int32_t kEndOfPickles = -1;    // after the pickled rows of kPickled, before kEndOfStream
inline constexpr int32_t kOneTableOfGroup = 1;  // before the Arrow stream of each group of a grouped function
inline constexpr int32_t kTwoTablesOfGroup =
    2;                                       // before the two streams of each group of a cogrouped function
inline constexpr int32_t kNoMoreGroups = 0;  // after the last group

struct FunctionArgument {
  int32_t column = 0;
  std::optional<std::string> name;  // of a keyword argument
};

// One function applied to columns; `commands` are the client's PythonUDF.command, applied one after the
// other.
struct PythonFunction {
  std::vector<FunctionArgument> arguments;
  std::vector<std::string> commands;
  int64_t result_id = 0;
};

struct PySparkTask {
  EvaluationType evaluation_type = EvaluationType::kMapArrowIterator;
  std::string python_version = "3.11";  // of the client; the worker refuses another major.minor
  tasks::TaskContext context;           // ranks > 0 makes a BarrierTaskContext
  std::map<std::string, std::vector<std::string>> resource_addresses;  // "gpu" -> {"0"}
  std::map<std::string, std::string> local_properties;
  std::string barrier_path;            // WorkerPool::barrier_path(task) of a gang
  std::vector<std::string> addresses;  // "host:port" per rank, what getTaskInfos() shows
  std::string files_directory;         // absolute; put on sys.path
  std::vector<std::string> includes;   // names in files_directory, put on sys.path (.py folders, .zip, .egg)
  std::map<std::string, std::string> runner_conf;
  std::map<std::string, std::string> evaluation_conf;
  std::vector<PythonFunction> functions;
};

// The header's bytes.
std::string build_task_header(const PySparkTask& task);

}  // namespace deuteron::worker_pool
