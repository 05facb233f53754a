// Runs a resolved plan: cuts it into relational, task and gang stages, runs them in order, hands batches to a
// sink. An Executor is shared by all sessions; run() may be called from many threads at once and blocks until
// the query is done.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "events/bus.h"
#include "events/server_log.h"
#include "exchange/block.h"
#include "exchange/shared_memory.h"
#include "execution/plan_cache.h"
#include "execution/python_reports.h"
#include "execution/resource_profile.h"
#include "plan/resolved.h"
#include "relational/engine.h"
#include "tasks/machine.h"

namespace deuteron::execution {

// Who asks and under which settings; copied, never kept.
struct Request {
  std::string session_id;
  std::string operation_id;
  std::map<std::string, std::string> settings;  // the session's, lower-level modules read their own keys
  std::string time_zone = "UTC";
  std::map<std::string, std::string> local_properties;
  std::vector<std::string> python_paths;       // session artifacts, put on sys.path
  std::string files_directory;                 // likewise, in which workers run; "": there are none
  std::shared_ptr<PlanCache> cache;            // the session's; null: none
  std::shared_ptr<PythonReports> reports;      // likewise
  const ResourceProfiles* profiles = nullptr;  // that the plan names; null: none

  std::string setting(const std::string& key, const std::string& otherwise) const {
    const auto found = settings.find(key);
    return found == settings.end() ? otherwise : found->second;
  }
};

struct StageProgress {
  int64_t stage_id = 0;
  int64_t tasks = 0;
  int64_t completed_tasks = 0;
  int64_t input_bytes = 0;
  bool done = false;
};

// Hears how far an execution is, from one thread at a time.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void on_progress(const std::vector<StageProgress>& stages, int64_t running_tasks) = 0;
};

// Receives the answer, from one thread at a time. A call may block (back-pressure); an error ends the query
// with that error.
class ResultSink : public ProgressSink {
 public:
  virtual Status on_batch(exchange::EncodedBatch batch) = 0;
};

struct WriteTarget {
  std::string format;
  std::string path;
  plan::SaveMode mode = plan::SaveMode::kErrorIfExists;
  plan::Names partition_by;
  plan::Options options;
};

// What the task of each partition left, in hexadecimal, where it succeeded.
struct PartitionBytes {
  Status status;
  std::vector<std::optional<std::string>> digits;
};

// A gang that has no slots yet, or none again.
struct WaitingGang {
  std::string operation_id;
  int64_t stage = 0;
  std::string pool;
  int64_t position = 0;  // 1: the first of its pool; 0: it pauses before its next attempt
  std::string reason;
  std::optional<std::chrono::microseconds> expected;  // its start, from now; none: not known
};

class Executor {
 public:
  virtual ~Executor() = default;
  // At least one batch is delivered, of 0 rows when the answer is empty. Batches follow the plan's order.
  virtual Status run(const plan::resolved::RelationPtr& plan, const Request& request, ResultSink& sink,
                     CancelToken& cancel) = 0;
  // Atomic: a staging folder takes the place of the old one at the end.
  virtual Status write(const plan::resolved::RelationPtr& plan, const WriteTarget& target,
                       const Request& request, ProgressSink& sink, CancelToken& cancel) = 0;
  // At most `limit` rows of a plan of one string column; null as nullopt.
  virtual Result<std::vector<std::optional<std::string>>> collect_text(
      const plan::resolved::RelationPtr& plan, int64_t limit, const Request& request) = 0;
  // Runs a plan whose topmost node is a MapPartitions that leaves one row of bytes in each partition. What
  // the tasks left that did succeed is told also when others failed.
  virtual PartitionBytes run_partitions(const plan::resolved::RelationPtr& plan, const Request& request,
                                        ProgressSink& sink, CancelToken& cancel) = 0;
  // The stages and the DuckDB SQL of each, as text.
  virtual Result<std::string> explain(const plan::resolved::RelationPtr& plan, const Request& request) = 0;
  // The session's gangs that wait.
  virtual std::vector<WaitingGang> waiting_gangs(const std::string& session_id) {
    static_cast<void>(session_id);
    return {};
  }
  // Starts, in the background, what makes the first Python function of a session quick (a process of about
  // 100 MiB).
  virtual void warm_up() {}
  // Unpacks a .zip, .jar, .tar or .tar.gz into a folder that it makes; blocks meanwhile.
  virtual Status unpack(const std::string& archive, const std::string& folder, uint64_t limit_bytes) = 0;
  // Ends the workers and drops what is kept for a session.
  virtual void close_session(const std::string& session_id) = 0;
};

struct ExecutorOptions {
  int32_t cpus = 0;                                  // slots; 0: all cores
  std::map<std::string, tasks::Resource> resources;  // of this machine
  std::string claims_directory;  // where servers of this machine tell each other which they have
  std::string python_interpreter = "python3";   // a path, or a name on PATH
  std::string python_folder;                    // holds the package deuteron
  int32_t spare_workers = 2;                    // kept ready per session once it has run Python
  uint64_t worker_memory_bytes = 0;             // per worker; 0: 60 % of the machine
  int worker_log_descriptor = 2;                // where workers' output goes, a line each; -1: nowhere
  events::ServerLog* log = nullptr;             // likewise, with their rank and attempt; must outlive it
  std::string runtime_directory;                // parent of the workers' sockets; "": the system's
  std::map<std::string, std::string> settings;  // the server's, of the queue (queue_settings.h)
  bool withhold_kills = false;                  // a fault, for tests (worker_pool.h)
};

// Starts the scheduler and the worker pool; no Python process before the first Python function. The engine
// and the bus must outlive it. INVALID_CONF_VALUE when a setting cannot be taken.
Result<std::unique_ptr<Executor>> make_executor(const ExecutorOptions& options, relational::Engine& engine,
                                                std::shared_ptr<exchange::SharedMemory> memory,
                                                events::Bus& bus);

}  // namespace deuteron::execution
