#include "server/server.h"

#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/byte_size.h"
#include "base/log.h"
#include "connect/native/backend.h"
#include "connect/service/service.h"
#include "events/bus.h"
#include "events/event_lines.h"
#include "events/event_log.h"
#include "events/server_log.h"
#include "exchange/shared_memory.h"
#include "execution/executor.h"
#include "relational/engine.h"
#include "resources/discovery.h"
#include "server/callback_heartbeat.h"
#include "server/listener.h"
#include "server/python_environment.h"
#include "server/running_servers.h"
#include "server/runtime_directory.h"
#include "session/registry.h"

namespace deuteron::server {
namespace {

uint64_t machine_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
}

int32_t cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

int32_t slots_of(const Options& options) { return options.slots > 0 ? options.slots : cores(); }

// "": 60 % of the machine. The text was checked before.
uint64_t memory_or_share(const std::string& text) {
  return text.empty() ? machine_memory() / 10 * 6 : *parse_byte_size(text);
}

relational::EngineOptions engine_options(const Options& options, const std::string& spill_directory) {
  relational::EngineOptions engine;
  // Slots may be more than cores, for ranks that wait for each other; threads of a query do not wait.
  engine.threads = std::min(slots_of(options), cores());
  engine.memory_limit_bytes = memory_or_share(options.memory) / 2;
  engine.spill_directory = spill_directory;
  return engine;
}

exchange::SharedMemoryOptions memory_options(const Options& options, const std::string& spill_directory) {
  exchange::SharedMemoryOptions memory;
  memory.budget_bytes = options.fault_spill_all ? 1 : memory_or_share(options.memory) / 2;
  memory.spill_directory = spill_directory;
  return memory;
}

execution::ExecutorOptions executor_options(const Options& options, const PythonEnvironment& python,
                                            const std::string& runtime_directory) {
  execution::ExecutorOptions executor;
  executor.cpus = slots_of(options);
  executor.python_interpreter = python.interpreter;
  executor.python_folder = python.package_folder;
  executor.spare_workers = slots_of(options);
  executor.worker_memory_bytes = options.worker_memory.empty() ? 0 : *parse_byte_size(options.worker_memory);
  executor.runtime_directory = runtime_directory;
  executor.settings = settings_of(options);
  const auto claims = executor.settings.find("spark.deuteron.resource.claimsDirectory");
  executor.claims_directory = claims == executor.settings.end() ? "/tmp/deuteron-resources" : claims->second;
  executor.withhold_kills = options.fault_withhold_kills;
  return executor;
}

connect::ServiceOptions service_options(const Options& options) {
  connect::ServiceOptions service;
  service.token = options.token;
  if (options.detach_seconds > 0) {
    service.detach.local = service.detach.remote = std::chrono::seconds(options.detach_seconds);
  }
  return service;
}

}  // namespace

// In the order in which each may use those before it; destroyed in the opposite order.
struct Server::Parts {
  Parts(const Options& options, RuntimeDirectory directory)
      : options(options), directory(std::move(directory)) {}

  ~Parts() { observe_log(nullptr); }

  Status start_log();
  Status start_engine(const PythonEnvironment& python);
  Status start_service();
  void clean_up_now_and_then();

  const Options options;
  const RuntimeDirectory directory;
  const std::string log_directory = options.log_directory.empty()
                                        ? directory.path() + "/log"
                                        : std::filesystem::absolute(options.log_directory).string();
  std::unique_ptr<events::ServerLog> log;
  events::Bus bus;
  std::map<std::string, tasks::Resource> resources;
  std::shared_ptr<exchange::SharedMemory> memory;
  std::unique_ptr<relational::Engine> engine;
  std::unique_ptr<execution::Executor> executor;
  session::Environment environment;
  std::unique_ptr<session::SessionRegistry> sessions;
  std::unique_ptr<connect::NativeBackend> backend;
  std::unique_ptr<connect::Service> service;
  Listener listener;
  std::optional<CallbackHeartbeat> heartbeat;
  std::mutex mutex;
  std::condition_variable stopping_changed;
  bool stopping = false;
  std::thread cleaner;
};

Status Server::Parts::start_log() {
  ASSIGN_OR_RETURN(log, events::ServerLog::open(log_directory, *parse_byte_size(options.log_size)));
  events::tell_events(bus, *log);
  const auto origin = std::make_shared<const events::LogOrigin>(events::LogOrigin{.source = "server"});
  observe_log(
      [log = log.get(), origin](LogLevel, std::string_view message) { log->append(origin, message); });
  return {};
}

Status Server::Parts::start_engine(const PythonEnvironment& python) {
  const std::string spill = options.spill_directory.empty() ? directory.path() : options.spill_directory;
  memory = exchange::SharedMemory::create(memory_options(options, spill));
  ASSIGN_OR_RETURN(engine, relational::make_engine(engine_options(options, spill), memory));
  ASSIGN_OR_RETURN(resources, resources::discover(settings_of(options)));
  execution::ExecutorOptions its_options = executor_options(options, python, directory.path());
  its_options.resources = resources;
  its_options.log = log.get();
  ASSIGN_OR_RETURN(executor, execution::make_executor(its_options, *engine, memory, bus));
  return {};
}

Status Server::Parts::start_service() {
  environment.resources = resources;
  environment.executor = executor.get();
  environment.files = &engine->files();
  const std::string slots = std::to_string(slots_of(options));
  environment.server_defaults = settings_of(options);
  environment.server_defaults.merge(std::map<std::string, std::string>{
      {"spark.default.parallelism", slots}, {"spark.sql.shuffle.partitions", slots}});
  environment.artifact_directory = directory.path() + "/artifacts";
  sessions = std::make_unique<session::SessionRegistry>(environment,
                                                        std::chrono::minutes(options.idle_session_minutes));
  backend = std::make_unique<connect::NativeBackend>(*sessions);
  service = std::make_unique<connect::Service>(*backend, service_options(options));
  ASSIGN_OR_RETURN(listener, listen(options, *service));
  RETURN_IF_ERROR(leave_note(directory.path(), {listener.port, log_directory}));
  heartbeat.emplace();
  cleaner = std::thread([this] { clean_up_now_and_then(); });
  return {};
}

void Server::Parts::clean_up_now_and_then() {
  std::unique_lock lock(mutex);
  while (!stopping_changed.wait_for(lock, std::chrono::seconds(1), [&] { return stopping; })) {
    lock.unlock();
    service->clean_up();
    lock.lock();
  }
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(const Options& options) {
  RETURN_IF_ERROR(check(options));
  ASSIGN_OR_RETURN(const PythonEnvironment python, find_python(options.python));
  ASSIGN_OR_RETURN(RuntimeDirectory directory, RuntimeDirectory::make(""));
  auto parts = std::make_unique<Parts>(options, std::move(directory));
  RETURN_IF_ERROR(parts->start_log());
  if (!options.event_log.empty()) {
    ASSIGN_OR_RETURN(const std::string path, events::write_event_log(options.event_log, parts->bus));
    log_info("events are written to " + path);
  }
  RETURN_IF_ERROR(parts->start_engine(python));
  RETURN_IF_ERROR(parts->start_service());
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

int Server::port() const { return parts_->listener.port; }

void Server::stop() {
  {
    std::lock_guard lock(parts_->mutex);
    if (parts_->stopping) return;
    parts_->stopping = true;
  }
  parts_->stopping_changed.notify_all();
  parts_->cleaner.join();
  parts_->service->drain(std::chrono::seconds(parts_->options.drain_seconds));
  parts_->listener.grpc->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
}

}  // namespace deuteron::server
