#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <mutex>
#include <shared_mutex>

namespace deuteron {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static spdlog::logger* const kLogger = [] {
    auto* logger = new spdlog::logger("deuteron", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
    return logger;
  }();
  return *kLogger;
}

struct Observer {
  std::shared_mutex mutex;
  LogObserver call;  // guarded by mutex
};

Observer& observer() {
  static Observer* const kObserver = new Observer;
  return *kObserver;
}

}  // namespace

void set_log_level(LogLevel level) { logger().set_level(spdlog_level(level)); }

void observe_log(LogObserver call) {
  std::unique_lock lock(observer().mutex);
  observer().call = std::move(call);
}

void log(LogLevel level, std::string_view message) {
  if (!logger().should_log(spdlog_level(level))) return;
  logger().log(spdlog_level(level), message);
  std::shared_lock lock(observer().mutex);
  if (observer().call) observer().call(level, message);
}

}  // namespace deuteron
