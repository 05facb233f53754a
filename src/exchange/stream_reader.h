// Reads Arrow IPC streams that others wrote: Python workers, clients. The bytes are not trusted: every
// message is verified and every array validated before anyone looks at it, and what is wrong is a
// MALFORMED_ARROW_DATA error. Nothing is copied: arrays point into the bytes, which must stay until the
// reader and its batches are gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"

struct ArrowSchema;
struct ArrowArrayView;

namespace deuteron::exchange {

// A stream whose messages have been found and counted. Shared by threads once made; each decodes through a
// BatchDecoder of its own.
class StreamReader {
 public:
  static Result<StreamReader> open(std::string_view stream);

  // A struct of the stream's fields.
  const ArrowSchema& schema() const;
  size_t batches() const;
  int64_t rows_of(size_t batch) const;
  // Where the buffers of the batch lie.
  std::string_view body_of(size_t batch) const;
  int64_t rows() const;

 private:
  friend class BatchDecoder;
  struct Contents;
  explicit StreamReader(std::shared_ptr<Contents> contents) : contents_(std::move(contents)) {}
  std::shared_ptr<Contents> contents_;
};

// Not thread-safe.
class BatchDecoder {
 public:
  static Result<BatchDecoder> make(const StreamReader& reader);
  // The batch as a validated struct array; good until the next call.
  Result<const ArrowArrayView*> decode(size_t batch);

 private:
  struct State;
  explicit BatchDecoder(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace deuteron::exchange
