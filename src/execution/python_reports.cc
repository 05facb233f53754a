#include "execution/python_reports.h"

#include <utility>

namespace deuteron::execution {

void PythonReports::add_updates(const std::vector<std::string>& updates) {
  std::lock_guard lock(mutex_);
  for (const std::string& update : updates) {
    if (update_bytes_ + update.size() > kUpdateBytes) continue;
    update_bytes_ += update.size();
    updates_.push_back(update);
  }
}

std::vector<std::string> PythonReports::take_updates() {
  std::lock_guard lock(mutex_);
  update_bytes_ = 0;
  return std::exchange(updates_, {});
}

void PythonReports::add_log_record(std::string_view record) {
  std::lock_guard lock(mutex_);
  log_records_.emplace_back(record);
  if (log_records_.size() > kLogRecords) log_records_.pop_front();
}

std::vector<std::string> PythonReports::log_records() const {
  std::lock_guard lock(mutex_);
  return {log_records_.begin(), log_records_.end()};
}

}  // namespace deuteron::execution
