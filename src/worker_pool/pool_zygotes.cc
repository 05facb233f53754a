#include "worker_pool/pool_loop.h"

#include <utility>

#include "base/log.h"

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

constexpr double kDefaultMemoryShare = 0.6;

// Variables that take effect only when an interpreter or a library starts.
bool is_read_at_start(const std::string& variable) {
  for (const char* prefix : {"PYTHON", "LD_", "OMP_", "MKL_", "OPENBLAS_", "MALLOC_", "KMP_", "GOMP_"}) {
    if (variable.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

Status WorkerPool::Loop::not_started(const std::string& reason) {
  return internal_error("Python workers cannot be started: " + reason);
}

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

}  // namespace deuteron::worker_pool
