#include "scheduler/core/step.h"

namespace deuteron::scheduler::core {

Demand demand_of(const Stage& stage) {
  const auto* gang = std::get_if<Gang>(&stage.kind);
  return {stage.slots_per_task, gang == nullptr ? 1 : gang->ranks};
}

std::string likeness_of(const Gang& gang) {
  if (gang.likeness.empty() || gang.least_ranks == gang.most_ranks) return gang.likeness;
  return gang.likeness + "/" + std::to_string(gang.ranks);
}

void Step::enqueue(StageId id, const Stage& stage) {
  if (state_.queue.holds(id)) return;
  state_.queue.add({stage.pool, stage.place, demand_of(stage), expected_duration(stage),
                    std::holds_alternative<Gang>(stage.kind)});
  began_to_wait_.insert(id);
  has_changed_ = true;
}

void Step::leave_queue(StageId id) {
  waits_no_longer(id);
  has_changed_ = is_freed_ = true;
}

void Step::waits_no_longer(StageId id) {
  state_.queue.remove(id);
  way_is_made(id);
}

// Hands out free slots in the order of the queue. When its head must wait, others may go around it, for which
// somebody may have made way who comes back into the queue then, and changes it again.
void Step::place() {
  const StageId before = state_.reservation.stage;
  const std::optional<SteadyTime> promised = state_.reservation.start;
  bool has_started = false;
  let_wait_again();
  while (const auto head = state_.queue.head(now_)) {
    const Demand& need = state_.queue.at(*head).demand;
    if (!state_.slots.free().fits(need)) {
      const bool is_new = is_freed_ || has_started || *head != before;
      if (is_new) make_way(*head, need);
      state_.reservation = reserve(state_.slots, *head, need, std::move(state_.reservation), now_);
      go_around(need, is_new || state_.reservation.start != promised);
      break;
    }
    has_started = true;
    state_.reservation = Reservation();
    state_.queue.pass_turn();
    start(*head, state_.stages.at(*head));
    let_wait_again();
  }
  if (state_.queue.size() == 0) state_.reservation = Reservation();
  if (state_.reservation.stage != before && state_.reservation.stage != 0)
    began_to_wait_.insert(state_.reservation.stage);
  has_changed_ = !way_made_.empty();
}

// Who was not let around the head before is not now, unless something was freed or promised anew: else only
// who came in this step is looked at.
void Step::go_around(const Demand& need, bool is_new) {
  const auto limit = [&](const Demand& demand) {
    return longest_hold(state_.reservation, need, state_.slots.free(), demand, now_);
  };
  const auto start_it = [this](StageId id) { start(id, state_.stages.at(id)); };
  const Inventory& free = state_.slots.free();
  if (is_new || began_to_wait_.size() > 1) return state_.queue.fill(free, limit, start_it);
  for (const StageId id : began_to_wait_) {
    if (!state_.queue.holds(id)) continue;
    const Waiting& waiting = state_.queue.at(id);
    if (free.fits(waiting.demand) && probable_hold(waiting) <= limit(waiting.demand)) start_it(id);
  }
}

void Step::start(StageId id, Stage& stage) {
  if (auto* gang = std::get_if<Gang>(&stage.kind)) {
    start_gang(id, stage, *gang);
  } else {
    start_task(id, stage, std::get<TaskStage>(stage.kind));
  }
}

// As many as there is room for now, around the head if there is one, and without addresses that are left out.
// The least fit: it starts.
int32_t Step::ranks_to_start(StageId id, const Stage& stage, const Gang& gang) const {
  const Inventory& free = state_.slots.free();
  const Reservation& head = state_.reservation;
  const auto may_start = [&](int32_t ranks) {
    const Demand demand{stage.slots_per_task, ranks};
    if (!free.fits(demand) || free.is_left_out(free.allocate(demand))) return false;
    if (head.stage == 0) return true;
    const Demand& need = state_.queue.at(head.stage).demand;
    return probable_hold(state_.queue.at(id)) <= longest_hold(head, need, free, demand, now_);
  };
  int32_t ranks = gang.least_ranks;
  for (int32_t more = gang.most_ranks - ranks; more > 0; more /= 2) {
    while (ranks + more <= gang.most_ranks && may_start(ranks + more)) ranks += more;
  }
  return ranks;
}

std::optional<Duration> Step::expected_duration(const Stage& stage) const {
  if (const auto* tasks = std::get_if<TaskStage>(&stage.kind)) {
    const auto seen = tasks->durations.expected();
    return seen ? seen : state_.durations.expected(tasks->likeness);
  }
  const auto* gang = std::get_if<Gang>(&stage.kind);
  std::optional<Duration> most = gang->time_left;
  if (gang->time_limit) most = *gang->time_limit - now_;
  auto expected = state_.durations.expected(likeness_of(*gang));
  if (!expected) expected = gang->rules.expected;
  return expected && most ? std::min(*expected, *most) : expected ? expected : most;
}

TaskId Step::launch(StageId id, Stage& stage, HoldId hold, int32_t partition, int32_t attempt,
                    int32_t ranks) {
  const TaskId task = state_.next_task++;
  ++stage.running;
  state_.running[task] = {id, partition, attempt, now_, false, hold};
  const Allocation& given = state_.slots.at(hold).given;
  const int32_t index = ranks > 0 ? partition : 0;
  actions_.push_back(LaunchTask{{stage.job, id, task, partition, attempt, ranks, stage.slots_per_task,
                                 state_.slots.free().addresses(given, index)}});
  return task;
}

void Step::take_slots(const Stage& stage, HoldId id) {
  const Demand demand = demand_of(stage);
  Hold hold{state_.slots.free().allocate(demand), std::nullopt};
  if (const auto expected = expected_duration(stage)) hold.expected_end = now_ + *expected;
  note_taken(state_.reservation, hold, now_);
  state_.slots.take(id, std::move(hold));
  state_.queue.took(stage.pool, demand.cpus());
}

void Step::give_back_slots(const Stage& stage, HoldId id) {
  const Hold hold = state_.slots.give_back(id);
  note_given_back(state_.reservation, hold);
  state_.queue.gave_back(stage.pool, hold.given.demand.cpus());
  has_changed_ = is_freed_ = true;
}

void Step::tell_who_waits() {
  for (const StageId id : began_to_wait_) {
    if (auto waits = forecast(state_, id, now_)) actions_.push_back(*std::move(waits));
  }
}

}  // namespace deuteron::scheduler::core
