// One zygote process: started, greeted, told to fork and to preload, and noticed when it ends. Used by the
// pool only, on its thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "worker_pool/control_channel.h"
#include "worker_pool/event_loop.h"
#include "worker_pool/worker_output.h"
#include "worker_pool/worker_pool.h"

namespace deuteron::worker_pool {

class ZygoteProcess {
 public:
  struct Events {
    std::function<void()> on_ready;
    std::function<void(WorkerId worker, pid_t process, FileDescriptor pidfd)> on_forked;
    std::function<void(WorkerId worker, std::string error)> on_fork_failed;
    std::function<void(WorkerId worker, int exit_status, int signal)> on_worker_ended;
    // A zygote was forked, or could not be (then -1).
    std::function<void(ZygoteId zygote, pid_t process, FileDescriptor pidfd)> on_zygote_forked;
    std::function<void()> on_preloaded;
    // Once, when the process has ended or has missed its deadline (and was killed). It may destroy the
    // object.
    std::function<void(std::string reason)> on_ended;
  };

  // Starts an interpreter. Must be called on the thread whose end shall end the zygote.
  static Result<std::unique_ptr<ZygoteProcess>> start(EventLoop& loop, const ZygoteOptions& options,
                                                      WorkerLog& log, Events events);
  // Asks `parent`, which is ready, to fork itself; its on_zygote_forked(id) is to be passed to set_process().
  static Result<std::unique_ptr<ZygoteProcess>> fork_from(ZygoteProcess& parent, ZygoteId id,
                                                          const ZygoteOptions& options, WorkerLog& log,
                                                          Events events);
  // Lets the process end its workers and itself, which takes some milliseconds; after 200 ms it is killed.
  ~ZygoteProcess();
  ZygoteProcess(const ZygoteProcess&) = delete;
  ZygoteProcess& operator=(const ZygoteProcess&) = delete;

  bool ready() const { return ready_; }
  // The kernel says so already; on_ended follows.
  bool has_ended() const;
  pid_t process() const { return process_; }
  void set_process(pid_t process, FileDescriptor pidfd);
  // The three descriptors are the worker's ends of its sockets and files.
  // A spare takes some more milliseconds to be ready and fewer for its first task.
  void fork(WorkerId worker, bool spare, uint64_t data_limit_bytes, std::vector<FileDescriptor> descriptors);
  void preload(const std::vector<std::string>& modules);

 private:
  ZygoteProcess(EventLoop& loop, const ZygoteOptions& options, Events events, WorkerLog& log,
                FileDescriptor control, FileDescriptor output);
  void on_message(const nlohmann::json& message, std::vector<FileDescriptor> descriptors);
  void end(std::string reason);

  EventLoop& loop_;
  Events events_;
  pid_t process_ = -1;
  bool is_child_ = false;  // ours, not another zygote's: to be collected by us
  FileDescriptor pidfd_;
  std::unique_ptr<ControlChannel> channel_;
  std::unique_ptr<WorkerOutput> output_;
  EventLoop::TimerId deadline_ = 0;
  bool ready_ = false;
  bool ended_ = false;
};

}  // namespace deuteron::worker_pool
