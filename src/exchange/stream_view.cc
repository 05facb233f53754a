#include "exchange/stream_view.h"

#include <nanoarrow/nanoarrow.h>

#include <cstring>
#include <string_view>

#include "exchange/integrity.h"
#include "exchange/record_batch_message.h"
#include "exchange/stream_reader.h"

namespace deuteron::exchange {

namespace {

// Batches that are smaller on average are better put together.
constexpr uint64_t kSmallBatchBytes = uint64_t{1} << 20;

struct BatchParts {
  std::vector<FieldNode> nodes;
  std::vector<BufferPlace> places;
};

void collect(const ArrowArrayView& array, const uint8_t* body, BatchParts& parts) {
  parts.nodes.push_back({array.length, array.null_count});
  for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; ++i) {
    if (array.layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_NONE) continue;
    const ArrowBufferView& buffer = array.buffer_views[i];
    const bool is_absent = buffer.size_bytes == 0;
    parts.places.push_back({is_absent ? 0 : buffer.data.as_uint8 - body, buffer.size_bytes});
  }
  for (int64_t i = 0; i < array.n_children; ++i) collect(*array.children[i], body, parts);
}

// Time zones may differ: they say how a value is shown, not what it is.
bool is_same_type(const ArrowSchema& one, const ArrowSchema& other) {
  const std::string_view first = one.format;
  const std::string_view second = other.format;
  const size_t zone = first.starts_with("ts") ? first.find(':') : std::string_view::npos;
  if (first.substr(0, zone) != second.substr(0, zone) || one.n_children != other.n_children) return false;
  for (int64_t i = 0; i < one.n_children; ++i) {
    if (!is_same_type(*one.children[i], *other.children[i])) return false;
  }
  return true;
}

// Whose children are the columns.
const ArrowSchema* columns_of(const ArrowSchema& schema, Layout layout) {
  if (layout == Layout::kFlat) return &schema;
  return schema.n_children == 1 ? schema.children[0] : nullptr;
}

Result<bool> fits(const StreamReader& reader, Layout layout, const std::vector<int32_t>& columns,
                  const StreamFormat& format) {
  ASSIGN_OR_RETURN(const StreamReader wanted, StreamReader::open(format.schema_message()));
  const ArrowSchema* from = columns_of(reader.schema(), layout);
  const ArrowSchema* to = columns_of(wanted.schema(), format.layout());
  if (from == nullptr || to == nullptr || to->n_children != static_cast<int64_t>(columns.size()))
    return false;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] >= from->n_children || !is_same_type(*from->children[columns[i]], *to->children[i]))
      return false;
  }
  return true;
}

bool is_handy(const StreamReader& reader, const StreamWriterOptions& limits) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < reader.batches(); ++i) {
    const uint64_t body = reader.body_of(i).size();
    if (reader.rows_of(i) > limits.rows_per_batch || body > 2 * limits.bytes_per_batch) return false;
    bytes += body;
  }
  return reader.batches() <= 1 + bytes / kSmallBatchBytes;
}

// The message that `messages` begins with. Views and writers made them: they are well formed.
Result<size_t> first_message_bytes(std::string_view messages) {
  int32_t metadata_bytes = 0;
  if (messages.size() < kMessagePrefixBytes) return internal_error("a stream that ends within a message");
  std::memcpy(&metadata_bytes, messages.data() + 4, sizeof(metadata_bytes));
  const size_t bytes = kMessagePrefixBytes + static_cast<size_t>(metadata_bytes);
  if (metadata_bytes < 0 || bytes > messages.size())
    return internal_error("a stream that ends within a message");
  return bytes;
}

Region cut(const Region& region, uint64_t begin, uint64_t end) {
  return {region.slab, region.offset + begin, end - begin};
}

}  // namespace

Result<std::vector<Region>> join_streams(const Streams& streams, StreamPosition joined) {
  std::vector<Region> regions;
  const auto add = [&](Region region) {
    if (region.length > 0) regions.push_back(std::move(region));
  };
  for (size_t i = 0; i < streams.size(); ++i) {
    const Stream& stream = streams[i];
    ASSIGN_OR_RETURN(const std::string_view bytes, stream.region.bytes());
    if (bytes.empty()) continue;
    ASSIGN_OR_RETURN(size_t position, first_message_bytes(bytes));
    size_t begin = joined.is_begin && regions.empty() ? 0 : position;
    for (const Region& body : stream.bodies) {
      ASSIGN_OR_RETURN(const size_t message, first_message_bytes(bytes.substr(position)));
      position += message;
      add(cut(stream.region, begin, position));
      add(body);
      begin = position;
    }
    const bool is_end = joined.is_end && i + 1 == streams.size();
    const size_t mark = is_end ? 0 : sizeof(kEndOfStreamMark);
    if (begin + mark > bytes.size()) return internal_error("a stream without an end mark");
    add(cut(stream.region, begin, bytes.size() - mark));
  }
  return regions;
}

