// Who makes way for the head of the queue, when its priority is higher: as few gangs as suffice, and none if
// all of them would not do. They are given notice. What becomes free is the head's: who makes way does not
// wait itself before the head has started or has left, although its place may be the earlier one. Nobody is
// asked for ever: each time protects a gang by one level of priority, and there are few.
#include <algorithm>

#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {
namespace {

int32_t protection(const Stage& stage, const Gang& gang) { return stage.priority + gang.preemption.times; }

}  // namespace

void Step::make_way(StageId head, const Demand& need) {
  const int32_t priority = state_.stages.at(head).priority;
  const auto is_lower = [&](auto candidate) {
    return candidate != state_.preemptible.end() && candidate->first.first < priority;
  };
  auto next = state_.preemptible.begin();
  if (!is_lower(next)) return;
  std::vector<std::pair<StageId, Allocation>> chosen;
  Inventory available = slots_to_come();
  for (; !available.fits(need); ++next) {
    if (!is_lower(next)) return;
    const Allocation& held = state_.slots.at(-next->first.second).given;
    chosen.emplace_back(next->second, held);
    available.give_back(held);
  }
  // Those who were chosen later may do alone.
  for (const auto& [id, held] : std::vector(chosen.rbegin(), chosen.rend())) {
    available.take(held);
    if (available.fits(need)) {
      std::erase_if(chosen, [id = id](const auto& one) { return one.first == id; });
    } else {
      available.give_back(held);
    }
  }
  for (const auto& [id, held] : chosen) give_notice(id, head);
}

// What is free, and what those have who make way already.
Inventory Step::slots_to_come() const {
  Inventory slots = state_.slots.free();
  for (const auto& [by, gangs] : state_.making_way) {
    for (const StageId id : gangs) {
      const Stage& stage = state_.stages.at(id);
      if (stage.running > 0) slots.give_back(state_.slots.at(std::get<Gang>(stage.kind).hold).given);
    }
  }
  return slots;
}

void Step::note_preemptible(StageId id, const Stage& stage, const Gang& gang) {
  if (gang.rules.is_preemptible) state_.preemptible[{protection(stage, gang), -gang.hold}] = id;
}

void Step::forget_preemptible(const Stage& stage, const Gang& gang) {
  state_.preemptible.erase({protection(stage, gang), -gang.hold});
}

void Step::give_notice(StageId id, StageId by) {
  Stage& stage = state_.stages.at(id);
  Gang& gang = std::get<Gang>(stage.kind);
  Preemption& preemption = gang.preemption;
  forget_preemptible(stage, gang);
  ++preemption.times;
  preemption.by = by;
  preemption.makes_way = true;
  state_.making_way[by].insert(id);
  if (gang.phase != GangPhase::kRunning) return;  // it ends already
  const SteadyTime end = now_ + gang.rules.notice;
  const auto expected = state_.slots.at(gang.hold).expected_end;
  preemption.ends = end;
  preemption.expected_before = expected;
  state_.slots.expect(gang.hold, expected ? std::min(*expected, end) : end);
  look_again(state_.reservation, now_);
  actions_.push_back(GiveNotice{id, gang.attempt, by, gang.rules.notice});
  set_timer(id, gang);
}

void Step::withdraw_notice(StageId id, Gang& gang) {
  gang.preemption.ends.reset();
  state_.slots.expect(gang.hold, gang.preemption.expected_before);
  actions_.push_back(GiveNotice{id, gang.attempt, gang.preemption.by, std::nullopt});
  set_timer(id, gang);
}

// The stage waits no longer: who has made way for it may wait again, and who was about to may go on.
void Step::way_is_made(StageId by) {
  const auto found = state_.making_way.extract(by);
  if (found.empty()) return;
  for (const StageId id : found.mapped()) {
    Stage& stage = state_.stages.at(id);
    Gang& gang = std::get<Gang>(stage.kind);
    gang.preemption.makes_way = false;
    if (stage.running == 0) {
      way_made_.insert(id);
      continue;
    }
    note_preemptible(id, stage, gang);
    if (gang.preemption.ends) withdraw_notice(id, gang);
  }
}

void Step::let_wait_again() {
  for (const StageId id : std::exchange(way_made_, {})) {
    Stage& stage = state_.stages.at(id);
    wait_or_pause(id, stage, std::get<Gang>(stage.kind));
  }
}

void Step::stop_making_way(StageId id, Gang& gang) {
  way_made_.erase(id);
  if (!gang.preemption.makes_way) return;
  gang.preemption.makes_way = false;
  const auto found = state_.making_way.find(gang.preemption.by);
  found->second.erase(id);
  if (found->second.empty()) state_.making_way.erase(found);
}

void Step::end_at_notice(StageId id, Stage& stage, Gang& gang) {
  fail_attempt(id, stage, gang, kNoRank,
               error("GANG_PREEMPTED", {{"stage", std::to_string(gang.preemption.by)}}));
}

}  // namespace deuteron::scheduler::core
