#include "worker_pool/worker_pool.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <set>
#include <thread>

#include "base/log.h"
#include "worker_pool/activity_watch.h"
#include "worker_pool/barrier_socket.h"
#include "worker_pool/event_loop.h"
#include "worker_pool/process_memory.h"
#include "worker_pool/worker.h"
#include "worker_pool/worker_output.h"
#include "worker_pool/zygote.h"

namespace deuteron::worker_pool {

namespace {
using std::chrono::milliseconds;

constexpr milliseconds kExitNewsDelay{
    50};  // how much later than a worker's end the zygote may tell how it ended
constexpr milliseconds kRefillDelay{
    20};  // spares are forked when the tasks that took the last ones are under way
constexpr milliseconds kIdleTime{30'000};  // then workers beyond the spares end
constexpr milliseconds kShutdownDeadline{5'000};
constexpr milliseconds kExitDeadline{5'000};  // of a worker that was asked to end
constexpr double kDefaultMemoryShare = 0.6;
constexpr uint64_t kMemorySlack =
    32 << 20;  // so that a failing allocation comes before the end of the process

using TaskPointer = std::shared_ptr<const WorkerTask>;
using State = WorkerProcess::State;

// "ValueError: seven" out of a traceback.
std::string exception_line(const std::string& traceback) {
  size_t begin = traceback.rfind("\n  File \"");
  begin = begin == std::string::npos ? 0 : begin + 1;
  while (begin < traceback.size() && traceback[begin] == ' ') {
    const size_t end = traceback.find('\n', begin);
    if (end == std::string::npos) break;
    begin = end + 1;
  }
  std::string line = traceback.substr(begin);
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

std::string describe_signal(int signal) {
  const char* name = sigabbrev_np(signal);
  return std::string("killed by signal ") + std::to_string(signal) +
         (name ? std::string(" (SIG") + name + ")" : "");
}

// Variables that take effect only when an interpreter or a library starts.
bool is_read_at_start(const std::string& variable) {
  for (const char* prefix : {"PYTHON", "LD_", "OMP_", "MKL_", "OPENBLAS_", "MALLOC_", "KMP_", "GOMP_"}) {
    if (variable.starts_with(prefix)) return true;
  }
  return false;
}

Status not_started(const std::string& reason) {
  return internal_error("Python workers cannot be started: " + reason);
}

Status crashed(const WorkerTask& task, const std::string& reason) {
  return error("PYTHON_WORKER_CRASHED", {{"reason", "the worker of " + task.label + ": " + reason}});
}

Result<std::string> make_private_directory(const std::string& parent_option) {
  const char* runtime_directory = std::getenv("XDG_RUNTIME_DIR");
  std::string parent = parent_option;
  if (parent.empty())
    parent = runtime_directory != nullptr && *runtime_directory != '\0' ? runtime_directory : "/tmp";
  std::string path = parent + "/deuteron-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {  // mode 0700
    return internal_error("cannot make a folder in " + parent + ": " + std::strerror(errno));
  }
  return path;
}

bool wait_for_end(int pidfd, SteadyTime deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_now()).count();
  pollfd ended{pidfd, POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(std::max<int64_t>(left, 0))) == 1;
}
}  // namespace

// The state of the pool. All methods but those called by WorkerPool run on the loop's thread.
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

  // Answers to barriers are urgent and touch nothing but the task's socket: at once when we are on the loop's
  // thread.
  void post_urgent(EventLoop::Function function) {
    loop_.on_loop_thread() ? function() : loop_.post(std::move(function));
  }

 private:
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
  bool memory_check_planned_ = false;
};

// ---- zygotes

void WorkerPool::Loop::start_zygote(ZygoteId id, ZygoteOptions options) {
  Zygote& zygote = zygotes_[id];
  zygote.memory_limit_bytes = options.memory_limit_bytes != 0
                                  ? options.memory_limit_bytes
                                  : static_cast<uint64_t>(machine_memory_bytes() * kDefaultMemoryShare);
  zygote.options = std::move(options);
  zygote.parent = find_template(zygote.options);
  launch(id);
}

// The zygote from which zygotes of these options can be forked, started when there is none. It runs no
// workers itself.
ZygoteId WorkerPool::Loop::find_template(const ZygoteOptions& options) {
  if (options.has_own_interpreter) return 0;
  for (const auto& [key, value] : options.environment) {
    if (is_read_at_start(key)) return 0;
  }
  for (const auto& [id, zygote] : zygotes_) {
    if (id < 0 && zygote.options.interpreter == options.interpreter &&
        zygote.options.package_folder == options.package_folder) {
      return id;
    }
  }
  const ZygoteId id = -next_zygote();
  Zygote& zygote = zygotes_[id];
  zygote.options = options;
  zygote.options.name = "python";
  zygote.options.environment.clear();
  zygote.options.spares = 0;
  launch(id);
  return id;
}

void WorkerPool::Loop::launch(ZygoteId id) {
  Zygote& zygote = zygotes_.at(id);
  if (zygote.parent != 0) {
    Zygote& parent = zygotes_.at(zygote.parent);
    if (!parent.process) launch(zygote.parent);
    if (!parent.process || !parent.process->ready() || parent.process->has_ended())
      return;  // its on_zygote_ready() or on_zygote_ended() goes on
  }
  auto process = start_process(id, zygote);
  if (process.ok()) {
    zygote.process = *std::move(process);
    return;
  }
  const std::string reason = process.status().detail().message;
  loop_.post([this, id, reason] { on_zygote_ended(id, reason); });
}

Result<std::unique_ptr<ZygoteProcess>> WorkerPool::Loop::start_process(ZygoteId id, Zygote& zygote) {
  if (zygote.parent == 0) return ZygoteProcess::start(loop_, zygote.options, log_, zygote_events(id));
  ZygoteProcess& parent = *zygotes_.at(zygote.parent).process;
  return ZygoteProcess::fork_from(parent, id, zygote.options, log_, zygote_events(id));
}

void WorkerPool::Loop::on_zygote_forked(ZygoteId id, pid_t process, FileDescriptor pidfd) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end() || !found->second.process)
    return;  // stopped meanwhile; it sees its socket closed
  if (pidfd.valid()) return found->second.process->set_process(process, std::move(pidfd));
  loop_.post([this, id] { on_zygote_ended(id, "the template of Python processes cannot be forked"); });
}

