// Status -> what PySpark needs to raise the same exception as with Spark: a gRPC status with ErrorInfo, and
// on request (FetchErrorDetails) the whole detail. The store keeps the latest errors only; thread-safe.
#pragma once

#include <grpcpp/support/status.h>

#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "base/status.h"
#include "spark/connect/base.pb.h"

namespace deuteron::connect {

class ErrorStore {
 public:
  // Keeps the error for FetchErrorDetails and makes the status that names it.
  grpc::Status report(const Status& status);
  // False when no such error is kept.
  bool fetch(const std::string& error_id, spark::connect::FetchErrorDetailsResponse& response) const;

 private:
  struct Entry {
    std::string id;
    Status status;
  };
  mutable std::mutex mutex_;
  std::deque<Entry> latest_;
};

}  // namespace deuteron::connect
