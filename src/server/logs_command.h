// `deuteron logs`: finds a server's log and shows what was asked for of it.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "base/status.h"
#include "events/server_log.h"
#include "server/running_servers.h"

namespace deuteron::server {

struct LogsOptions {
  std::string directory;  // "": of the running server
  int port = 0;           // 0: of the only running server
  std::string operation;  // the first letters of its id; "": all
  std::string session;    // likewise
  int64_t rank = -1;      // -1: all
  std::string since;      // see parse_since()
  bool follow = false;
};

// Shows what the log has, and with `follow` what comes, until the log goes with its server. The status tells
// why there is nothing to show from.
Status show_logs(const LogsOptions& options, std::ostream& out);

// A duration before `now_micros` ("90s", "10min", "2h"), or a time in UTC ("2026-11-25T10:11:12",
// "2026-11-25"): in microseconds since the epoch.
std::optional<int64_t> parse_since(const std::string& text, int64_t now_micros);
bool matches(const LogsOptions& options, int64_t since_micros, const events::LogLine& line);
// "2026-11-25T10:11:12.123456Z rank 1 attempt 0 op 1234abcd | text". Control characters are made visible, so
// that what was printed has no power over the reader's terminal.
std::string show_line(const events::LogLine& line);

}  // namespace deuteron::server
