// Random histories of the scheduler's core under a manual clock: jobs come, tasks end well, raise or are
// killed, barriers are reached, jobs are cancelled, messages come late. After each step the invariants must
// hold, nobody may wait for longer than the bound that docs/life-of-a-gang.md proves, and in the end
// everything must have ended. DEUTERON_HISTORIES sets their number (`make histories`).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "scheduler/core/inventory.h"
#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {
namespace {

using tasks::BarrierKind;
using tasks::FailureKind;
using tasks::kWhole;

using std::chrono::milliseconds;

struct SimulatedTask {
  tasks::TaskContext context;
  bool killed = false;
  bool waiting = false;  // in a barrier
  std::optional<SteadyTime> idle;
  int barriers_left = 0;
};

class History {
 public:
  explicit History(uint32_t seed)
      : random_(seed),
        total_{pick(1, 6), {{"gpu", pick_gpus()}}},
        policy_{pick_policy()},
        state_(total_, policy_, {pick(0, 3), milliseconds(pick(1, 2000))}) {
    const auto gpus = static_cast<int32_t>(total_.resources.at("gpu").addresses.size());
    for (int32_t index = 0; index < gpus; ++index) {
      if (chance(10)) state_.set_in_use({"gpu", index});
    }
  }

  void run(int steps) {
    for (int count = 0; count < steps; ++count) {
      pass(milliseconds(pick(0, 50)));
      happen();
      check();
    }
    finish();
  }

 private:
  int32_t pick(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random_);
  }
  bool chance(int percent) { return pick(1, 100) <= percent; }

  // Pairs that are close to each other.
  tasks::Resource pick_gpus() {
    tasks::Resource gpus;
    for (int32_t index = pick(0, 4) - 1; index >= 0; --index) gpus.addresses.push_back(std::to_string(index));
    if (gpus.addresses.size() >= 2) gpus.groups.push_back({0, 1});
    if (gpus.addresses.size() >= 4) gpus.groups.push_back({2, 3});
    return gpus;
  }
  Slots pick_slots() {
    Slots slots{pick(1, 2), {}};
    if (chance(20)) slots.resources["gpu"] = chance(50) ? pick(1, 2) * kWhole : kWhole / pick(2, 4);
    return slots;
  }

  QueuePolicy pick_policy() {
    QueuePolicy policy;
    policy.mode = chance(50) ? QueueMode::kFair : QueueMode::kFifo;
    policy.ageing = milliseconds(pick(1, 500));
    policy.patience = milliseconds(pick(1, 3000));
    for (const char* pool : {"a", "b"}) policy.pools[pool] = {pick(1, 4), pick(0, 3)};
    return policy;
  }
  QueueRules pick_queue() {
    return {std::string(1, static_cast<char>('a' + pick(0, 2))), chance(30) ? pick(-3, 3) : 0};
  }
  GangRules pick_rules() {
    GangRules rules;
    rules.max_attempts = pick(1, 4);
    rules.barrier_timeout = milliseconds(pick(100, 2000));
    if (chance(40)) rules.time_limit = milliseconds(pick(1, 3000));
    rules.backoff = milliseconds(pick(0, 300));
    rules.stops_on_same_failure = chance(50);
    rules.hang = {static_cast<HangPolicy>(pick(0, 2)), milliseconds(pick(50, 1000)), pick(1, 10)};
    rules.is_preemptible = chance(50);
    rules.notice = milliseconds(pick(0, 300));
    return rules;
  }

  // A clock that comes late once in a while, as clocks do.
  void pass(Duration duration) {
    now_ += duration;
    const auto deadline = next_deadline(state_);
    if (deadline && *deadline <= now_ && chance(90)) apply(Tick{});
  }

  void happen() {
    switch (pick(0, 9)) {
      case 0: return submit();
      case 1: return add_tasks();
      case 2: return cancel();
      case 3:
        if (chance(10)) return lose_slots();
        if (chance(10)) return get_slots_back();
        return chance(20) ? free_an_address() : chance(40) ? make_input() : late_message();
      default: return advance_a_task();
    }
  }

