#include "events/server_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/log.h"

namespace deuteron::events {
namespace {

using Json = nlohmann::ordered_json;

// Events reach the log a little later than lines that were printed after them: lines are held back for as
// long and put in order.
constexpr std::chrono::milliseconds kSettleTime{20};
constexpr uint64_t kQueueBytes = uint64_t{8} << 20;
constexpr uint64_t kOriginBytes = uint64_t{1} << 20;   // so that one that floods does not drown the others
constexpr uint64_t kReserveBytes = uint64_t{4} << 20;  // for the engine, when ranks have filled the queue
constexpr uint64_t kLineOverhead = 64;
constexpr size_t kWriteBytes = size_t{256} << 10;

bool is_of_python(const LogOrigin& origin) { return origin.source != "engine" && origin.source != "server"; }

int open_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor >= 0) fchmod(descriptor, 0600);
  return descriptor;
}

std::string cut(std::string text) {
  if (text.size() <= ServerLog::kLongestText) return text;
  const size_t more = text.size() - ServerLog::kLongestText;
  text.resize(ServerLog::kLongestText);
  return text + " … (" + std::to_string(more) + " bytes more)";
}

}  // namespace

std::string to_json(const LogLine& line) {
  Json json;
  json["time"] = line.time_micros;
  const LogOrigin& origin = *line.origin;
  json["source"] = origin.source;
  if (!origin.session.empty()) json["session"] = origin.session;
  if (!origin.operation.empty()) json["operation"] = origin.operation;
  if (origin.stage >= 0) json["stage"] = origin.stage;
  if (origin.attempt >= 0) json["attempt"] = origin.attempt;
  if (origin.rank >= 0) json["rank"] = origin.rank;
  json["text"] = line.text;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<LogLine> parse_log_line(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("time") || !json.contains("text")) return std::nullopt;
  try {
    LogOrigin origin{json.value("source", ""),           json.value("session", ""),
                     json.value("operation", ""),        json.value("stage", int64_t{-1}),
                     json.value("attempt", int64_t{-1}), json.value("rank", int64_t{-1})};
    return LogLine{json["time"].get<int64_t>(), std::make_shared<const LogOrigin>(std::move(origin)),
                   json["text"].get<std::string>()};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

Result<std::unique_ptr<ServerLog>> ServerLog::open(const std::string& directory, uint64_t file_bytes) {
  const auto failed = [&](const std::string& reason) {
    return internal_error("cannot write the log in " + directory + ": " + reason);
  };
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  const int folder = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return failed(std::strerror(errno));
  if (flock(folder, LOCK_EX | LOCK_NB) != 0) {
    close(folder);
    return failed("another server writes its log there");
  }
  const int descriptor = open_file(directory + "/" + kFileName);
  struct stat status {};
  if (descriptor < 0 || fstat(descriptor, &status) != 0) {
    const std::string reason = std::strerror(errno);
    close(folder);
    return failed(reason);
  }
  return std::unique_ptr<ServerLog>(new ServerLog(directory, file_bytes, folder, descriptor, status.st_size));
}

ServerLog::ServerLog(std::string directory, uint64_t file_bytes, int directory_descriptor, int descriptor,
                     uint64_t size)
    : directory_(std::move(directory)),
      file_bytes_(file_bytes),
      directory_descriptor_(directory_descriptor),
      descriptor_(descriptor),
      size_(size) {
  thread_ = std::thread([this] { write_queued(); });
}

ServerLog::~ServerLog() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  thread_.join();
  if (descriptor_ >= 0) close(descriptor_);
  close(directory_descriptor_);
}

void ServerLog::append(std::shared_ptr<const LogOrigin> origin, std::string_view text) {
  append({wall_clock_micros(), std::move(origin), std::string(text)});
}

void ServerLog::append(LogLine line) {
  line.text = cut(std::move(line.text));
  const uint64_t bytes = line.text.size() + kLineOverhead;
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    const uint64_t most = kQueueBytes + (is_of_python(*line.origin) ? 0 : kReserveBytes);
    uint64_t& of_origin = queued_of_[line.origin.get()];
    if (queued_bytes_ + bytes > most || of_origin + bytes > kOriginBytes) {
      ++lost_lines_;
      return;
    }
    was_empty = queue_.empty();
    queued_bytes_ += bytes;
    of_origin += bytes;
    ++appended_;
    queue_.push_back(std::move(line));
  }
  if (was_empty) arrived_.notify_one();
}

