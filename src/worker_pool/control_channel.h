// One end of a control socket (SOCK_SEQPACKET): JSON messages with file descriptors beside them, as
// docs/worker-protocol.md tells. Lives on the event loop's thread. Sending never blocks: what the socket does
// not take waits here, up to a bound. A handler may close the channel but not destroy it.
#pragma once

#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/status.h"
#include "worker_pool/event_loop.h"

namespace deuteron::worker_pool {

class ControlChannel {
 public:
  using MessageHandler =
      std::function<void(const nlohmann::json& message, std::vector<FileDescriptor> descriptors)>;
  // Called once, when the peer has gone or sent garbage. No message follows.
  using ClosedHandler = std::function<void(const std::string& reason)>;

  ControlChannel(EventLoop& loop, FileDescriptor socket, MessageHandler on_message, ClosedHandler on_closed);
  ~ControlChannel();
  ControlChannel(const ControlChannel&) = delete;
  ControlChannel& operator=(const ControlChannel&) = delete;

  // The descriptors stay the caller's and may be closed afterwards. Ignored after close.
  void send(const nlohmann::json& message, const std::vector<int>& descriptors = {});
  // No handler is called afterwards.
  void close();

  // A connected pair: ours (non-blocking) and the peer's (blocking).
  static Result<std::pair<FileDescriptor, FileDescriptor>> make_pair();

 private:
  struct Packet {
    std::string text;
    std::vector<FileDescriptor> descriptors;
  };

  void on_events(uint32_t epoll_events);
  void receive();
  void send_waiting();
  bool send_packet(const std::string& text, const std::vector<int>& descriptors);
  void fail(const std::string& reason);

  EventLoop& loop_;
  FileDescriptor socket_;
  MessageHandler on_message_;
  ClosedHandler on_closed_;
  std::deque<Packet> waiting_;
  std::string buffer_;
};

}  // namespace deuteron::worker_pool