  void submit() {
    const StageId stage = next_stage_++;
    const JobId job = pick(1, 5);
    const Slots demand = pick_slots();
    open_[stage] = true;
    if (chance(50)) {
      const int32_t ranks = pick(0, 5);
      GangRules rules = pick_rules();
      if (chance(40)) rules.min_ranks = pick(1, 5);
      ranks_[stage] = ranks;
      least_ranks_[stage] = rules.min_ranks > 0 ? std::min(rules.min_ranks, ranks) : ranks;
      possible_[stage] = check_gang(demand, least_ranks_[stage], total_).ok();
      attempts_allowed_[stage] = rules.max_attempts;
      preemptible_[stage] = rules.is_preemptible;
      apply(SubmitGang{job, stage, demand, ranks, rules, pick_queue(), std::to_string(pick(0, 3))});
    } else {
      possible_[stage] = Inventory(total_).fits({demand, 1});
      growing_.push_back(stage);
      apply(SubmitTaskStage{job, stage, demand, pick(1, 3), pick(1, 4), pick_queue(),
                            std::to_string(pick(0, 3))});
    }
  }

  void add_tasks() {
    if (growing_.empty()) return;
    const size_t index = static_cast<size_t>(pick(0, static_cast<int32_t>(growing_.size()) - 1));
    const StageId stage = growing_[index];
    for (int count = pick(0, 4); count > 0; --count) apply(AddTask{stage, added_[stage]++});
    if (chance(50)) {
      apply(NoMoreTasks{stage});
      growing_.erase(growing_.begin() + static_cast<std::ptrdiff_t>(index));
    }
  }

  void cancel() {
    if (chance(30)) apply(CancelJob{pick(1, 5)});
  }

  // Another program lets go of it.
  void free_an_address() {
    if (!state_.in_use.empty()) last_freed_ = now_;
    if (!state_.in_use.empty()) apply(AddressFreed{"gpu", state_.in_use.begin()->first.second});
  }

  // A machine goes, or comes back. What runs on it ends as it likes.
  void lose_slots() {
    const Slots slots{pick(0, total_.cpus), {}};
    lost_.push_back(slots);
    apply(SlotsLost{slots});
  }
  void get_slots_back() {
    if (lost_.empty()) return;
    const Slots slots = lost_.back();
    lost_.pop_back();
    last_returned_ = now_;
    apply(SlotsBack{slots});
  }

  // What was lost of some input is there again; its stage may have ended meanwhile.
  void make_input() {
    if (lost_inputs_.empty()) return;
    const auto [stage, partition] = lost_inputs_.back();
    lost_inputs_.pop_back();
    if (ranks_.count(stage) > 0) return apply(InputMade{stage});
    apply(AddTask{stage, partition});
  }

  // From tasks that have ended, or never were.
  void late_message() {
    const TaskId task = pick(0, static_cast<int32_t>(state_.next_task) + 3);
    if (running_.count(task) > 0) return;
    const std::string before = state_.slots.free().describe();
    EXPECT_TRUE(step(state_, TaskEnded{task, FailureKind::kNone, Status()}, now_).empty());
    EXPECT_TRUE(step(state_, BarrierArrived{task, {}}, now_).empty());
    EXPECT_TRUE(step(state_, RankIdle{task, now_}, now_).empty());
    EXPECT_EQ(before, state_.slots.free().describe());
  }

  void advance_a_task() {
    if (running_.empty()) return;
    auto chosen = running_.begin();
    std::advance(chosen, pick(0, static_cast<int32_t>(running_.size()) - 1));
    SimulatedTask& task = chosen->second;
    if (task.killed) return outlive_a_kill(chosen->first);
    if (chance(8)) return end(chosen->first, FailureKind::kWorkerLost);
    if (chance(4)) return end(chosen->first, FailureKind::kInputLost);
    if (chance(20)) return idle_or_not(chosen->first, task);
    if (task.waiting) return;
    if (task.barriers_left > 0) {
      --task.barriers_left;
      task.waiting = true;
      const BarrierKind kind = chance(97) ? BarrierKind::kAllGather : BarrierKind::kBarrier;
      return apply(BarrierArrived{chosen->first, {kind, std::to_string(task.context.partition)}});
    }
    end(chosen->first, chance(10) ? FailureKind::kTaskError : FailureKind::kNone);
  }

  void idle_or_not(TaskId id, SimulatedTask& task) {
    if (task.idle) {
      task.idle.reset();
    } else {
      task.idle = now_ - milliseconds(pick(0, 200));
    }
    apply(RankIdle{id, task.idle});
  }

