#include "connect/service/response_stream.h"

namespace deuteron::connect {

ResponseStream::ResponseStream(std::shared_ptr<Operation> operation, ErrorStore* errors,
                               std::function<void()> ended)
    : operation_(std::move(operation)), errors_(errors), ended_(std::move(ended)) {}

ResponseStream* ResponseStream::start(std::shared_ptr<Operation> operation, ErrorStore& errors,
                                      std::function<void()> ended) {
  std::shared_ptr<ResponseStream> stream(new ResponseStream(std::move(operation), &errors, std::move(ended)));
  stream->self_ = stream;
  stream->attachment_ = stream->operation_->attach([weak = std::weak_ptr(stream)] {
    if (auto displaced = weak.lock()) displaced->displace();
  });
  stream->pump();
  return stream.get();
}

ResponseStream* ResponseStream::refuse(grpc::Status status) {
  std::shared_ptr<ResponseStream> stream(new ResponseStream(nullptr, nullptr, nullptr));
  stream->self_ = stream;
  stream->finish_once(status);
  return stream.get();
}

void ResponseStream::pump() {
  ResponseBuffer::SharedResponse response;
  std::optional<Status> final_status;
  {
    std::lock_guard lock(mutex_);
    if (writing_ != nullptr || finished_) return;
    if (!stopping_) {
      response = operation_->responses.next([weak = weak_from_this()] {
        if (auto stream = weak.lock()) stream->pump();
      });
      if (response != nullptr) {
        writing_ = response;
      } else {
        final_status = operation_->responses.final_status();
        if (!final_status.has_value()) return;
      }
    }
  }
  if (response != nullptr) {
    StartWrite(&response->message);
  } else if (final_status.has_value()) {
    finish_once(final_status->ok() ? grpc::Status::OK : errors_->report(*final_status));
  } else {
    finish_once(stop_status_);
  }
}

void ResponseStream::displace() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_status_ = errors_->report(error("INVALID_CURSOR.DISCONNECTED", {}));
  }
  pump();
}

void ResponseStream::finish_once(const grpc::Status& status) {
  {
    std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
  }
  Finish(status);
}

void ResponseStream::OnWriteDone(bool ok) {
  {
    std::lock_guard lock(mutex_);
    writing_ = nullptr;
  }
  if (ok) {
    pump();
  } else {
    finish_once(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"));
  }
}

void ResponseStream::OnCancel() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_status_ = grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone");
  }
  if (operation_ != nullptr) pump();
}

void ResponseStream::OnDone() {
  if (operation_ != nullptr) operation_->detach(attachment_);
  if (ended_) ended_();
  self_ = nullptr;
}

}  // namespace deuteron::connect
