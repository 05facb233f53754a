// Carries events from whoever has one to the subscribers, on a thread of its own, in the order of publishing.
// Thread-safe. publish() never waits for a subscriber: the queue is bounded and drops its oldest events when
// a subscriber is too slow (`dropped` counts them, and the gap shows in the sequence numbers). Without
// subscribers an event costs nothing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "events/event.h"

namespace deuteron::events {

class Bus {
 public:
  static constexpr size_t kDefaultCapacity = 65536;  // events
  using Subscriber = std::function<void(const Event&)>;

  explicit Bus(size_t capacity = kDefaultCapacity) : capacity_(capacity) {}
  // Delivers what is queued, then stops.
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // The subscriber lives as long as the bus and is called on the bus' thread; it may block, and must not
  // publish.
  void subscribe(Subscriber subscriber);
  void publish(EventBody body);
  // Waits until everything published before was delivered.
  void flush();
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void deliver();

  const size_t capacity_;
  std::atomic<bool> has_subscribers_{false};
  std::atomic<uint64_t> dropped_{0};
  // Guarded by mutex_:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable delivered_;
  std::vector<std::shared_ptr<const Subscriber>> subscribers_;
  std::deque<Event> queue_;
  int64_t next_sequence_ = 1;
  bool delivering_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace deuteron::events
