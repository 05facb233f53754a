#include "exchange/stream_reader.h"

#include <nanoarrow/nanoarrow.h>
#include <nanoarrow/nanoarrow_ipc.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace deuteron::exchange {

namespace {

constexpr int64_t kMostRowsPerBatch = std::numeric_limits<int32_t>::max();
constexpr int64_t kMostFields = 100000;
constexpr int kDeepestNesting = 64;

Status malformed(const std::string& reason) { return error("MALFORMED_ARROW_DATA", {{"message", reason}}); }
Status malformed(const ArrowError& failure, const char* otherwise) {
  return malformed(failure.message[0] != '\0' ? failure.message : otherwise);
}

struct Decoder {
  Decoder() { valid = ArrowIpcDecoderInit(&decoder) == NANOARROW_OK; }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() {
    if (valid) ArrowIpcDecoderReset(&decoder);
  }
  ArrowIpcDecoder decoder{};
  bool valid = false;
};

ArrowBufferView view_of(const uint8_t* data, int64_t size) {
  ArrowBufferView view;
  view.data.as_uint8 = data;
  view.size_bytes = size;
  return view;
}

Status check_nesting(const ArrowSchema& field, int depth, int64_t& fields) {
  if (depth > kDeepestNesting || ++fields > kMostFields) return malformed("the schema is too large");
  for (int64_t i = 0; i < field.n_children; ++i)
    RETURN_IF_ERROR(check_nesting(*field.children[i], depth + 1, fields));
  return Status();
}

template <typename T>
T read_at(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// Where the field with this number of a flatbuffer table begins; null when it is absent. The buffer has been
// verified.
const uint8_t* table_field(const uint8_t* table, int number) {
  const uint8_t* shape = table - read_at<int32_t>(table);
  const int entry = 4 + 2 * number;
  if (entry + 2 > read_at<uint16_t>(shape)) return nullptr;
  const auto offset = read_at<uint16_t>(shape + entry);
  return offset == 0 ? nullptr : table + offset;
}

const uint8_t* follow(const uint8_t* at) { return at == nullptr ? nullptr : at + read_at<uint32_t>(at); }

constexpr size_t kPrefixBytes = 8;
constexpr int kMessageHeaderType = 1;
constexpr int kMessageHeader = 2;

bool has_text(const uint8_t* table, int number) { return table_field(table, number) != nullptr; }

// Calls `check` on each table of a vector; true when the vector is absent or all are right.
template <typename Check>
bool check_tables(const uint8_t* vector, Check&& check) {
  if (vector == nullptr) return true;
  const auto count = read_at<uint32_t>(vector);
  for (uint32_t i = 0; i < count; ++i) {
    if (!check(follow(vector + 4 + size_t{4} * i))) return false;
  }
  return true;
}

bool check_metadata(const uint8_t* vector) {
  return check_tables(vector, [](const uint8_t* pair) { return has_text(pair, 0) && has_text(pair, 1); });
}

// What the decoder takes for granted and the verifier does not ask for: that unions have their value and
// pairs both sides.
bool check_field(const uint8_t* field, int depth) {
  if (depth > kDeepestNesting) return false;
  const uint8_t* type = table_field(field, 2);
  if (type == nullptr || *type == 0 || table_field(field, 3) == nullptr) return false;
  if (!check_metadata(follow(table_field(field, 6)))) return false;
  return check_tables(follow(table_field(field, 5)),
                      [&](const uint8_t* child) { return check_field(child, depth + 1); });
}

bool field_is_without_dictionary(const uint8_t* field) {
  return table_field(field, 4) == nullptr &&
         check_tables(follow(table_field(field, 5)), field_is_without_dictionary);
}

// Of a checked schema message. Dictionaries are refused: the decoder trusts what their batches say.
bool is_without_dictionaries(const uint8_t* message) {
  const uint8_t* header = follow(table_field(follow(message + kPrefixBytes), kMessageHeader));
  return check_tables(follow(table_field(header, 1)), field_is_without_dictionary);
}

// The places of a batch's buffers, which the decoder adds up without a look for overflow before it compares
// them with the body.
bool check_buffers(const uint8_t* vector) {
  constexpr size_t kPlaceBytes = 16;
  constexpr int64_t kFarthest = INT64_MAX / 2;
  if (vector == nullptr) return true;
  const auto count = read_at<uint32_t>(vector);
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t* place = vector + 4 + kPlaceBytes * i;
    const auto offset = read_at<int64_t>(place);
    const auto length = read_at<int64_t>(place + 8);
    if (offset < 0 || offset > kFarthest || length < 0 || length > kFarthest) return false;
  }
  return true;
}

bool check_message(const uint8_t* message) {
  constexpr uint8_t kSchema = 1;
  constexpr uint8_t kRecordBatch = 3;
  const uint8_t* root = follow(message + kPrefixBytes);
  const uint8_t* type = table_field(root, kMessageHeaderType);
  const uint8_t* header = follow(table_field(root, kMessageHeader));
  if (type == nullptr || *type == 0 || header == nullptr) return false;
  if (*type == kRecordBatch) return check_buffers(follow(table_field(header, 2)));
  if (*type != kSchema) return true;
  return check_metadata(follow(table_field(header, 2))) &&
         check_tables(follow(table_field(header, 1)),
                      [](const uint8_t* field) { return check_field(field, 0); });
}

// Validation computes with lengths without a look for overflow, and reads offsets in place: lengths must be
// possible, and buffers lie as the processor wants them.
bool is_sane(const ArrowArrayView& view, int depth = 0) {
  constexpr int64_t kWidestElementBits = int64_t{1} << 27;
  if (depth > kDeepestNesting || view.length < 0 || view.length > kMostRowsPerBatch || view.offset != 0)
    return false;
  if (view.layout.child_size_elements < 0 || view.layout.child_size_elements > kMostRowsPerBatch)
    return false;
  for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; ++i) {
    const int64_t bits = view.layout.element_size_bits[i];
    if (bits < 0 || bits > kWidestElementBits) return false;
    if (view.layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_NONE || view.buffer_views[i].data.data == nullptr)
      continue;
    const auto width = static_cast<uintptr_t>(std::clamp<int64_t>(bits / 8, 1, 8));
    if (reinterpret_cast<uintptr_t>(view.buffer_views[i].data.data) % width != 0) return false;
  }
  for (int64_t i = 0; i < view.n_children; ++i) {
    if (!is_sane(*view.children[i], depth + 1)) return false;
  }
  return true;
}

}  // namespace

