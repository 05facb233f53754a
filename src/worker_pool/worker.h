// One worker process as the pool sees it: its control channel, its header file, what it prints, the task it
// runs. Used by the pool only, on its thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "worker_pool/control_channel.h"
#include "worker_pool/event_loop.h"
#include "worker_pool/stack_request.h"
#include "worker_pool/worker_output.h"
#include "worker_pool/worker_pool.h"

namespace deuteron::worker_pool {

class WorkerProcess {
 public:
  // What a task's end looked like from the worker: a result, or a traceback.
  struct TaskEnd {
    TaskResult result;
    std::optional<std::string> failure;
    bool last = false;  // the worker can run no other task
  };
  struct Events {
    std::function<void()> on_ready;
    std::function<void(SharedMemoryRegion stream)> on_task_output;
    std::function<void(InputRead read)> on_task_input_read;
    std::function<void(TaskEnd end)> on_task_end;
    std::function<void(std::string module)> on_import;
    // The process has ended or has closed its socket.
    std::function<void()> on_lost;
  };
  enum class State { kStarting, kIdle, kRunning, kEnding };

  // Makes our ends of sockets and files; `theirs` receives the four that the fork gets.
  static Result<std::unique_ptr<WorkerProcess>> prepare(EventLoop& loop, WorkerLog& log, WorkerId id,
                                                        ZygoteId zygote, Events events,
                                                        std::vector<FileDescriptor>& theirs);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  WorkerId id() const { return id_; }
  ZygoteId zygote() const { return zygote_; }
  pid_t process() const { return process_; }
  State state() const { return state_; }
  bool fresh() const { return tasks_run_ == 0; }
  const WorkerTask& task() const { return *task_; }
  bool has_task() const { return task_ != nullptr; }
  bool tells_stacks() const { return stacks_->is_waiting(); }
  const std::string& output_tail() { return output_->tail(); }

  void set_process(pid_t process, FileDescriptor pidfd);
  // Requires kIdle.
  Status run(std::shared_ptr<const WorkerTask> task);
  void add_input(const std::vector<InputPart>& parts, bool complete);
  void forget_slabs(const std::vector<uint64_t>& slabs);
  // Takes the task off the worker, which is then kEnding or, after a success, kIdle.
  std::shared_ptr<const WorkerTask> release_task(bool usable);
  // Asks an idle worker to end.
  void ask_to_exit();
  // Requires a process that is ready (state() past kStarting).
  void request_stacks(StackRequest::Handler handler) { stacks_->ask(process_, std::move(handler)); }
  // The answer to request_stacks() comes now, if it has not come.
  void finish_stacks() { stacks_->finish(); }
  // SIGKILL for its process group.
  void kill();

 private:
  WorkerProcess(EventLoop& loop, WorkerId id, ZygoteId zygote, Events events);
  void become_ready();
  void on_message(const nlohmann::json& message);
  void on_finished(const nlohmann::json& message);
  void send_parts(nlohmann::json message, const std::vector<InputPart>& parts, bool complete);
  SharedMemoryRegion output_region(const nlohmann::json& range) const;

  EventLoop& loop_;
  WorkerId id_;
  ZygoteId zygote_;
  Events events_;
  State state_ = State::kStarting;
  bool greeted_ = false;
  pid_t process_ = -1;
  FileDescriptor pidfd_;
  FileDescriptor header_;
  std::unique_ptr<ControlChannel> channel_;
  std::unique_ptr<WorkerOutput> output_;
  std::unique_ptr<StackRequest> stacks_;
  std::shared_ptr<const WorkerTask> task_;
  std::set<uint64_t> known_slabs_;
  int tasks_run_ = 0;
};

}  // namespace deuteron::worker_pool
