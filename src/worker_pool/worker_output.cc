#include "worker_pool/worker_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

namespace deuteron::worker_pool {

namespace {
constexpr size_t kLongestLine =
    3500;  // with its label below PIPE_BUF, so that a writable pipe takes all of it
constexpr size_t kTailBytes = 4096;
constexpr int kReadsAtOnce = 16;  // then others get their turn
}  // namespace

void WorkerLog::write_line(std::string_view label, std::string_view line) {
  if (descriptor_ < 0) return;
  pollfd writable{descriptor_, POLLOUT, 0};
  if (poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) {
    ++lost_lines_;
    return;
  }
  std::string text;
  if (lost_lines_ > 0) text = "(" + std::to_string(lost_lines_) + " lines of workers were lost)\n";
  lost_lines_ = 0;
  text.append("[").append(label).append("] ").append(line).append("\n");
  [[maybe_unused]] const ssize_t written = write(descriptor_, text.data(), text.size());
}

WorkerOutput::WorkerOutput(EventLoop& loop, FileDescriptor pipe, WorkerLog& log, std::string label)
    : loop_(loop), pipe_(std::move(pipe)), log_(log), label_(std::move(label)) {
  fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
  loop_.watch(pipe_.get(), EPOLLIN, [this](uint32_t) { read_available(); });
}

WorkerOutput::~WorkerOutput() {
  if (!pipe_.valid()) return;
  read_available();
  end();
}

void WorkerOutput::set_label(std::string label) {
  if (label == label_) return;
  read_available();  // what was printed before belongs to the old name
  label_ = std::move(label);
}

const std::string& WorkerOutput::tail() {
  read_available();
  return tail_;
}

void WorkerOutput::read_available() {
  char bytes[16 * 1024];
  for (int i = 0; i < kReadsAtOnce && pipe_.valid(); ++i) {
    const ssize_t length = read(pipe_.get(), bytes, sizeof bytes);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (length <= 0) return end();
    partial_.append(bytes, length);
    take_lines();
  }
}

void WorkerOutput::take_lines() {
  size_t begin = 0;
  while (begin < partial_.size()) {
    const size_t end_of_line = partial_.find('\n', begin);
    if (end_of_line == std::string::npos && partial_.size() - begin < kLongestLine) break;
    const size_t length = std::min(end_of_line - begin, kLongestLine);
    const std::string_view line = std::string_view(partial_).substr(begin, length);
    log_.write_line(label_, line);
    tail_.append(line).append("\n");
    begin += length + (begin + length == end_of_line ? 1 : 0);
  }
  partial_.erase(0, begin);
  if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

void WorkerOutput::end() {
  if (!partial_.empty()) {
    partial_ += '\n';
    take_lines();
  }
  loop_.unwatch(pipe_.get());
  pipe_.reset();
}

}  // namespace deuteron::worker_pool
