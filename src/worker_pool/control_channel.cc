#include "worker_pool/control_channel.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace deuteron::worker_pool {

namespace {
constexpr size_t kMaxMessageBytes = 128 * 1024;
constexpr size_t kMaxDescriptors = 64;
constexpr size_t kMaxWaiting = 100'000;

std::vector<FileDescriptor> take_descriptors(msghdr& header) {
  std::vector<FileDescriptor> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int descriptor = -1;
      std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(descriptor);
    }
  }
  return descriptors;
}
}  // namespace

ControlChannel::ControlChannel(EventLoop& loop, FileDescriptor socket, MessageHandler on_message,
                               ClosedHandler on_closed)
    : loop_(loop),
      socket_(std::move(socket)),
      on_message_(std::move(on_message)),
      on_closed_(std::move(on_closed)),
      buffer_(kMaxMessageBytes, '\0') {
  loop_.watch(socket_.get(), EPOLLIN, [this](uint32_t events) { on_events(events); });
}

ControlChannel::~ControlChannel() { close(); }

Result<std::pair<FileDescriptor, FileDescriptor>> ControlChannel::make_pair() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
    return internal_error(std::string("cannot make a control socket: ") + std::strerror(errno));
  }
  return std::pair(FileDescriptor(sockets[0]), FileDescriptor(sockets[1]));
}

void ControlChannel::close() {
  if (!socket_.valid()) return;
  loop_.unwatch(socket_.get());
  socket_.reset();
  waiting_.clear();
}

void ControlChannel::send(const nlohmann::json& message, const std::vector<int>& descriptors) {
  if (!socket_.valid()) return;
  std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > kMaxMessageBytes) {
    log_error("a control message of " + std::to_string(text.size()) + " bytes is too long");
    shutdown(socket_.get(), SHUT_RDWR);  // seen as closed: whoever waits for an answer hears of it
    return;
  }
  if (waiting_.empty() && send_packet(text, descriptors)) return;
  if (waiting_.empty()) loop_.change(socket_.get(), EPOLLIN | EPOLLOUT);
  Packet& packet = waiting_.emplace_back(Packet{std::move(text), {}});
  for (const int descriptor : descriptors)
    packet.descriptors.emplace_back(fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (waiting_.size() > kMaxWaiting)
    shutdown(socket_.get(), SHUT_RDWR);  // the peer does not read; seen as closed
}

// False when the socket is full.
bool ControlChannel::send_packet(const std::string& text, const std::vector<int>& descriptors) {
  iovec content{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const size_t bytes = descriptors.size() * sizeof(int);
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(part), descriptors.data(), bytes);
  }
  if (sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  // Other errors show at the next receive, in one place.
  return errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS;
}

void ControlChannel::send_waiting() {
  while (!waiting_.empty()) {
    std::vector<int> descriptors;
    for (const FileDescriptor& descriptor : waiting_.front().descriptors)
      descriptors.push_back(descriptor.get());
    if (!send_packet(waiting_.front().text, descriptors)) return;
    waiting_.pop_front();
  }
  loop_.change(socket_.get(), EPOLLIN);
}

void ControlChannel::on_events(uint32_t epoll_events) {
  if (epoll_events & EPOLLOUT) send_waiting();
  if (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive();
}

void ControlChannel::receive() {
  while (socket_.valid()) {
    iovec content{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))];
    msghdr header{};
    header.msg_iov = &content;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    const ssize_t length = recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) return fail(length == 0 ? "the control socket was closed" : std::strerror(errno));
    std::vector<FileDescriptor> descriptors = take_descriptors(header);
    const auto message = nlohmann::json::parse(buffer_.data(), buffer_.data() + length, nullptr, false);
    if (!message.is_object() || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
      return fail("not a control message");
    try {
      on_message_(message, std::move(descriptors));
    } catch (const nlohmann::json::exception& error) {
      return fail(std::string("a malformed control message: ") + error.what());
    }
  }
}

void ControlChannel::fail(const std::string& reason) {
  if (!socket_.valid()) return;
  close();
  on_closed_(reason);
}

}  // namespace deuteron::worker_pool
