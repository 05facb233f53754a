// Arrow buffers of one column while rows are added: in shared memory where the space is known beforehand,
// else on the heap. The buffers are filled by whoever knows the source (relational/ from DuckDB's vectors).
// Not thread-safe.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "types/data_type.h"

namespace deuteron::exchange {

// Bytes that grow. Attached memory is used until it is full; what exceeds it moves to the heap.
class Buffer {
 public:
  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool is_attached() const { return data_ != nullptr && data_ != heap_.get(); }

  // Empties the buffer and writes from now on to `memory`, which has room for `capacity` bytes.
  void attach(uint8_t* memory, size_t capacity);
  // Empties the buffer; heap memory is kept for the next use.
  void clear();
  // Adds `bytes` uninitialised bytes and returns where they are. Throws std::bad_alloc.
  uint8_t* extend(size_t bytes) {
    if (size_ + bytes > capacity_) make_room(bytes);
    uint8_t* end = data_ + size_;
    size_ += bytes;
    return end;
  }
  void shrink(size_t size) { size_ = size; }

 private:
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  void make_room(size_t bytes);

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  std::unique_ptr<uint8_t, Free> heap_;
  size_t heap_capacity_ = 0;
};

// One column. `values`: fixed-width values, bits of booleans, or bytes of strings. Children: a list's
// element, a map's key and value, a struct's fields.
struct ColumnBuilder {
  explicit ColumnBuilder(const types::DataType& column_type);

  types::DataType type;
  int64_t length = 0;
  int64_t null_count = 0;
  Buffer validity;  // empty while there is no null
  Buffer offsets;   // of strings, lists, maps: int32, length + 1 of them
  Buffer values;
  std::vector<ColumnBuilder> children;

  bool has_offsets() const;
  // Bytes of one value in `values`; 0 for booleans, strings and nested types.
  size_t value_width() const;

  // Adds `count` rows that are all valid, or all null, to length and validity (not to the values).
  void add_valid(int64_t count);
  void add_null();
  // The same with a bit per row (set: valid), from bit `start` of `bits`.
  void add_validity(const uint64_t* bits, int64_t start, int64_t count);
  // Adds a bit per row to `values` (booleans): bytes of 0 and 1.
  void add_booleans(const uint8_t* bytes, int64_t count);
  // Room for `count` more offsets; the first call also writes the leading 0. Returns where the next offset
  // goes.
  int32_t* extend_offsets(int64_t count);
  // The last offset written.
  int32_t last_offset() const;

  void clear();
  // Bytes in use on the heap, children included.
  size_t heap_bytes() const;

 private:
  void materialize_validity();
};

// Sets or clears bit `index`.
inline void set_bit(uint8_t* bits, int64_t index, bool value) {
  const auto mask = static_cast<uint8_t>(1u << (index & 7));
  if (value) {
    bits[index >> 3] |= mask;
  } else {
    bits[index >> 3] &= static_cast<uint8_t>(~mask);
  }
}

}  // namespace deuteron::exchange