ZygoteProcess::Events WorkerPool::Loop::zygote_events(ZygoteId id) {
  return {
      .on_ready = [this, id] { on_zygote_ready(id); },
      .on_forked =
          [this](WorkerId worker, pid_t process, FileDescriptor pidfd) {
            const auto found = workers_.find(worker);
            if (found == workers_.end()) return;  // given up meanwhile; it sees its socket closed and ends
            found->second.pidfd = pidfd.get();
            found->second.process->set_process(process, std::move(pidfd));
          },
      .on_fork_failed =
          [this](WorkerId worker, const std::string& error) {
            log_error("cannot fork a Python worker: " + error);
            on_worker_lost(worker);
          },
      .on_worker_ended = [this](WorkerId worker, int exit_status,
                                int signal) { on_worker_ended(worker, exit_status, signal); },
      .on_zygote_forked = [this](
                              ZygoteId zygote, pid_t process,
                              FileDescriptor pidfd) { on_zygote_forked(zygote, process, std::move(pidfd)); },
      .on_preloaded = [this, id] { on_preloaded(id); },
      .on_ended =
          [this, id](std::string reason) { loop_.post([this, id, reason] { on_zygote_ended(id, reason); }); },
  };
}

void WorkerPool::Loop::on_zygote_ready(ZygoteId id) {
  if (const ZygoteId parent = zygotes_.at(id).parent; parent != 0) zygotes_.at(parent).failed_starts = 0;
  std::vector<ZygoteId> forks;
  for (const auto& [other, zygote] : zygotes_) {
    if (zygote.parent == id && !zygote.process) forks.push_back(other);
  }
  for (const ZygoteId fork : forks) launch(fork);
  pump(id);
  refill(id);
  send_preload(id);
}

void WorkerPool::Loop::on_zygote_ended(ZygoteId id, const std::string& reason) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  Zygote& zygote = found->second;
  log_warning(reason);
  zygote.process.reset();
  zygote.preloaded_modules.clear();
  if (std::exchange(zygote.preloading, false)) zygote.preload_failed = true;
  ++zygote.failed_starts;
  std::vector<WorkerId> lost;
  for (auto& [worker_id, worker] : workers_) {
    if (worker.process->zygote() != id) continue;
    worker.zygote_end = reason;
    worker.process->kill();  // also what it started; the worker itself is being killed by the kernel
    if (worker.pidfd < 0) lost.push_back(worker_id);
  }
  for (const WorkerId worker : lost) plan_bury(worker, Duration::zero());
  if (zygote.failed_starts < options_.start_attempts) return launch(id);
  for (auto& [other, fork] : zygotes_) {
    if (fork.parent == id && !fork.process) fail_waiting(fork, FailureKind::kNotStarted, not_started(reason));
  }
  fail_waiting(zygote, FailureKind::kNotStarted, not_started(reason));
}

