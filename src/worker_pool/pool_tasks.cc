#include "worker_pool/pool_loop.h"

#include <algorithm>

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kExitDeadline{5'000};  // of a worker that was asked to end

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

}  // namespace

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

}  // namespace deuteron::worker_pool
