// One thread's epoll loop with timers and posted functions: the frame in which the worker pool lives.
// Only post() and stop() may be called from other threads. Everything runs on the thread that calls run().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file_descriptor.h"

namespace deuteron::worker_pool {

class EventLoop {
 public:
  using Handler = std::function<void(uint32_t epoll_events)>;
  using Function = std::function<void()>;
  using TimerId = uint64_t;

  EventLoop();

  // Calls `handler` when one of `epoll_events` (EPOLLIN...) happens. The descriptor stays the caller's, who
  // unwatches it before it closes it. Unwatching inside the handler is allowed.
  void watch(int descriptor, uint32_t epoll_events, Handler handler);
  void change(int descriptor, uint32_t epoll_events);
  void unwatch(int descriptor);

  TimerId call_after(Duration delay, Function function);
  void cancel_timer(TimerId timer);

  // Runs `function` on the loop's thread, soon; functions keep their order. Dropped when the loop has ended.
  void post(Function function);
  // Runs until stop(). What was posted before stop() still runs. It may be run again afterwards.
  void run();
  void stop();
  bool on_loop_thread() const { return thread_ == std::this_thread::get_id(); }

 private:
  struct Watch {
    uint64_t token;
    Handler handler;
  };

  void wake();
  void run_posted();
  void run_timers();
  int wait_ms() const;
  void dispatch(uint64_t token, uint32_t epoll_events);

  FileDescriptor epoll_;
  FileDescriptor wake_;
  std::map<int, Watch> watches_;
  std::map<uint64_t, int> descriptor_of_token_;
  uint64_t next_token_ = 1;
  std::map<std::pair<SteadyTime, TimerId>, Function> timers_;
  std::map<TimerId, SteadyTime> timer_times_;
  TimerId next_timer_ = 1;
  std::atomic<std::thread::id> thread_{};

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Function> posted_;
  bool stopping_ = false;
};

}  // namespace deuteron::worker_pool
