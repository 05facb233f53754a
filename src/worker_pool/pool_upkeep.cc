#include "worker_pool/pool_loop.h"

#include <poll.h>

#include <algorithm>

#include "base/log.h"

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRefillDelay{
    20};  // spares are forked when the tasks that took the last ones are under way
constexpr milliseconds kIdleTime{30'000};  // then workers beyond the spares end
constexpr milliseconds kShutdownDeadline{5'000};
constexpr uint64_t kMemorySlack =
    32 << 20;  // so that a failing allocation comes before the end of the process

}  // namespace

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
  const int most = std::min(room, spares_at_once_);
  for (int more = std::min(wanted - there, most - starting); more > 0; --more) fork_worker(id, true);
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

bool WorkerPool::Loop::wait_for_end(int pidfd, SteadyTime deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_now()).count();
  pollfd ended{pidfd, POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(std::max<int64_t>(left, 0))) == 1;
}

}  // namespace deuteron::worker_pool
