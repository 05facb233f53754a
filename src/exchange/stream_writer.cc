#include "exchange/stream_writer.h"

#include <nanoarrow/nanoarrow.h>
#include <nanoarrow/nanoarrow_ipc.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "exchange/arrow_schema.h"
#include "exchange/integrity.h"
#include "exchange/record_batch_message.h"

namespace deuteron::exchange {

namespace {

using types::TypeId;

constexpr uint64_t kAlignment = kMessageAlignment;

uint64_t align(uint64_t position) { return align_message(position); }

// Equal rows give equal bytes, whatever the slab was used for before.
void clear_padding(uint8_t* buffer, size_t size) { std::memset(buffer + size, 0, align(size) - size); }

// The parts of a record batch in Arrow's order (depth first).
struct BatchParts {
  std::vector<FieldNode> nodes;
  std::vector<const Buffer*> buffers;  // null: an absent buffer of length 0
};

void collect(const ColumnBuilder& column, BatchParts& parts) {
  parts.nodes.push_back({column.length, column.type.is(TypeId::kNull) ? column.length : column.null_count});
  if (column.type.is(TypeId::kNull)) return;
  parts.buffers.push_back(column.null_count > 0 ? &column.validity : nullptr);
  switch (column.type.id()) {
    case TypeId::kString:
    case TypeId::kBinary:
      parts.buffers.push_back(&column.offsets);
      parts.buffers.push_back(&column.values);
      return;
    case TypeId::kArray:
      parts.buffers.push_back(&column.offsets);
      collect(column.children[0], parts);
      return;
    case TypeId::kMap:
      parts.buffers.push_back(&column.offsets);
      parts.nodes.push_back({column.children[0].length, 0});  // the struct of entries
      parts.buffers.push_back(nullptr);
      collect(column.children[0], parts);
      collect(column.children[1], parts);
      return;
    case TypeId::kStruct:
      for (const ColumnBuilder& child : column.children) collect(child, parts);
      return;
    default: parts.buffers.push_back(&column.values);
  }
}

BatchParts collect_all(const StreamFormat& format, const std::vector<ColumnBuilder>& columns, int64_t rows) {
  BatchParts parts;
  if (format.layout() == Layout::kStructColumn) {
    parts.nodes.push_back({rows, 0});
    parts.buffers.push_back(nullptr);
  }
  for (const ColumnBuilder& column : columns) collect(column, parts);
  return parts;
}

// Visits the columns whose row count is the batch's: top-level ones and fields of structs.
void for_each_row_column(std::vector<ColumnBuilder>& columns,
                         const std::function<void(ColumnBuilder&)>& visit) {
  for (ColumnBuilder& column : columns) {
    visit(column);
    if (column.type.is(TypeId::kStruct)) for_each_row_column(column.children, visit);
  }
}

// Bytes that `rows` rows need in the buffers whose size depends on the number of rows alone.
uint64_t fixed_bytes(std::vector<ColumnBuilder>& columns, int64_t rows) {
  uint64_t bytes = 0;
  for_each_row_column(columns, [&](const ColumnBuilder& column) {
    if (column.has_offsets()) bytes += align(static_cast<uint64_t>(rows + 1) * sizeof(int32_t));
    bytes += align(static_cast<uint64_t>(rows) * column.value_width());
  });
  return bytes;
}

int64_t rows_that_fit(std::vector<ColumnBuilder>& columns, const StreamWriterOptions& options) {
  constexpr int64_t kStep = 2048;
  const uint64_t row_bytes = std::max<uint64_t>(1, fixed_bytes(columns, kStep) / kStep);
  auto fitting = static_cast<int64_t>(options.bytes_per_batch / row_bytes);
  if (fitting > kStep) fitting = fitting / kStep * kStep;
  return std::max<int64_t>(1, std::min(options.rows_per_batch, fitting));
}

Result<std::string> encode_schema(const types::Schema& schema, Layout layout, const std::string& time_zone) {
  ArrowSchema arrow_schema;
  RETURN_IF_ERROR(to_arrow(schema, layout, time_zone, &arrow_schema));
  ArrowIpcEncoder encoder;
  ArrowBuffer buffer;
  ArrowBufferInit(&buffer);
  ArrowError failure{};
  bool ok = ArrowIpcEncoderInit(&encoder) == NANOARROW_OK;
  if (ok) {
    ok = ArrowIpcEncoderEncodeSchema(&encoder, &arrow_schema, &failure) == NANOARROW_OK &&
         ArrowIpcEncoderFinalizeBuffer(&encoder, true, &buffer) == NANOARROW_OK;
    ArrowIpcEncoderReset(&encoder);
  }
  std::string message;
  if (ok) message.assign(reinterpret_cast<const char*>(buffer.data), static_cast<size_t>(buffer.size_bytes));
  ArrowBufferReset(&buffer);
  arrow_schema.release(&arrow_schema);
  if (!ok) return internal_error(std::string("cannot encode an Arrow schema: ") + failure.message);
  message.resize(align(message.size()), '\0');
  const auto metadata_bytes = static_cast<int32_t>(message.size() - kMessagePrefixBytes);
  std::memcpy(message.data() + 4, &metadata_bytes, sizeof(metadata_bytes));
  return message;
}

}  // namespace

Result<StreamFormatPtr> StreamFormat::make(const types::Schema& schema, Layout layout,
                                           const std::string& time_zone) {
  auto format = std::make_shared<StreamFormat>();
  format->schema_ = schema;
  format->layout_ = layout;
  ASSIGN_OR_RETURN(format->schema_message_, encode_schema(schema, layout, time_zone));
  const BatchParts parts = collect_all(*format, format->make_columns(), 0);
  format->metadata_bytes_ = record_batch_message_bytes(parts.nodes.size(), parts.buffers.size());
  return StreamFormatPtr(std::move(format));
}

std::vector<ColumnBuilder> StreamFormat::make_columns() const {
  std::vector<ColumnBuilder> columns;
  columns.reserve(schema_.size());
  for (const types::StructField& field : schema_) columns.emplace_back(field.type);
  return columns;
}

StreamWriter::StreamWriter(std::shared_ptr<SharedMemory> memory, std::string owner, StreamFormatPtr format,
                           const StreamWriterOptions& options)
    : memory_(std::move(memory)),
      owner_(std::move(owner)),
      format_(std::move(format)),
      options_(options),
      columns_(format_->make_columns()) {
  batch_capacity_ = rows_that_fit(columns_, options_);
}

Status StreamWriter::reserve(uint64_t end) {
  const uint64_t size = slab_->size();
  if (end <= size) return Status();
  if (options_.use != SlabUse::kClient && !slab_->is_spilled() && memory_->over_budget(end - size)) {
    ASSIGN_OR_RETURN(SlabPtr file, memory_->acquire_spilled(owner_));
    const uint64_t written = cursor_ - stream_begin_;
    RETURN_IF_ERROR(file->grow(end - stream_begin_));
    std::memcpy(file->data(), slab_->data() + stream_begin_, written);
    slab_ = std::move(file);
    stream_begin_ = 0;
    cursor_ = written;
    return Status();
  }
  return slab_->grow(end);
}

Status StreamWriter::begin_stream() {
  if (slab_ == nullptr || cursor_ > options_.packed_bytes) {
    ASSIGN_OR_RETURN(slab_, memory_->acquire(owner_, options_.bytes_per_batch, options_.use));
    cursor_ = 0;
  }
  stream_begin_ = cursor_;
  rows_ = 0;
  const std::string& message = format_->schema_message();
  RETURN_IF_ERROR(reserve(cursor_ + message.size() + kAlignment));
  std::memcpy(slab_->data() + cursor_, message.data(), message.size());
  cursor_ += message.size();
  in_stream_ = true;
  return Status();
}

Status StreamWriter::begin_batch() {
  if (!in_stream_) RETURN_IF_ERROR(begin_stream());
  // Room for the fixed buffers, for the end mark, and for what lies on the heap at the end is made then.
  RETURN_IF_ERROR(
      reserve(cursor_ + format_->metadata_bytes() + fixed_bytes(columns_, batch_capacity_) + kAlignment));
  for (ColumnBuilder& column : columns_) column.clear();
  uint8_t* place = slab_->data() + cursor_ + format_->metadata_bytes();
  for_each_row_column(columns_, [&](ColumnBuilder& column) {
    const auto rows = static_cast<uint64_t>(batch_capacity_);
    if (column.has_offsets()) {
      column.offsets.attach(place, (rows + 1) * sizeof(int32_t));
      place += align((rows + 1) * sizeof(int32_t));
    }
    if (column.value_width() > 0) {
      column.values.attach(place, rows * column.value_width());
      place += align(rows * column.value_width());
    }
  });
  rows_in_batch_ = 0;
  in_batch_ = true;
  return Status();
}

bool StreamWriter::batch_is_full() const {
  if (!in_batch_) return false;
  size_t heap_bytes = 0;
  for (const ColumnBuilder& column : columns_) heap_bytes += column.heap_bytes();
  return rows_in_batch_ >= batch_capacity_ || heap_bytes >= options_.bytes_per_batch;
}

Result<int64_t> StreamWriter::room() {
  if (batch_is_full()) RETURN_IF_ERROR(end_batch());
  if (!in_batch_) RETURN_IF_ERROR(begin_batch());
  return batch_capacity_ - rows_in_batch_;
}

Status StreamWriter::end_batch() {
  in_batch_ = false;
  if (rows_in_batch_ == 0 && (rows_ > 0 || !options_.empty_batch)) return Status();
  const BatchParts parts = collect_all(*format_, columns_, rows_in_batch_);
  std::vector<BufferPlace> places(parts.buffers.size());
  uint64_t heap_bytes = 0;
  for (const Buffer* buffer : parts.buffers) {
    if (buffer != nullptr && !buffer->is_attached()) heap_bytes += align(buffer->size());
  }
  const uint64_t body = cursor_ + format_->metadata_bytes();
  // Attached buffers close ranks: they are in rising order and only move down.
  uint64_t end = body;
  for (size_t i = 0; i < parts.buffers.size(); ++i) {
    const Buffer* buffer = parts.buffers[i];
    if (buffer == nullptr || !buffer->is_attached() || buffer->size() == 0) continue;
    uint8_t* target = slab_->data() + end;
    if (target != buffer->data()) std::memmove(target, buffer->data(), buffer->size());
    clear_padding(target, buffer->size());
    places[i] = {static_cast<int64_t>(end - body), static_cast<int64_t>(buffer->size())};
    end += align(buffer->size());
  }
  const uint64_t heap_begin = end - cursor_;
  cursor_ = end;  // what a move to disk must take along
  RETURN_IF_ERROR(reserve(end + heap_bytes + kAlignment));
  end = cursor_;
  const uint64_t batch_begin = end - heap_begin;
  const uint64_t body_begin = batch_begin + format_->metadata_bytes();
  for (size_t i = 0; i < parts.buffers.size(); ++i) {
    const Buffer* buffer = parts.buffers[i];
    if (buffer == nullptr || buffer->is_attached() || buffer->size() == 0) continue;
    std::memcpy(slab_->data() + end, buffer->data(), buffer->size());
    clear_padding(slab_->data() + end, buffer->size());
    places[i] = {static_cast<int64_t>(end - body_begin), static_cast<int64_t>(buffer->size())};
    end += align(buffer->size());
  }
  write_record_batch_message(slab_->data() + batch_begin, format_->metadata_bytes(), rows_in_batch_,
                             parts.nodes, places, static_cast<int64_t>(end - body_begin));
  cursor_ = end;
  rows_ += rows_in_batch_;
  rows_in_batch_ = 0;
  return Status();
}

Result<Stream> StreamWriter::finish() {
  if (options_.empty_batch && !in_stream_) RETURN_IF_ERROR(begin_batch());
  if (in_batch_) RETURN_IF_ERROR(end_batch());
  if (!in_stream_) RETURN_IF_ERROR(begin_stream());
  RETURN_IF_ERROR(reserve(cursor_ + sizeof(kEndOfStreamMark)));
  std::memcpy(slab_->data() + cursor_, kEndOfStreamMark, sizeof(kEndOfStreamMark));
  const uint64_t end = cursor_ + sizeof(kEndOfStreamMark);
  Stream stream{{slab_, stream_begin_, end - stream_begin_}, rows_};
  seal(stream);
  slab_->let_go(stream.region.offset, stream.region.length);
  cursor_ = align(end);
  in_stream_ = false;
  return stream;
}

}  // namespace deuteron::exchange
