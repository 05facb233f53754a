#include "worker_pool/barrier_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace deuteron::worker_pool {

namespace {
constexpr int32_t kBarrierFunction = 1;
constexpr int32_t kAllGatherFunction = 2;
constexpr size_t kMaxMessageBytes = 256 << 20;
constexpr int kBacklog = 64;

uint32_t read_integer(const char* bytes) {
  uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return __builtin_bswap32(value);
}

void append_integer(std::string& text, uint32_t value) {
  value = __builtin_bswap32(value);
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

enum class Parsed { kIncomplete, kComplete, kGarbage };

Parsed parse_request(const std::string& bytes, tasks::BarrierRequest& request) {
  if (bytes.size() < 4) return Parsed::kIncomplete;
  const uint32_t function = read_integer(bytes.data());
  if (function == kBarrierFunction) {
    request.kind = tasks::BarrierKind::kBarrier;
    return bytes.size() == 4 ? Parsed::kComplete : Parsed::kGarbage;
  }
  if (function != kAllGatherFunction) return Parsed::kGarbage;
  if (bytes.size() < 8) return Parsed::kIncomplete;
  const size_t length = read_integer(bytes.data() + 4);
  if (length > kMaxMessageBytes || bytes.size() > 8 + length) return Parsed::kGarbage;
  if (bytes.size() < 8 + length) return Parsed::kIncomplete;
  request.kind = tasks::BarrierKind::kAllGather;
  request.message = bytes.substr(8);
  return Parsed::kComplete;
}
}  // namespace

Result<std::unique_ptr<BarrierSocket>> BarrierSocket::listen(EventLoop& loop, std::string path,
                                                             CallHandler on_call) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return internal_error("the path of a barrier socket is too long: " + path);
  path.copy(address.sun_path, path.size());
  FileDescriptor listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid() || bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    return internal_error("cannot listen at " + path + ": " + std::strerror(errno));
  }
  return std::unique_ptr<BarrierSocket>(
      new BarrierSocket(loop, std::move(path), std::move(listener), std::move(on_call)));
}

BarrierSocket::BarrierSocket(EventLoop& loop, std::string path, FileDescriptor listener, CallHandler on_call)
    : loop_(loop), path_(std::move(path)), listener_(std::move(listener)), on_call_(std::move(on_call)) {
  loop_.watch(listener_.get(), EPOLLIN, [this](uint32_t) { accept_connections(); });
}

BarrierSocket::~BarrierSocket() {
  loop_.unwatch(listener_.get());
  for (const auto& [descriptor, connection] : connections_) loop_.unwatch(descriptor);
  unlink(path_.c_str());
}

void BarrierSocket::accept_connections() {
  while (true) {
    FileDescriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    const int descriptor = socket.get();
    connections_[descriptor].socket = std::move(socket);
    loop_.watch(descriptor, EPOLLIN, [this, descriptor](uint32_t events) { on_events(descriptor, events); });
  }
}

void BarrierSocket::on_events(int descriptor, uint32_t epoll_events) {
  Connection& connection = connections_.at(descriptor);
  if (epoll_events & EPOLLOUT) return send(connection);
  if (!receive(connection)) return drop(descriptor);
  if (connection.called) return;
  tasks::BarrierRequest request;
  const Parsed parsed = parse_request(connection.received, request);
  if (parsed == Parsed::kGarbage) return drop(descriptor);
  if (parsed == Parsed::kIncomplete) return;
  connection.called = true;
  connection.received.clear();
  calls_.push_back(descriptor);
  const CallHandler on_call = on_call_;  // a copy: the handler may end the task and destroy this socket
  on_call(std::move(request));
}

// False when the peer has closed, or says something while it waits for an answer.
bool BarrierSocket::receive(Connection& connection) {
  char bytes[64 * 1024];
  while (true) {
    const ssize_t length = recv(connection.socket.get(), bytes, sizeof bytes, 0);
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    if (length == 0) return false;
    if (connection.called || connection.received.size() > kMaxMessageBytes + 8) return false;
    connection.received.append(bytes, length);
    if (static_cast<size_t>(length) < sizeof bytes) return true;  // that was all; the loop tells of more
  }
}

void BarrierSocket::drop(int descriptor) {
  loop_.unwatch(descriptor);
  std::erase(calls_, descriptor);
  connections_.erase(descriptor);
}

BarrierSocket::Connection* BarrierSocket::oldest_call() {
  if (calls_.empty()) return nullptr;
  const int descriptor = calls_.front();
  calls_.pop_front();
  return &connections_.at(descriptor);
}

BarrierSocket::Answer BarrierSocket::encode(const std::vector<std::string>& messages) {
  std::string text;
  append_integer(text, messages.size());
  for (const std::string& message : messages) {
    append_integer(text, message.size());
    text += message;
  }
  return std::make_shared<const std::string>(std::move(text));
}

void BarrierSocket::answer(Answer answer) {
  Connection* connection = oldest_call();
  if (connection == nullptr) return;
  connection->answer = std::move(answer);
  send(*connection);
}

void BarrierSocket::refuse() {
  if (Connection* connection = oldest_call()) drop(connection->socket.get());
}

void BarrierSocket::send(Connection& connection) {
  const int descriptor = connection.socket.get();
  const std::string& answer = *connection.answer;
  const ssize_t sent =
      ::send(descriptor, answer.data() + connection.sent, answer.size() - connection.sent, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return drop(descriptor);
  connection.sent += std::max<ssize_t>(sent, 0);
  const bool is_whole = connection.sent == answer.size();
  if (is_whole) {
    connection.answer.reset();
    connection.sent = 0;
    connection.called = false;
  }
  const bool has_waited = std::exchange(connection.must_wait, !is_whole);
  if (has_waited != connection.must_wait) loop_.change(descriptor, is_whole ? EPOLLIN : EPOLLOUT);
}

}  // namespace deuteron::worker_pool
