// The gRPC listener: credentials, limits, and one owner of the port.
#pragma once

#include <memory>
#include <string>

#include "connect/service/service.h"
#include "server/options.h"

namespace deuteron::server {

struct Listener {
  std::unique_ptr<grpc::Server> grpc;
  int port = 0;  // the one chosen when 0 was asked for
};

// PORT_IN_USE when another process listens there; INVALID_OPTION when certificate or key cannot be read.
Result<Listener> listen(const Options& options, connect::Service& service);

}  // namespace deuteron::server