struct StreamReader::Contents {
  struct Batch {
    int64_t header = 0;  // offset of the message
    int64_t body = 0;
    int64_t body_bytes = 0;
    int64_t rows = 0;
  };

  ~Contents() {
    if (schema.release != nullptr) schema.release(&schema);
  }

  std::vector<uint64_t> aligned_copy;  // only when the bytes came misaligned
  const uint8_t* data = nullptr;
  int64_t size = 0;
  ArrowSchema schema{};
  ArrowIpcEndianness endianness = NANOARROW_IPC_ENDIANNESS_LITTLE;
  std::vector<Batch> batches;
  int64_t rows = 0;

  Status prepare(ArrowIpcDecoder& decoder) const {
    ArrowError failure{};
    if (ArrowIpcDecoderSetEndianness(&decoder, endianness) != NANOARROW_OK ||
        ArrowIpcDecoderSetSchema(&decoder, &schema, &failure) != NANOARROW_OK) {
      return malformed(failure, "the schema cannot be read");
    }
    return Status();
  }

  // Reads the header at `position`; false at the end of the stream.
  Result<bool> read_header(ArrowIpcDecoder& decoder, int64_t position) const {
    if (position == size) return false;
    if (size - position >= static_cast<int64_t>(kPrefixBytes)) {
      const auto mark = read_at<int32_t>(data + position);
      if (mark > 0) return unsupported("Arrow streams of the format before 0.15");
      // The decoder adds to the length before it looks at it.
      if (read_at<int32_t>(data + position + 4) > size - position) return malformed("a message is cut off");
    }
    ArrowError failure{};
    int32_t prefix = 0;
    const int code =
        ArrowIpcDecoderPeekHeader(&decoder, view_of(data + position, size - position), &prefix, &failure);
    if (code == ENODATA) return false;
    if (code != NANOARROW_OK) return malformed(failure, "a message is cut off");
    if (prefix != 8) return unsupported("Arrow streams of the format before 0.15");
    if (decoder.header_size_bytes < 8 || decoder.header_size_bytes > size - position)
      return malformed("a message is cut off");
    const ArrowBufferView header = view_of(data + position, decoder.header_size_bytes);
    if (ArrowIpcDecoderVerifyHeader(&decoder, header, &failure) != NANOARROW_OK) {
      return malformed(failure, "a message is broken");
    }
    if (!check_message(data + position)) return malformed("a message lacks a part");
    const int64_t room = size - position - decoder.header_size_bytes;
    if (decoder.body_size_bytes < 0 || decoder.body_size_bytes > room)
      return malformed("a message body is cut off");
    if (ArrowIpcDecoderDecodeHeader(&decoder, header, &failure) != NANOARROW_OK) {
      return malformed(failure, "a message is broken");
    }
    return true;
  }

  Status read_schema(ArrowIpcDecoder& decoder) {
    ASSIGN_OR_RETURN(const bool found, read_header(decoder, 0));
    if (!found || decoder.message_type != NANOARROW_IPC_MESSAGE_TYPE_SCHEMA)
      return malformed("the schema is missing");
    endianness = decoder.endianness;
    if (endianness != ArrowIpcSystemEndianness()) return unsupported("Arrow data of another byte order");
    if (!is_without_dictionaries(data)) return unsupported("dictionary-encoded Arrow columns");
    ArrowError failure{};
    if (ArrowIpcDecoderDecodeSchema(&decoder, &schema, &failure) != NANOARROW_OK) {
      schema.release = nullptr;
      return malformed(failure, "the schema cannot be read");
    }
    int64_t fields = 0;
    RETURN_IF_ERROR(check_nesting(schema, 0, fields));
    return Status();
  }