  // What a process still does before it dies, or although it should have died: none of it may count.
  void outlive_a_kill(TaskId task) {
    if (chance(30)) return apply(BarrierArrived{task, {BarrierKind::kAllGather, "too late"}});
    end(task, chance(30) ? FailureKind::kNone : FailureKind::kWorkerLost);
  }

  void end(TaskId task, FailureKind failure) {
    running_.erase(task);
    apply(TaskEnded{task, failure, failure == FailureKind::kNone ? Status() : internal_error("simulated")});
  }

  void apply(const Event& event) {
    gang_launches_.clear();
    started_now_.clear();
    const std::map<StageId, Place> queued = queued_stages();
    for (const Action& action : step(state_, event, now_)) {
      std::visit([this](const auto& what) { act(what); }, action);
    }
    // What starts is there.
    const bool starts = !gang_launches_.empty() || !started_now_.empty();
    EXPECT_FALSE(starts && state_.slots.free().is_overdrawn());
    // All or none: a gang that was launched was launched with all its ranks.
    for (const auto& [stage, count] : gang_launches_) EXPECT_EQ(count, ranks_now_.at(stage));
    for (const auto& [stage, place] : queued) {
      if (!state_.queue.holds(stage) && started_now_.count(stage) == 0) departures_.push_back({now_, place});
    }
    note_holds();
    note_who_waits(queued);
    check_queue();
    check_who_makes_way(queued);
  }

  // ---- the bound

  std::map<StageId, Place> queued_stages() const {
    std::map<StageId, Place> queued;
    for (const auto& [id, stage] : state_.stages) {
      if (state_.queue.holds(id)) queued[id] = stage.place;
    }
    return queued;
  }

  // The longest time that slots are held, as far as it is known by now: D of the proof.
  void note_holds() {
    for (const auto& [id, began] : holds_) longest_hold_ = std::max(longest_hold_, now_ - began);
    std::set<HoldId> held;
    for (const auto& [id, stage] : state_.stages) {
      if (stage.running == 0) continue;
      if (const auto* gang = std::get_if<Gang>(&stage.kind)) {
        held.insert(gang->hold);
      } else {
        const auto& tasks = std::get<TaskStage>(stage.kind).tasks;
        held.insert(tasks.begin(), tasks.end());
      }
    }
    for (const HoldId id : held) {
      if (!holds_.emplace(id, now_).second) continue;
      if (const auto end = state_.slots.at(id).expected_end)
        longest_hold_ = std::max(longest_hold_, *end - now_);
    }
    for (const StageId stage : asked_now_) {
      const HoldId hold = std::get<Gang>(state_.stages.at(stage).kind).hold;
      longest_hold_ = std::max(longest_hold_, *state_.slots.at(hold).expected_end - holds_.at(hold));
    }
    std::erase_if(holds_, [&](const auto& hold) { return held.count(hold.first) == 0; });
  }

  void note_who_waits(const std::map<StageId, Place>& before) {
    for (const auto& [stage, place] : queued_stages()) {
      if (before.count(stage) == 0 || (started_now_.count(stage) > 0 && ranks_.count(stage) == 0))
        waits_since_[stage] = now_;  // of a task stage: its next task
    }
    for (const auto& [stage, place] : before) {
      if (started_now_.count(stage) > 0) check_wait(stage, place);
    }
    for (const auto& [id, stage] : state_.stages) places_[id] = stage.place;
    // Every task is a start of its own.
    for (const auto& [stage, count] : started_now_) {
      const auto place = places_.at(stage);
      for (int32_t start = 0; start < count; ++start) departures_.push_back({now_, place});
    }
  }

  void check_wait(StageId stage, const Place& place) {
    const SteadyTime since = waits_since_.at(stage);
    const int64_t before = std::count_if(departures_.begin(), departures_.end(), [&](const auto& departure) {
      return departure.first >= since && departure.second <= place;
    });
    // What is left out, or used again, counts as one more before it.
    const int64_t changes =
        std::ranges::count_if(exclusions_, [&](SteadyTime time) { return time >= since; });
    // Other programs keep what they have for as long as they like.
    if (!state_.in_use.empty() || last_freed_ >= since) return;
    // Nor does anybody know when a machine is back.
    if (!lost_.empty() || last_returned_ >= since) return;
    Duration bound = 2 * longest_hold_ * (2 * (before + changes) + 1);
    if (policy_.mode == QueueMode::kFair)
      bound += std::max(place.since + policy_.patience - since, Duration::zero()) + 2 * longest_hold_;
    EXPECT_LE(now_ - since, bound) << "stage " << stage << ", " << before << " before it";
  }

