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
  if (field.dictionary != nullptr) return check_nesting(*field.dictionary, depth + 1, fields);
  return Status();
}

// How many field nodes and buffers a message has for an array.
struct ArrayParts {
  int64_t nodes = 0;
  int64_t buffers = 0;
};

Status add_parts(const ArrowSchema& field, ArrayParts& parts) {
  ArrowSchemaView view;
  if (ArrowSchemaViewInit(&view, &field, nullptr) != NANOARROW_OK) return malformed("a field has an unknown type");
  ArrowLayout layout;
  ArrowLayoutInit(&layout, view.storage_type);
  ++parts.nodes;
  for (const ArrowBufferType type : layout.buffer_type) parts.buffers += type == NANOARROW_BUFFER_TYPE_NONE ? 0 : 1;
  for (int64_t i = 0; i < field.n_children; ++i) RETURN_IF_ERROR(add_parts(*field.children[i], parts));
  return Status();
}

template <typename T>
T read_at(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// Where the field with this number of a flatbuffer table begins; null when it is absent. The buffer has been verified.
const uint8_t* table_field(const uint8_t* table, int number) {
  const uint8_t* shape = table - read_at<int32_t>(table);
  const int entry = 4 + 2 * number;
  if (entry + 2 > read_at<uint16_t>(shape)) return nullptr;
  const auto offset = read_at<uint16_t>(shape + entry);
  return offset == 0 ? nullptr : table + offset;
}

const uint8_t* follow(const uint8_t* at) { return at == nullptr ? nullptr : at + read_at<uint32_t>(at); }

// The parts that a dictionary batch says it has. The decoder takes their number for granted.
ArrayParts parts_of_dictionary_message(const uint8_t* message) {
  constexpr size_t kPrefixBytes = 8;
  constexpr int kHeader = 2;  // of Message
  constexpr int kData = 1;    // of DictionaryBatch
  constexpr int kNodes = 1;   // of RecordBatch
  constexpr int kBuffers = 2;
  ArrayParts parts{-1, -1};
  const uint8_t* header = follow(table_field(follow(message + kPrefixBytes), kHeader));
  const uint8_t* data = header == nullptr ? nullptr : follow(table_field(header, kData));
  if (data == nullptr) return parts;
  const uint8_t* nodes = follow(table_field(data, kNodes));
  const uint8_t* buffers = follow(table_field(data, kBuffers));
  parts.nodes = nodes == nullptr ? 0 : read_at<uint32_t>(nodes);
  parts.buffers = buffers == nullptr ? 0 : read_at<uint32_t>(buffers);
  return parts;
}

// Validation reads offsets in place: they must lie as the processor wants them.
bool is_aligned(const ArrowArrayView& view, int depth = 0) {
  if (depth > kDeepestNesting) return false;
  for (int i = 0; i < NANOARROW_MAX_FIXED_BUFFERS; ++i) {
    const int64_t bits = view.layout.element_size_bits[i];
    if (view.layout.buffer_type[i] == NANOARROW_BUFFER_TYPE_NONE || view.buffer_views[i].data.data == nullptr)
      continue;
    const auto width = static_cast<uintptr_t>(std::clamp<int64_t>(bits / 8, 1, 8));
    if (reinterpret_cast<uintptr_t>(view.buffer_views[i].data.data) % width != 0) return false;
  }
  for (int64_t i = 0; i < view.n_children; ++i) {
    if (!is_aligned(*view.children[i], depth + 1)) return false;
  }
  return view.dictionary == nullptr || is_aligned(*view.dictionary, depth + 1);
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
    if (dictionaries.private_data != nullptr) ArrowIpcDictionariesReset(&dictionaries);
    if (has_encodings) ArrowIpcDictionaryEncodingsReset(&encodings);
    if (schema.release != nullptr) schema.release(&schema);
  }

  std::vector<uint64_t> aligned_copy;  // only when the bytes came misaligned
  const uint8_t* data = nullptr;
  int64_t size = 0;
  ArrowSchema schema{};
  ArrowIpcDictionaryEncodings encodings{};
  bool has_encodings = false;
  ArrowIpcDictionaries dictionaries{};
  ArrowIpcEndianness endianness = NANOARROW_IPC_ENDIANNESS_LITTLE;
  std::vector<Batch> batches;
  int64_t rows = 0;

  Status prepare(ArrowIpcDecoder& decoder) const {
    ArrowError failure{};
    if (ArrowIpcDecoderSetEndianness(&decoder, endianness) != NANOARROW_OK ||
        ArrowIpcDecoderSetSchemaWithDictionaries(&decoder, &schema, &encodings, &failure) != NANOARROW_OK) {
      return malformed(failure, "the schema cannot be read");
    }
    return Status();
  }

  // Reads the header at `position`; false at the end of the stream.
  Result<bool> read_header(ArrowIpcDecoder& decoder, int64_t position) const {
    if (position == size) return false;
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
    ArrowError failure{};
    if (ArrowIpcDecoderDecodeSchemaWithDictionaries(&decoder, &schema, &encodings, &failure) !=
        NANOARROW_OK) {
      schema.release = nullptr;
      return malformed(failure, "the schema cannot be read");
    }
    has_encodings = true;
    int64_t fields = 0;
    RETURN_IF_ERROR(check_nesting(schema, 0, fields));
    if (ArrowIpcDictionariesInit(&dictionaries, &encodings, &failure) != NANOARROW_OK) {
      dictionaries.private_data = nullptr;
      return malformed(failure, "the dictionaries cannot be read");
    }
    return Status();
  }

  Status read_dictionary(ArrowIpcDecoder& decoder, int64_t position, int64_t body) {
    if (!batches.empty()) return unsupported("Arrow dictionaries that change within a stream");
    if (decoder.codec != NANOARROW_IPC_COMPRESSION_TYPE_NONE) return unsupported("compressed Arrow data");
    const ArrowIpcDictionaryEncoding* encoding =
        decoder.dictionary == nullptr ? nullptr : ArrowIpcDictionaryEncodingsFindById(&encodings, decoder.dictionary->id);
    if (encoding == nullptr || encoding->schema->dictionary == nullptr) return malformed("a dictionary that no field has");
    ArrayParts expected;
    RETURN_IF_ERROR(add_parts(*encoding->schema->dictionary, expected));
    const ArrayParts actual = parts_of_dictionary_message(data + position);
    if (actual.nodes != expected.nodes || actual.buffers != expected.buffers) {
      return malformed("a dictionary batch does not fit its field");
    }
    ArrowError failure{};
    if (ArrowIpcDecoderDecodeDictionary(&decoder, view_of(data + body, decoder.body_size_bytes),
                                        NANOARROW_VALIDATION_LEVEL_FULL, &dictionaries,
                                        &failure) != NANOARROW_OK) {
      return malformed(failure, "a dictionary cannot be read");
    }
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
      if (decoder.message_type == NANOARROW_IPC_MESSAGE_TYPE_DICTIONARY_BATCH) {
        RETURN_IF_ERROR(read_dictionary(decoder, position, body));
      } else if (decoder.message_type == NANOARROW_IPC_MESSAGE_TYPE_RECORD_BATCH) {
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
    auto* shared = const_cast<ArrowIpcDictionaries*>(&dictionaries);
    if (ArrowIpcDecoderDecodeArrayViewWithDictionaries(&decoder, view_of(data + batch.body, batch.body_bytes),
                                                       -1, shared, &view, &failure) != NANOARROW_OK) {
      return malformed(failure, "a record batch cannot be read");
    }
    if (view->length < 0 || view->length > kMostRowsPerBatch)
      return malformed("a record batch of impossible length");
    if (!is_aligned(*view)) return malformed("a buffer is misaligned");
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
