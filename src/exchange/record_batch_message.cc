#include "exchange/record_batch_message.h"

#include <cstring>

namespace deuteron::exchange {

namespace {

template <typename T>
void put(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof(value));
}

// Flatbuffers of Message{version, header_type, header, bodyLength} and RecordBatch{length, nodes, buffers},
// whose shape never changes; only these places do.
constexpr size_t kNodesAt = 68;  // vector of 16-byte structs: its length, then the structs on 8 bytes

size_t buffers_at(size_t nodes) { return kNodesAt + 4 + nodes * 16 + 4; }

}  // namespace

size_t record_batch_message_bytes(size_t nodes, size_t buffers) {
  return align_message(kMessagePrefixBytes + buffers_at(nodes) + 4 + buffers * 16);
}

void write_record_batch_message(uint8_t* out, size_t size, int64_t rows, const std::vector<FieldNode>& nodes,
                                const std::vector<BufferPlace>& places, int64_t body_bytes) {
  std::memset(out, 0, size);
  put<uint32_t>(out, 0xFFFFFFFFu);
  put<int32_t>(out + 4, static_cast<int32_t>(size - kMessagePrefixBytes));
  uint8_t* at = out + kMessagePrefixBytes;
  put<uint32_t>(at, 16);  // the root table
  constexpr uint16_t kMessageShape[] = {12, 20, 16, 18, 4, 8};
  std::memcpy(at + 4, kMessageShape, sizeof(kMessageShape));
  put<int32_t>(at + 16, 12);        // back to its shape
  put<uint32_t>(at + 20, 48 - 20);  // header
  put<int64_t>(at + 24, body_bytes);
  put<int16_t>(at + 32, 4);  // metadata version V5
  at[34] = 3;                // header type: record batch
  constexpr uint16_t kBatchShape[] = {10, 20, 8, 4, 16};
  std::memcpy(at + 36, kBatchShape, sizeof(kBatchShape));
  put<int32_t>(at + 48, 12);
  put<uint32_t>(at + 52, kNodesAt - 52);
  put<int64_t>(at + 56, rows);
  const size_t buffers = buffers_at(nodes.size());
  put<uint32_t>(at + 64, static_cast<uint32_t>(buffers - 64));
  put<uint32_t>(at + kNodesAt, static_cast<uint32_t>(nodes.size()));
  std::memcpy(at + kNodesAt + 4, nodes.data(), nodes.size() * sizeof(FieldNode));
  put<uint32_t>(at + buffers, static_cast<uint32_t>(places.size()));
  std::memcpy(at + buffers + 4, places.data(), places.size() * sizeof(BufferPlace));
}

}  // namespace deuteron::exchange
