// Batches as they travel: Arrow IPC bytes in shared memory, to Python and to the client.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "types/data_type.h"

namespace deuteron::exchange {

// A piece of a slab of shared memory (a memfd, see shared_memory.h). The slab stays mapped and alive while
// any region of it lives.
class Slab;
struct Region {
  std::shared_ptr<Slab> slab;
  uint64_t offset = 0;  // bytes; a multiple of 64 when the server wrote it
  uint64_t length = 0;  // bytes

  // The bytes, while this region lives; empty without a slab. STAGE_OUTPUT_LOST when some of them are gone:
  // the slab's file is shorter than the region says, or a page could not be read (integrity.h).
  Result<std::string_view> bytes() const;
};

// How a partition's Arrow stream is laid out for its reader.
enum class Layout {
  kFlat,          // the columns themselves (scalar functions, the client)
  kStructColumn,  // one struct column that holds all columns (mapInArrow, mapInPandas)
};

// One Arrow IPC stream: schema, one record batch, end mark; what a client gets in one ExecutePlanResponse.
struct EncodedBatch {
  int64_t rows = 0;
  Region stream;
};

}  // namespace deuteron::exchange
