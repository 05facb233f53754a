#include "worker_pool/pyspark_task.h"

#include <cstring>
#include <nlohmann/json.hpp>

namespace deuteron::worker_pool {

namespace {
const char* const kGangEpoch = "deuteron.gang.epoch";

class Writer {
 public:
  void boolean(bool value) { bytes_ += value ? '\1' : '\0'; }
  void integer(int32_t value) { append(__builtin_bswap32(static_cast<uint32_t>(value))); }
  void long_integer(int64_t value) { append(__builtin_bswap64(static_cast<uint64_t>(value))); }
  void text(const std::string& value) {
    integer(static_cast<int32_t>(value.size()));
    bytes_ += value;
  }
  void settings(const std::map<std::string, std::string>& settings) {
    integer(static_cast<int32_t>(settings.size()));
    for (const auto& [key, value] : settings) {
      text(key);
      text(value);
    }
  }
  std::string take() { return std::move(bytes_); }

 private:
  template <typename T>
  void append(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string bytes_;
};

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += ',';
    joined += part;
  }
  return joined;
}

std::string context_json(const PySparkTask& task) {
  const tasks::TaskContext& context = task.context;
  nlohmann::json json = {
      {"isBarrier", context.ranks > 0},        {"stageId", context.stage},
      {"partitionId", context.partition},      {"attemptNumber", context.attempt},
      {"taskAttemptId", context.task},         {"cpus", context.slots.cpus},
      {"resources", nlohmann::json::object()}, {"localProperties", task.local_properties},
  };
  for (const auto& [name, addresses] : task.resource_addresses) {
    json["resources"][name] = {{"name", name}, {"addresses", addresses}};
  }
  if (!task.addresses.empty()) json["localProperties"]["addresses"] = join(task.addresses);
  if (context.ranks > 0) {
    json["connInfo"] = task.barrier_path;
    json["secret"] = nullptr;
    json["localProperties"][kGangEpoch] = "0";  // python/deuteron/worker/gang_epoch.py counts
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write_function(Writer& writer, const PythonFunction& function) {
  writer.integer(static_cast<int32_t>(function.arguments.size()));
  for (const FunctionArgument& argument : function.arguments) {
    writer.integer(argument.column);
    writer.boolean(argument.name.has_value());
    if (argument.name) writer.text(*argument.name);
  }
  writer.integer(static_cast<int32_t>(function.commands.size()));
  for (const std::string& command : function.commands) writer.text(command);
  writer.long_integer(function.result_id);
}
}  // namespace

std::string build_task_header(const PySparkTask& task) {
  Writer writer;
  writer.integer(task.context.partition);
  writer.text(task.python_version);
  writer.text(context_json(task));
  writer.text(task.files_directory);
  writer.integer(static_cast<int32_t>(task.includes.size()));
  for (const std::string& include : task.includes) writer.text(include);
  writer.boolean(false);  // broadcast variables: Spark Connect clients have none
  writer.integer(0);
  writer.integer(static_cast<int32_t>(task.evaluation_type));
  writer.settings(task.runner_conf);
  writer.settings(task.evaluation_conf);
  writer.integer(static_cast<int32_t>(task.functions.size()));
  for (const PythonFunction& function : task.functions) write_function(writer, function);
  return writer.take();
}

}  // namespace deuteron::worker_pool
