// What the footer of a Parquet file says of some of its columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "types/data_type.h"

namespace deuteron::relational::parquet {

enum class Codec : uint8_t { kNone = 0, kSnappy = 1, kZstd = 6 };

// The values of a column in one row group.
struct ColumnChunk {
  Codec codec = Codec::kNone;
  uint64_t begin = 0;  // in the file
  uint64_t bytes = 0;
};

struct RowGroup {
  int64_t rows = 0;
  std::vector<ColumnChunk> columns;
};

// How values stand in pages.
enum class Stored : uint8_t { kBit, kFourBytes, kEightBytes, kFixedBytes, kText };

struct ColumnFormat {
  Stored stored = Stored::kFourBytes;
  size_t fixed_bytes = 0;
  bool may_be_null = false;
};

struct Footer {
  std::vector<ColumnFormat> columns;
  std::vector<RowGroup> row_groups;
};

// Of the columns with these names and types, none of which is nested or an interval. nullopt when a column is
// missing, of another type, or encoded or compressed in a way that ColumnPages does not read, and when the
// bytes make no sense.
std::optional<Footer> read_footer(std::string_view bytes, const types::Schema& columns);

}  // namespace deuteron::relational::parquet
