// Asks one worker process what the threads of its Python interpreter do. The process answers inside a signal
// handler in C (faulthandler), so that a thread which holds the interpreter lock for ever answers too, and
// writes into a file in memory that both sides share, so that nobody ever blocks. When the handler has ended
// is told by /proc: the kernel blocks a signal while its handler runs. Lives on the event loop's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>

#include "base/file_descriptor.h"
#include "base/status.h"
#include "tasks/task.h"
#include "worker_pool/event_loop.h"

namespace deuteron::worker_pool {

// The signal at which workers write their stacks; far from those that programs use.
int stack_signal();

class StackRequest {
 public:
  using Handler = std::function<void(tasks::TaskStacks stacks)>;

  // `file` is the end of make_file() that stays here.
  StackRequest(EventLoop& loop, FileDescriptor file) : loop_(loop), file_(std::move(file)) {}
  ~StackRequest();
  StackRequest(const StackRequest&) = delete;
  StackRequest& operator=(const StackRequest&) = delete;

  // An empty file to which every write appends.
  static Result<FileDescriptor> make_file();

  // `handler` is called once, later, at the latest after kAnswerDeadline; not at all when this object is
  // destroyed before. While an answer is awaited nothing more is asked, and the first handler gets it.
  void ask(pid_t process, Handler handler);
  // Answers now with what there is, when something was asked.
  void finish();
  bool is_waiting() const { return handler_ != nullptr; }

 private:
  void look();
  bool handler_has_ended() const;
  std::string read_file() const;

  EventLoop& loop_;
  FileDescriptor file_;
  pid_t process_ = -1;
  Handler handler_;
  bool sent_ = false;
  SteadyTime deadline_{};
  std::set<std::string> deaf_threads_;  // that blocked the signal before it was sent
  EventLoop::TimerId timer_ = 0;
};

}  // namespace deuteron::worker_pool