void WorkerPool::Loop::fail_waiting(Zygote& zygote, FailureKind kind, const Status& status) {
  std::deque<TaskPointer> waiting;
  waiting.swap(zygote.waiting);
  for (const TaskPointer& task : waiting) fail(task->task, kind, status);
}

void WorkerPool::Loop::stop_zygote(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  fail_waiting(found->second, FailureKind::kKilled, cancelled());
  std::vector<WorkerId> unborn;
  for (auto& [worker_id, worker] : workers_) {
    if (worker.process->zygote() != id) continue;
    worker.killed = true;
    worker.process->kill();
    if (worker.pidfd < 0) unborn.push_back(worker_id);
  }
  zygotes_.erase(found);
  for (const WorkerId worker : unborn) plan_bury(worker, Duration::zero());
}

void WorkerPool::Loop::set_spares(ZygoteId id, int spares) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  found->second.options.spares = spares;
  refill(id);
}

void WorkerPool::Loop::preload(ZygoteId id, const std::vector<std::string>& modules) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  found->second.wanted_modules.insert(modules.begin(), modules.end());
  send_preload(id);
}

void WorkerPool::Loop::send_preload(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  Zygote& zygote = found->second;
  zygote.preload_planned = false;
  if (!zygote.process || !zygote.process->ready()) return;  // on_zygote_ready() does it
  std::vector<std::string> modules;
  for (const std::string& module : zygote.wanted_modules) {
    if (zygote.preloaded_modules.insert(module).second) modules.push_back(module);
  }
  if (modules.empty() || zygote.preload_failed) return;
  zygote.preloading = true;
  zygote.process->preload(modules);
}

// Spares from before lack the modules: they make room for new ones.
void WorkerPool::Loop::on_preloaded(ZygoteId id) {
  zygotes_.at(id).preloading = false;
  for (auto& [worker_id, worker] : workers_) {
    WorkerProcess& process = *worker.process;
    if (process.zygote() == id && process.state() == State::kIdle && process.fresh()) process.ask_to_exit();
  }
  refill(id);
}

void WorkerPool::Loop::on_import(ZygoteId id, const std::string& module) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end() || options_.preload_delay < milliseconds::zero()) return;
  if (!found->second.wanted_modules.insert(module).second || found->second.preload_planned) return;
  found->second.preload_planned = true;
  loop_.call_after(options_.preload_delay, [this, id] { send_preload(id); });
}

// ---- workers

void WorkerPool::Loop::fork_worker(ZygoteId id, bool spare) {
  Zygote& zygote = zygotes_.at(id);
  const WorkerId worker_id = next_worker_++;
  std::vector<FileDescriptor> theirs;
  auto process = WorkerProcess::prepare(loop_, log_, worker_id, id, worker_events(worker_id, id), theirs);
  if (!process.ok()) {
    fail_waiting(zygote, FailureKind::kNotStarted, process.status());
    return;
  }
  Worker& worker = workers_[worker_id];
  worker.process = *std::move(process);
  worker.start_timer =
      loop_.call_after(options_.fork_deadline, [this, worker_id] { on_start_deadline(worker_id); });
  const uint64_t data_limit_bytes = zygote.options.limit_allocations ? zygote.memory_limit_bytes : 0;
  zygote.process->fork(worker_id, spare, data_limit_bytes, std::move(theirs));
}

WorkerProcess::Events WorkerPool::Loop::worker_events(WorkerId id, ZygoteId zygote) {
  return {
      .on_ready = [this, id] { on_worker_ready(id); },
      .on_task_output =
          [this, id](const SharedMemoryRegion& stream) {
            listener_.on_task_output(workers_.at(id).process->task().task, stream);
          },
      .on_task_end = [this, id](WorkerProcess::TaskEnd end) { on_task_end(id, std::move(end)); },
      .on_import = [this, zygote](const std::string& module) { on_import(zygote, module); },
      .on_lost = [this, id] { on_worker_lost(id); },
  };
}

