#include "relational/parquet/page_buffer.h"

#include <cstring>
#include <map>
#include <mutex>

#include "relational/parquet/run_decoder.h"

namespace deuteron::relational::parquet {
namespace {

// Buffers without a user, by capacity.
class IdleBuffers {
 public:
  // One that holds `bytes` and is not much larger; none: null.
  std::unique_ptr<uint8_t[]> take(size_t bytes, size_t& capacity) {
    const std::lock_guard lock(mutex_);
    const auto found = buffers_.lower_bound(bytes);
    if (found == buffers_.end() || found->first > 4 * bytes + kSmallest) return nullptr;
    std::unique_ptr<uint8_t[]> buffer = std::move(found->second);
    capacity = found->first;
    held_ -= capacity;
    buffers_.erase(found);
    return buffer;
  }

  void give(std::unique_ptr<uint8_t[]> buffer, size_t capacity) {
    const std::lock_guard lock(mutex_);
    if (capacity < kSmallest || held_ + capacity > kMost) return;
    held_ += capacity;
    buffers_.emplace(capacity, std::move(buffer));
  }

 private:
  static constexpr size_t kSmallest = size_t{64} << 10;  // what malloc keeps itself
  static constexpr size_t kMost = size_t{64} << 20;

  std::mutex mutex_;
  std::multimap<size_t, std::unique_ptr<uint8_t[]>> buffers_;
  size_t held_ = 0;
};

IdleBuffers& idle_buffers() {
  static auto* buffers = new IdleBuffers;  // never destroyed: a thread may give one back at the very end
  return *buffers;
}

}  // namespace

PageBuffer::~PageBuffer() {
  if (data_ != nullptr) idle_buffers().give(std::move(data_), capacity_);
}

uint8_t* PageBuffer::room(size_t bytes) {
  const size_t wanted = bytes + RunDecoder::kSlack;
  if (wanted > capacity_) {
    if (data_ != nullptr) idle_buffers().give(std::move(data_), capacity_);
    data_ = idle_buffers().take(wanted, capacity_);
    if (data_ == nullptr) {
      capacity_ = wanted + wanted / 8;
      data_ = std::make_unique_for_overwrite<uint8_t[]>(capacity_);
    }
  }
  std::memset(data_.get() + bytes, 0, RunDecoder::kSlack);
  return data_.get();
}

}  // namespace deuteron::relational::parquet
