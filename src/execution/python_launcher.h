// Between the scheduler and the worker pool: turns a launch into a task of PySpark's worker, gives it shared
// memory to write to, and tells the scheduler what became of it. Input on disk is verified before the task
// reads it, and again when the task fails: what is lost is told as that, and not as a failure of the task.
// Thread-safe; holds no lock while it calls either side.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "events/bus.h"
#include "events/server_log.h"
#include "exchange/shared_memory.h"
#include "execution/background.h"
#include "execution/python_task.h"
#include "resources/claims.h"
#include "scheduler/launcher.h"
#include "worker_pool/worker_pool.h"

namespace deuteron::execution {

class PythonLauncher : public scheduler::Launcher, public worker_pool::WorkerPoolListener {
 public:
  // What tasks print goes to `log` too, unless it is null.
  PythonLauncher(std::shared_ptr<exchange::SharedMemory> memory, events::Bus& bus, events::ServerLog* log,
                 std::shared_ptr<const resources::Claims> claims)
      : memory_(std::move(memory)), bus_(bus), log_(log), claims_(std::move(claims)) {}
  // Before the first task; both must outlive every task. (The three know each other, so they are joined after
  // they are made.)
  void connect(worker_pool::WorkerPool& pool, scheduler::LaunchObserver& observer);

  // Before the pool ends: no task is started any more.
  void stop();

  void start(scheduler::LaunchRequest request) override;
  void kill(tasks::TaskId task) override;
  void answer_barrier(const std::vector<tasks::TaskId>& tasks, tasks::BarrierReply reply) override;
  void give_notice(const std::vector<tasks::TaskId>& tasks, std::optional<SteadyTime> end) override;
  void look_at(const std::vector<tasks::TaskId>& tasks) override;

  void on_task_started(tasks::TaskId task, worker_pool::WorkerId worker, pid_t process) override;
  void on_task_input_read(tasks::TaskId task, const worker_pool::InputRead& read) override;
  void on_task_finished(tasks::TaskId task, worker_pool::TaskResult result) override;
  void on_task_failed(tasks::TaskId task, worker_pool::TaskFailure failure) override;
  void on_task_stacks(tasks::TaskId task, tasks::TaskStacks stacks) override;
  void on_task_idle(tasks::TaskId task, std::optional<SteadyTime> since) override;
  void on_barrier_call(tasks::TaskId task, tasks::BarrierRequest request) override;
  void on_worker_started(worker_pool::WorkerId worker, worker_pool::ZygoteId zygote, pid_t process) override;
  void on_worker_exited(worker_pool::WorkerId worker, pid_t process, const std::string& reason) override;

 private:
  // Keeps the shared memory of a task alive while a worker may touch it.
  struct RunningTask {
    std::shared_ptr<const PythonWork> work;
    exchange::SlabPtr output;
    tasks::TaskContext context;
    bool killed = false;  // guarded by mutex_; who is not in the pool yet ends without it
  };

  worker_pool::WorkerTask make_task(const tasks::TaskContext& context, const PythonWork& work,
                                    const exchange::Slab& output) const;
  void give_resources(const tasks::TaskContext& context, worker_pool::WorkerTask& task) const;
  static int64_t input_bytes(const RunningTask& running);
  void submit(const RunningTask& running);
  void verify_and_submit(tasks::TaskId task);
  std::shared_ptr<RunningTask> remove(tasks::TaskId task);

  const std::shared_ptr<exchange::SharedMemory> memory_;
  events::Bus& bus_;
  events::ServerLog* const log_;
  const std::shared_ptr<const resources::Claims> claims_;  // null: no resources
  worker_pool::WorkerPool* pool_ = nullptr;
  scheduler::LaunchObserver* observer_ = nullptr;
  std::mutex
      submitting_;  // held while a task that had to wait goes into the pool: a kill comes before or after
  std::mutex mutex_;
  bool stopped_ = false;                                           // guarded by mutex_
  std::map<tasks::TaskId, std::shared_ptr<RunningTask>> running_;  // guarded by mutex_
  Background checks_;  // of what lies on disk: inputs before a task reads them, outputs when they are there
};

}  // namespace deuteron::execution