  // No slots that fit the head are idle, and nobody waits who may go around it.
  void check_queue() {
    if (state_.queue.size() == 0) return;
    const Reservation& reservation = state_.reservation;
    ASSERT_TRUE(state_.queue.holds(reservation.stage));
    const Demand& need = state_.queue.at(reservation.stage).demand;
    const Inventory& free = state_.slots.free();
    EXPECT_FALSE(free.fits(need)) << "the head could run";
    for (const auto& [stage, place] : queued_stages()) {
      const Waiting& waiting = state_.queue.at(stage);
      EXPECT_FALSE(free.fits(waiting.demand) &&
                   probable_hold(waiting) <= longest_hold(reservation, need, free, waiting.demand, now_))
          << "stage " << stage << " could go around the head";
    }
  }

  // Nobody makes way for one who does not wait, of no higher priority, or for whom it would not suffice, and
  // nobody for ever; who does has slots to give or stands aside.
  void check_who_makes_way(const std::map<StageId, Place>& queued_before) {
    for (const auto& [id, stage] : state_.stages) {
      const auto* gang = std::get_if<Gang>(&stage.kind);
      if (gang == nullptr) continue;
      EXPECT_LE(gang->preemption.times, std::max(0, kHighestPriority - stage.priority));
      EXPECT_EQ(gang->preemption.ends.has_value() && gang->phase != GangPhase::kRunning, false);
      if (!gang->preemption.makes_way) continue;
      const StageId by = gang->preemption.by;
      EXPECT_TRUE(state_.queue.holds(by)) << "stage " << id << " makes way for nobody";
      EXPECT_FALSE(state_.queue.holds(id));
      EXPECT_TRUE(preemptible_.at(id));
      EXPECT_LT(stage.priority, state_.stages.at(by).priority);
      EXPECT_EQ(state_.making_way.at(by).count(id), 1u);
    }
    // Who came back into the queue after that, in this step, may be in front now.
    const StageId head = state_.reservation.stage;
    const bool is_new = queued_before.count(head) == 0 && ranks_now_.count(head) > 0;
    for (const StageId asked : asked_now_) {
      if (std::get<Gang>(state_.stages.at(asked).kind).preemption.by == head || !is_new)
        check_that_it_is_needed(asked);
    }
    asked_now_.clear();
    started_after_asking_.clear();
  }

  // With what those have who make way the head can start; without what was asked of this one it can not.
  void check_that_it_is_needed(StageId asked) {
    const Gang& victim = std::get<Gang>(state_.stages.at(asked).kind);
    const StageId head = victim.preemption.by;
    EXPECT_EQ(state_.reservation.stage, head);
    Inventory available = state_.slots.free();
    for (const auto& [by, gangs] : state_.making_way) {
      for (const StageId id : gangs) {
        const Stage& stage = state_.stages.at(id);
        if (stage.running > 0)
          available.give_back(state_.slots.at(std::get<Gang>(stage.kind).hold).given);
      }
    }
    for (const HoldId hold : started_after_asking_) available.give_back(state_.slots.at(hold).given);
    const Demand& need = state_.queue.at(head).demand;
    EXPECT_TRUE(available.fits(need)) << "in vain";
    available.take(state_.slots.at(victim.hold).given);
    EXPECT_FALSE(available.fits(need)) << "not needed";
  }

  // The first task of those that take their slots now.
  bool is_hold(const tasks::TaskContext& context) const {
    const auto* gang = std::get_if<Gang>(&state_.stages.at(context.stage).kind);
    return gang == nullptr || gang->hold == context.task;
  }

