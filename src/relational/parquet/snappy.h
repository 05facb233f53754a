// Snappy, the raw format, as Parquet's pages use it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace deuteron::relational::parquet {

// Bytes behind what is read and behind what is written that decompress() may touch.
constexpr size_t kSnappySlack = 16;

// Whether exactly `bytes` bytes came out.
bool decompress_snappy(const uint8_t* from, size_t from_bytes, uint8_t* to, size_t bytes);

}  // namespace deuteron::relational::parquet
