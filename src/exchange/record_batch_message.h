// The messages of an Arrow IPC stream that are written here without a library: those of record batches, whose
// flatbuffers have one shape for all, and the end mark. Stateless; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace deuteron::exchange {

constexpr size_t kMessagePrefixBytes = 8;   // before each message: a mark, and how long its flatbuffer is
constexpr uint64_t kMessageAlignment = 64;  // of messages, bodies and the buffers in them
constexpr char kEndOfStreamMark[8] = {'\xFF', '\xFF', '\xFF', '\xFF', 0, 0, 0, 0};

constexpr uint64_t align_message(uint64_t position) {
  return (position + kMessageAlignment - 1) / kMessageAlignment * kMessageAlignment;
}

struct FieldNode {
  int64_t length = 0;
  int64_t null_count = 0;
};
// Bytes, from the start of the body.
struct BufferPlace {
  int64_t offset = 0;
  int64_t length = 0;
};

// With its prefix; a multiple of kMessageAlignment.
size_t record_batch_message_bytes(size_t nodes, size_t buffers);

// Writes a message of `size` bytes, which record_batch_message_bytes() gave. Nodes and buffers are in Arrow's
// order (depth first).
void write_record_batch_message(uint8_t* out, size_t size, int64_t rows, const std::vector<FieldNode>& nodes,
                                const std::vector<BufferPlace>& places, int64_t body_bytes);

}  // namespace deuteron::exchange
