#include <unistd.h>

#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "execution/executor.h"
#include "execution/explain.h"
#include "execution/plan_rewrite.h"
#include "execution/python_launcher.h"
#include "execution/query_run.h"
#include "execution/queue_settings.h"
#include "execution/resource_settings.h"
#include "execution/resource_watch.h"
#include "execution/show_string.h"
#include "execution/unpack_archive.h"
#include "worker_pool/process_memory.h"

namespace deuteron::execution {
namespace {

using plan::resolved::RelationPtr;

int32_t number_of_cores() { return static_cast<int32_t>(std::max(1U, std::thread::hardware_concurrency())); }

// Lets workers unmap slabs that are gone, as long as there is a pool. Slabs may outlive the executor.
struct SlabWatch {
  std::mutex mutex;
  worker_pool::WorkerPool* pool = nullptr;
};

worker_pool::WorkerPoolOptions::LineHandler lines_without_task(events::ServerLog& log) {
  return [&log, origin = std::make_shared<const events::LogOrigin>(events::LogOrigin{.source = "python"})](
             const std::string& label, std::string_view line) {
    log.append(origin, "[" + label + "] " + std::string(line));
  };
}

// Of a query that the analysis runs.
class NoProgress : public ProgressSink {
 public:
  void on_progress(const std::vector<StageProgress>&, int64_t) override {}
};

struct Policies {
  scheduler::core::QueuePolicy queue;
  scheduler::core::ExclusionPolicy exclusion;
};

tasks::Machine machine(const ExecutorOptions& options) {
  const auto memory = static_cast<int64_t>(worker_pool::all_workers_memory_bytes());
  return {options.cpus > 0 ? options.cpus : number_of_cores(), options.resources, memory};
}

// Everything runs on this machine: relational stages in the embedded engine, tasks in the worker pool.
class LocalExecutor : public Executor {
 public:
  LocalExecutor(const ExecutorOptions& options, Policies policies, std::shared_ptr<resources::Claims> claims,
                relational::Engine& engine, std::shared_ptr<exchange::SharedMemory> memory, events::Bus& bus)
      : options_(options),
        memory_(std::move(memory)),
        bus_(bus),
        launcher_(memory_, bus, options.log, claims),
        resource_watch_(machine(options), std::move(claims)),
        scheduler_(machine(options), launcher_, bus, std::move(policies.queue), policies.exclusion,
                   resource_watch_.in_use()),
        services_{engine,
                  scheduler_,
                  jobs_,
                  *memory_,
                  bus,
                  [this](const Request& request) { return zygote_for(request); },
                  options.python_folder,
                  options.runtime_directory} {}

  Status start_pool() {
    resource_watch_.start(
        [this](const scheduler::core::Address& address) { scheduler_.address_freed(address); });
    worker_pool::WorkerPoolOptions pool_options;
    pool_options.runtime_directory = options_.runtime_directory;
    pool_options.log_descriptor = options_.worker_log_descriptor;
    if (options_.log != nullptr) pool_options.on_line = lines_without_task(*options_.log);
    // A gang that takes all slots finds its ranks warm again, and so does whoever came meanwhile.
    pool_options.max_idle_workers = 2 * machine(options_).cpus + 16;
    pool_options.withhold_kills = options_.withhold_kills;
    ASSIGN_OR_RETURN(pool_, worker_pool::WorkerPool::make(pool_options, launcher_));
    launcher_.connect(*pool_, scheduler_);
    slab_watch_->pool = pool_.get();
    memory_->on_slab_gone([watch = slab_watch_](int64_t slab) {
      std::lock_guard lock(watch->mutex);
      if (watch->pool != nullptr) watch->pool->forget_slabs({static_cast<uint64_t>(slab)});
    });
    return Status();
  }

  // The scheduler stops first, so that it starts nothing more; it is destroyed after the pool, which still
  // tells it of ends.
  ~LocalExecutor() override {
    scheduler_.stop();
    launcher_.stop();
    {
      std::lock_guard lock(slab_watch_->mutex);
      slab_watch_->pool = nullptr;
    }
    pool_.reset();
  }

  Status run(const RelationPtr& plan, const Request& request, ResultSink& sink,
             CancelToken& cancel) override {
    return observed(request, [&]() -> Status {
      QueryRun run(services_, request, sink, cancel);
      return run.final_status(run_query(plan, run, sink));
    });
  }

