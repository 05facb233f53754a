// Columns of a Parquet file that need nothing of DuckDB's scan but their values: numbers, dates, instants,
// truth values, text and bytes that are read as they are. They are decoded straight into Arrow buffers;
// through DuckDB they would be copied twice more, and those of a dictionary be looked up by a slow way. What
// is left out here, DuckDB reads. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/file_descriptor.h"
#include "base/status.h"
#include "exchange/column_builder.h"
#include "plan/resolved.h"
#include "relational/file_source.h"
#include "relational/parquet/column_pages.h"

namespace deuteron::relational {

// The columns of files that these columns of the fragment's output are; nullopt when something is computed or
// rows are left out, or when the leaf reads something else than Parquet files.
std::optional<types::Schema> plain_columns(const plan::resolved::RelationPtr& fragment,
                                           const plan::resolved::Relation& leaf,
                                           const std::vector<int32_t>& columns);

class PlainFile {
 public:
  // The rows of a piece. Null: the file must be read by DuckDB, which also tells what is wrong with it.
  static std::unique_ptr<PlainFile> open(const FilePiece& piece, const types::Schema& columns);

  // How many rows can be read at once; 0: there are no more.
  int64_t room();
  // Appends that many rows, or fewer, to the columns.
  Status read(int64_t rows, std::vector<exchange::ColumnBuilder>& columns);

 private:
  PlainFile() = default;

  FileDescriptor file_;
  parquet::PageSource source_;
  std::vector<parquet::RowGroup> row_groups_;  // those to be read
  size_t next_group_ = 0;
  int64_t rows_left_ = 0;  // of the group
  int64_t most_rows_ = 0;
  std::vector<parquet::ColumnPages> columns_;
};

}  // namespace deuteron::relational