void ServerLog::flush() {
  std::unique_lock lock(mutex_);
  const uint64_t wanted = appended_;
  ++flushing_;
  arrived_.notify_all();
  written_.wait(lock, [&] { return done_ >= wanted; });
  --flushing_;
}

void ServerLog::write_queued() {
  static const auto kOwnLines = std::make_shared<const LogOrigin>(LogOrigin{.source = "server"});
  std::vector<LogLine> pending;
  std::unique_lock lock(mutex_);
  while (true) {
    const auto is_urgent = [this] { return stopping_ || (flushing_ > 0 && done_ < appended_); };
    if (pending.empty()) arrived_.wait(lock, [&] { return !queue_.empty() || is_urgent(); });
    arrived_.wait_for(lock, kSettleTime, is_urgent);
    pending.insert(pending.end(), std::make_move_iterator(queue_.begin()),
                   std::make_move_iterator(queue_.end()));
    queue_.clear();
    queued_bytes_ = 0;
    queued_of_.clear();
    const uint64_t lost = std::exchange(lost_lines_, 0);
    const uint64_t taken = appended_;
    const bool last = stopping_;
    const bool all = is_urgent();
    lock.unlock();

    if (lost > 0) {
      pending.push_back(
          {wall_clock_micros(), kOwnLines,
           std::to_string(lost) + " lines were lost: they came faster than they could be written"});
    }
    std::stable_sort(pending.begin(), pending.end(), [](const LogLine& one, const LogLine& other) {
      return one.time_micros < other.time_micros;
    });
    const int64_t horizon = all ? std::numeric_limits<int64_t>::max()
                                : wall_clock_micros() - std::chrono::microseconds(kSettleTime).count();
    const auto end = std::find_if(pending.begin(), pending.end(),
                                  [&](const LogLine& line) { return line.time_micros > horizon; });
    write(pending.begin(), end);
    pending.erase(pending.begin(), end);

    lock.lock();
    if (pending.empty()) done_ = taken;
    written_.notify_all();
    if (last) return;
  }
}

void ServerLog::write(std::vector<LogLine>::iterator begin, std::vector<LogLine>::iterator end) {
  std::string text;
  for (auto line = begin; line != end; ++line) {
    // A clock that was set back, or news that come late, must not break the order.
    line->time_micros = last_time_ = std::max(last_time_, line->time_micros);
    const std::string json = to_json(*line);
    if (size_ + text.size() + json.size() + 1 > file_bytes_ && size_ + text.size() > 0) {
      write_out(text);
      rotate();
    }
    text.append(json).append("\n");
    if (text.size() > kWriteBytes) write_out(text);
  }
  write_out(text);
}

void ServerLog::write_out(std::string& text) {
  if (descriptor_ < 0) descriptor_ = open_file(directory_ + "/" + kFileName);
  if (is_torn_ && !text.empty()) text.insert(0, "\n");
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    written += static_cast<size_t>(count);
  }
  if (written < text.size() && !std::exchange(has_told_, true)) {
    log_error("lines of the log in " + directory_ + " are lost: " + std::strerror(errno));
  }
  if (!text.empty()) is_torn_ = written < text.size();
  size_ += written;
  text.clear();
}

void ServerLog::rotate() {
  const std::string path = directory_ + "/" + kFileName;
  if (std::rename(path.c_str(), (directory_ + "/" + kOldFileName).c_str()) != 0) {
    if (ftruncate(descriptor_, 0) == 0) size_ = 0;  // rather lose what is old than the bound
    return;
  }
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = open_file(path);
  size_ = 0;
  is_torn_ = false;
}

}  // namespace deuteron::events
