// What a stage has made: partitions of Arrow streams in shared memory, cut into groups of columns, so that
// the columns which a Python function takes can travel while the others wait; a scan joins the groups back by
// position. Immutable once made; shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exchange/block.h"
#include "types/data_type.h"

namespace deuteron::exchange {

// Some columns of a stage's output, which lie in streams of their own.
struct ColumnGroup {
  types::Schema schema;
  Layout layout = Layout::kFlat;
  // What a Python function declared not to be null is looked at when it is read (NOT_NULL_ASSERT_VIOLATION).
  bool is_of_function = false;
};

// One Arrow IPC stream (schema, record batches, end mark) in shared memory.
struct Stream {
  Region region;                       // length 0: no rows
  int64_t rows = -1;                   // -1: not counted
  std::optional<uint64_t> checksum{};  // of the region, when it lies on disk (integrity.h)
  // Of a view (stream_view.h): the region has the messages alone, and these are the bodies of the batches, in
  // order. Only join_streams() reads such a stream.
  std::vector<Region> bodies{};
};

// The streams of one column group, read one after the other. Several only when each group of equal keys has
// its own (GroupMap), or when a producer wrote in pieces.
using Streams = std::vector<Stream>;

// Partition: for each column group its streams. All groups have the same number of rows, in the same order.
using Partition = std::vector<Streams>;

struct StageOutput {
  std::vector<ColumnGroup> groups;
  std::vector<Partition> partitions;
};
using StageOutputPtr = std::shared_ptr<const StageOutput>;

}  // namespace deuteron::exchange
