#include "connect/operations/operation.h"

namespace deuteron::connect {

void Operation::interrupt() {
  OperationState running = OperationState::kRunning;
  state_.compare_exchange_strong(running, OperationState::kTerminating);
  cancel.cancel();
  // The execution's own end would come later: the client hears at once.
  responses.finish(cancelled());
  responses.close();
}

void Operation::finish(const Status& status) {
  if (status.ok()) {
    state_ = OperationState::kSucceeded;
  } else {
    state_ = cancel.cancelled() ? OperationState::kCancelled : OperationState::kFailed;
  }
  responses.finish(status);
}

int64_t Operation::attach(std::function<void()> displaced) {
  std::function<void()> previous;
  int64_t stream = 0;
  {
    std::lock_guard lock(mutex_);
    previous = std::move(displaced_);
    displaced_ = std::move(displaced);
    stream = stream_ = ++last_stream_;
    detached_since_ = SteadyTime::max();
  }
  if (previous) previous();
  return stream;
}

void Operation::detach(int64_t stream) {
  std::lock_guard lock(mutex_);
  if (stream_ != stream) return;
  stream_ = 0;
  displaced_ = nullptr;
  detached_since_ = steady_now();
}

SteadyTime Operation::detached_since() const {
  std::lock_guard lock(mutex_);
  return detached_since_;
}

}  // namespace deuteron::connect
