// The server's own log (stderr). Lines about a user's operations are events (events/), not log lines.
// Thread-safe.
#pragma once

#include <functional>
#include <string_view>

namespace deuteron {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

void set_log_level(LogLevel level);
// Called with each message that is shown, from the thread that logs; nullptr ends it, and waits for calls
// that are under way. It must not log.
using LogObserver = std::function<void(LogLevel, std::string_view)>;
void observe_log(LogObserver observer);
void log(LogLevel level, std::string_view message);
inline void log_debug(std::string_view message) { log(LogLevel::kDebug, message); }
inline void log_info(std::string_view message) { log(LogLevel::kInfo, message); }
inline void log_warning(std::string_view message) { log(LogLevel::kWarning, message); }
inline void log_error(std::string_view message) { log(LogLevel::kError, message); }

}  // namespace deuteron
