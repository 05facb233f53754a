#include "server/callback_heartbeat.h"

#include <grpcpp/grpcpp.h>

#include <chrono>

namespace deuteron::server {

namespace {
// Well below the second after which a thread goes to sleep.
constexpr std::chrono::milliseconds kInterval{400};

struct Call {
  grpc::ClientContext context;
  grpc::Slice nothing;
  grpc::ByteBuffer request{&nothing, 1};
  grpc::ByteBuffer response;
};
}  // namespace

// A channel without credentials fails each call at once.
CallbackHeartbeat::CallbackHeartbeat()
    : nowhere_(grpc::CreateChannel("nowhere", nullptr)), thread_([this] { run(); }) {}

CallbackHeartbeat::~CallbackHeartbeat() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  thread_.join();
}

void CallbackHeartbeat::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_changed_.wait_for(lock, kInterval, [&] { return stopping_; })) {
    lock.unlock();
    beat();
    lock.lock();
  }
}

void CallbackHeartbeat::beat() {
  auto call = std::make_shared<Call>();
  grpc::ByteBuffer* response = &call->response;
  nowhere_.UnaryCall(&call->context, "/heartbeat", {}, &call->request, response,
                     [call](const grpc::Status&) {});
}

}  // namespace deuteron::server
