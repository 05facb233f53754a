// Resource profiles: what the tasks of one function need, as PySpark's ResourceProfileBuilder says it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron::execution {

// By Spark's names: "cpus", "gpu" of a task; "cores", "memory", "pyspark.memory" (MiB), "gpu" of an executor,
// which is this server: of those only cores and pyspark.memory mean something here.
struct ResourceProfile {
  std::map<std::string, double> task;
  std::map<std::string, int64_t> executor;
  bool operator==(const ResourceProfile&) const = default;
};

// Those of all sessions. Thread-safe.
class ResourceProfiles {
 public:
  // From 1; equal ones have the same. TOO_MANY_RESOURCE_PROFILES.
  Result<int32_t> add(ResourceProfile profile);
  // RESOURCE_PROFILE_NOT_FOUND.
  Result<ResourceProfile> find(int32_t id) const;

 private:
  mutable std::mutex mutex_;
  std::vector<ResourceProfile> profiles_;  // guarded by mutex_
};

}  // namespace deuteron::execution
