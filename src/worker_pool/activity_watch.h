// Watches whether the processes of tasks do anything: whether they, and what they have started, use CPU time.
// Who waits for a peer that never comes uses next to none, in whatever library it waits; a process that is
// stopped uses none at all. Lives on the event loop's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>

#include "base/clock.h"
#include "tasks/task.h"
#include "worker_pool/event_loop.h"

namespace deuteron::worker_pool {

class ActivityWatch {
 public:
  // Since when the task has been idle; none: it is not any more. Must not add or remove tasks.
  using Handler = std::function<void(tasks::TaskId task, std::optional<SteadyTime> idle_since)>;

  ActivityWatch(EventLoop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}
  ~ActivityWatch() { loop_.cancel_timer(timer_); }
  ActivityWatch(const ActivityWatch&) = delete;
  ActivityWatch& operator=(const ActivityWatch&) = delete;

  // A task is taken as active when it is added.
  void add(tasks::TaskId task, pid_t process);
  void remove(tasks::TaskId task) { watched_.erase(task); }

 private:
  struct Watched {
    pid_t process = -1;
    Duration own_time{};       // of the process
    Duration children_time{};  // of what it has started
    SteadyTime looked_at{};
    bool is_idle = false;
  };

  void plan();
  void look();
  static bool has_worked(Watched& watched, Duration window);

  EventLoop& loop_;
  const Handler handler_;
  std::map<tasks::TaskId, Watched> watched_;
  bool is_planned_ = false;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace deuteron::worker_pool
