// Which slots are taken, and until when, as far as that is expected. And what was promised to the stage in
// front of the queue.
#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "scheduler/core/queue.h"

namespace deuteron::scheduler::core {

using HoldId = TaskId;  // the first task of those that were started together

// Slots that were taken together and come back together.
struct Hold {
  Allocation given;
  std::optional<SteadyTime> expected_end;
};

class Ledger {
 public:
  explicit Ledger(const tasks::Machine& machine) : machine_(machine), there_(machine), free_(machine) {}
  const tasks::Machine& machine() const { return machine_; }
  const Inventory& free() const { return free_; }
  const Inventory& there() const { return there_; }  // without what is lost
  void take(HoldId id, Hold hold);
  Hold give_back(HoldId id);
  void expect(HoldId id, std::optional<SteadyTime> end);
  const Hold& at(HoldId id) const { return holds_.at(id); }
  // While more is lost than was free, less than nothing is: who holds it gives back what is not there.
  void lose(const Slots& slots);
  void lose_no_more(const Slots& slots);
  void leave_out(const std::string& resource, int32_t address, bool is_left_out) {
    free_.leave_out(resource, address, is_left_out);
  }
  // The ends that are expected, in order. A hold that is overdue counts as one without an end.
  using Ends = std::set<std::pair<SteadyTime, HoldId>>;
  const Ends& ends() const { return ends_; }

 private:
  const tasks::Machine machine_;
  Inventory there_, free_;
  std::unordered_map<HoldId, Hold> holds_;
  Ends ends_;
};

// The slots of the stage in front of the queue. By `start` it will have them, if everything ends when it is
// expected to. Until then others may use slots if they give them back well before, or if `at_start` has room
// for both and they take little of what is left over. A start that has passed is not moved: from then on
// nothing is taken that the stage needs.
struct Reservation {
  StageId stage = 0;
  bool is_out_of_reach = false;  // needs slots that are lost: until they are back, others take what they like
  std::optional<SteadyTime> start;
  Inventory at_start;  // what will be free at `start`
  SteadyTime looked_at{};
  bool is_stale = false;  // something has ended since
};

// For how long `demand`, which fits, may be taken now, so that `need` is not kept from starting when it
// should, or somewhat sooner: kForever, two thirds of the time until the reservation's start, or not at all
// (zero).
Duration longest_hold(const Reservation& reservation, const Demand& need, const Inventory& free,
                      const Demand& demand, SteadyTime now);
// The reservation of a stage that needs more than is free; `before` is what was last known.
Reservation reserve(const Ledger& ledger, StageId stage, const Demand& need, Reservation before,
                    SteadyTime now);
// Ends are expected earlier than before: the next `reserve` looks at them.
void look_again(Reservation& reservation, SteadyTime now);
// Keeps the account of `at_start`.
void note_taken(Reservation& reservation, const Hold& hold, SteadyTime now);
void note_given_back(Reservation& reservation, const Hold& hold);

}  // namespace deuteron::scheduler::core
