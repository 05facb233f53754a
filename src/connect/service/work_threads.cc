#include "connect/service/work_threads.h"

#include <thread>

namespace deuteron::connect {

WorkThreads::~WorkThreads() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return threads_ == 0; });
}

void WorkThreads::post(std::function<void()> work) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(work));
  if (idle_ >= waiting_.size() || threads_ >= most_threads_) {
    changed_.notify_one();
    return;
  }
  ++threads_;
  std::thread([this] { run(); }).detach();  // counted in threads_, awaited by the destructor
}

void WorkThreads::run() {
  constexpr auto kIdleTime = std::chrono::seconds(10);
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool woken = changed_.wait_for(lock, kIdleTime, [&] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty() && (!woken || stopping_)) break;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
  --threads_;
  changed_.notify_all();
}

}  // namespace deuteron::connect