void WorkerPool::Loop::on_worker_ready(WorkerId id) {
  Worker& worker = workers_.at(id);
  loop_.cancel_timer(worker.start_timer);
  worker.inherited_bytes = private_memory_bytes(worker.process->process());
  const ZygoteId zygote = worker.process->zygote();
  if (const auto found = zygotes_.find(zygote); found != zygotes_.end()) {
    found->second.failed_starts = 0;
    found->second.failed_forks = 0;
  }
  listener_.on_worker_started(id, zygote, worker.process->process());
  pump(zygote);
  cap_idle();
}

void WorkerPool::Loop::on_start_deadline(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  log_warning("a Python worker was not ready after " + std::to_string(options_.fork_deadline.count()) +
              " ms");
  const ZygoteId zygote = found->second.process->zygote();
  const bool forked = found->second.pidfd >= 0;
  if (forked) return found->second.process->kill();
  on_zygote_ended(zygote, "the Python process that starts workers did not answer");
}

// The process has ended, or has closed its socket and is ended. How it ended comes from the zygote, a moment
// later.
void WorkerPool::Loop::on_worker_lost(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.lost) return;
  Worker& worker = found->second;
  if (worker.at_end && !wait_for_end(worker.pidfd, steady_now())) return;  // its pidfd will tell
  worker.lost = true;
  const bool explained = worker.end_known || worker.killed || !worker.out_of_memory.empty() ||
                         (!worker.process->has_task() && worker.process->state() != State::kStarting);
  plan_bury(id, explained ? Duration::zero() : kExitNewsDelay);
}

void WorkerPool::Loop::on_worker_ended(WorkerId id, int exit_status, int signal) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  found->second.end_known = true;
  found->second.exit_status = exit_status;
  found->second.signal = signal;
  found->second.lost = true;
  plan_bury(id, Duration::zero());
}

// Not at once: we may be inside a call from the worker's own channel.
void WorkerPool::Loop::plan_bury(WorkerId id, Duration delay) {
  Worker& worker = workers_.at(id);
  worker.lost = true;
  loop_.cancel_timer(worker.end_timer);
  worker.end_timer = loop_.call_after(delay, [this, id] { bury(id); });
}

void WorkerPool::Loop::bury(WorkerId id) {
  auto node = workers_.extract(id);
  if (node.empty()) return;
  Worker& worker = node.mapped();
  loop_.cancel_timer(worker.start_timer);
  loop_.cancel_timer(worker.end_timer);
  const ZygoteId zygote = worker.process->zygote();
  const pid_t process = worker.process->process();
  if (!worker.end_known) worker.process->kill();  // it may only have closed its socket
  const std::string reason = describe_end(worker);
  if (worker.process->has_task()) {
    const TaskPointer task = worker.process->release_task(false);
    TaskFailure failure = failure_of(worker, *task);
    end_task(task->task);
    listener_.on_task_failed(task->task, std::move(failure));
  }
  if (worker.process->state() == State::kStarting) on_fork_lost(worker);
  if (worker.at_end) worker.at_end();
  listener_.on_worker_exited(id, process, reason);
  pump(zygote);
  plan_refill(zygote);
}

// It ended before it was ready. When that goes on, tasks that wait would wait for ever.
void WorkerPool::Loop::on_fork_lost(Worker& worker) {
  const auto found = zygotes_.find(worker.process->zygote());
  if (worker.killed || !worker.zygote_end.empty() || found == zygotes_.end()) return;
  if (++found->second.failed_forks < options_.start_attempts) return;
  const std::string reason = "a new worker ended before it was ready: " + described_with_output(worker);
  log_warning(reason);
  fail_waiting(found->second, FailureKind::kNotStarted, not_started(reason));
}

std::string WorkerPool::Loop::describe_end(Worker& worker) {
  if (worker.killed) return "stopped";
  if (!worker.out_of_memory.empty()) return worker.out_of_memory;
  if (!worker.zygote_end.empty()) return worker.zygote_end;
  if (!worker.end_known) return "lost without news of how it ended";
  return worker.signal != 0 ? describe_signal(worker.signal)
                            : "exit status " + std::to_string(worker.exit_status);
}

