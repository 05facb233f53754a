// Writes rows to the streams of partitions, one after the other: chunks of DuckDB's, or rows of plain files.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <duckdb.h>

#include "base/cancellation.h"
#include "exchange/stream_writer.h"
#include "relational/plain_file.h"
#include "relational/vector_to_arrow.h"

namespace deuteron::relational {

// One column group, ready to be written.
struct GroupFormat {
  std::vector<int32_t> columns;
  exchange::StreamFormatPtr format;
  bool one_row_per_key = false;
  int32_t side = -1;
};

struct Target {
  std::shared_ptr<exchange::SharedMemory> memory;
  std::string owner;
  exchange::StreamWriterOptions stream_options;
  std::vector<GroupFormat> groups;
  bool hands_over = false;
  bool in_pieces = false;  // each batch is a stream of its own, which can be read before the next is made
  std::function<bool(int32_t index)> only;

  bool wants(size_t partition) const { return !only || only(static_cast<int32_t>(partition)); }
};

using StreamSink = std::function<Status(exchange::Partition streams)>;

class PartitionWriter {
 public:
  // The target outlives it. `sink` gets the streams of a partition that is made in pieces as they end; empty:
  // it is written as a whole.
  explicit PartitionWriter(const Target& target, StreamSink sink = {});

  // begins_key: the first of the rows has another key than the one before it. sides: of each row of the
  // chunk; null when no group wants to know.
  Status add(duckdb_data_chunk chunk, const std::vector<SourceType>& sources, const RowRange& all_rows,
             bool begins_key = true, const int32_t* sides = nullptr);
  // The rows of a file, which has the columns of the only group.
  Status add(PlainFile& file, const CancelToken& stop);

  // Ends the streams that are being written and adds them to the partition.
  Status end_streams();
  // Those that do not go on with the next key.
  Status end_streams_of_key() { return end_streams(false); }
  // The others.
  Status end_streams_of_all_keys() { return end_streams(true); }
  exchange::Partition take();

 private:
  Status end_stream(size_t group);
  Status end_streams(bool one_row_per_key);
  RowRange rows_of_side(const RowRange& rows, const int32_t* sides, int32_t side);

  const Target& target_;
  const StreamSink sink_;
  std::vector<std::unique_ptr<exchange::StreamWriter>> writers_;
  std::vector<uint32_t> chosen_;
  exchange::Partition partition_;
};

}  // namespace deuteron::relational
