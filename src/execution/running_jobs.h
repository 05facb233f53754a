// Which jobs of the scheduler belong to whose operation, as long as they run. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tasks/task.h"

namespace deuteron::execution {

class RunningJobs {
 public:
  void add(tasks::JobId job, const std::string& session_id, const std::string& operation_id) {
    std::lock_guard lock(mutex_);
    owners_[job] = {session_id, operation_id};
  }
  void remove(tasks::JobId job) {
    std::lock_guard lock(mutex_);
    owners_.erase(job);
  }
  // Jobs of a session, each with its operation.
  std::vector<std::pair<tasks::JobId, std::string>> of_session(const std::string& session_id) const {
    std::lock_guard lock(mutex_);
    std::vector<std::pair<tasks::JobId, std::string>> jobs;
    for (const auto& [job, owner] : owners_) {
      if (owner.first == session_id) jobs.emplace_back(job, owner.second);
    }
    return jobs;
  }

 private:
  mutable std::mutex mutex_;
  std::map<tasks::JobId, std::pair<std::string, std::string>> owners_;  // session, operation
};

}  // namespace deuteron::execution