StreamViews::StreamViews(std::shared_ptr<SharedMemory> memory, std::string owner, StreamFormatPtr format,
                         const StreamWriterOptions& limits)
    : memory_(std::move(memory)), owner_(std::move(owner)), format_(std::move(format)), limits_(limits) {}

Result<uint8_t*> StreamViews::extend(uint64_t bytes) {
  if (slab_ == nullptr) {
    ASSIGN_OR_RETURN(slab_, memory_->acquire(owner_, bytes, limits_.use));
    cursor_ = 0;
  }
  RETURN_IF_ERROR(slab_->grow(cursor_ + bytes));
  uint8_t* place = slab_->data() + cursor_;
  cursor_ += bytes;
  return place;
}

Result<std::optional<Streams>> StreamViews::view(const Streams& streams, Layout layout,
                                                 const std::vector<int32_t>& columns) {
  if (streams.empty()) return std::optional<Streams>();  // a reader wants a schema
  Streams views;
  for (const Stream& stream : streams) {
    ASSIGN_OR_RETURN(std::optional<Stream> made, view_one(stream, layout, columns));
    if (!made.has_value()) return std::optional<Streams>();
    views.push_back(std::move(*made));
  }
  return std::optional<Streams>(std::move(views));
}

Result<std::optional<Stream>> StreamViews::view_one(const Stream& stream, Layout layout,
                                                    const std::vector<int32_t>& columns) {
  ASSIGN_OR_RETURN(const std::string_view bytes, stream.region.bytes());
  if (bytes.empty() || stream.region.offset % kMessageAlignment != 0) return std::optional<Stream>();
  if (stream.region.slab->is_spilled()) return std::optional<Stream>();  // is to be verified, so it is read
  ASSIGN_OR_RETURN(const StreamReader reader, StreamReader::open(bytes));
  ASSIGN_OR_RETURN(const bool has_types, fits(reader, layout, columns, *format_));
  if (!has_types || !is_handy(reader, limits_)) return std::optional<Stream>();
  ASSIGN_OR_RETURN(BatchDecoder decoder, BatchDecoder::make(reader));

  const std::string& schema = format_->schema_message();
  const uint64_t message_bytes = schema.size() + reader.batches() * format_->metadata_bytes();
  ASSIGN_OR_RETURN(uint8_t * at, extend(align_message(message_bytes + sizeof(kEndOfStreamMark))));
  Stream seen;
  seen.region = {slab_, static_cast<uint64_t>(at - slab_->data()), message_bytes + sizeof(kEndOfStreamMark)};
  seen.rows = reader.rows();
  std::memcpy(at, schema.data(), schema.size());
  at += schema.size();
  for (size_t batch = 0; batch < reader.batches(); ++batch) {
    ASSIGN_OR_RETURN(const ArrowArrayView* decoded, decoder.decode(batch));
    const ArrowArrayView* parent = layout == Layout::kFlat ? decoded : decoded->children[0];
    const std::string_view body = reader.body_of(batch);
    const uint64_t offset = stream.region.offset + static_cast<uint64_t>(body.data() - bytes.data());
    BatchParts parts;
    if (format_->layout() == Layout::kStructColumn) {
      parts.nodes.push_back({decoded->length, 0});
      parts.places.emplace_back();
    }
    for (const int32_t column : columns)
      collect(*parent->children[column], reinterpret_cast<const uint8_t*>(body.data()), parts);
    write_record_batch_message(at, format_->metadata_bytes(), decoded->length, parts.nodes, parts.places,
                               static_cast<int64_t>(body.size()));
    at += format_->metadata_bytes();
    seen.bodies.push_back({stream.region.slab, offset, body.size()});
  }
  std::memcpy(at, kEndOfStreamMark, sizeof(kEndOfStreamMark));
  seal(seen);
  return std::optional<Stream>(std::move(seen));
}

}  // namespace deuteron::exchange
