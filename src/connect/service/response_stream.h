// The server's end of an ExecutePlan or ReattachExecute stream: sends an operation's responses as they come.
// Deletes itself.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <mutex>

#include "connect/encode/error.h"
#include "connect/operations/operation.h"

namespace deuteron::connect {

class ResponseStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                             public std::enable_shared_from_this<ResponseStream> {
 public:
  // `ended` is called when the client's stream is gone, whatever the reason.
  static ResponseStream* start(std::shared_ptr<Operation> operation, ErrorStore& errors,
                               std::function<void()> ended);
  // A stream that only says why it is refused.
  static ResponseStream* refuse(grpc::Status status);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  ResponseStream(std::shared_ptr<Operation> operation, ErrorStore* errors, std::function<void()> ended);
  void pump();
  void displace();
  void finish_once(const grpc::Status& status);

  std::shared_ptr<ResponseStream> self_;  // until OnDone
  const std::shared_ptr<Operation> operation_;
  ErrorStore* const errors_;
  const std::function<void()> ended_;
  int64_t attachment_ = 0;
  std::mutex mutex_;
  ResponseBuffer::SharedResponse writing_;  // gRPC reads it until OnWriteDone
  bool finished_ = false;
  bool stopping_ = false;
  grpc::Status stop_status_;
};

}  // namespace deuteron::connect
