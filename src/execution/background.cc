#include "execution/background.h"

#include <utility>

namespace deuteron::execution {

void Background::post(std::function<void()> work) {
  std::unique_lock lock(mutex_);
  if (closed_) {
    lock.unlock();
    return work();
  }
  works_.push_back(std::move(work));
  if (!thread_.joinable()) thread_ = std::thread(&Background::run, this);
  lock.unlock();
  changed_.notify_one();
}

void Background::close() {
  std::thread thread;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    thread.swap(thread_);
  }
  changed_.notify_one();
  if (thread.joinable()) thread.join();
}

void Background::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closed_ || !works_.empty(); });
    if (works_.empty()) return;
    const auto work = std::move(works_.front());
    works_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace deuteron::execution