  void act(const LaunchTask& action) {
    const auto& context = action.context;
    EXPECT_TRUE(open_.at(context.stage));
    EXPECT_TRUE(possible_.at(context.stage));
    if (context.ranks == 0) ++started_now_[context.stage];
    if (!asked_now_.empty() && is_hold(context)) started_after_asking_.push_back(context.task);
    const Amount gpus = context.slots.resources.count("gpu") > 0 ? context.slots.resources.at("gpu") : 0;
    EXPECT_EQ(static_cast<Amount>(context.addresses.count("gpu") > 0 ? context.addresses.at("gpu").size() : 0),
              (gpus + kWhole - 1) / kWhole);
    // A gang keeps what it was given from attempt to attempt, and until its last rank has ended.
    const TaskId start = context.ranks > 0 ? -context.stage : context.task;
    if (context.ranks > 0 && context.partition == 0) started_[start].clear();
    started_[start].push_back(context);
    for (const auto& [id, other] : running_) {
      EXPECT_FALSE(other.context.stage == context.stage && other.context.partition == context.partition)
          << "two attempts of one partition at once";
      if (context.ranks > 0 && other.context.stage == context.stage) {
        EXPECT_EQ(other.context.attempt, context.attempt) << "two attempts of one gang at once";
      }
    }
    EXPECT_TRUE(
        running_.emplace(context.task, SimulatedTask{context, false, false, {}, context.ranks > 0 ? 2 : 0})
            .second);
    if (context.ranks > 0) {
      ++gang_launches_[context.stage];
      EXPECT_EQ(context.ranks, ranks_now_.at(context.stage));
      EXPECT_LT(context.partition, context.ranks);
      EXPECT_LT(context.attempt, attempts_allowed_.at(context.stage) + excused_[context.stage]);
      EXPECT_TRUE(given_up_.count({context.stage, context.attempt - 1}) > 0 || context.attempt == 0);
      if (chance(3)) running_.at(context.task).barriers_left = 1;  // will miss a barrier
    } else {
      EXPECT_TRUE(succeeded_.count({context.stage, context.partition}) == 0) << "it has counted already";
    }
  }
  void act(const KillTask& action) { running_.at(action.task).killed = true; }
  void act(const ReleaseBarrier& action) {
    EXPECT_EQ(static_cast<int32_t>(action.tasks.size()), ranks_now_.at(action.stage));
    EXPECT_EQ(given_up_.count({action.stage, action.attempt}), 0u);
    for (size_t rank = 0; rank < action.tasks.size(); ++rank) {
      SimulatedTask& task = running_.at(action.tasks[rank]);
      EXPECT_TRUE(task.waiting && !task.killed);
      EXPECT_EQ(task.context.attempt, action.attempt);
      EXPECT_EQ(action.messages[rank], std::to_string(rank));
      task.waiting = false;
    }
  }
  void act(const FailBarrier& action) {
    EXPECT_FALSE(action.status.ok());
    EXPECT_FALSE(action.tasks.empty());
    for (const TaskId task : action.tasks) {
      const auto found = running_.find(task);
      if (found != running_.end()) found->second.waiting = false;
    }
  }
  void act(const TaskSucceeded& action) {
    if (ranks_.count(action.stage) > 0) {
      EXPECT_EQ(given_up_.count({action.stage, action.attempt}), 0u);
      return;
    }
    EXPECT_TRUE(succeeded_.insert({action.stage, action.partition}).second) << "counted twice";
  }
  void act(const TaskInputLost& action) {
    EXPECT_EQ(succeeded_.count({action.stage, action.partition}), 0u);
    lost_inputs_.emplace_back(action.stage, action.partition);
  }
  void act(const GangInputLost& action) {
    ++excused_[action.stage];
    given_up_.insert({action.stage, action.attempt});
    lost_inputs_.emplace_back(action.stage, action.rank);
  }
  void act(const GangAttemptStarted& action) {
    EXPECT_FALSE(std::get<Gang>(state_.stages.at(action.stage).kind).lacks_input);
    EXPECT_LE(action.ranks, ranks_.at(action.stage));
    EXPECT_GE(action.ranks, least_ranks_.at(action.stage));
    ranks_now_[action.stage] = action.ranks;
    // An attempt that follows at once has kept its slots.
    if (holds_.count(std::get<Gang>(state_.stages.at(action.stage).kind).hold) == 0)
      started_now_[action.stage] = 1;
  }
  void act(const GangWaits& action) {
    EXPECT_FALSE(action.reason.empty());
    if (action.expected) {
      EXPECT_GE(*action.expected, Duration::zero());
    }
    if (action.position > 0) {
      EXPECT_TRUE(state_.queue.holds(action.stage));
    }
  }
  void act(const AddressLeftOut& action) {
    EXPECT_EQ(action.resource, "gpu");
    exclusions_.push_back(now_);
  }
  void act(const AddressReadmitted& /*action*/) { exclusions_.push_back(now_); }
  void act(const RanksMissing& action) {
    EXPECT_FALSE(action.ranks.empty());
    for (const TaskId task : action.tasks)
      EXPECT_FALSE(running_.count(task) > 0 && running_.at(task).waiting);
  }
  void act(const NoProgress& action) {
    EXPECT_FALSE(action.ranks.empty());
    for (const auto& [id, task] : running_) {
      if (task.context.stage != action.stage) continue;
      EXPECT_TRUE(task.idle && now_ - *task.idle >= action.idle);
      EXPECT_FALSE(task.waiting);
      EXPECT_EQ(std::ranges::count(action.ranks, task.context.partition), 1);
    }
  }
  void act(const GangAttemptFailed& action) {
    EXPECT_FALSE(action.status.ok());
    if (action.status.condition() == "BARRIER_BROKEN") {
      EXPECT_NE(action.status.detail().parameters.at("waiting"), "") << "nobody waits";
    }
    given_up_.insert({action.stage, action.attempt});
  }
  void act(const GiveNotice& action) {
    if (action.left) asked_now_.insert(action.stage);
    EXPECT_EQ(action.attempt, std::get<Gang>(state_.stages.at(action.stage).kind).attempt);
  }
  void act(const GangPreempted& action) {
    EXPECT_TRUE(preemptible_.at(action.stage));
    ++excused_[action.stage];
    given_up_.insert({action.stage, action.attempt});
  }
  void act(const StageEnded& action) {
    EXPECT_TRUE(open_.at(action.stage)) << "ended twice";
    open_.at(action.stage) = false;
    for (const auto& [id, task] : running_)
      EXPECT_NE(task.context.stage, action.stage) << "ended while a task runs";
    if (!possible_.at(action.stage)) {
      EXPECT_FALSE(action.status.ok());
    } else if (action.status.ok() && ranks_.count(action.stage) == 0) {
      for (int32_t partition = 0; partition < added_[action.stage]; ++partition) {
        const bool lacks_input =
            std::ranges::count(lost_inputs_, std::pair(action.stage, partition)) > 0;
        EXPECT_EQ(succeeded_.count({action.stage, partition}), lacks_input ? 0u : 1u);
      }
    }
  }

