// The pool's state and all that happens on its thread: zygotes (pool_zygotes.cc), workers (pool_workers.cc),
// tasks (pool_tasks.cc), and what is kept in order meanwhile (pool_upkeep.cc). worker_pool.cc posts the calls
// of other threads. All methods run on the loop's thread, but for those that say otherwise.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "worker_pool/activity_watch.h"
#include "worker_pool/barrier_socket.h"
#include "worker_pool/event_loop.h"
#include "worker_pool/process_memory.h"
#include "worker_pool/worker.h"
#include "worker_pool/worker_output.h"
#include "worker_pool/worker_pool.h"
#include "worker_pool/zygote.h"

namespace deuteron::worker_pool {

class WorkerPool::Loop {
 public:
  Loop(WorkerPoolOptions options, WorkerPoolListener& listener, std::string directory)
      : options_(std::move(options)),
        listener_(listener),
        directory_(std::move(directory)),
        log_(options_.log_descriptor, options_.on_line) {
    thread_ = std::thread([this] { loop_.run(); });
  }

  ~Loop() {
    loop_.post([this] { shut_down(); });
    loop_.stop();
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  // By any thread.
  void post(EventLoop::Function function) { loop_.post(std::move(function)); }
  ZygoteId next_zygote() { return next_zygote_++; }
  std::string barrier_path(TaskId task) const { return directory_ + "/barrier-" + std::to_string(task); }

  void start_zygote(ZygoteId id, ZygoteOptions options);
  ZygoteId find_template(const ZygoteOptions& options);
  void stop_zygote(ZygoteId id);
  void set_spares(ZygoteId id, int spares);
  void preload(ZygoteId id, const std::vector<std::string>& modules);
  void submit(WorkerTask task);
  void add_input(TaskId task, const std::vector<InputPart>& parts, bool complete);
  void kill(TaskId task);
  void request_stacks(TaskId task);
  void forget_slabs(const std::vector<uint64_t>& slabs);
  void answer_barrier(const std::vector<TaskId>& tasks, const std::vector<std::string>& messages);
  void refuse_barrier(const std::vector<TaskId>& tasks);

  // By any thread. Answers to barriers are urgent and touch nothing but the task's socket: at once when we
  // are on the loop's thread.
  void post_urgent(EventLoop::Function function) {
    loop_.on_loop_thread() ? function() : loop_.post(std::move(function));
  }

 private:
  using TaskPointer = std::shared_ptr<const WorkerTask>;
  using State = WorkerProcess::State;

  struct Zygote {
    ZygoteOptions options;
    ZygoteId parent = 0;  // the template that it is forked from; 0: an interpreter of its own
    uint64_t memory_limit_bytes = 0;
    std::unique_ptr<ZygoteProcess> process;
    int failed_starts = 0;
    int failed_forks = 0;  // workers in a row that ended before they were ready
    SteadyTime last_used = steady_now();
    std::deque<TaskPointer> waiting;
    std::set<std::string> wanted_modules;     // to be imported by the process
    std::set<std::string> preloaded_modules;  // it was told to
    bool preload_planned = false;
    bool preloading = false;
    bool preload_failed = false;  // the process ended or hung while it imported: never again
    bool refill_planned = false;
    bool trim_planned = false;
  };

  struct Worker {
    std::unique_ptr<WorkerProcess> process;
    EventLoop::TimerId start_timer = 0;
    EventLoop::TimerId end_timer = 0;
    int pidfd = -1;                // of process
    EventLoop::Function at_end;    // tells of its task, when the process has ended
    uint64_t inherited_bytes = 0;  // memory that it shares with its zygote
    bool is_spare = false;         // was forked before anybody needed it
    bool lost = false;             // ended, or about to be found so
    bool killed = false;           // by kill() or stop_zygote()
    std::string out_of_memory;     // killed by the memory check: why
    std::string zygote_end;        // its zygote ended: how
    bool end_known = false;        // exit_status and signal are set
    int exit_status = -1;
    int signal = 0;
  };

  // Zygotes
  void launch(ZygoteId id);
  Result<std::unique_ptr<ZygoteProcess>> start_process(ZygoteId id, Zygote& zygote);
  void on_zygote_forked(ZygoteId id, pid_t process, FileDescriptor pidfd);
  ZygoteProcess::Events zygote_events(ZygoteId id);
  void on_zygote_ready(ZygoteId id);
  void on_zygote_ended(ZygoteId id, const std::string& reason);
  void fail_waiting(Zygote& zygote, FailureKind kind, const Status& status);
  void send_preload(ZygoteId id);
  void on_preloaded(ZygoteId id);

  // Workers
  void fork_worker(ZygoteId id, bool spare);
  WorkerProcess::Events worker_events(WorkerId id, ZygoteId zygote);
  void on_worker_ready(WorkerId id);
  void on_worker_lost(WorkerId id);
  void on_worker_ended(WorkerId id, int exit_status, int signal);
  void on_start_deadline(WorkerId id);
  void on_fork_lost(Worker& worker);
  void plan_bury(WorkerId id, Duration delay);
  void bury(WorkerId id);
  std::string describe_end(Worker& worker);
  std::string described_with_output(Worker& worker);
  TaskFailure failure_of(Worker& worker, const WorkerTask& task);
  void on_import(ZygoteId zygote, const std::string& module);

  // Tasks
  void pump(ZygoteId id);
  WorkerProcess* find_idle(ZygoteId zygote, bool fresh);
  void assign(WorkerProcess& worker, TaskPointer task);
  void on_task_end(WorkerId id, WorkerProcess::TaskEnd end);
  void tell_at_end(WorkerId id, EventLoop::Function tell);
  void end_task(TaskId task);
  void end_by_force(WorkerId id);
  void fail(TaskId task, FailureKind kind, Status status);
  Status python_error(const std::string& traceback, ZygoteId zygote) const;

  void plan_refill(ZygoteId id);
  void refill(ZygoteId id);
  void plan_trim(ZygoteId id);
  void trim(ZygoteId id);
  int count(ZygoteId zygote, State state) const;
  std::vector<WorkerProcess*> idle_workers() const;
  void cap_idle();
  void plan_memory_check();
  void check_memory();
  void end_for_memory(Worker& worker, uint64_t used, const std::string& limit);
  void shut_down();

  // "Python workers cannot be started: <reason>".
  static Status not_started(const std::string& reason);
  // Whether the process has ended by then.
  static bool wait_for_end(int pidfd, SteadyTime deadline);

  const WorkerPoolOptions options_;
  WorkerPoolListener& listener_;
  const std::string directory_;
  WorkerLog log_;
  EventLoop loop_;
  std::thread thread_;
  std::atomic<ZygoteId> next_zygote_{1};

  std::map<ZygoteId, Zygote> zygotes_;
  std::map<WorkerId, Worker> workers_;
  std::map<TaskId, WorkerId> running_;
  std::map<TaskId, std::unique_ptr<BarrierSocket>> barriers_;
  ActivityWatch activity_{loop_, [this](TaskId task, std::optional<SteadyTime> idle_since) {
                            listener_.on_task_idle(task, idle_since);
                          }};
  WorkerId next_worker_ = 1;
  const uint64_t all_workers_limit_bytes_ = all_workers_memory_bytes();
  // They warm themselves up: no more than the machine's cores, or who works would hardly get one.
  const int spares_at_once_ = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  bool memory_check_planned_ = false;
};

}  // namespace deuteron::worker_pool
