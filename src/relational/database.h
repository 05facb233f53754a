// The DuckDB instance, its connections, and one statement's run. Everything of DuckDB's that can fail comes
// out as a Status.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <duckdb.h>

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/status.h"
#include "relational/engine.h"
#include "relational/vector_to_arrow.h"

namespace deuteron::relational {

class Database;

// Leased from the pool for one run; goes back when it is destroyed. Not thread-safe.
class Connection {
 public:
  Connection(Connection&& other) noexcept : database_(other.database_), handle_(other.handle_) {
    other.handle_ = nullptr;
  }
  Connection& operator=(Connection&&) = delete;
  ~Connection();
  duckdb_connection handle() const { return handle_; }

 private:
  friend class Database;
  Connection(Database* database, duckdb_connection handle) : database_(database), handle_(handle) {}
  Database* database_;
  duckdb_connection handle_;
};

// Thread-safe.
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const EngineOptions& options);
  ~Database();

  Result<Connection> connect();
  // Registers those kernels that have not been used before.
  Status ensure_kernels(const std::set<std::string>& names);
  // One statement without a result, on a connection of its own.
  Status execute(const std::string& sql);
  int threads() const { return threads_; }

 private:
  friend class Connection;
  Database() = default;
  duckdb_database handle_ = nullptr;
  int threads_ = 1;
  std::mutex mutex_;
  std::vector<duckdb_connection> idle_;
  std::set<std::string> kernels_;
  std::mutex kernel_mutex_;
};

// DuckDB's own words, kept until someone who knows the fragment translates them.
struct EngineFailure {
  duckdb_error_type type = DUCKDB_ERROR_INVALID;
  std::string message;
  bool cancelled = false;
};

// The one parameter that a Statement's text may hold, for a literal false. DuckDB binds a statement that
// reads files once when it is prepared and again when it runs, opening each file both times; before it knows
// an argument of the file's reader it cannot, and binds only once. So each reader has this one.
inline constexpr const char* kFalseParameter = "$false";

// A statement under way, whose rows come in chunks.
class Statement {
 public:
  // `on_progress` may be empty; it is called by start() and next(), now and then.
  Statement(const Connection& connection, CancelToken& cancel, ProgressCallback on_progress = {})
      : connection_(connection), cancel_(cancel), on_progress_(std::move(on_progress)) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // False: see failure().
  bool start(const std::string& sql);
  size_t columns() const { return sources_.size(); }
  const SourceType& source(size_t column) const { return sources_[column]; }
  const std::vector<SourceType>& sources() const { return sources_; }
  // The next rows; null at the end and after a failure. Good until the next call.
  duckdb_data_chunk next();
  const EngineFailure& failure() const { return failure_; }
  bool failed() const { return failed_; }

 private:
  bool fail(duckdb_error_type type, const char* message);
  void report_progress();

  const Connection& connection_;
  CancelToken& cancel_;
  const ProgressCallback on_progress_;
  SteadyTime last_report_ = steady_now();
  CancelToken::Registration registration_;
  duckdb_prepared_statement prepared_ = nullptr;
  duckdb_result result_{};
  bool has_result_ = false;
  duckdb_data_chunk chunk_ = nullptr;
  std::vector<SourceType> sources_;
  EngineFailure failure_;
  bool failed_ = false;
};

// FAILED_READ_FILE or one of its sub-conditions; DuckDB's reason stands in the message alone.
Status failed_read(const std::string& condition, const std::string& uri, const std::string& reason);
// The Status of a failure that is none of the fragment's own: files, memory, a bug.
Status status_of(const EngineFailure& failure);

}  // namespace deuteron::relational
