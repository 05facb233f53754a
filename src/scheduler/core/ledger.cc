#include "scheduler/core/ledger.h"

namespace deuteron::scheduler::core {
namespace {

// A look goes through the expected ends: not at every step.
constexpr Duration kBetweenLooks = std::chrono::milliseconds(100);

// Ends are expected later than they come: limits and guesses are above what is needed. So the head can often
// start before it was promised, unless who went around it has its slots until the last moment. It is left
// this part of the time.
constexpr Duration for_others(Duration until_start) { return until_start / 3 * 2; }

// Of what is left over at the head's start one gang may take an eighth. What remains lets the head start when
// not yet all has ended that it waits for, keeps the next large gang from finding all of it taken for long,
// and is there for the small ones that come. A single task takes what it finds.
constexpr int32_t kPartsOfWhatIsLeft = 8;

bool is_little(const Demand& demand, const Inventory& at_start, const Demand& need) {
  if (demand.tasks == 1) return true;
  const Demand others{demand.each, (kPartsOfWhatIsLeft - 1) * demand.tasks};
  return at_start.fits(others) && at_start.leaves(others, need);
}

bool ends_by(const Hold& hold, SteadyTime time) { return hold.expected_end && *hold.expected_end <= time; }

}  // namespace

void Ledger::take(HoldId id, Hold hold) {
  free_.take(hold.given);
  if (hold.expected_end) ends_.insert({*hold.expected_end, id});
  holds_.emplace(id, std::move(hold));
}

Hold Ledger::give_back(HoldId id) {
  auto node = holds_.extract(id);
  Hold hold = std::move(node.mapped());
  if (hold.expected_end) ends_.erase({*hold.expected_end, id});
  free_.give_back(hold.given);
  return hold;
}

void Ledger::lose(const Slots& slots) {
  for (Inventory* inventory : {&there_, &free_}) inventory->take({{slots, 1}, {}});
}

void Ledger::lose_no_more(const Slots& slots) {
  for (Inventory* inventory : {&there_, &free_}) inventory->give_back({{slots, 1}, {}});
}

void Ledger::expect(HoldId id, std::optional<SteadyTime> end) {
  Hold& hold = holds_.at(id);
  if (hold.expected_end) ends_.erase({*hold.expected_end, id});
  hold.expected_end = end;
  if (end) ends_.insert({*end, id});
}

Duration longest_hold(const Reservation& reservation, const Demand& need, const Inventory& free,
                      const Demand& demand, SteadyTime now) {
  if (reservation.is_out_of_reach || free.leaves(demand, need)) return kForever;
  if (!reservation.start || *reservation.start <= now) return Duration::zero();
  Inventory at_start = reservation.at_start;
  at_start.take(free.allocate(demand));
  const bool is_spare = at_start.fits(need) && is_little(demand, at_start, need);
  return is_spare ? kForever : for_others(*reservation.start - now);
}

Reservation reserve(const Ledger& ledger, StageId stage, const Demand& need, Reservation before,
                    SteadyTime now) {
  const bool is_known = before.stage == stage;
  if (is_known && !(before.is_stale && now - before.looked_at >= kBetweenLooks)) return before;
  Reservation found;
  found.stage = stage;
  found.is_out_of_reach = !ledger.there().fits(need);
  found.at_start = ledger.free();
  const Ledger::Ends& ends = ledger.ends();
  for (auto end = ends.lower_bound({now, 0}); end != ends.end() && !found.start; ++end) {
    found.at_start.give_back(ledger.at(end->second).given);
    if (found.at_start.fits(need)) found.start = end->first;
  }
  // A promise may become better, not worse.
  if (is_known && before.start && !(found.start && *found.start < *before.start)) found = std::move(before);
  found.looked_at = now;
  found.is_stale = false;
  return found;
}

void look_again(Reservation& reservation, SteadyTime now) {
  reservation.is_stale = true;
  reservation.looked_at = now - kBetweenLooks;
}

void note_taken(Reservation& reservation, const Hold& hold, SteadyTime now) {
  if (!reservation.start || *reservation.start <= now || ends_by(hold, *reservation.start)) return;
  reservation.at_start.take(hold.given);
}

void note_given_back(Reservation& reservation, const Hold& hold) {
  reservation.is_stale = true;
  if (reservation.start && !ends_by(hold, *reservation.start)) reservation.at_start.give_back(hold.given);
}

}  // namespace deuteron::scheduler::core
