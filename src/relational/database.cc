#include "relational/database.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>

#include "relational/kernels/registry.h"

// jemalloc inside libduckdb, when that was built with it.
extern "C" [[gnu::weak]] int duckdb_je_mallctl(const char* name, void* old_value, size_t* old_size,
                                               void* new_value, size_t new_size);

namespace deuteron::relational {

namespace {

constexpr size_t kIdleConnections = 32;

// Timestamps are micros of UTC for DuckDB; the session's zone is the expression writer's business.
constexpr const char* kConnectionSettings[] = {
    "SET TimeZone='UTC'",
    "SET streaming_buffer_size='16MB'",
    "SET scalar_subquery_error_on_multiple_rows=true",
    "SET max_expression_depth=4000",
    "SET enable_progress_bar=true",  // so that duckdb_query_progress answers
    "SET enable_progress_bar_print=false",
    "SET progress_bar_time=0",
    "SET parquet_metadata_cache=true",
};

// DuckDB's allocator gives what was freed back to the system after a second, and the next query of a person
// who thinks for longer pays for it with page faults. jemalloc's own default is ten seconds.
constexpr ssize_t kMemoryReturnDelayMs = 10'000;

void delay_memory_return() {
  if (duckdb_je_mallctl == nullptr) return;  // a libduckdb with another allocator
  ssize_t delay = kMemoryReturnDelayMs;
  duckdb_je_mallctl("arenas.dirty_decay_ms", nullptr, nullptr, &delay, sizeof delay);  // of arenas to come
  unsigned arenas = 0;
  size_t size = sizeof arenas;
  if (duckdb_je_mallctl("arenas.narenas", &arenas, &size, nullptr, 0) != 0) return;
  for (unsigned arena = 0; arena < arenas; ++arena) {
    const std::string name = "arena." + std::to_string(arena) + ".dirty_decay_ms";
    duckdb_je_mallctl(name.c_str(), nullptr, nullptr, &delay, sizeof delay);  // refused where none is yet
  }
}

struct ConfigDeleter {
  void operator()(duckdb_config config) const { duckdb_destroy_config(&config); }
};

std::string default_memory_limit() {
  const auto bytes =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::to_string(bytes / 2 / 1024 / 1024) + "MiB";
}

// A path that FAILED_READ_FILE names: DuckDB writes it between quotes.
std::string quoted_part(std::string_view message) {
  for (const char quote : {'"', '\''}) {
    const size_t begin = message.find(quote);
    const size_t end = begin == std::string_view::npos ? begin : message.find(quote, begin + 1);
    if (end != std::string_view::npos) return std::string(message.substr(begin + 1, end - begin - 1));
  }
  return "";
}

}  // namespace

namespace {

// Works on the query until it has rows or has ended. While other threads hold all its tasks this one sleeps:
// DuckDB's own loop would spin and take the processor from them.
template <typename Report>
void run_tasks(duckdb_pending_result pending, const Report& report) {
  constexpr std::chrono::microseconds kShortest{20};
  constexpr std::chrono::microseconds kLongest{500};
  std::chrono::microseconds pause = kShortest;
  while (true) {
    const duckdb_pending_state state = duckdb_pending_execute_task(pending);
    if (duckdb_pending_execution_is_finished(state)) return;
    report();
    if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) {
      std::this_thread::sleep_for(pause);
      pause = std::min(kLongest, pause * 2);
    } else {
      pause = kShortest;
    }
  }
}

}  // namespace

Connection::~Connection() {
  if (handle_ == nullptr) return;
  {
    const std::lock_guard lock(database_->mutex_);
    if (database_->idle_.size() < kIdleConnections) {
      database_->idle_.push_back(handle_);
      return;
    }
  }
  duckdb_disconnect(&handle_);
}

