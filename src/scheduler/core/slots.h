// Arithmetic on slots: whether a demand fits, taking, giving back.
#pragma once

#include <string>

#include "tasks/task.h"

namespace deuteron::scheduler::core {

// Whether `available` has room for `count` tasks of `demand` at once.
bool fits(const tasks::Slots& demand, int32_t count, const tasks::Slots& available);
inline bool fits(const tasks::Slots& demand, const tasks::Slots& available) {
  return fits(demand, 1, available);
}
void take(const tasks::Slots& demand, tasks::Slots& available);
void give_back(const tasks::Slots& demand, tasks::Slots& available);
// Of `count` tasks; requires that some machine has that much.
tasks::Slots times(const tasks::Slots& demand, int32_t count);
// Whether taking `demand` from `free` leaves `need` as far from fitting as before: it touches nothing of
// which `need` lacks some.
bool leaves(const tasks::Slots& demand, const tasks::Slots& free, const tasks::Slots& need);
// BARRIER_STAGE_TOO_LARGE when `total` can never hold all ranks at once.
Status check_gang(const tasks::Slots& demand, int32_t ranks, const tasks::Slots& total);
// "4 CPUs and 2 gpu"
std::string describe(const tasks::Slots& slots, int32_t count = 1);

}  // namespace deuteron::scheduler::core
