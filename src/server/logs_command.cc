#include "server/logs_command.h"

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <ostream>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/duration_text.h"

namespace deuteron::server {
namespace {

using events::LogLine;
using events::LogOrigin;
using events::ServerLog;

constexpr std::chrono::milliseconds kLookAgain{50};
constexpr int kLooksForTheFile = 10;  // between two files of a log there is none for a moment
constexpr int64_t kMicrosPerSecond = 1'000'000;

Status nothing_to_show(std::string reason) {
  return error("INVALID_OPTION", {{"reason", std::move(reason)}});
}

std::string ports_of(const std::vector<RunningServer>& servers) {
  std::string text;
  for (const RunningServer& server : servers)
    text += (text.empty() ? "" : ", ") + std::to_string(server.port);
  return text;
}

Result<std::string> find_log(const LogsOptions& options) {
  if (!options.directory.empty()) return options.directory;
  const std::vector<RunningServer> servers = running_servers();
  if (servers.empty()) {
    return nothing_to_show(
        "no server of yours runs on this machine; --directory shows the log that one left in its "
        "--log-directory");
  }
  for (const RunningServer& server : servers) {
    if (server.port == options.port) return server.log_directory;
  }
  if (options.port != 0) {
    return nothing_to_show("no server of yours listens at port " + std::to_string(options.port) +
                           "; there are: " + ports_of(servers));
  }
  if (servers.size() > 1)
    return nothing_to_show("several servers run, choose one by --port: " + ports_of(servers));
  return servers[0].log_directory;
}

// What names a file however it is renamed; 0 where there is none.
ino_t identity(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// One file of the log, read as far as it has come.
class LogReader {
 public:
  LogReader(const std::string& path, const LogsOptions& options, int64_t since)
      : identity_(identity(path)), file_(path), options_(options), since_(since) {}

  ino_t file() const { return identity_; }

  void show_what_is_there(std::ostream& out) {
    std::string text;
    while (std::getline(file_, text)) {
      partial_ += text;
      if (file_.eof()) break;  // the end of the line has not been written yet
      const auto line = events::parse_log_line(std::exchange(partial_, ""));
      if (line && matches(options_, since_, *line)) out << show_line(*line) << '\n';
    }
    file_.clear();
    out.flush();
  }

 private:
  const ino_t identity_;
  std::ifstream file_;
  const LogsOptions& options_;
  const int64_t since_;
  std::string partial_;
};

void append_text(std::string& shown, const std::string& text) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if ((code < 0x20 && byte != '\t') || code == 0x7f) {
      shown += {'\\', 'x', kDigits[code / 16], kDigits[code % 16]};
    } else {
      shown += byte;
    }
  }
}

}  // namespace

std::optional<int64_t> parse_since(const std::string& text, int64_t now_micros) {
  if (const auto duration = parse_duration(text, std::chrono::seconds(1))) {
    return now_micros - std::chrono::duration_cast<std::chrono::microseconds>(*duration).count();
  }
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm time{};
    const char* rest = strptime(text.c_str(), format, &time);
    if (rest == nullptr) continue;
    double fraction = 0;
    int length = 0;
    if (*rest == '.' && std::sscanf(rest, "%lf%n", &fraction, &length) == 1) rest += length;
    if (*rest == 'Z') ++rest;
    if (*rest != '\0') continue;
    return timegm(&time) * kMicrosPerSecond + static_cast<int64_t>(fraction * kMicrosPerSecond + 0.5);
  }
  return std::nullopt;
}

bool matches(const LogsOptions& options, int64_t since_micros, const LogLine& line) {
  const LogOrigin& origin = *line.origin;
  return line.time_micros >= since_micros && origin.operation.starts_with(options.operation) &&
         origin.session.starts_with(options.session) && (options.rank < 0 || origin.rank == options.rank);
}

std::string show_line(const LogLine& line) {
  const std::time_t seconds = line.time_micros / kMicrosPerSecond;
  std::tm time{};
  gmtime_r(&seconds, &time);
  char stamp[64];
  const size_t length = std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &time);
  std::snprintf(stamp + length, sizeof stamp - length, ".%06dZ",
                static_cast<int>(line.time_micros % kMicrosPerSecond));
  const LogOrigin& origin = *line.origin;
  std::string shown = stamp;
  shown += " " + origin.source;
  if (origin.rank >= 0) {
    shown += (origin.source == "engine" ? " rank " : " ") + std::to_string(origin.rank);
  }
  if (origin.attempt >= 0) shown += " attempt " + std::to_string(origin.attempt);
  if (!origin.operation.empty()) shown += " op " + origin.operation.substr(0, 8);
  shown += " | ";
  append_text(shown, line.text);
  return shown;
}

Status show_logs(const LogsOptions& options, std::ostream& out) {
  int64_t since = 0;
  if (!options.since.empty()) {
    const auto parsed = parse_since(options.since, wall_clock_micros());
    if (!parsed)
      return nothing_to_show("--since takes a duration (10min) or a time in UTC (2026-11-25T10:11:12)");
    since = *parsed;
  }
  ASSIGN_OR_RETURN(const std::string directory, find_log(options));
  const std::string path = directory + "/" + ServerLog::kFileName;
  const std::string old_path = directory + "/" + ServerLog::kOldFileName;
  if (identity(path) == 0 && identity(old_path) == 0)
    return nothing_to_show("there is no log in " + directory);

  LogReader old(old_path, options, since);
  auto current = std::make_unique<LogReader>(path, options, since);
  old.show_what_is_there(out);
  current->show_what_is_there(out);
  for (int absent = 0; options.follow && out && absent < kLooksForTheFile;) {
    std::this_thread::sleep_for(kLookAgain);
    const ino_t now = identity(path);
    absent = now == 0 ? absent + 1 : 0;
    current->show_what_is_there(out);
    if (now == 0 || now == current->file()) continue;
    if (identity(old_path) != current->file())
      out << "(lines are missing here: they came faster than they were read)\n";
    current = std::make_unique<LogReader>(path, options, since);
    current->show_what_is_there(out);
  }
  return {};
}

}  // namespace deuteron::server
