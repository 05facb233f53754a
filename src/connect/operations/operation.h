// One ExecutePlan on the server: its responses, its cancel token, who reads it. Owned by the
// OperationRegistry and by the thread and stream that work on it. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/cancellation.h"
#include "base/clock.h"
#include "connect/backend.h"
#include "connect/operations/response_buffer.h"

namespace deuteron::connect {

enum class OperationState { kRunning, kTerminating, kSucceeded, kFailed, kCancelled };

class Operation {
 public:
  Operation(SessionKey session, std::string id, std::set<std::string> tags, bool reattachable)
      : session(std::move(session)),
        id(std::move(id)),
        tags(std::move(tags)),
        reattachable(reattachable),
        responses(reattachable, {}) {}

  // Ends the work: the execution sees the token, a blocked write fails.
  void interrupt();
  // Called once by the executing thread, with how it ended.
  void finish(const Status& status);
  OperationState state() const { return state_.load(); }

  // A stream takes over reading; `displaced` of the one before is called. Returns a number that detach()
  // wants back.
  int64_t attach(std::function<void()> displaced);
  void detach(int64_t stream);
  // Since when no stream reads; the far future while one does.
  SteadyTime detached_since() const;

  const SessionKey session;
  const std::string id;
  const std::set<std::string> tags;
  const bool reattachable;
  ResponseBuffer responses;
  CancelToken cancel;
  std::atomic<bool> peer_is_local = true;  // a lost stream then means that the client process is gone

 private:
  std::atomic<OperationState> state_ = OperationState::kRunning;
  mutable std::mutex mutex_;
  int64_t stream_ = 0;  // the one attached, 0 none
  int64_t last_stream_ = 0;
  std::function<void()> displaced_;
  SteadyTime detached_since_ = steady_now();
};

}  // namespace deuteron::connect
