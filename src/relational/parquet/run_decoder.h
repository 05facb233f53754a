// Small numbers as runs: of one number repeated, or packed into a fixed number of bits each. Levels and
// dictionary codes of Parquet are written so. Reads bytes that it does not own, and up to kSlack bytes past
// their end.
#pragma once

#include <cstddef>
#include <cstdint>

namespace deuteron::relational::parquet {

class RunDecoder {
 public:
  static constexpr size_t kSlack = 16;
  static constexpr int kMostBits = 32;

  RunDecoder() = default;
  RunDecoder(const uint8_t* begin, const uint8_t* end, int bits) : next_(begin), end_(end), bits_(bits) {}
  // Bits that are packed without a run's header.
  static RunDecoder of_bits(const uint8_t* begin, const uint8_t* end);

  // The next `count` numbers; false when there are fewer.
  bool get(uint32_t* numbers, int64_t count);
  // Whether the next `count` are `number`, in one run; if so, they are passed over.
  bool skip_repeated(uint32_t number, int64_t count);

 private:
  bool begin_run();

  const uint8_t* next_ = nullptr;  // of the runs
  const uint8_t* end_ = nullptr;
  int bits_ = 0;
  int64_t left_ = 0;  // of the run
  bool is_repeated_ = false;
  uint32_t repeated_ = 0;
  const uint8_t* packed_ = nullptr;
  int64_t position_ = 0;  // in the packed numbers
};

}  // namespace deuteron::relational::parquet