TaskFailure WorkerPool::Loop::failure_of(Worker& worker, const WorkerTask& task) {
  const auto zygote = zygotes_.find(worker.process->zygote());
  if (worker.killed || zygote == zygotes_.end()) return {FailureKind::kKilled, cancelled()};
  if (!worker.out_of_memory.empty()) {
    return {FailureKind::kMemoryLimit, crashed(task, worker.out_of_memory)};
  }
  return {FailureKind::kWorkerExited, crashed(task, described_with_output(worker)), worker.exit_status,
          worker.signal};
}

std::string WorkerPool::Loop::described_with_output(Worker& worker) {
  const std::string& tail = worker.process->output_tail();
  return describe_end(worker) + (tail.empty() ? "" : "; it printed last:\n" + tail);
}

// ---- tasks

void WorkerPool::Loop::submit(WorkerTask task) {
  const auto found = zygotes_.find(task.zygote);
  if (found == zygotes_.end()) {
    return fail(task.task, FailureKind::kNotStarted, not_started("the session has been closed"));
  }
  Zygote& zygote = found->second;
  const ZygoteId id = task.zygote;
  zygote.waiting.push_back(std::make_shared<const WorkerTask>(std::move(task)));
  if (!zygote.process) {  // it waits for its template, or had failed too often: then this task tries again
    zygote.failed_starts = 0;
    launch(id);
  }
  if (zygote.failed_forks >= options_.start_attempts) zygote.failed_forks = 0;
  pump(id);
}

// Gives waiting tasks to idle workers, and starts workers for the others.
void WorkerPool::Loop::pump(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  Zygote& zygote = found->second;
  for (size_t i = 0; i < zygote.waiting.size();) {
    WorkerProcess* const worker = find_idle(id, zygote.waiting[i]->single_use);
    if (worker == nullptr) {
      ++i;
      continue;
    }
    const TaskPointer task = zygote.waiting[i];
    zygote.waiting.erase(zygote.waiting.begin() + i);
    assign(*worker, task);
  }
  if (!zygote.process || !zygote.process->ready()) return;
  for (int starting = count(id, State::kStarting); starting < static_cast<int>(zygote.waiting.size());
       ++starting) {
    fork_worker(id, false);
  }
}

// Prefers a worker that has run tasks: fresh ones are worth more to those who need them.
WorkerProcess* WorkerPool::Loop::find_idle(ZygoteId zygote, bool fresh) {
  WorkerProcess* best = nullptr;
  for (auto& [id, worker] : workers_) {
    WorkerProcess& process = *worker.process;
    if (process.zygote() != zygote || process.state() != State::kIdle) continue;
    if (worker.lost || worker.killed) continue;
    if (fresh && !process.fresh()) continue;
    if (best == nullptr || (best->fresh() && !process.fresh())) best = &process;
  }
  return best;
}

void WorkerPool::Loop::assign(WorkerProcess& worker, TaskPointer task) {
  const TaskId id = task->task;
  if (task->barrier) {
    auto socket = BarrierSocket::listen(loop_, barrier_path(id), [this, id](tasks::BarrierRequest request) {
      listener_.on_barrier_call(id, std::move(request));
    });
    if (!socket.ok()) return fail(id, FailureKind::kNotStarted, socket.status());
    barriers_[id] = *std::move(socket);
  }
  if (Status status = worker.run(std::move(task)); !status.ok()) {
    barriers_.erase(id);
    return fail(id, FailureKind::kNotStarted, std::move(status));
  }
  running_[id] = worker.id();
  if (const auto found = zygotes_.find(worker.zygote()); found != zygotes_.end())
    found->second.last_used = steady_now();
  if (barriers_.contains(id)) activity_.add(id, worker.process());
  plan_refill(worker.zygote());
  plan_memory_check();
  listener_.on_task_started(id, worker.id(), worker.process());
}

void WorkerPool::Loop::on_task_end(WorkerId id, WorkerProcess::TaskEnd end) {
  WorkerProcess& process = *workers_.at(id).process;
  process.finish_stacks();
  if (!process.has_task()) return;  // given up
  const bool success = !end.failure.has_value();
  const bool usable = success && !end.last && !process.task().single_use;
  const TaskPointer task = process.release_task(usable);
  end_task(task->task);
  if (success && !usable) process.ask_to_exit();
  const ZygoteId zygote = process.zygote();
  auto tell = [this, task = task->task, zygote, end = std::move(end)]() mutable {
    if (!end.failure) return listener_.on_task_finished(task, std::move(end.result));
    listener_.on_task_failed(task, {FailureKind::kPythonError, python_error(*end.failure, zygote)});
  };
  task->held_descriptors.empty() ? tell() : tell_at_end(id, std::move(tell));
  pump(zygote);
  cap_idle();
  plan_refill(zygote);
  plan_trim(zygote);
}

