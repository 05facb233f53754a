// The parts of one server, put together; the only place that knows all of them. No logic.
#pragma once

#include <memory>

#include "server/options.h"

namespace deuteron::server {

class Server {
 public:
  // Listens when it returns. INVALID_OPTION, CANNOT_LISTEN, or what kept a part from starting.
  static Result<std::unique_ptr<Server>> start(const Options& options);
  ~Server();

  int port() const;
  // Takes no new queries, lets running ones end for a while, interrupts the rest, stops all processes.
  void stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace deuteron::server
