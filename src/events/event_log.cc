#include "events/event_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/log.h"

namespace deuteron::events {
namespace {

class LogFile {
 public:
  LogFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~LogFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  void append(const Event& event) {
    if (descriptor_ < 0) return;
    const std::string line = to_json(event) + "\n";
    for (size_t written = 0; written < line.size();) {
      const ssize_t count = write(descriptor_, line.data() + written, line.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return give_up();
      written += static_cast<size_t>(count);
    }
  }

 private:
  void give_up() {
    log_error("the event log " + path_ + " ends here: " + std::strerror(errno));
    close(descriptor_);
    descriptor_ = -1;
  }

  int descriptor_;
  std::string path_;
};

}  // namespace

Result<std::string> write_event_log(const std::string& directory, Bus& bus) {
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  std::string path = directory + "/events-" + std::to_string(getpid()) + "-" +
                     std::to_string(wall_clock_micros()) + ".jsonl";
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return internal_error("cannot write the event log " + path + ": " + std::strerror(errno));
  auto file = std::make_shared<LogFile>(descriptor, path);
  bus.subscribe([file](const Event& event) { file->append(event); });
  return path;
}

}  // namespace deuteron::events
