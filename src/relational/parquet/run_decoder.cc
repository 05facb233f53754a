#include "relational/parquet/run_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace deuteron::relational::parquet {

namespace {

uint64_t load(const uint8_t* bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

constexpr uint64_t mask_of(int bits) { return (uint64_t{1} << bits) - 1; }

uint32_t number_at(const uint8_t* packed, int bits, int64_t position) {
  const auto bit = static_cast<uint64_t>(position) * static_cast<uint64_t>(bits);
  return static_cast<uint32_t>((load(packed + bit / 8) >> (bit % 8)) & mask_of(bits));
}

// Eights of numbers: with the width known to the compiler, every shift is a constant.
template <int kBits>
void unpack_eights(const uint8_t* packed, int64_t eights, uint32_t* numbers) {
  for (int64_t i = 0; i < eights; ++i, packed += kBits, numbers += 8) {
    [&]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
      ((numbers[kIndex] = static_cast<uint32_t>((load(packed + kIndex * kBits / 8) >> (kIndex * kBits % 8)) &
                                                mask_of(kBits))),
       ...);
    }(std::make_integer_sequence<int, 8>());
  }
}

using Unpack = void (*)(const uint8_t* packed, int64_t eights, uint32_t* numbers);

template <int... kBits>
constexpr std::array<Unpack, sizeof...(kBits)> unpack_table(std::integer_sequence<int, kBits...>) {
  return {unpack_eights<kBits>...};
}
constexpr auto kUnpack = unpack_table(std::make_integer_sequence<int, RunDecoder::kMostBits + 1>());

void unpack(const uint8_t* packed, int bits, int64_t position, int64_t count, uint32_t* numbers) {
  for (; count > 0 && position % 8 != 0; --count) *numbers++ = number_at(packed, bits, position++);
  const int64_t eights = count / 8;
  kUnpack[static_cast<size_t>(bits)](packed + position / 8 * bits, eights, numbers);
  numbers += eights * 8;
  position += eights * 8;
  for (count -= eights * 8; count > 0; --count) *numbers++ = number_at(packed, bits, position++);
}

}  // namespace

RunDecoder RunDecoder::of_bits(const uint8_t* begin, const uint8_t* end) {
  RunDecoder decoder(end, end, 1);
  decoder.packed_ = begin;
  decoder.left_ = (end - begin) * 8;
  return decoder;
}

bool RunDecoder::begin_run() {
  uint64_t header = 0;
  for (int shift = 0;; shift += 7) {
    if (next_ == end_ || shift > 28) return false;
    const uint8_t part = *next_++;
    header |= static_cast<uint64_t>(part & 127) << shift;
    if (part < 128) break;
  }
  const int64_t bytes_left = end_ - next_;
  is_repeated_ = (header & 1) == 0;
  if (is_repeated_) {
    const int64_t width = (bits_ + 7) / 8;
    if (width > bytes_left) return false;
    repeated_ = 0;
    std::memcpy(&repeated_, next_, static_cast<size_t>(width));
    next_ += width;
    left_ = static_cast<int64_t>(header >> 1);
    return true;
  }
  // The last eight may be cut off.
  const auto eights = static_cast<int64_t>(header >> 1);
  const int64_t bytes = std::min(eights * bits_, bytes_left);
  left_ = bits_ == 0 ? eights * 8 : std::min(eights * 8, bytes * 8 / bits_);
  packed_ = next_;
  position_ = 0;
  next_ += bytes;
  return true;
}

bool RunDecoder::get(uint32_t* numbers, int64_t count) {
  while (count > 0) {
    if (left_ == 0) {
      if (!begin_run()) return false;
      continue;
    }
    const int64_t now = std::min(count, left_);
    if (is_repeated_) {
      std::fill_n(numbers, now, repeated_);
    } else {
      unpack(packed_, bits_, position_, now, numbers);
      position_ += now;
    }
    left_ -= now;
    numbers += now;
    count -= now;
  }
  return true;
}

bool RunDecoder::skip_repeated(uint32_t number, int64_t count) {
  if (left_ == 0 && !begin_run()) return false;
  if (!is_repeated_ || repeated_ != number || left_ < count) return false;
  left_ -= count;
  return true;
}

}  // namespace deuteron::relational::parquet
