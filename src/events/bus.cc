#include "events/bus.h"

#include "base/clock.h"

namespace deuteron::events {

Bus::~Bus() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Bus::subscribe(Subscriber subscriber) {
  std::lock_guard lock(mutex_);
  subscribers_.push_back(std::make_shared<const Subscriber>(std::move(subscriber)));
  has_subscribers_.store(true, std::memory_order_release);
  if (!thread_.joinable()) thread_ = std::thread(&Bus::deliver, this);
}

void Bus::publish(EventBody body) {
  if (!has_subscribers_.load(std::memory_order_acquire)) return;
  const int64_t now = wall_clock_micros();
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= capacity_) {
      queue_.pop_front();
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    queue_.push_back({next_sequence_++, now, std::move(body)});
  }
  arrived_.notify_one();
}

void Bus::flush() {
  std::unique_lock lock(mutex_);
  delivered_.wait(lock, [this] { return queue_.empty() && !delivering_; });
}

void Bus::deliver() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    if (queue_.empty()) return;
    std::deque<Event> batch;
    batch.swap(queue_);
    const auto subscribers = subscribers_;
    delivering_ = true;
    lock.unlock();
    for (const Event& event : batch) {
      for (const auto& subscriber : subscribers) (*subscriber)(event);
    }
    lock.lock();
    delivering_ = false;
    delivered_.notify_all();
  }
}

}  // namespace deuteron::events
