// Threads for RPCs that may block (executions, analysis): made on demand, kept while idle for a while,
// bounded in number.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "base/clock.h"

namespace deuteron::connect {

class WorkThreads {
 public:
  explicit WorkThreads(size_t most_threads) : most_threads_(most_threads) {}
  // Waits for all work to end.
  ~WorkThreads();

  // Runs `work` on a thread of its own as soon as one may be had.
  void post(std::function<void()> work);

 private:
  void run();

  const size_t most_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  size_t threads_ = 0;
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace deuteron::connect
