// The responses of one execution between its producer and the client's stream: numbered, kept until released
// so that a client that lost its stream can attach again, and bounded. The producer waits while too much is
// unsent; of what was sent, only the latest bytes are kept. One producer, one consumer at a time;
// thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/status.h"
#include "connect/encode/response.h"

namespace deuteron::connect {

class ResponseBuffer {
 public:
  struct Limits {
    uint64_t unsent_bytes = uint64_t{64} << 20;
    uint64_t sent_bytes = uint64_t{32} << 20;
  };
  using SharedResponse = std::shared_ptr<const EncodedResponse>;

  ResponseBuffer(bool keep_sent, Limits limits) : keep_sent_(keep_sent), limits_(limits) {}

  // Producer. Blocks while the limit of unsent bytes is reached; OPERATION_CANCELED once closed.
  Status append(EncodedResponse response);
  // No more responses will come; the status is what the stream ends with. Only the first call counts.
  void finish(Status status);
  // Nobody will read any more: a waiting producer is woken and fails.
  void close();

  // Consumer. next() gives the response after the last one read, or nothing: then `wake` is called once (from
  // any thread) as soon as calling next() again is worth it. At the end of the stream final_status() has a
  // value and all responses were read.
  SharedResponse next(std::function<void()> wake);
  std::optional<Status> final_status() const;  // a value only when all responses have been read
  // Reads from the response after `response_id` ("" from the start): INVALID_CURSOR.POSITION_NOT_FOUND /
  // POSITION_NOT_AVAILABLE.
  Status rewind(const std::string& response_id);

  // The client has these and all before them. Unknown ids are ignored.
  void release_until(const std::string& response_id);
  // Gives back the memory of all responses; for an operation that nobody will read any more.
  void drop_all();

 private:
  void drop_sent_beyond_limit();
  void drop_first();
  std::function<void()> take_wake();

  const bool keep_sent_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable space_;
  std::deque<SharedResponse> responses_;
  uint64_t first_index_ = 0;  // index of responses_.front()
  uint64_t next_index_ = 0;   // the next to be read
  uint64_t sent_bytes_ = 0;
  uint64_t unsent_bytes_ = 0;
  bool closed_ = false;
  std::optional<Status> final_;
  std::function<void()> wake_;
  std::unordered_map<std::string, uint64_t> index_of_;  // of the responses kept
  std::string last_dropped_id_;  // a client that released it goes on from the first response kept
};

}  // namespace deuteron::connect
