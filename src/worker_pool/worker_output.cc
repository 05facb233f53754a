#include "worker_pool/worker_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace deuteron::worker_pool {

namespace {
constexpr size_t kLongestLine =
    3500;  // with its label below PIPE_BUF, so that a writable pipe takes all of it
constexpr size_t kTailBytes = 4096;
constexpr int kReadsAtOnce = 4;                // all that a pipe holds; then others get their turn
constexpr size_t kKeptOfLine = 8 * 1024 - 64;  // of a longer line only the length is known
constexpr std::string_view kRecordMark = "PYTHON_WORKER_LOGGING:";  // pyspark.logger.worker_io
constexpr size_t kLongestRecord = size_t{1} << 20;                  // a longer one is dropped
constexpr uint64_t kShownBytes = uint64_t{16} << 20;  // of one source, in a log that nobody bounds
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

void WorkerOutput::set_source(std::string label, WorkerTask::LineHandler on_line,
                              WorkerTask::LineHandler on_log_record) {
  finish_line();  // what was printed before belongs to the old name
  label_ = std::move(label);
  on_line_ = std::move(on_line);
  on_log_record_ = std::move(on_log_record);
  shown_bytes_ = 0;
}

void WorkerOutput::finish_line() {
  read_available();
  if (partial_.empty() && line_bytes_ == 0 && !in_record_) return;
  partial_ += '\n';
  take_lines();
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
    if (std::exchange(skips_newline_, false) && partial_[begin] == '\n') {
      ++begin;
      continue;
    }
    const size_t end_of_line = partial_.find_first_of("\r\n", begin);
    if (end_of_line == std::string::npos && partial_.size() - begin < kLongestLine) break;
    const size_t length = std::min(end_of_line - begin, kLongestLine);
    const bool ends_line = begin + length == end_of_line;
    take_piece(std::string_view(partial_).substr(begin, length), ends_line);
    skips_newline_ = ends_line && partial_[end_of_line] == '\r';
    begin += length + (ends_line ? 1 : 0);
  }
  partial_.erase(0, begin);
  if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
}

// A record follows its mark on the same line, on which something else may stand before.
void WorkerOutput::take_piece(std::string_view piece, bool ends_line) {
  const size_t mark = on_log_record_ && !in_record_ ? piece.find(kRecordMark) : std::string_view::npos;
  if (mark != std::string_view::npos) {
    if (mark > 0 || line_bytes_ > 0) take_piece_of_line(piece.substr(0, mark), true);
    in_record_ = true;
    piece.remove_prefix(mark + kRecordMark.size());
  }
  in_record_ ? take_piece_of_record(piece, ends_line) : take_piece_of_line(piece, ends_line);
}

// PID:{…}, or PID: alone at the end of a task.
void WorkerOutput::take_piece_of_record(std::string_view piece, bool ends_line) {
  if (record_.size() <= kLongestRecord) record_.append(piece);
  if (!ends_line) return;
  const size_t begin = record_.find('{');
  if (begin != std::string::npos && record_.size() <= kLongestRecord)
    on_log_record_(std::string_view(record_).substr(begin));
  record_.clear();
  in_record_ = false;
}

void WorkerOutput::take_piece_of_line(std::string_view piece, bool ends_line) {
  show(piece);
  tail_.append(piece).append("\n");
  if (tail_.size() > 4 * kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  line_bytes_ += piece.size();
  const bool is_whole = ends_line && line_bytes_ == piece.size();
  if (!is_whole) line_.append(piece.substr(0, kKeptOfLine - std::min(kKeptOfLine, line_.size())));
  if (!ends_line) return;
  if (line_bytes_ > line_.size() && !is_whole) {
    line_ += " … (" + std::to_string(line_bytes_ - line_.size()) + " bytes more)";
  }
  const std::string_view line = is_whole ? piece : std::string_view(line_);
  on_line_ ? on_line_(line) : log_.tell_line(label_, line);
  line_.clear();
  line_bytes_ = 0;
}

void WorkerOutput::show(std::string_view piece) {
  if (shown_bytes_ > kShownBytes) return;
  shown_bytes_ += piece.size() + 1;
  log_.write_line(label_, piece);
  if (shown_bytes_ > kShownBytes) log_.write_line(label_, "(prints too much: more is not shown here)");
}

void WorkerOutput::end() {
  if (!partial_.empty() || line_bytes_ > 0 || in_record_) {
    partial_ += '\n';
    take_lines();
  }
  loop_.unwatch(pipe_.get());
  pipe_.reset();
}

}  // namespace deuteron::worker_pool