Status WorkerPool::Loop::python_error(const std::string& traceback, ZygoteId zygote) const {
  std::string message = exception_line(traceback);
  const auto found = zygotes_.find(zygote);
  if (message.find("MemoryError") != std::string::npos && found != zygotes_.end()) {
    message += " (memory limit of a worker: " + format_bytes(found->second.memory_limit_bytes) + ")";
  }
  return error("PYTHON_EXCEPTION", {{"message", message}}).with_traceback(traceback);
}

// What it holds (a GPU) is free when the process is no more, and not when the function has returned.
void WorkerPool::Loop::tell_at_end(WorkerId id, EventLoop::Function tell) {
  Worker& worker = workers_.at(id);
  worker.at_end = std::move(tell);
  worker.end_timer = loop_.call_after(kExitDeadline, [this, id] { workers_.at(id).process->kill(); });
}

void WorkerPool::Loop::end_task(TaskId task) {
  running_.erase(task);
  activity_.remove(task);
  // Later: the call that ends the task may come from this very socket.
  if (auto node = barriers_.extract(task)) {
    loop_.post([socket = std::shared_ptr<BarrierSocket>(std::move(node.mapped()))] {});
  }
}

void WorkerPool::Loop::fail(TaskId task, FailureKind kind, Status status) {
  loop_.post([this, task, kind, status = std::move(status)] {
    listener_.on_task_failed(task, {kind, status});
  });
}

void WorkerPool::Loop::add_input(TaskId task, const std::vector<InputPart>& parts, bool complete) {
  if (const auto worker = running_.find(task); worker != running_.end()) {
    return workers_.at(worker->second).process->add_input(parts, complete);
  }
  for (auto& [id, zygote] : zygotes_) {
    for (TaskPointer& waiting : zygote.waiting) {
      if (waiting->task != task) continue;
      WorkerTask changed = *waiting;
      changed.input.insert(changed.input.end(), parts.begin(), parts.end());
      changed.input_complete = complete;
      waiting = std::make_shared<const WorkerTask>(std::move(changed));
      return;
    }
  }
}

void WorkerPool::Loop::kill(TaskId task) {
  if (const auto running = running_.find(task); running != running_.end()) {
    Worker& worker = workers_.at(running->second);
    worker.killed = true;
    if (!worker.process->tells_stacks()) end_by_force(running->second);
    return;
  }
  for (auto& [id, zygote] : zygotes_) {
    const auto waiting = std::find_if(zygote.waiting.begin(), zygote.waiting.end(),
                                      [task](const TaskPointer& other) { return other->task == task; });
    if (waiting == zygote.waiting.end()) continue;
    zygote.waiting.erase(waiting);
    return fail(task, FailureKind::kKilled, cancelled());
  }
}

void WorkerPool::Loop::end_by_force(WorkerId id) {
  WorkerProcess& process = *workers_.at(id).process;
  if (!options_.withhold_kills) return process.kill();
  const TaskPointer task = process.release_task(false);
  process.ask_to_exit();
  end_task(task->task);
  listener_.on_task_failed(task->task, {FailureKind::kKilled, cancelled()});
}

void WorkerPool::Loop::request_stacks(TaskId task) {
  const auto running = running_.find(task);
  if (running == running_.end()) return;
  const WorkerId id = running->second;
  workers_.at(id).process->request_stacks([this, task, id](tasks::TaskStacks stacks) {
    Worker& worker = workers_.at(id);
    if (running_.contains(task)) listener_.on_task_stacks(task, std::move(stacks));
    if (worker.killed) end_by_force(id);
  });
}

void WorkerPool::Loop::forget_slabs(const std::vector<uint64_t>& slabs) {
  for (auto& [id, worker] : workers_) worker.process->forget_slabs(slabs);
}

void WorkerPool::Loop::answer_barrier(const std::vector<TaskId>& tasks,
                                      const std::vector<std::string>& messages) {
  const BarrierSocket::Answer answer = BarrierSocket::encode(messages);
  for (const TaskId task : tasks) {
    if (const auto socket = barriers_.find(task); socket != barriers_.end()) socket->second->answer(answer);
  }
}

