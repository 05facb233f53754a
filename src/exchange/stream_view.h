// Streams seen in another way, without a copy of what is in them: several as one, or some of their columns as
// a stream of another layout. Thread-safe, except that a StreamViews is used by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "exchange/shared_memory.h"
#include "exchange/stage_output.h"
#include "exchange/stream_writer.h"

namespace deuteron::exchange {

// Where streams stand in the one that they are joined to.
struct StreamPosition {
  bool is_begin = true;  // the schema of the first is wanted
  bool is_end = true;    // the end mark of the last is
};

// Regions that are one stream, or a part of one, when they are read one after the other: the first schema,
// all batches, the last end mark. All streams are of one format. The body of a batch of a view is a region of
// its own.
Result<std::vector<Region>> join_streams(const Streams& streams, StreamPosition position = {});

// Makes views: new messages, in shared memory, over the bodies that are there.
class StreamViews {
 public:
  StreamViews(std::shared_ptr<SharedMemory> memory, std::string owner, StreamFormatPtr format,
              const StreamWriterOptions& limits = {});

  // The columns with these positions, as the format's. nullopt when a copy is needed or better: there is no
  // stream, the columns' Arrow types are others than the format's, the batches are larger than the limits, or
  // many and small, or on disk.
  Result<std::optional<Streams>> view(const Streams& streams, Layout layout,
                                      const std::vector<int32_t>& columns);

 private:
  Result<std::optional<Stream>> view_one(const Stream& stream, Layout layout,
                                         const std::vector<int32_t>& columns);
  Result<uint8_t*> extend(uint64_t bytes);

  const std::shared_ptr<SharedMemory> memory_;
  const std::string owner_;
  const StreamFormatPtr format_;
  const StreamWriterOptions limits_;
  SlabPtr slab_;  // of the messages
  uint64_t cursor_ = 0;
};

}  // namespace deuteron::exchange
