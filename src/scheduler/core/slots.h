// Arithmetic on slots: whether a demand fits, taking, giving back.
#pragma once

#include <string>

#include "tasks/task.h"

namespace deuteron::scheduler::core {

// Whether `available` has room for `count` tasks of `demand` at once.
bool fits(const tasks::Slots& demand, int32_t count, const tasks::Slots& available);
void take(const tasks::Slots& demand, tasks::Slots& available);
void give_back(const tasks::Slots& demand, tasks::Slots& available);
// BARRIER_STAGE_TOO_LARGE when `total` can never hold all ranks at once.
Status check_gang(const tasks::Slots& demand, int32_t ranks, const tasks::Slots& total);
// "4 CPUs and 2 gpu"
std::string describe(const tasks::Slots& slots, int32_t count = 1);

}  // namespace deuteron::scheduler::core