void WorkerPool::Loop::refuse_barrier(const std::vector<TaskId>& tasks) {
  for (const TaskId task : tasks) {
    if (const auto socket = barriers_.find(task); socket != barriers_.end()) socket->second->refuse();
  }
}

// ---- housekeeping

int WorkerPool::Loop::count(ZygoteId zygote, State state) const {
  return static_cast<int>(std::count_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
    const Worker& worker = entry.second;
    return worker.process->zygote() == zygote && worker.process->state() == state && !worker.lost;
  }));
}

void WorkerPool::Loop::plan_refill(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end() || std::exchange(found->second.refill_planned, true)) return;
  loop_.call_after(kRefillDelay, [this, id] { refill(id); });
}

void WorkerPool::Loop::refill(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  found->second.refill_planned = false;
  if (!found->second.process || !found->second.process->ready()) return;
  if (found->second.failed_forks >= options_.start_attempts) return;  // the next task tries again
  const int wanted = found->second.options.spares + static_cast<int>(found->second.waiting.size());
  const int room = options_.max_idle_workers - static_cast<int>(idle_workers().size());
  const int starting = count(id, State::kStarting);
  const int there = count(id, State::kIdle) + starting;
  for (int more = std::min(wanted - there, room - starting); more > 0; --more) fork_worker(id, true);
}

std::vector<WorkerProcess*> WorkerPool::Loop::idle_workers() const {
  std::vector<WorkerProcess*> idle;
  for (const auto& [id, worker] : workers_) {
    if (worker.process->state() == State::kIdle && !worker.lost && !worker.killed)
      idle.push_back(worker.process.get());
  }
  return idle;
}

// Sessions come and go without saying so; what they have warm must not add up.
void WorkerPool::Loop::cap_idle() {
  std::vector<WorkerProcess*> idle = idle_workers();
  const auto most = static_cast<size_t>(options_.max_idle_workers);
  if (idle.size() <= most) return;
  const auto last_used = [this](const WorkerProcess* worker) {
    const auto found = zygotes_.find(worker->zygote());
    return found == zygotes_.end() ? SteadyTime{} : found->second.last_used;
  };
  std::stable_sort(idle.begin(), idle.end(), [&](const WorkerProcess* left, const WorkerProcess* right) {
    return last_used(left) < last_used(right);
  });
  for (size_t i = 0; i < idle.size() - most; ++i) idle[i]->ask_to_exit();
}

void WorkerPool::Loop::plan_trim(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end() || std::exchange(found->second.trim_planned, true)) return;
  loop_.call_after(kIdleTime, [this, id] { trim(id); });
}

void WorkerPool::Loop::trim(ZygoteId id) {
  const auto found = zygotes_.find(id);
  if (found == zygotes_.end()) return;
  found->second.trim_planned = false;
  int surplus = count(id, State::kIdle) - found->second.options.spares;
  for (auto& [worker_id, worker] : workers_) {
    if (surplus <= 0) return;
    if (worker.process->zygote() != id || worker.process->state() != State::kIdle) continue;
    worker.process->ask_to_exit();
    --surplus;
  }
}

void WorkerPool::Loop::plan_memory_check() {
  if (std::exchange(memory_check_planned_, true)) return;
  loop_.call_after(options_.memory_check_interval, [this] { check_memory(); });
}

// Ends each worker that is over its limit, and the largest one when all of them together use too much.
void WorkerPool::Loop::check_memory() {
  memory_check_planned_ = false;
  uint64_t total = 0;
  uint64_t largest_used = 0;
  Worker* largest = nullptr;
  for (const auto& [task, id] : running_) {
    Worker& worker = workers_.at(id);
    const auto zygote = zygotes_.find(worker.process->zygote());
    if (worker.lost || !worker.out_of_memory.empty() || zygote == zygotes_.end()) continue;
    const uint64_t resident = private_memory_bytes(worker.process->process());
    const uint64_t used = resident - std::min(resident, worker.inherited_bytes);
    const uint64_t own_limit = worker.process->task().memory_limit_bytes;
    const uint64_t limit = own_limit > 0 ? own_limit : zygote->second.memory_limit_bytes;
    if (used > limit + kMemorySlack) {
      end_for_memory(worker, used, "its limit is " + format_bytes(limit));
      continue;
    }
    total += used;
    if (used >= largest_used) {
      largest_used = used;
      largest = &worker;
    }
  }
  if (largest != nullptr && total > all_workers_limit_bytes_) {
    end_for_memory(*largest, largest_used,
                   "all workers together " + format_bytes(total) + " of at most " +
                       format_bytes(all_workers_limit_bytes_));
  }
  if (!running_.empty()) plan_memory_check();
}

