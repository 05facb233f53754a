// Memory for pages, which is used again by the next file: fresh pages of memory would cost as much as
// decoding what comes into them. A buffer has one user; what is kept between users is shared by all threads,
// and bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace deuteron::relational::parquet {

// Bytes that are filled again and again, with some behind them that a RunDecoder may look at.
class PageBuffer {
 public:
  PageBuffer() = default;
  PageBuffer(PageBuffer&&) = default;
  PageBuffer& operator=(PageBuffer&&) = delete;
  ~PageBuffer();

  // What was there is lost when it grows.
  uint8_t* room(size_t bytes);
  uint8_t* data() { return data_.get(); }

 private:
  std::unique_ptr<uint8_t[]> data_;
  size_t capacity_ = 0;
};

}  // namespace deuteron::relational::parquet
