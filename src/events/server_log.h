// The server's log: what its ranks and tasks print, what the engine says of gangs, and what the server says
// of itself, in one file in the order of time: <directory>/server.log, a JSON object a line, readable by its
// owner only. When the file has reached its size it becomes server.log.1 and a new one begins, so that two
// files is all that there ever is.
//
// append() may be called from any thread and never waits for the disk: lines go through a bounded queue, and
// what does not fit is counted and told. A disk that is full loses lines, nothing else.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/status.h"

namespace deuteron::events {

// Who says a line, and about what; -1 and "" where it does not apply.
struct LogOrigin {
  std::string source;  // "rank", "task", "python" (a process that runs no task), "engine" or "server"
  std::string session;
  std::string operation;
  int64_t stage = -1;
  int64_t attempt = -1;
  int64_t rank = -1;  // the partition of a task
  bool operator==(const LogOrigin&) const = default;
};

struct LogLine {
  int64_t time_micros = 0;  // wall clock, since the epoch
  std::shared_ptr<const LogOrigin> origin;
  std::string text;  // one line
};

// Without the line end. Invalid UTF-8 is replaced.
std::string to_json(const LogLine& line);
// None of what is no such line.
std::optional<LogLine> parse_log_line(std::string_view json);

class ServerLog {
 public:
  static constexpr size_t kLongestText = 8 * 1024;  // the rest of a longer text is cut off, which it says
  static constexpr const char* kFileName = "server.log";
  static constexpr const char* kOldFileName = "server.log.1";

  // Makes the folder if needed and goes on with the file that is there; fails when another server writes it.
  static Result<std::unique_ptr<ServerLog>> open(const std::string& directory, uint64_t file_bytes);
  // Writes what is queued.
  ~ServerLog();
  ServerLog(const ServerLog&) = delete;
  ServerLog& operator=(const ServerLog&) = delete;

  void append(LogLine line);
  // Stamped with the time of the call.
  void append(std::shared_ptr<const LogOrigin> origin, std::string_view text);
  // Waits until everything that was appended before is in the file.
  void flush();

 private:
  ServerLog(std::string directory, uint64_t file_bytes, int directory_descriptor, int descriptor,
            uint64_t size);
  void write_queued();
  void write(std::vector<LogLine>::iterator begin, std::vector<LogLine>::iterator end);
  void write_out(std::string& text);
  void rotate();

  const std::string directory_;
  const uint64_t file_bytes_;
  const int directory_descriptor_;  // holds the lock that keeps other servers away
  // Of the thread:
  int descriptor_;
  uint64_t size_;
  int64_t last_time_ = 0;
  bool is_torn_ = false;   // the last write has failed, perhaps in the middle of a line
  bool has_told_ = false;  // of the failure
  // Guarded by mutex_:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable written_;
  std::vector<LogLine> queue_;
  uint64_t queued_bytes_ = 0;
  std::unordered_map<const LogOrigin*, uint64_t> queued_of_;  // bytes
  uint64_t lost_lines_ = 0;
  uint64_t appended_ = 0;
  uint64_t done_ = 0;
  int flushing_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace deuteron::events