  Status write(const RelationPtr& plan, const WriteTarget& target, const Request& request, ProgressSink& sink,
               CancelToken& cancel) override {
    return observed(request, [&]() -> Status {
      QueryRun run(services_, request, sink, cancel);
      return run.final_status(run_write(plan, target, run));
    });
  }

  Result<std::vector<std::optional<std::string>>> collect_text(const RelationPtr& plan, int64_t limit,
                                                               const Request& request) override {
    NoProgress nobody;
    CancelToken never;
    QueryRun run(services_, request, nobody, never);
    ASSIGN_OR_RETURN(const RelationPtr fragment, run.run_stages(plan));
    std::vector<std::optional<std::string>> texts;
    RETURN_IF_ERROR(run.read(fragment, [&]() -> Status {
      ASSIGN_OR_RETURN(const auto rows,
                       services_.engine.collect_text(fragment, run.context(), limit, run.stop()));
      texts.clear();
      for (const auto& row : rows) texts.push_back(row[0]);
      return Status();
    }));
    return texts;
  }

  PartitionBytes run_partitions(const RelationPtr& plan, const Request& request, ProgressSink& sink,
                                CancelToken& cancel) override {
    PartitionBytes left;
    left.status = observed(request, [&]() -> Status {
      QueryRun run(services_, request, sink, cancel);
      left = run.run_partitions(plan);
      return run.final_status(left.status);
    });
    return left;
  }

  Result<std::string> explain(const RelationPtr& plan, const Request& request) override {
    return explain_stages(plan, services_.engine, request, scheduler_.machine().cpus);
  }

  std::vector<WaitingGang> waiting_gangs(const std::string& session_id) override {
    std::vector<WaitingGang> gangs;
    for (const auto& [job, operation] : jobs_.of_session(session_id)) {
      for (const scheduler::core::GangWaits& gang : scheduler_.waiting(job)) {
        std::optional<std::chrono::microseconds> expected;
        if (gang.expected) expected = std::chrono::duration_cast<std::chrono::microseconds>(*gang.expected);
        gangs.push_back({operation, gang.stage, gang.pool, gang.position, gang.reason, expected});
      }
    }
    return gangs;
  }

  void warm_up() override { pool_->start_template(zygote_options()); }

  Status unpack(const std::string& archive, const std::string& folder, uint64_t limit_bytes) override {
    return unpack_archive(options_.python_interpreter, options_.python_folder, archive, folder, limit_bytes);
  }

  void close_session(const std::string& session_id) override {
    std::vector<worker_pool::ZygoteId> ended;
    {
      std::lock_guard lock(mutex_);
      for (auto found = zygotes_.lower_bound({session_id, {}});
           found != zygotes_.end() && found->first.first == session_id;) {
        ended.push_back(found->second);
        found = zygotes_.erase(found);
      }
    }
    for (const worker_pool::ZygoteId zygote : ended) pool_->stop_zygote(zygote);
    memory_->drop_owner(session_id);
  }

 private:
  template <typename Work>
  Status observed(const Request& request, const Work& work) {
    bus_.publish(events::OperationStarted{request.session_id, request.operation_id});
    Status status = work();
    bus_.publish(events::OperationFinished{request.session_id, request.operation_id,
                                           status.ok() ? "" : status.to_string()});
    return status;
  }

  Status run_query(const RelationPtr& plan, QueryRun& run, ResultSink& sink) {
    const auto stream = [&sink](exchange::EncodedBatch batch) { return sink.on_batch(std::move(batch)); };
    ASSIGN_OR_RETURN(RelationPtr fragment, run.run_stages(plan, stream));
    if (fragment == nullptr) return Status();
    if (const auto* show = plan::resolved::as<plan::resolved::ShowString>(fragment)) {
      RelationPtr row;
      RETURN_IF_ERROR(run.read(fragment, [&]() -> Status {
        ASSIGN_OR_RETURN(row,
                         show_as_row(*show, fragment->output, services_.engine, run.context(), run.stop()));
        return Status();
      }));
      fragment = std::move(row);
    }
    bool has_begun = false;
    const auto deliver = [&](exchange::EncodedBatch batch) -> Status {
      RETURN_IF_ERROR(run.check(fragment));
      has_begun = true;
      return sink.on_batch(std::move(batch));
    };
    const auto query = [&] {
      return services_.engine.query(fragment, run.begin_relational_stage(), deliver, run.stop());
    };
    return run.read(fragment, query, &has_begun);
  }

