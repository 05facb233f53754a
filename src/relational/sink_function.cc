#include "relational/sink_function.h"

#include <charconv>
#include <exception>
#include <string_view>

namespace deuteron::relational {

namespace {

// A name that no file has: COPY looks whether its target exists.
constexpr std::string_view kTarget = "/dev/null/deuteron-sink/";

void bind_sink(duckdb_copy_function_bind_info info) {
  auto* sources = new std::vector<SourceType>;
  for (idx_t column = 0; column < duckdb_copy_function_bind_get_column_count(info); ++column) {
    duckdb_logical_type type = duckdb_copy_function_bind_get_column_type(info, column);
    sources->push_back(SourceType::of(type));
    duckdb_destroy_logical_type(&type);
  }
  duckdb_copy_function_bind_set_bind_data(
      info, sources, [](void* data) { delete static_cast<std::vector<SourceType>*>(data); });
}

void start_sink(duckdb_copy_function_global_init_info info) {
  const auto& registry =
      *static_cast<const SinkRegistry*>(duckdb_copy_function_global_init_get_extra_info(info));
  const std::string_view path = duckdb_copy_function_global_init_get_file_path(info);
  int64_t handle = 0;
  if (path.size() > kTarget.size())
    std::from_chars(path.data() + kTarget.size(), path.data() + path.size(), handle);
  ActiveSink* sink = registry.find(handle);
  if (sink == nullptr) return duckdb_copy_function_global_init_set_error(info, "no such sink");
  sink->sources =
      *static_cast<const std::vector<SourceType>*>(duckdb_copy_function_global_init_get_bind_data(info));
  duckdb_copy_function_global_init_set_global_state(info, sink, nullptr);
}

void run_sink(duckdb_copy_function_sink_info info, duckdb_data_chunk chunk) {
  auto& sink = *static_cast<ActiveSink*>(duckdb_copy_function_sink_get_global_state(info));
  try {
    sink.status = (*sink.sink)(chunk, sink.sources);
  } catch (const std::exception& failure) {
    sink.status = internal_error(failure.what());
  }
  if (!sink.status.ok()) duckdb_copy_function_sink_set_error(info, sink.status.detail().message.c_str());
}

void finish_sink(duckdb_copy_function_finalize_info) {}

}  // namespace

int64_t SinkRegistry::add(ActiveSink* sink) {
  const std::lock_guard lock(mutex_);
  sinks_[next_handle_] = sink;
  return next_handle_++;
}

void SinkRegistry::remove(int64_t handle) {
  const std::lock_guard lock(mutex_);
  sinks_.erase(handle);
}

ActiveSink* SinkRegistry::find(int64_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto place = sinks_.find(handle);
  return place == sinks_.end() ? nullptr : place->second;
}

Status register_sink_function(duckdb_connection connection, SinkRegistry& registry) {
  duckdb_copy_function function = duckdb_create_copy_function();
  duckdb_copy_function_set_name(function, "deuteron_sink");
  duckdb_copy_function_set_extra_info(function, &registry, nullptr);
  duckdb_copy_function_set_bind(function, bind_sink);
  duckdb_copy_function_set_global_init(function, start_sink);
  duckdb_copy_function_set_sink(function, run_sink);
  duckdb_copy_function_set_finalize(function, finish_sink);
  const bool registered = duckdb_register_copy_function(connection, function) == DuckDBSuccess;
  duckdb_destroy_copy_function(&function);
  return registered ? Status() : internal_error("cannot register deuteron_sink");
}

std::string sink_statement(const std::string& sql, int64_t handle) {
  return "COPY (" + sql + ") TO '" + std::string(kTarget) + std::to_string(handle) +
         "' (FORMAT deuteron_sink)";
}

}  // namespace deuteron::relational
