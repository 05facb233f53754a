#include "connect/operations/response_buffer.h"

#include <algorithm>

namespace deuteron::connect {

std::function<void()> ResponseBuffer::take_wake() {
  std::function<void()> wake = std::move(wake_);
  wake_ = nullptr;
  return wake;
}

Status ResponseBuffer::append(EncodedResponse response) {
  std::unique_lock lock(mutex_);
  const uint64_t size = response.bytes;
  space_.wait(lock,
              [&] { return closed_ || unsent_bytes_ == 0 || unsent_bytes_ + size <= limits_.unsent_bytes; });
  if (closed_) return cancelled();
  index_of_.emplace(response.id, first_index_ + responses_.size());
  responses_.push_back(std::make_shared<const EncodedResponse>(std::move(response)));
  unsent_bytes_ += size;
  auto wake = take_wake();
  lock.unlock();
  if (wake) wake();
  return {};
}

void ResponseBuffer::finish(Status status) {
  std::unique_lock lock(mutex_);
  if (!final_.has_value()) final_ = std::move(status);
  auto wake = take_wake();
  lock.unlock();
  if (wake) wake();
}

void ResponseBuffer::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  space_.notify_all();
  auto wake = take_wake();
  lock.unlock();
  if (wake) wake();
}

ResponseBuffer::SharedResponse ResponseBuffer::next(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  const uint64_t position = next_index_ - first_index_;
  if (position >= responses_.size()) {
    if (!final_.has_value() && !closed_) wake_ = std::move(wake);
    return nullptr;
  }
  SharedResponse response = responses_[position];
  ++next_index_;
  const uint64_t size = response->bytes;
  unsent_bytes_ -= size;
  sent_bytes_ += size;
  drop_sent_beyond_limit();
  space_.notify_all();
  return response;
}

std::optional<Status> ResponseBuffer::final_status() const {
  std::lock_guard lock(mutex_);
  if (next_index_ - first_index_ < responses_.size()) return std::nullopt;
  if (!final_.has_value() && closed_) return cancelled();
  return final_;
}

Status ResponseBuffer::rewind(const std::string& response_id) {
  std::lock_guard lock(mutex_);
  uint64_t target = 0;
  if (!response_id.empty() && response_id == last_dropped_id_) {
    target = first_index_;
  } else if (!response_id.empty()) {
    const auto found = index_of_.find(response_id);
    if (found == index_of_.end())
      return error("INVALID_CURSOR.POSITION_NOT_FOUND", {{"responseId", response_id}});
    target = found->second + 1;
  }
  if (target < first_index_)
    return error("INVALID_CURSOR.POSITION_NOT_AVAILABLE", {{"index", std::to_string(target)}});
  while (next_index_ > target) {
    --next_index_;
    const uint64_t size = responses_[next_index_ - first_index_]->bytes;
    sent_bytes_ -= size;
    unsent_bytes_ += size;
  }
  return {};
}

void ResponseBuffer::release_until(const std::string& response_id) {
  std::lock_guard lock(mutex_);
  const auto found = index_of_.find(response_id);
  if (found == index_of_.end()) return;
  const uint64_t end = std::min(found->second + 1, next_index_);
  while (first_index_ < end) drop_first();
}

void ResponseBuffer::drop_all() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  first_index_ = next_index_ = first_index_ + responses_.size();
  responses_.clear();
  index_of_.clear();
  sent_bytes_ = unsent_bytes_ = 0;
  space_.notify_all();
}

void ResponseBuffer::drop_sent_beyond_limit() {
  const uint64_t limit = keep_sent_ ? limits_.sent_bytes : 0;
  while (first_index_ < next_index_ && sent_bytes_ > limit) drop_first();
}

void ResponseBuffer::drop_first() {
  sent_bytes_ -= responses_.front()->bytes;
  last_dropped_id_ = responses_.front()->id;
  index_of_.erase(last_dropped_id_);
  responses_.pop_front();
  ++first_index_;
}

}  // namespace deuteron::connect