  // No slot is booked twice or lost. A gang has all its slots until its last rank has ended.
  void check() {
    int64_t cpus = 0;
    std::map<std::string, Amount> used;  // by address
    for (const auto& [address, hold] : state_.in_use)
      used[total_.resources.at("gpu").addresses[address.second]] = kWhole;
    for (const auto& [start, tasks] : started_) {
      const auto runs = [&](const tasks::TaskContext& task) { return running_.count(task.task) > 0; };
      if (std::ranges::none_of(tasks, runs)) continue;
      for (const tasks::TaskContext& task : tasks) {
        cpus += task.slots.cpus;
        for (const auto& [name, addresses] : task.addresses) {
          for (const std::string& address : addresses) used[address] += std::min(task.slots.resources.at(name), kWhole);
        }
      }
    }
    const Inventory& free = state_.slots.free();
    int64_t lost = 0;
    for (const Slots& slots : lost_) lost += slots.cpus;
    EXPECT_GE(free.cpus() + lost, 0);
    EXPECT_EQ(free.cpus() + lost + cpus, total_.cpus);
    for (size_t index = 0; index < free.free("gpu").size(); ++index) {
      EXPECT_GE(free.free("gpu")[index], 0) << "an address is booked twice";
      EXPECT_EQ(free.free("gpu")[index] + used[total_.resources.at("gpu").addresses[index]], kWhole);
    }
    EXPECT_EQ(state_.running.size(), running_.size());
  }

