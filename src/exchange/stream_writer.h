// Writes Arrow IPC streams into shared memory, with bodies on 64 bytes: for Python workers, later scans, and
// the client. Rows are added straight into the Arrow buffers of `columns`; that is the one copy. Not
// thread-safe; one writer per thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "exchange/block.h"
#include "exchange/column_builder.h"
#include "exchange/shared_memory.h"
#include "exchange/stage_output.h"

namespace deuteron::exchange {

// What all streams of one schema have in common. Immutable, shared.
class StreamFormat {
 public:
  static Result<std::shared_ptr<const StreamFormat>> make(const types::Schema& schema, Layout layout,
                                                          const std::string& time_zone);

  const types::Schema& schema() const { return schema_; }
  Layout layout() const { return layout_; }
  // The encapsulated schema message; a multiple of 64 bytes.
  const std::string& schema_message() const { return schema_message_; }
  // Length of the metadata of a record batch with its prefix; the same for all; a multiple of 64.
  size_t metadata_bytes() const { return metadata_bytes_; }
  std::vector<ColumnBuilder> make_columns() const;

 private:
  types::Schema schema_;
  Layout layout_ = Layout::kFlat;
  std::string schema_message_;
  size_t metadata_bytes_ = 0;
};
using StreamFormatPtr = std::shared_ptr<const StreamFormat>;

constexpr int64_t kRowsPerBatch = 131072;
constexpr uint64_t kBytesPerBatch = uint64_t{8} << 20;

struct StreamWriterOptions {
  int64_t rows_per_batch = kRowsPerBatch;     // at the most
  uint64_t bytes_per_batch = kBytesPerBatch;  // about
  // A slab takes further streams up to this size; 0: each has a slab of its own, so that it goes back early.
  uint64_t packed_bytes = uint64_t{64} << 20;
  SlabUse use = SlabUse::kEngine;
  bool empty_batch = false;  // a stream without rows has a batch without rows
};

// Streams in shared memory, one after the other, packed into slabs.
class StreamWriter {
 public:
  StreamWriter(std::shared_ptr<SharedMemory> memory, std::string owner, StreamFormatPtr format,
               const StreamWriterOptions& options = {});

  // Whether the batch under way takes no more rows.
  bool batch_is_full() const;
  // How many rows may be added to `columns` now; more than 0. Ends a batch that is full and begins the next.
  Result<int64_t> room();
  std::vector<ColumnBuilder>& columns() { return columns_; }
  // To be called after rows were added to each column.
  void added(int64_t rows) { rows_in_batch_ += rows; }
  int64_t rows() const { return rows_ + rows_in_batch_; }

  // Ends the stream; the next row begins another one. A stream without rows is a schema and an end mark,
  // unless the options say otherwise.
  Result<Stream> finish();

 private:
  Status begin_stream();
  Status begin_batch();
  Status end_batch();
  // Makes sure that the slab holds `end` bytes; moves the stream to a slab on disk when memory is used up.
  Status reserve(uint64_t end);

  const std::shared_ptr<SharedMemory> memory_;
  const std::string owner_;
  const StreamFormatPtr format_;
  const StreamWriterOptions options_;
  int64_t batch_capacity_ = 0;  // rows
  std::vector<ColumnBuilder> columns_;
  SlabPtr slab_;
  bool in_stream_ = false;
  bool in_batch_ = false;
  uint64_t stream_begin_ = 0;
  uint64_t cursor_ = 0;  // end of what is written; a multiple of 64
  int64_t rows_ = 0;     // of ended batches of this stream
  int64_t rows_in_batch_ = 0;
};

}  // namespace deuteron::exchange
