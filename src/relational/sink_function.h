// COPY … TO 'handle' (FORMAT deuteron_sink): hands DuckDB's chunks to C++ inside the pipeline that makes
// them, while they are still in the processor's cache; a result would be copied twice on the way. One thread
// per statement. The registry is thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <duckdb.h>

#include "base/status.h"
#include "relational/vector_to_arrow.h"

namespace deuteron::relational {

using ChunkSink = std::function<Status(duckdb_data_chunk chunk, const std::vector<SourceType>& sources)>;

// One sink in use; `status` holds its first error.
struct ActiveSink {
  const ChunkSink* sink = nullptr;
  std::vector<SourceType> sources;
  Status status;
};

class SinkRegistry {
 public:
  // The sink must be removed before it is destroyed.
  int64_t add(ActiveSink* sink);
  void remove(int64_t handle);
  ActiveSink* find(int64_t handle) const;

 private:
  mutable std::mutex mutex_;
  int64_t next_handle_ = 1;
  std::map<int64_t, ActiveSink*> sinks_;
};

// Once per database; the registry outlives it.
Status register_sink_function(duckdb_connection connection, SinkRegistry& registry);

// The statement that sends the rows of `sql` to a sink.
std::string sink_statement(const std::string& sql, int64_t handle);

}  // namespace deuteron::relational
