#include "scheduler/core/ledger.h"

#include "scheduler/core/slots.h"

namespace deuteron::scheduler::core {
namespace {

// A look goes through the expected ends: not at every step.
constexpr Duration kBetweenLooks = std::chrono::milliseconds(100);

bool ends_by(const Hold& hold, SteadyTime time) { return hold.expected_end && *hold.expected_end <= time; }

}  // namespace

void Ledger::take(HoldId id, Hold hold) {
  core::take(hold.amount, free_);
  if (hold.expected_end) ends_.insert({*hold.expected_end, id});
  holds_.emplace(id, std::move(hold));
}

Hold Ledger::give_back(HoldId id) {
  auto node = holds_.extract(id);
  Hold hold = std::move(node.mapped());
  if (hold.expected_end) ends_.erase({*hold.expected_end, id});
  core::give_back(hold.amount, free_);
  return hold;
}

void Ledger::expect(HoldId id, std::optional<SteadyTime> end) {
  Hold& hold = holds_.at(id);
  if (hold.expected_end) ends_.erase({*hold.expected_end, id});
  hold.expected_end = end;
  if (end) ends_.insert({*end, id});
}

Duration longest_hold(const Reservation& reservation, const Slots& need, const Slots& free,
                      const Slots& demand, SteadyTime now) {
  if (leaves(demand, free, need)) return kForever;
  if (!reservation.start || *reservation.start <= now) return Duration::zero();
  return fits(demand, reservation.spare) ? kForever : *reservation.start - now;
}

Reservation reserve(const Ledger& ledger, StageId stage, const Slots& need, Reservation before,
                    SteadyTime now) {
  const bool is_known = before.stage == stage;
  if (is_known && !(before.is_stale && now - before.looked_at >= kBetweenLooks)) return before;
  Reservation found;
  found.stage = stage;
  Slots available = ledger.free();
  const Ledger::Ends& ends = ledger.ends();
  for (auto end = ends.lower_bound({now, 0}); end != ends.end() && !found.start; ++end) {
    give_back(ledger.at(end->second).amount, available);
    if (!fits(need, available)) continue;
    found.start = end->first;
    take(need, available);
    found.spare = available;
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
  take(hold.amount, reservation.spare);
}

void note_given_back(Reservation& reservation, const Hold& hold) {
  reservation.is_stale = true;
  if (reservation.start && !ends_by(hold, *reservation.start)) give_back(hold.amount, reservation.spare);
}

}  // namespace deuteron::scheduler::core