  // Progress: when nothing new comes, all that is open ends, within a bounded number of steps.
  void finish() {
    for (const StageId stage : growing_) apply(NoMoreTasks{stage});
    while (!state_.in_use.empty()) free_an_address();
    while (!lost_.empty()) get_slots_back();
    for (int count = 0; count < 200000 && !state_.stages.empty(); ++count) {
      if (chance(20)) make_input();
      const int64_t idle =
          static_cast<int64_t>(std::count_if(running_.begin(), running_.end(), [](const auto& entry) {
            return entry.second.waiting && !entry.second.killed;
          }));
      if (idle == static_cast<int64_t>(running_.size()) && !lost_inputs_.empty()) {
        make_input();
      } else if (idle == static_cast<int64_t>(running_.size())) {
        const auto deadline = next_deadline(state_);
        ASSERT_TRUE(deadline.has_value()) << "stuck: nobody runs and nothing is due";
        now_ = std::max(now_, *deadline);
        apply(Tick{});
      } else {
        pass(milliseconds(pick(0, 20)));
        advance_a_task();
      }
      check();
    }
    EXPECT_TRUE(state_.stages.empty());
    EXPECT_EQ(state_.slots.free().describe(), describe(total_));
    EXPECT_TRUE(state_.timers.empty());
    EXPECT_TRUE(state_.preemptible.empty());
    EXPECT_TRUE(state_.making_way.empty());
    EXPECT_TRUE(state_.jobs.empty());
    for (const auto& [stage, open] : open_) EXPECT_FALSE(open) << "stage " << stage;
  }

  std::mt19937 random_;
  const tasks::Machine total_;
  const QueuePolicy policy_;
  State state_;
  SteadyTime now_{};
  StageId next_stage_ = 1;
  std::vector<StageId> growing_;
  std::map<StageId, bool> open_, possible_;
  std::map<StageId, int32_t> ranks_, least_ranks_, ranks_now_, attempts_allowed_, excused_, added_, gang_launches_;
  std::map<StageId, bool> preemptible_;
  std::set<StageId> asked_now_;               // in this step, to make way
  std::vector<HoldId> started_after_asking_;  // around the head
  std::map<TaskId, std::vector<tasks::TaskContext>> started_;  // tasks that started together
  std::map<TaskId, SimulatedTask> running_;
  std::set<std::pair<StageId, int32_t>> given_up_;  // attempts of gangs
  std::set<std::pair<StageId, int32_t>> succeeded_;
  std::vector<std::pair<StageId, int32_t>> lost_inputs_;

  std::map<StageId, int32_t> started_now_;                // out of the queue, in this step
  std::vector<SteadyTime> exclusions_;
  SteadyTime last_freed_ = SteadyTime::min();  // by other programs
  std::vector<Slots> lost_;
  SteadyTime last_returned_ = SteadyTime::min();  // of those
  std::map<StageId, SteadyTime> waits_since_;             // its next start
  std::map<StageId, Place> places_;                       //
  std::vector<std::pair<SteadyTime, Place>> departures_;  // starts, and who left without one
  std::map<HoldId, SteadyTime> holds_;                    // since
  Duration longest_hold_{};
};

// One job waits while others are submitted without end, whose expected durations are often wrong.
class Flood {
 public:
  explicit Flood(uint32_t seed) : random_(seed) {}

  // What waits, and in which policy and with which rules the flood comes.
  struct Scene {
    int32_t ranks = kSlots;
    QueuePolicy policy;
    QueueRules victim, flood;
    int32_t most_ranks_of_flood = 4;
    // Beyond twice the longest hold for itself and each that waits before it, and an eighth for each that
    // comes later and has an earlier place (several run at once, and most are short).
    Duration allowed{};
    bool is_preemptible = false;  // the victim, which then has to end
  };

  void run(const Scene& scene) {
    State state{tasks::Machine{kSlots, {}}, scene.policy};
    for (int job = 0; job < 30; ++job) submit(state, pick(1, 4), scene.flood);
    while (state.queue.size() > 0) end_next(state);
    while (state.queue.size() < 2) submit(state, kSlots / 2, scene.flood);
    const SteadyTime since = now_;
    Duration allowed = scene.allowed + 3 * 2 * kLongest;
    GangRules rules;
    rules.is_preemptible = scene.is_preemptible;
    rules.notice = Duration::zero();
    const StageId victim = submit(state, scene.ranks, scene.victim, rules);
    const Place place = state.stages.at(victim).place;
    while ((scene.is_preemptible ? ended_ : launched_).count(victim) == 0) {
      ASSERT_LE(now_ - since, allowed) << "it waits for too long";
      for (int job = pick(1, 5); job > 0; --job) {
        const StageId stage = submit(state, pick(1, scene.most_ranks_of_flood), scene.flood);
        if (state.stages.at(stage).place < place) allowed += kLongest / 8;
      }
      end_next(state);
    }
  }