  Status run_write(const RelationPtr& plan, const WriteTarget& target, QueryRun& run) {
    ASSIGN_OR_RETURN(const RelationPtr fragment, run.run_stages(plan));
    const relational::WriteRequest request{target.format, target.path, target.mode, target.partition_by,
                                           target.options};
    return run.read(fragment, [&] {
      return services_.engine.write(fragment, run.begin_relational_stage(), request, run.stop());
    });
  }

  worker_pool::ZygoteOptions zygote_options() const {
    worker_pool::ZygoteOptions zygote;
    zygote.interpreter = options_.python_interpreter;
    zygote.package_folder = options_.python_folder;
    zygote.spares = options_.spare_workers;
    zygote.memory_limit_bytes = options_.worker_memory_bytes;
    return zygote;
  }

  // The one that the session has chosen; a relative path begins where its files and archives are.
  static std::optional<std::string> interpreter_of(const Request& request) {
    const auto found = request.settings.find("spark.sql.execution.pyspark.python");
    if (found == request.settings.end() || found->second.empty()) return std::nullopt;
    const std::string& name = found->second;
    const bool is_relative = name.front() != '/' && name.find('/') != std::string::npos;
    return is_relative && !request.files_directory.empty() ? request.files_directory + "/" + name : name;
  }

  // Workers cannot forget a path they have had on sys.path, nor a module they imported: one zygote per
  // session, set of artifacts and interpreter.
  worker_pool::ZygoteId zygote_for(const Request& request) {
    std::lock_guard lock(mutex_);
    worker_pool::ZygoteOptions zygote = zygote_options();
    if (const auto interpreter = interpreter_of(request)) {
      zygote.interpreter = *interpreter;
      zygote.has_own_interpreter = true;
    }
    auto key = std::make_pair(request.session_id, request.python_paths);
    key.second.push_back(zygote.interpreter);
    const auto found = zygotes_.find(key);
    if (found != zygotes_.end()) return found->second;
    zygote.name = "python-" + request.session_id.substr(0, 8);
    return zygotes_[key] = pool_->start_zygote(std::move(zygote));
  }

  const ExecutorOptions options_;
  const std::shared_ptr<exchange::SharedMemory> memory_;
  events::Bus& bus_;
  PythonLauncher launcher_;
  ResourceWatch resource_watch_;
  scheduler::Scheduler scheduler_;
  RunningJobs jobs_;
  const Services services_;
  std::unique_ptr<worker_pool::WorkerPool> pool_;
  const std::shared_ptr<SlabWatch> slab_watch_ = std::make_shared<SlabWatch>();
  std::mutex mutex_;
  std::map<std::pair<std::string, std::vector<std::string>>, worker_pool::ZygoteId>
      zygotes_;  // by session, then paths and the interpreter; guarded by mutex_
};

}  // namespace

Result<std::unique_ptr<Executor>> make_executor(const ExecutorOptions& options, relational::Engine& engine,
                                                std::shared_ptr<exchange::SharedMemory> memory,
                                                events::Bus& bus) {
  ASSIGN_OR_RETURN(auto policy, queue_policy(options.settings));
  RETURN_IF_ERROR(queue_rules(options.settings).status());  // the sessions' defaults
  RETURN_IF_ERROR(gang_rules(options.settings).status());
  ASSIGN_OR_RETURN(const auto exclusion, exclusion_policy(options.settings));
  RETURN_IF_ERROR(task_slots(options.settings).status());
  std::shared_ptr<resources::Claims> claims;
  if (!options.resources.empty()) {
    ASSIGN_OR_RETURN(claims, resources::Claims::make(options.claims_directory));
  }
  auto executor = std::make_unique<LocalExecutor>(options, Policies{std::move(policy), exclusion},
                                                  std::move(claims), engine, std::move(memory), bus);
  RETURN_IF_ERROR(executor->start_pool());
  return std::unique_ptr<Executor>(std::move(executor));
}

}  // namespace deuteron::execution
