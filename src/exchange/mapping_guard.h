// Keeps the process alive when a mapped file cannot be read or written: somebody has cut it off, the disk has
// a bad block, or memory has failed. The kernel says so by SIGBUS, at whatever instruction touches the page.
// The page is then replaced by one of zeros of its own, and the mapping is marked: whoever has read there
// must look at the mark before he believes what he has read. One handler for the process; thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

namespace deuteron::exchange {

class MappingGuard {
 public:
  // Address space of each guarded mapping; at the most one begins in any stretch of that length.
  static constexpr uint64_t kMappedBytes = uint64_t{32} << 30;

  MappingGuard() = default;
  // Nobody may touch the mapping any more.
  ~MappingGuard();
  MappingGuard(const MappingGuard&) = delete;
  MappingGuard& operator=(const MappingGuard&) = delete;

  // Guards the kMappedBytes from `begin` on, from now until it is destroyed. Installs the handler.
  void watch(uint8_t* begin);
  // Whether a page that has some of these bytes was replaced.
  bool is_damaged(uint64_t offset, uint64_t length) const {
    return offset < damage_end_.load(std::memory_order_acquire) &&
           offset + length > damage_begin_.load(std::memory_order_acquire);
  }
  bool is_damaged() const { return is_damaged(0, kMappedBytes); }

  // For the handler: replaces the page, if this mapping has it.
  bool replace_page(uint8_t* address);

 private:
  uint8_t* begin_ = nullptr;
  // One stretch: what lies between two damaged pages counts as damaged.
  std::atomic<uint64_t> damage_begin_{UINT64_MAX};
  std::atomic<uint64_t> damage_end_{0};
};

}  // namespace deuteron::exchange
