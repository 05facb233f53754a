#include "relational/partition_writer.h"

#include <algorithm>
#include <utility>

namespace deuteron::relational {

PartitionWriter::PartitionWriter(const Target& target, StreamSink sink)
    : target_(target), sink_(std::move(sink)) {
  for (const GroupFormat& group : target.groups) {
    writers_.push_back(std::make_unique<exchange::StreamWriter>(target.memory, target.owner, group.format,
                                                                target.stream_options));
  }
}

Status PartitionWriter::add(duckdb_data_chunk chunk, const std::vector<SourceType>& sources,
                            const RowRange& all_rows, bool begins_key, const int32_t* sides) {
  for (size_t i = 0; i < writers_.size(); ++i) {
    RowRange rows = all_rows;
    if (target_.groups[i].one_row_per_key) {
      if (!begins_key) continue;
      rows.count = std::min<int64_t>(rows.count, 1);
    }
    if (target_.groups[i].side >= 0) rows = rows_of_side(all_rows, sides, target_.groups[i].side);
    int64_t done = 0;
    while (done < rows.count) {
      if (sink_ && writers_[i]->batch_is_full()) RETURN_IF_ERROR(end_stream(i));
      ASSIGN_OR_RETURN(const int64_t room, writers_[i]->room());
      RowRange part = rows;
      part.count = std::min(room, rows.count - done);
      if (rows.selection == nullptr) {
        part.start += done;
      } else {
        part.selection += done;
      }
      for (size_t k = 0; k < target_.groups[i].columns.size(); ++k) {
        const auto column = static_cast<size_t>(target_.groups[i].columns[k]);
        RETURN_IF_ERROR(append_rows(duckdb_data_chunk_get_vector(chunk, column), sources[column], part,
                                    writers_[i]->columns()[k]));
      }
      writers_[i]->added(part.count);
      done += part.count;
    }
  }
  return sink_ && !partition_.empty() ? sink_(take()) : Status();
}

Status PartitionWriter::add(PlainFile& file, const CancelToken& stop) {
  exchange::StreamWriter& writer = *writers_[0];
  while (const int64_t most = file.room()) {
    if (stop.cancelled()) return cancelled();
    if (sink_ && writer.batch_is_full()) {
      RETURN_IF_ERROR(end_stream(0));
      RETURN_IF_ERROR(sink_(take()));
    }
    ASSIGN_OR_RETURN(const int64_t room, writer.room());
    const int64_t rows = std::min(room, most);
    RETURN_IF_ERROR(file.read(rows, writer.columns()));
    writer.added(rows);
  }
  return Status();
}

Status PartitionWriter::end_streams() {
  RETURN_IF_ERROR(end_streams(false));
  return end_streams(true);
}

exchange::Partition PartitionWriter::take() {
  partition_.resize(writers_.size());
  return std::exchange(partition_, {});
}

Status PartitionWriter::end_stream(size_t group) {
  partition_.resize(writers_.size());
  ASSIGN_OR_RETURN(exchange::Stream stream, writers_[group]->finish());
  partition_[group].push_back(std::move(stream));
  return Status();
}

Status PartitionWriter::end_streams(bool one_row_per_key) {
  for (size_t i = 0; i < writers_.size(); ++i) {
    if (target_.groups[i].one_row_per_key == one_row_per_key) RETURN_IF_ERROR(end_stream(i));
  }
  return Status();
}

RowRange PartitionWriter::rows_of_side(const RowRange& rows, const int32_t* sides, int32_t side) {
  chosen_.clear();
  for (int64_t row = rows.start; row < rows.start + rows.count; ++row) {
    if (sides[row] == side) chosen_.push_back(static_cast<uint32_t>(row));
  }
  return {0, static_cast<int64_t>(chosen_.size()), chosen_.data()};
}

}  // namespace deuteron::relational
