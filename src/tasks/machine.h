// What a machine has for tasks. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace deuteron::tasks {

struct Resource {
  std::vector<std::string> addresses;  // as tasks are told them: "0", "MIG-…"
  // Which addresses (by index) are close to each other: those of a NUMA node, or of an NVLink group in it.
  // Two groups have nothing in common, or one lies within the other.
  std::vector<std::vector<int32_t>> groups;
  Amount amount = 0;  // of a resource without addresses, which is only counted
};

struct Machine {
  int32_t cpus = 1;
  std::map<std::string, Resource> resources;
  int64_t memory = 0;  // bytes
};

}  // namespace deuteron::tasks
