// Which addresses of a resource tasks get. Those of a task lie close to each other, those of a gang too; what
// is chosen leaves large groups whole (best fit), and parts of an address go where parts are taken already.
#pragma once

#include <optional>
#include <vector>

#include "tasks/machine.h"

namespace deuteron::scheduler::core {

struct Share {
  int32_t address = 0;  // index among the resource's addresses
  tasks::Amount amount = 0;
  bool operator==(const Share&) const = default;
};
using Shares = std::vector<Share>;  // of one task, in the order of addresses

// How many tasks that need `each` have room; `free` is by address.
int64_t room(const std::vector<tasks::Amount>& free, tasks::Amount each);
// By task; requires that they have room.
std::vector<Shares> choose(const tasks::Resource& resource, std::vector<tasks::Amount> free,
                           tasks::Amount each, int32_t tasks);

}  // namespace deuteron::scheduler::core
