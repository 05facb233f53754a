#include "relational/parquet/snappy.h"

#include <cstring>

namespace deuteron::relational::parquet {

namespace {

uint32_t little_endian(const uint8_t* bytes, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= static_cast<uint32_t>(bytes[i]) << (8 * i);
  return value;
}

// Steps of a fixed size need no call; what they write too much is overwritten, or slack.
template <size_t kStep>
void copy_in_steps(uint8_t* to, const uint8_t* from, size_t bytes) {
  for (size_t done = 0; done < bytes; done += kStep) std::memcpy(to + done, from + done, kStep);
}

// The source may run into what is being written: then its bytes repeat.
void copy_back(uint8_t* to, size_t offset, size_t bytes) {
  const uint8_t* from = to - offset;
  if (offset >= kSnappySlack) {
    copy_in_steps<kSnappySlack>(to, from, bytes);
  } else if (offset >= 8) {
    copy_in_steps<8>(to, from, bytes);
  } else {
    for (size_t i = 0; i < bytes; ++i) to[i] = from[i];
  }
}

}  // namespace

bool decompress_snappy(const uint8_t* from, size_t from_bytes, uint8_t* to, size_t bytes) {
  const uint8_t* const from_end = from + from_bytes;
  uint8_t* const begin = to;
  uint8_t* const end = to + bytes;
  uint64_t length = 0;
  for (int shift = 0;; shift += 7) {
    if (from == from_end || shift > 28) return false;
    const uint8_t part = *from++;
    length |= static_cast<uint64_t>(part & 127) << shift;
    if (part < 128) break;
  }
  if (length != bytes) return false;
  while (from < from_end) {
    const uint8_t tag = *from++;
    const auto left = static_cast<size_t>(from_end - from);
    if ((tag & 3) == 0) {  // bytes as they are
      size_t count = (tag >> 2) + size_t{1};
      if (count > 60) {
        const size_t width = count - 60;
        if (width > left) return false;
        count = little_endian(from, width) + size_t{1};
        from += width;
      }
      if (count > static_cast<size_t>(from_end - from) || count > static_cast<size_t>(end - to)) return false;
      if (count <= kSnappySlack) {
        std::memcpy(to, from, kSnappySlack);
      } else {
        std::memcpy(to, from, count);
      }
      from += count;
      to += count;
      continue;
    }
    // bytes that were there before
    size_t count = (tag >> 2) + size_t{1};
    size_t offset = 0;
    if ((tag & 3) == 1) {
      if (left < 1) return false;
      count = ((tag >> 2) & 7) + size_t{4};
      offset = (static_cast<size_t>(tag >> 5) << 8) | *from++;
    } else {
      const size_t width = (tag & 3) == 2 ? 2 : 4;
      if (width > left) return false;
      offset = little_endian(from, width);
      from += width;
    }
    if (offset == 0 || offset > static_cast<size_t>(to - begin) || count > static_cast<size_t>(end - to))
      return false;
    copy_back(to, offset, count);
    to += count;
  }
  return to == end;
}

}  // namespace deuteron::relational::parquet
