// Keeps one of gRPC's callback threads awake. Such a thread (gRPC 1.51) that had no event for a second sleeps
// for 100 ms before it looks again, and all of them do so together in a server that was idle: a request would
// then wait. Here a call on a channel that leads nowhere ends at once, and its end is an event for one of
// them; it touches no socket. One per process; the thread is its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include <grpcpp/generic/generic_stub.h>

namespace deuteron::server {

class CallbackHeartbeat {
 public:
  CallbackHeartbeat();
  ~CallbackHeartbeat();
  CallbackHeartbeat(const CallbackHeartbeat&) = delete;
  CallbackHeartbeat& operator=(const CallbackHeartbeat&) = delete;

 private:
  void run();
  void beat();

  grpc::GenericStub nowhere_;
  std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace deuteron::server