Result<std::unique_ptr<Database>> Database::open(const EngineOptions& options) {
  std::unique_ptr<Database> database(new Database);
  database->threads_ = options.threads > 0
                           ? options.threads
                           : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  duckdb_config raw = nullptr;
  if (duckdb_create_config(&raw) != DuckDBSuccess) return internal_error("DuckDB: no configuration");
  const std::unique_ptr<std::remove_pointer_t<duckdb_config>, ConfigDeleter> config(raw);
  const std::string memory = options.memory_limit_bytes == 0
                                 ? default_memory_limit()
                                 : std::to_string(options.memory_limit_bytes / 1024 / 1024) + "MiB";
  const std::string directory =
      (options.spill_directory.empty() ? "/tmp" : options.spill_directory) + "/duckdb-spill";
  const std::pair<const char*, std::string> settings[] = {
      {"threads", std::to_string(database->threads_)},
      {"memory_limit", memory},
      {"temp_directory", directory},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"preserve_insertion_order", "true"},
      {"errors_as_json", "false"},
  };
  for (const auto& [name, value] : settings) {
    if (duckdb_set_config(raw, name, value.c_str()) != DuckDBSuccess) {
      return internal_error(std::string("DuckDB does not know the setting ") + name);
    }
  }
  delay_memory_return();
  char* message = nullptr;
  if (duckdb_open_ext(":memory:", &database->handle_, raw, &message) != DuckDBSuccess) {
    Status status =
        internal_error(std::string("DuckDB cannot start: ") + (message == nullptr ? "" : message));
    duckdb_free(message);
    return status;
  }
  return database;
}

Database::~Database() {
  for (duckdb_connection& connection : idle_) duckdb_disconnect(&connection);
  duckdb_close(&handle_);
}

Result<Connection> Database::connect() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      duckdb_connection handle = idle_.back();
      idle_.pop_back();
      return Connection(this, handle);
    }
  }
  duckdb_connection handle = nullptr;
  if (duckdb_connect(handle_, &handle) != DuckDBSuccess) return internal_error("DuckDB gives no connection");
  Connection connection(this, handle);
  for (const char* sql : kConnectionSettings) {
    duckdb_result result{};
    const bool ok = duckdb_query(handle, sql, &result) == DuckDBSuccess;
    const char* message = ok ? nullptr : duckdb_result_error(&result);
    const Status status =
        ok ? Status() : internal_error("DuckDB: " + std::string(message == nullptr ? sql : message));
    duckdb_destroy_result(&result);
    if (!status.ok()) return status;
  }
  return connection;
}

Status Database::ensure_kernels(const std::set<std::string>& names) {
  if (names.empty()) return Status();
  const std::lock_guard lock(kernel_mutex_);
  for (const std::string& name : names) {
    if (kernels_.contains(name)) continue;
    ASSIGN_OR_RETURN(const Connection connection, connect());
    RETURN_IF_ERROR(register_kernel(connection.handle(), name));
    kernels_.insert(name);
  }
  return Status();
}

Status Database::execute(const std::string& sql) {
  ASSIGN_OR_RETURN(const Connection connection, connect());
  duckdb_result result{};
  const bool ok = duckdb_query(connection.handle(), sql.c_str(), &result) == DuckDBSuccess;
  Status status;
  if (!ok) {
    const char* message = duckdb_result_error(&result);
    status = status_of({duckdb_result_error_type(&result), message == nullptr ? "" : message, false});
  }
  duckdb_destroy_result(&result);
  return status;
}

Statement::~Statement() {
  registration_ = CancelToken::Registration();
  if (chunk_ != nullptr) duckdb_destroy_data_chunk(&chunk_);
  if (has_result_) duckdb_destroy_result(&result_);
  if (prepared_ != nullptr) duckdb_destroy_prepare(&prepared_);
}

bool Statement::fail(duckdb_error_type type, const char* message) {
  failed_ = true;
  failure_ = {type, message == nullptr ? "" : message, cancel_.cancelled() || type == DUCKDB_ERROR_INTERRUPT};
  return false;
}

