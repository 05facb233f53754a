// A thread for work that may take a while, for threads that must not block: one piece after the other, in
// order. Thread-safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace deuteron::execution {

class Background {
 public:
  Background() = default;
  ~Background() { close(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Starts the thread when it is needed first. After close() the work is done at once, by the caller.
  void post(std::function<void()> work);
  // Waits for what was posted, and ends the thread.
  void close();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> works_;  // guarded by mutex_, as the next
  bool closed_ = false;
  std::thread thread_;
};

}  // namespace deuteron::execution
