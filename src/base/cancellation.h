// A cancel token: set once by whoever interrupts an operation, looked at by whoever does its work.
// Thread-safe. A callback runs once, on the cancelling thread (or at once, when already cancelled), and must
// not block.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace deuteron {

class CancelToken {
 public:
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  void cancel();

  // Keeps the callback registered while it lives; its destructor waits for a callback that is running.
  class Registration {
   public:
    Registration() = default;
    Registration(CancelToken* token, int64_t id) : token_(token), id_(id) {}
    Registration(Registration&& other) noexcept : token_(other.token_), id_(other.id_) {
      other.token_ = nullptr;
    }
    Registration& operator=(Registration&& other) noexcept;
    ~Registration();

   private:
    CancelToken* token_ = nullptr;
    int64_t id_ = 0;
  };
  // The token must outlive the registration.
  [[nodiscard]] Registration on_cancel(std::function<void()> callback);

 private:
  std::atomic<bool> cancelled_{false};
  std::recursive_mutex mutex_;  // recursive: a callback may drop a registration
  int64_t next_id_ = 1;
  std::map<int64_t, std::function<void()>> callbacks_;
};

}  // namespace deuteron
