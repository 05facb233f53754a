// The unix socket at which one rank's BarrierTaskContext asks for barrier() and allGather(). One per task
// attempt, because the protocol does not say who calls. A connection carries a call and its answer, and then
// the next ones: PySpark closes it after one, our host (barrier_connection.py) keeps it until the task ends.
// Calls are answered in order of arrival. Destroying the socket closes all connections. Lives on the event
// loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/status.h"
#include "tasks/task.h"
#include "worker_pool/event_loop.h"

namespace deuteron::worker_pool {

class BarrierSocket {
 public:
  using CallHandler = std::function<void(tasks::BarrierRequest request)>;

  // Listens at `path` (inside a directory that only we may enter; below 108 bytes) and removes it at the end.
  static Result<std::unique_ptr<BarrierSocket>> listen(EventLoop& loop, std::string path,
                                                       CallHandler on_call);
  ~BarrierSocket();
  BarrierSocket(const BarrierSocket&) = delete;
  BarrierSocket& operator=(const BarrierSocket&) = delete;

  // Messages in order of ranks, as they are sent; all ranks of a gang share one.
  using Answer = std::shared_ptr<const std::string>;
  static Answer encode(const std::vector<std::string>& messages);

  // Answers the oldest call that waits; ignored when there is none.
  void answer(Answer answer);
  // Closes the oldest call that waits: user code sees an EOFError.
  void refuse();

 private:
  struct Connection {
    FileDescriptor socket;
    std::string received;
    Answer answer;  // once there is one
    size_t sent = 0;
    bool called = false;     // waits for its answer, or for the rest of it
    bool must_wait = false;  // until the peer has read some of its answer
  };

  BarrierSocket(EventLoop& loop, std::string path, FileDescriptor listener, CallHandler on_call);
  void accept_connections();
  void on_events(int descriptor, uint32_t epoll_events);
  bool receive(Connection& connection);
  void send(Connection& connection);
  void drop(int descriptor);
  Connection* oldest_call();

  EventLoop& loop_;
  std::string path_;
  FileDescriptor listener_;
  CallHandler on_call_;
  std::map<int, Connection> connections_;
  std::deque<int> calls_;  // descriptors of connections that wait for an answer, in order
};

}  // namespace deuteron::worker_pool