void WorkerPool::Loop::end_for_memory(Worker& worker, uint64_t used, const std::string& limit) {
  worker.out_of_memory = "used " + format_bytes(used) + " of memory, " + limit;
  worker.process->kill();
}

void WorkerPool::Loop::shut_down() {
  const SteadyTime deadline = steady_now() + kShutdownDeadline;
  std::vector<ZygoteId> zygotes;
  for (const auto& [id, zygote] : zygotes_) zygotes.push_back(id);
  std::reverse(zygotes.begin(), zygotes.end());  // templates, whose numbers are negative, last
  for (const ZygoteId id : zygotes) stop_zygote(id);
  while (!workers_.empty()) {
    const auto& [id, worker] = *workers_.begin();
    if (worker.pidfd >= 0 && !wait_for_end(worker.pidfd, deadline))
      log_error("a killed Python worker has not ended");
    bury(id);
  }
}

// ---- the facade

Result<std::unique_ptr<WorkerPool>> WorkerPool::make(WorkerPoolOptions options,
                                                     WorkerPoolListener& listener) {
  ASSIGN_OR_RETURN(std::string directory, make_private_directory(options.runtime_directory));
  return std::unique_ptr<WorkerPool>(
      new WorkerPool(std::make_unique<Loop>(std::move(options), listener, std::move(directory))));
}

WorkerPool::WorkerPool(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
WorkerPool::~WorkerPool() = default;

ZygoteId WorkerPool::start_zygote(ZygoteOptions options) {
  const ZygoteId id = loop_->next_zygote();
  loop_->post([loop = loop_.get(), id, options = std::move(options)] { loop->start_zygote(id, options); });
  return id;
}

void WorkerPool::start_template(ZygoteOptions options) {
  loop_->post([loop = loop_.get(), options = std::move(options)] { loop->find_template(options); });
}

void WorkerPool::stop_zygote(ZygoteId zygote) {
  loop_->post([loop = loop_.get(), zygote] { loop->stop_zygote(zygote); });
}

void WorkerPool::set_spares(ZygoteId zygote, int spares) {
  loop_->post([loop = loop_.get(), zygote, spares] { loop->set_spares(zygote, spares); });
}

void WorkerPool::preload(ZygoteId zygote, std::vector<std::string> modules) {
  loop_->post([loop = loop_.get(), zygote, modules = std::move(modules)] { loop->preload(zygote, modules); });
}

void WorkerPool::submit(WorkerTask task) {
  loop_->post([loop = loop_.get(), task = std::make_shared<WorkerTask>(std::move(task))] {
    loop->submit(std::move(*task));
  });
}

void WorkerPool::add_input(TaskId task, std::vector<InputPart> parts, bool complete) {
  loop_->post([loop = loop_.get(), task, parts = std::move(parts), complete] {
    loop->add_input(task, parts, complete);
  });
}

void WorkerPool::kill(TaskId task) {
  loop_->post([loop = loop_.get(), task] { loop->kill(task); });
}

void WorkerPool::request_stacks(TaskId task) {
  loop_->post([loop = loop_.get(), task] { loop->request_stacks(task); });
}

void WorkerPool::forget_slabs(std::vector<uint64_t> slabs) {
  loop_->post([loop = loop_.get(), slabs = std::move(slabs)] { loop->forget_slabs(slabs); });
}

std::string WorkerPool::barrier_path(TaskId task) const { return loop_->barrier_path(task); }

void WorkerPool::answer_barrier(std::vector<TaskId> tasks,
                                std::shared_ptr<const std::vector<std::string>> messages) {
  loop_->post_urgent([loop = loop_.get(), tasks = std::move(tasks), messages = std::move(messages)] {
    loop->answer_barrier(tasks, *messages);
  });
}

void WorkerPool::refuse_barrier(std::vector<TaskId> tasks) {
  loop_->post_urgent([loop = loop_.get(), tasks = std::move(tasks)] { loop->refuse_barrier(tasks); });
}

}  // namespace deuteron::worker_pool
