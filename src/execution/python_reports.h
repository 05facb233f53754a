// What the Python workers of a session told besides their results, until somebody asks for it. Thread-safe;
// bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace deuteron::execution {

class PythonReports {
 public:
  // What PySpark's accumulators were given, pickled: profiles. Those beyond the bound are dropped.
  void add_updates(const std::vector<std::string>& updates);
  std::vector<std::string> take_updates();

  // A log record, as a JSON object. Beyond the bound the oldest are dropped.
  void add_log_record(std::string_view record);
  std::vector<std::string> log_records() const;

  static constexpr uint64_t kUpdateBytes = uint64_t{64} << 20;
  static constexpr size_t kLogRecords = 10'000;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> updates_;
  uint64_t update_bytes_ = 0;
  std::deque<std::string> log_records_;
};

}  // namespace deuteron::execution
