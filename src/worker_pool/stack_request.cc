#include "worker_pool/stack_request.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAnswerDeadline{300};  // a rank is taken as hanging after 1.5 s, and told within 2 s
constexpr milliseconds kLookInterval{2};
constexpr size_t kLongestAnswer = 64 << 10;

// What /proc says of a thread, or of a process (its first thread).
struct ThreadStatus {
  std::string state;  // "sleeping", "stopped"
  uint64_t pending = 0;
  uint64_t blocked = 0;
  uint64_t caught = 0;
};

ThreadStatus read_status(const std::filesystem::path& folder) {
  ThreadStatus status;
  std::ifstream file(folder / "status");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(":\t");
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, colon);
    const std::string value = line.substr(colon + 2);
    if (key == "State" && value.size() > 4) status.state = value.substr(3, value.size() - 4);
    if (key == "SigPnd" || key == "ShdPnd") status.pending |= std::strtoull(value.c_str(), nullptr, 16);
    if (key == "SigBlk") status.blocked = std::strtoull(value.c_str(), nullptr, 16);
    if (key == "SigCgt") status.caught = std::strtoull(value.c_str(), nullptr, 16);
  }
  return status;
}

std::filesystem::path folder_of(pid_t process) { return "/proc/" + std::to_string(process); }

uint64_t stack_signal_bit() { return uint64_t{1} << (stack_signal() - 1); }

std::set<std::string> threads_that_block(pid_t process) {
  std::set<std::string> found;
  std::error_code failure;
  for (const auto& thread : std::filesystem::directory_iterator(folder_of(process) / "task", failure)) {
    if ((read_status(thread.path()).blocked & stack_signal_bit()) != 0)
      found.insert(thread.path().filename().string());
  }
  return found;
}

}  // namespace

int stack_signal() { return SIGRTMAX - 7; }

StackRequest::~StackRequest() { loop_.cancel_timer(timer_); }

Result<FileDescriptor> StackRequest::make_file() {
  FileDescriptor file(memfd_create("deuteron-stacks", MFD_CLOEXEC));
  if (!file.valid() || fcntl(file.get(), F_SETFL, O_APPEND) != 0)
    return internal_error(std::string("cannot make a shared file: ") + strerror(errno));
  return file;
}

void StackRequest::ask(pid_t process, Handler handler) {
  if (is_waiting() || process <= 1) return;
  process_ = process;
  handler_ = std::move(handler);
  deadline_ = steady_now() + kAnswerDeadline;
  deaf_threads_ = threads_that_block(process);
  const bool is_caught = (read_status(folder_of(process)).caught & stack_signal_bit()) != 0;
  sent_ = is_caught && ftruncate(file_.get(), 0) == 0 &&  // else the signal would end the process
          ::kill(process, stack_signal()) == 0;
  timer_ = loop_.call_after(sent_ ? kLookInterval : Duration::zero(), [this] { look(); });
}

void StackRequest::look() {
  if (sent_ && !handler_has_ended() && steady_now() < deadline_) {
    timer_ = loop_.call_after(kLookInterval, [this] { look(); });
  } else {
    finish();
  }
}

void StackRequest::finish() {
  if (!is_waiting()) return;
  loop_.cancel_timer(timer_);
  const Handler handler = std::exchange(handler_, nullptr);
  handler({read_status(folder_of(process_)).state, sent_ ? read_file() : ""});
}

bool StackRequest::handler_has_ended() const {
  if ((read_status(folder_of(process_)).pending & stack_signal_bit()) != 0) return false;
  return std::ranges::includes(deaf_threads_, threads_that_block(process_));
}

std::string StackRequest::read_file() const {
  std::string text(kLongestAnswer, '\0');
  const ssize_t got = pread(file_.get(), text.data(), text.size(), 0);
  text.resize(std::max<ssize_t>(got, 0));
  if (text.size() == kLongestAnswer) text += "...\n";
  return text;
}

}  // namespace deuteron::worker_pool
