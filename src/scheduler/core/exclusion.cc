// Addresses of resources (a gpu) where tasks keep losing their process: the device may be broken.
#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {
namespace {

// Of one task; what it holds lies beside what the other ranks hold.
template <typename See>
void visit_addresses(const Allocation& given, int32_t task, const See& see) {
  for (const auto& [name, tasks] : given.shares) {
    for (const Share& share : tasks[task]) see(Address{name, share.address});
  }
}

int32_t index_of(const State& state, const RunningTask& task) {
  return std::holds_alternative<Gang>(state.stages.at(task.stage).kind) ? task.partition : 0;
}

}  // namespace

void Step::note_well(const RunningTask& task) {
  if (state_.lost.empty()) return;
  visit_addresses(state_.slots.at(task.hold).given, index_of(state_, task),
                  [this](const Address& address) { state_.lost.erase(address); });
}

void Step::note_lost(const RunningTask& task) {
  if (state_.exclusion.lost_tasks == 0) return;
  visit_addresses(state_.slots.at(task.hold).given, index_of(state_, task), [this](const Address& address) {
    const int32_t lost = ++state_.lost[address];
    if (lost < state_.exclusion.lost_tasks) return;
    state_.lost.erase(address);
    state_.slots.leave_out(address.first, address.second, true);
    state_.reservation = Reservation();
    has_changed_ = is_freed_ = true;
    std::erase_if(state_.left_out, [&](const auto& entry) { return entry.second == address; });
    state_.left_out.insert({now_ + state_.exclusion.time, address});
    const std::string name = state_.slots.free().address(address.first, address.second);
    actions_.push_back(AddressLeftOut{address.first, name, lost, state_.exclusion.time});
  });
}

void Step::readmit() {
  while (!state_.left_out.empty() && state_.left_out.begin()->first <= now_) {
    const Address address = state_.left_out.begin()->second;
    state_.left_out.erase(state_.left_out.begin());
    state_.slots.leave_out(address.first, address.second, false);
    state_.reservation = Reservation();
    has_changed_ = is_freed_ = true;
    actions_.push_back(
        AddressReadmitted{address.first, state_.slots.free().address(address.first, address.second)});
  }
}

}  // namespace deuteron::scheduler::core