  static constexpr int32_t kSlots = 16;
  static constexpr Duration kLongest = milliseconds(200);

 private:
  int32_t pick(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random_);
  }

  StageId submit(State& state, int32_t ranks, const QueueRules& queue, const GangRules& rules = {}) {
    const StageId stage = next_stage_++;
    apply(state, SubmitGang{stage, stage, {}, ranks, rules, queue, std::to_string(pick(0, 300))});
    return stage;
  }

  void end_next(State& state) {
    while (next_deadline(state) && *next_deadline(state) <= ends_.begin()->first) {
      now_ = std::max(now_, *next_deadline(state));
      apply(state, Tick{});
    }
    const auto [time, task] = *ends_.begin();
    ends_.erase(ends_.begin());
    now_ = std::max(now_, time);
    apply(state, TaskEnded{task, killed_.count(task) > 0 ? FailureKind::kWorkerLost : FailureKind::kNone, {}});
  }

  void apply(State& state, const Event& event) {
    for (const Action& action : step(state, event, now_)) {
      if (const auto* kill = std::get_if<KillTask>(&action)) killed_.insert(kill->task);
      if (const auto* ended = std::get_if<StageEnded>(&action)) ended_.insert(ended->stage);
      if (const auto* started = std::get_if<GangAttemptStarted>(&action)) {
        launched_.insert(started->stage);
        gang_ends_ = now_ + (pick(1, 4) == 1 ? kLongest : milliseconds(pick(1, 20)));
      }
      if (const auto* launch = std::get_if<LaunchTask>(&action))
        ends_.insert({gang_ends_, launch->context.task});
    }
  }

  std::mt19937 random_;
  SteadyTime now_{}, gang_ends_{};
  StageId next_stage_ = 1;
  std::set<std::pair<SteadyTime, TaskId>> ends_;
  std::set<StageId> launched_, ended_;
  std::set<TaskId> killed_;
};

uint32_t histories(uint32_t otherwise) {
  const char* asked = std::getenv("DEUTERON_HISTORIES");
  return asked == nullptr ? otherwise : static_cast<uint32_t>(std::stoul(asked));
}

void flood(const Flood::Scene& scene) {
  for (uint32_t seed = 1; seed <= histories(2000) / 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Flood(seed).run(scene);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(SchedulerFlood, SmallJobsDoNotStarveALargeGang) { flood({}); }

// The flood's priority is worth 100 ms of waiting: what comes within them goes first, and nothing after them.
TEST(SchedulerFlood, APriorityDoesNotStarveOthers) {
  flood(
      {.policy = {.ageing = milliseconds(10)}, .flood = {"default", 10}, .allowed = std::chrono::seconds(5)});
}

TEST(SchedulerFlood, AFairPoolWithALargeMinimumDoesNotStarveOthers) {
  const QueuePolicy policy{.mode = QueueMode::kFair,
                           .patience = std::chrono::seconds(1),
                           .pools = {{"flood", {1, 10 * Flood::kSlots}}}};
  flood(
      {.policy = policy, .victim = {"victim", 0}, .flood = {"flood", 0}, .allowed = std::chrono::seconds(1)});
}

TEST(SchedulerFlood, LargeGangsDoNotStarveASmallJob) {
  flood({.ranks = 1, .most_ranks_of_flood = Flood::kSlots});
}

// It is stopped ten times at most, and then runs to its end.
TEST(SchedulerFlood, HigherPrioritiesDoNotStopAGangForEver) {
  flood({.policy = {.ageing = milliseconds(10)},
         .flood = {"default", 10},
         .allowed = std::chrono::seconds(10),
         .is_preemptible = true});
}

TEST(SchedulerHistories, KeepTheInvariants) {
  for (uint32_t seed = 1; seed <= histories(2000); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).run(300);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace deuteron::scheduler::core
