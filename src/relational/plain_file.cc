#include "relational/plain_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "relational/partitioning.h"

namespace deuteron::relational {

namespace {

// A column holds a page and a dictionary, 1 MB each in most files.
constexpr size_t kMostColumns = 100;
// Text: as many as DuckDB hands over at once, so that a batch ends when it is full.
constexpr int64_t kMostRowsOfText = 2048;

bool read_fully(int file, uint64_t begin, std::string& to) {
  size_t done = 0;
  while (done < to.size()) {
    const ssize_t count = pread(file, to.data() + done, to.size() - done, static_cast<off_t>(begin + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

// The footer, which stands at the end of the file before its length and a mark.
std::optional<std::string> footer_bytes(int file) {
  constexpr std::string_view kMark = "PAR1";
  constexpr uint64_t kEndBytes = 8;
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const auto size = static_cast<uint64_t>(status.st_size);
  std::string end(kEndBytes, '\0');
  if (size < kEndBytes || !read_fully(file, size - kEndBytes, end) || end.substr(4) != kMark)
    return std::nullopt;
  uint32_t length = 0;
  std::memcpy(&length, end.data(), sizeof(length));
  if (length > size - kEndBytes) return std::nullopt;
  std::string footer(length, '\0');
  if (!read_fully(file, size - kEndBytes - length, footer)) return std::nullopt;
  return footer;
}

// The groups that make up the piece; nullopt when it ends within one.
std::optional<std::vector<parquet::RowGroup>> groups_of(std::vector<parquet::RowGroup> groups,
                                                        const FilePiece& piece) {
  std::vector<parquet::RowGroup> chosen;
  int64_t row = 0;
  int64_t rows = 0;
  for (parquet::RowGroup& group : groups) {
    const int64_t first = row;
    if (group.rows > std::numeric_limits<int64_t>::max() - row) return std::nullopt;
    row += group.rows;
    if (first < piece.first_row || (piece.end_row >= 0 && first >= piece.end_row)) continue;
    rows += group.rows;
    chosen.push_back(std::move(group));
  }
  if (piece.end_row >= 0 && rows != piece.end_row - piece.first_row) return std::nullopt;
  return chosen;
}

}  // namespace

std::optional<types::Schema> plain_columns(const plan::resolved::RelationPtr& fragment,
                                           const plan::resolved::Relation& leaf,
                                           const std::vector<int32_t>& columns) {
  const auto* scan = std::get_if<plan::resolved::FileScan>(&leaf.node);
  if (scan == nullptr || scan->format != "parquet" || columns.empty() || columns.size() > kMostColumns)
    return std::nullopt;
  const auto positions = positions_in_leaf(fragment, leaf);
  if (!positions.has_value()) return std::nullopt;
  types::Schema plain;
  for (const int32_t column : columns) {
    const types::StructField& field =
        scan->schema[static_cast<size_t>((*positions)[static_cast<size_t>(column)])];
    const auto& keys = scan->partition_columns;
    if (std::find(keys.begin(), keys.end(), field.name) != keys.end()) return std::nullopt;
    plain.push_back(field);
  }
  return plain;
}

std::unique_ptr<PlainFile> PlainFile::open(const FilePiece& piece, const types::Schema& columns) {
  FileDescriptor descriptor(::open(piece.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.valid()) return nullptr;
  const std::optional<std::string> bytes = footer_bytes(descriptor.get());
  if (!bytes.has_value()) return nullptr;
  std::optional<parquet::Footer> footer = parquet::read_footer(*bytes, columns);
  if (!footer.has_value()) return nullptr;
  auto groups = groups_of(std::move(footer->row_groups), piece);
  if (!groups.has_value()) return nullptr;
  std::unique_ptr<PlainFile> file(new PlainFile);
  file->file_ = std::move(descriptor);
  file->source_.file = file->file_.get();
  file->source_.path = piece.path;
  file->row_groups_ = *std::move(groups);
  file->most_rows_ = std::numeric_limits<int64_t>::max();
  for (size_t i = 0; i < columns.size(); ++i) {
    file->columns_.emplace_back(file->source_, columns[i].type.id(), footer->columns[i]);
    if (footer->columns[i].stored == parquet::Stored::kText) file->most_rows_ = kMostRowsOfText;
  }
  return file;
}

int64_t PlainFile::room() {
  while (rows_left_ == 0 && next_group_ < row_groups_.size()) {
    const parquet::RowGroup& group = row_groups_[next_group_++];
    rows_left_ = group.rows;
    for (size_t i = 0; i < columns_.size(); ++i) columns_[i].begin(group.columns[i]);
  }
  return std::min(rows_left_, most_rows_);
}

Status PlainFile::read(int64_t rows, std::vector<exchange::ColumnBuilder>& columns) {
  for (size_t i = 0; i < columns_.size(); ++i) RETURN_IF_ERROR(columns_[i].read(rows, columns[i]));
  rows_left_ -= rows;
  return Status();
}

}  // namespace deuteron::relational
