#include "scheduler/core/step.h"

#include <algorithm>

namespace deuteron::scheduler::core {

void Step::handle(const SubmitTaskStage& event) {
  const Inventory all(state_.slots.machine());
  const Demand demand{event.slots_per_task, 1};
  if (!all.fits(demand)) {
    refuse(event.job, event.stage,
           error("TASK_TOO_LARGE", {{"required", describe(demand)}, {"available", all.describe(demand)}}));
    return;
  }
  Stage& stage = add_stage(event.job, event.stage, event.slots_per_task, event.queue);
  TaskStage tasks;
  tasks.max_task_errors = event.max_task_errors;
  tasks.max_lost_workers = event.max_lost_workers;
  tasks.likeness = event.likeness;
  stage.kind = std::move(tasks);
}

void Step::handle(const AddTask& event) {
  Stage* stage = find(event.stage);
  if (stage == nullptr || stage->stopping) return;
  auto& tasks = std::get<TaskStage>(stage->kind);
  const auto again = tasks.lost_input.extract(event.partition);
  tasks.pending.push_back({event.partition, again.empty() ? 0 : again.mapped()});
  enqueue(event.stage, *stage);
}

void Step::handle(const NoMoreTasks& event) {
  Stage* stage = find(event.stage);
  if (stage == nullptr) return;
  auto& tasks = std::get<TaskStage>(stage->kind);
  tasks.complete = true;
  end_if_done(event.stage, *stage, tasks);
}

void Step::handle(const SubmitGang& event) {
  const int32_t least =
      event.rules.min_ranks > 0 ? std::min(event.rules.min_ranks, event.ranks) : event.ranks;
  const Status possible = check_gang(event.slots_per_task, least, state_.slots.machine());
  if (!possible.ok() || event.ranks == 0) {  // of no ranks: nothing to do, ends at once and well
    refuse(event.job, event.stage, possible);
    return;
  }
  Stage& stage = add_stage(event.job, event.stage, event.slots_per_task, event.queue);
  Gang gang;
  gang.ranks = gang.least_ranks = least;
  gang.most_ranks = event.ranks;
  gang.rules = event.rules;
  gang.rules.max_attempts = std::max(1, event.rules.max_attempts);
  gang.time_left = event.rules.time_limit;
  gang.likeness = event.likeness;
  stage.kind = std::move(gang);
  enqueue(event.stage, stage);
}

void Step::handle(const InputMade& event) {
  Stage* stage = find(event.stage);
  auto* gang = stage == nullptr ? nullptr : std::get_if<Gang>(&stage->kind);
  if (gang == nullptr || !gang->lacks_input) return;
  gang->lacks_input = false;
  if (gang->phase == GangPhase::kPausing) wait_or_pause(event.stage, *stage, *gang);
}

void Step::handle(const CancelJob& event) {
  const auto job = state_.jobs.find(event.job);
  if (job == state_.jobs.end()) return;
  const std::set<StageId> stages = job->second;
  for (const StageId id : stages) cancel(id, state_.stages.at(id));
}

void Step::handle(const TaskEnded& event) {
  const auto found = state_.running.find(event.task);
  if (found == state_.running.end()) return;
  const RunningTask task = found->second;
  state_.running.erase(found);
  Stage& stage = state_.stages.at(task.stage);
  --stage.running;
  if (event.failure == tasks::FailureKind::kNone) note_well(task);
  if (event.failure == tasks::FailureKind::kWorkerLost && !task.killed) note_lost(task);
  if (auto* gang = std::get_if<Gang>(&stage.kind)) {
    rank_ended(stage, *gang, task, event);
  } else {
    task_ended(stage, std::get<TaskStage>(stage.kind), task, event);
  }
}

void Step::handle(const AddressFreed& event) {
  const auto found = state_.in_use.find({event.resource, event.address});
  if (found == state_.in_use.end()) return;
  note_given_back(state_.reservation, state_.slots.give_back(found->second));
  state_.in_use.erase(found);
  has_changed_ = is_freed_ = true;
}

// What was promised rested on other slots.
void Step::handle(const SlotsLost& event) {
  state_.slots.lose(event.slots);
  state_.reservation = Reservation();
  has_changed_ = is_freed_ = true;
}

void Step::handle(const SlotsBack& event) {
  state_.slots.lose_no_more(event.slots);
  state_.reservation = Reservation();
  has_changed_ = is_freed_ = true;
}

void Step::handle(const Tick&) {
  readmit();
  while (!state_.timers.empty() && state_.timers.begin()->first <= now_) {
    const StageId id = state_.timers.begin()->second;
    Stage& stage = state_.stages.at(id);
    gang_is_due(id, stage, std::get<Gang>(stage.kind));
  }
}

Stage* Step::find(StageId id) {
  const auto found = state_.stages.find(id);
  return found == state_.stages.end() ? nullptr : &found->second;
}

Stage& Step::add_stage(JobId job, StageId id, const Slots& slots_per_task, const QueueRules& rules) {
  Stage stage;
  stage.job = job;
  stage.slots_per_task = slots_per_task;
  stage.pool = state_.queue.pool_of(rules);
  stage.priority = std::clamp(rules.priority, -kHighestPriority, kHighestPriority);
  stage.place = state_.queue.place(id, rules.priority, now_);
  state_.jobs[job].insert(id);
  return state_.stages.emplace(id, std::move(stage)).first->second;
}

Actions Step::finish() {
  while (has_changed_) place();
  tell_who_waits();
  return std::move(actions_);
}

void Step::refuse(JobId job, StageId stage, Status status) {
  actions_.push_back(StageEnded{job, stage, std::move(status)});
}

void Step::cancel(StageId id, Stage& stage) {
  if (stage.cancelled) return;
  stage.cancelled = true;
  stage.failure = cancelled();
  if (auto* gang = std::get_if<Gang>(&stage.kind)) {
    if (stage.running == 0) return end_stage(id, stage.failure);
    stop_ranks(id, stage, *gang);
  } else {
    auto& tasks = std::get<TaskStage>(stage.kind);
    stop_tasks(id, stage, tasks);
    end_if_done(id, stage, tasks);
  }
}

void Step::end_stage(StageId id, const Status& status) {
  Stage& stage = state_.stages.at(id);
  if (auto* gang = std::get_if<Gang>(&stage.kind)) {
    clear_timer(id, *gang);
    stop_making_way(id, *gang);
  }
  leave_queue(id);
  actions_.push_back(StageEnded{stage.job, id, status});
  const auto job = state_.jobs.find(stage.job);
  job->second.erase(id);
  if (job->second.empty()) state_.jobs.erase(job);
  state_.stages.erase(id);
}

void Step::kill(StageId id, TaskId task) {
  const auto found = state_.running.find(task);
  if (found == state_.running.end() || found->second.killed) return;
  found->second.killed = true;
  actions_.push_back(KillTask{id, task});
}

void State::set_in_use(const Address& address) {
  const HoldId hold = -1 - static_cast<HoldId>(in_use.size());
  const Shares share{{address.second, tasks::kWhole}};
  slots.take(hold, {Allocation{{{0, {}}, 1}, {{address.first, {share}}}}, std::nullopt});
  in_use[address] = hold;
}

Actions step(State& state, const Event& event, SteadyTime now) {
  Step step(state, now);
  std::visit([&step](const auto& what) { step.handle(what); }, event);
  return step.finish();
}

std::optional<SteadyTime> next_deadline(const State& state) {
  std::optional<SteadyTime> next;
  if (!state.timers.empty()) next = state.timers.begin()->first;
  if (!state.left_out.empty())
    next = std::min(next.value_or(SteadyTime::max()), state.left_out.begin()->first);
  return next;
}

}  // namespace deuteron::scheduler::core
