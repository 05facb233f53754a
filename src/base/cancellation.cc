#include "base/cancellation.h"

namespace deuteron {

void CancelToken::cancel() {
  std::lock_guard lock(mutex_);
  if (cancelled_.exchange(true, std::memory_order_acq_rel)) return;
  while (!callbacks_.empty()) {
    auto callback = std::move(callbacks_.begin()->second);
    callbacks_.erase(callbacks_.begin());
    callback();
  }
}

CancelToken::Registration CancelToken::on_cancel(std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  if (cancelled()) {
    callback();
    return {};
  }
  const int64_t id = next_id_++;
  callbacks_.emplace(id, std::move(callback));
  return {this, id};
}

CancelToken::Registration& CancelToken::Registration::operator=(Registration&& other) noexcept {
  std::swap(token_, other.token_);
  std::swap(id_, other.id_);
  return *this;
}

CancelToken::Registration::~Registration() {
  if (token_ == nullptr) return;
  std::lock_guard lock(token_->mutex_);
  token_->callbacks_.erase(id_);
}

}  // namespace deuteron