  Status read_all() {
    Decoder owner;
    if (!owner.valid) return internal_error("no memory for an Arrow decoder");
    ArrowIpcDecoder& decoder = owner.decoder;
    RETURN_IF_ERROR(read_schema(decoder));
    int64_t position = decoder.header_size_bytes + decoder.body_size_bytes;
    RETURN_IF_ERROR(prepare(decoder));
    while (true) {
      ASSIGN_OR_RETURN(const bool found, read_header(decoder, position));
      if (!found) return Status();
      const int64_t body = position + decoder.header_size_bytes;
      if (decoder.message_type == NANOARROW_IPC_MESSAGE_TYPE_RECORD_BATCH) {
        batches.push_back({position, body, decoder.body_size_bytes, 0});
        ASSIGN_OR_RETURN(const ArrowArrayView* view,
                         decode_body(decoder, batches.back(), NANOARROW_VALIDATION_LEVEL_DEFAULT));
        batches.back().rows = view->length;
        rows += view->length;
      } else {
        return malformed("an unexpected message");
      }
      position = body + decoder.body_size_bytes;
    }
  }

  // The header of `batch` has just been read by `decoder`.
  Result<const ArrowArrayView*> decode_body(ArrowIpcDecoder& decoder, const Batch& batch,
                                            ArrowValidationLevel level) const {
    if (decoder.codec != NANOARROW_IPC_COMPRESSION_TYPE_NONE) return unsupported("compressed Arrow data");
    ArrowError failure{};
    ArrowArrayView* view = nullptr;
    if (ArrowIpcDecoderDecodeArrayView(&decoder, view_of(data + batch.body, batch.body_bytes), -1, &view,
                                       &failure) != NANOARROW_OK) {
      return malformed(failure, "a record batch cannot be read");
    }
    if (view->length < 0 || view->length > kMostRowsPerBatch)
      return malformed("a record batch of impossible length");
    if (!is_sane(*view)) return malformed("an array of impossible length, or a misaligned buffer");
    if (ArrowArrayViewValidate(view, level, &failure) != NANOARROW_OK) {
      return malformed(failure, "a record batch is invalid");
    }
    return view;
  }
};

Result<StreamReader> StreamReader::open(std::string_view stream) {
  auto contents = std::make_shared<Contents>();
  contents->data = reinterpret_cast<const uint8_t*>(stream.data());
  contents->size = static_cast<int64_t>(stream.size());
  if (reinterpret_cast<uintptr_t>(stream.data()) % 8 != 0) {
    contents->aligned_copy.resize(stream.size() / 8 + 1);
    std::memcpy(contents->aligned_copy.data(), stream.data(), stream.size());
    contents->data = reinterpret_cast<const uint8_t*>(contents->aligned_copy.data());
  }
  RETURN_IF_ERROR(contents->read_all());
  return StreamReader(std::move(contents));
}

const ArrowSchema& StreamReader::schema() const { return contents_->schema; }
size_t StreamReader::batches() const { return contents_->batches.size(); }
int64_t StreamReader::rows_of(size_t batch) const { return contents_->batches[batch].rows; }
std::string_view StreamReader::body_of(size_t batch) const {
  const Contents::Batch& place = contents_->batches[batch];
  return {reinterpret_cast<const char*>(contents_->data) + place.body, static_cast<size_t>(place.body_bytes)};
}
int64_t StreamReader::rows() const { return contents_->rows; }

struct BatchDecoder::State {
  std::shared_ptr<StreamReader::Contents> contents;
  Decoder decoder;
};

Result<BatchDecoder> BatchDecoder::make(const StreamReader& reader) {
  auto state = std::make_shared<State>();
  state->contents = reader.contents_;
  if (!state->decoder.valid) return internal_error("no memory for an Arrow decoder");
  RETURN_IF_ERROR(state->contents->prepare(state->decoder.decoder));
  return BatchDecoder(std::move(state));
}

Result<const ArrowArrayView*> BatchDecoder::decode(size_t batch) {
  const StreamReader::Contents& contents = *state_->contents;
  ArrowIpcDecoder& decoder = state_->decoder.decoder;
  const auto& place = contents.batches[batch];
  ASSIGN_OR_RETURN(const bool found, contents.read_header(decoder, place.header));
  // A worker may still be able to change the bytes: what was found at first must still be there.
  if (!found || decoder.message_type != NANOARROW_IPC_MESSAGE_TYPE_RECORD_BATCH ||
      decoder.body_size_bytes != place.body_bytes) {
    return malformed("a record batch has changed");
  }
  ASSIGN_OR_RETURN(const ArrowArrayView* view,
                   contents.decode_body(decoder, place, NANOARROW_VALIDATION_LEVEL_FULL));
  if (view->length != place.rows) return malformed("a record batch has changed");
  return view;
}

}  // namespace deuteron::exchange
