#include "worker_pool/pool_loop.h"

#include <signal.h>
#include <string.h>

#include "base/log.h"

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kExitNewsDelay{
    50};  // how much later than a worker's end the zygote may tell how it ended

std::string describe_signal(int signal) {
  const char* name = sigabbrev_np(signal);
  return std::string("killed by signal ") + std::to_string(signal) +
         (name ? std::string(" (SIG") + name + ")" : "");
}

Status crashed(const WorkerTask& task, const std::string& reason) {
  return error("PYTHON_WORKER_CRASHED", {{"reason", "the worker of " + task.label + ": " + reason}});
}

}  // namespace

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
  worker.is_spare = spare;
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
      .on_task_input_read =
          [this, id](const InputRead& read) {
            listener_.on_task_input_read(workers_.at(id).process->task().task, read);
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
  const bool is_spare = worker.is_spare;
  pump(zygote);
  if (is_spare) refill(zygote);  // the next of them
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

}  // namespace deuteron::worker_pool