bool Statement::start(const std::string& sql) {
  if (cancel_.cancelled()) return fail(DUCKDB_ERROR_INTERRUPT, "cancelled");
  if (duckdb_prepare(connection_.handle(), sql.c_str(), &prepared_) != DuckDBSuccess) {
    return fail(DUCKDB_ERROR_BINDER, duckdb_prepare_error(prepared_));
  }
  if (duckdb_nparams(prepared_) > 0) duckdb_bind_boolean(prepared_, 1, false);
  duckdb_pending_result pending = nullptr;
  if (duckdb_pending_prepared_streaming(prepared_, &pending) != DuckDBSuccess) {
    fail(DUCKDB_ERROR_INVALID, duckdb_pending_error(pending));
    duckdb_destroy_pending(&pending);
    return false;
  }
  // DuckDB forgets an interrupt when a query starts; from here on it does not.
  registration_ = cancel_.on_cancel([handle = connection_.handle()] { duckdb_interrupt(handle); });
  run_tasks(pending, [this] { report_progress(); });
  const bool ok = duckdb_execute_pending(pending, &result_) == DuckDBSuccess;
  has_result_ = true;
  if (!ok) fail(duckdb_result_error_type(&result_), duckdb_result_error(&result_));
  duckdb_destroy_pending(&pending);
  if (!ok) return false;
  for (idx_t column = 0; column < duckdb_column_count(&result_); ++column) {
    duckdb_logical_type type = duckdb_column_logical_type(&result_, column);
    sources_.push_back(SourceType::of(type));
    duckdb_destroy_logical_type(&type);
  }
  return true;
}

void Statement::report_progress() {
  constexpr std::chrono::milliseconds kInterval{200};
  if (!on_progress_ || steady_now() - last_report_ < kInterval) return;
  last_report_ = steady_now();
  const double percentage = duckdb_query_progress(connection_.handle()).percentage;
  if (percentage >= 0) on_progress_(percentage / 100);
}

duckdb_data_chunk Statement::next() {
  if (failed_) return nullptr;
  report_progress();
  if (chunk_ != nullptr) duckdb_destroy_data_chunk(&chunk_);
  if (cancel_.cancelled()) {
    fail(DUCKDB_ERROR_INTERRUPT, "cancelled");
    return nullptr;
  }
  chunk_ = duckdb_fetch_chunk(result_);
  if (chunk_ == nullptr) {
    const char* message = duckdb_result_error(&result_);
    if (message != nullptr && message[0] != '\0') fail(duckdb_result_error_type(&result_), message);
  }
  return chunk_;
}

Status failed_read(const std::string& condition, const std::string& uri, const std::string& reason) {
  const Status plain = error(condition, {{"path", uri}});
  ErrorDetail detail = plain.detail();
  detail.message += " " + reason;
  return Status(std::move(detail));
}

Status status_of(const EngineFailure& failure) {
  if (failure.cancelled) return cancelled();
  switch (failure.type) {
    case DUCKDB_ERROR_INTERRUPT: return cancelled();
    case DUCKDB_ERROR_OUT_OF_MEMORY: return error("OUT_OF_MEMORY", {{"message", failure.message}});
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_HTTP:
    case DUCKDB_ERROR_PERMISSION: {
      const std::string path = quoted_part(failure.message);
      return failed_read("FAILED_READ_FILE", "file://" + path, failure.message);
    }
    default: break;
  }
  const std::string_view message = failure.message;
  if (message.find("null_padding in conjunction with quoted new lines") != std::string_view::npos) {
    return unsupported("line breaks within quotes of CSV files without the option multiLine");
  }
  if (message.find("malformed record in ") != std::string_view::npos)
    return error("FAILED_READ_FILE.NO_HINT", {{"path", quoted_part(message)}});
  // Files that break off say so in many ways, always with the file's name.
  if (message.find("arquet") != std::string_view::npos ||
      message.find("CSV Error") != std::string_view::npos ||
      message.find("Malformed JSON") != std::string_view::npos ||
      message.find("Snappy") != std::string_view::npos) {
    const std::string path = quoted_part(message);
    return failed_read("FAILED_READ_FILE", "file://" + path, failure.message);
  }
  // Limits of the engine that no function of Spark's has reported before.
  const size_t out_of_range = message.find("out of range");
  if (out_of_range != std::string_view::npos ||
      message.find("Out of Range Error") != std::string_view::npos) {
    const size_t begin = message.rfind("Error: ");
    return error("ARITHMETIC_OVERFLOW",
                 {{"message", std::string(message.substr(begin == std::string_view::npos ? 0 : begin + 7))},
                  {"alternative", ""},
                  {"config", "\"spark.sql.ansi.enabled\""}});
  }
  if (message.find("larger than 2^32 elements") != std::string_view::npos)
    return unsupported("arrays of more than 2^32 elements");
  return internal_error("DuckDB: " + failure.message);
}

}  // namespace deuteron::relational
