// Random histories of the scheduler's core under a manual clock: jobs come, tasks end well, raise or are
// killed, barriers are reached, jobs are cancelled, messages come late. After each step the invariants must
// hold, and in the end everything must have ended.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "scheduler/core/slots.h"
#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {
namespace {

using tasks::BarrierKind;
using tasks::FailureKind;

struct SimulatedTask {
  tasks::TaskContext context;
  bool killed = false;
  bool waiting = false;  // in a barrier
  int barriers_left = 0;
};

class History {
 public:
  explicit History(uint32_t seed)
      : random_(seed), total_{pick(1, 6), {{"gpu", pick(0, 3)}}}, state_(total_) {}

  void run(int steps) {
    for (int count = 0; count < steps; ++count) {
      now_ += std::chrono::milliseconds(pick(0, 50));
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

  void happen() {
    switch (pick(0, 9)) {
      case 0: return submit();
      case 1: return add_tasks();
      case 2: return cancel();
      case 3: return late_message();
      default: return advance_a_task();
    }
  }

  void submit() {
    const StageId stage = next_stage_++;
    const JobId job = pick(1, 5);
    const Slots demand{pick(1, 2), chance(20) ? std::map<std::string, int32_t>{{"gpu", 1}}
                                              : std::map<std::string, int32_t>{}};
    open_[stage] = true;
    demand_[stage] = demand;
    if (chance(50)) {
      const int32_t ranks = pick(0, 5);
      ranks_[stage] = ranks;
      possible_[stage] = fits(demand, ranks, total_);
      attempts_allowed_[stage] = pick(1, 4);
      apply(SubmitGang{job, stage, demand, ranks, attempts_allowed_[stage],
                       std::chrono::milliseconds(pick(100, 2000))});
    } else {
      possible_[stage] = fits(demand, 1, total_);
      growing_.push_back(stage);
      apply(SubmitTaskStage{job, stage, demand, pick(1, 3), pick(1, 4)});
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

  // From tasks that have ended, or never were.
  void late_message() {
    const TaskId task = pick(0, static_cast<int32_t>(state_.next_task) + 3);
    if (running_.count(task) > 0) return;
    const Slots before = state_.free;
    EXPECT_TRUE(step(state_, TaskEnded{task, FailureKind::kNone, Status()}, now_).empty());
    EXPECT_TRUE(step(state_, BarrierArrived{task, {}}, now_).empty());
    EXPECT_EQ(before, state_.free);
  }

  void advance_a_task() {
    if (running_.empty()) return;
    auto chosen = running_.begin();
    std::advance(chosen, pick(0, static_cast<int32_t>(running_.size()) - 1));
    SimulatedTask& task = chosen->second;
    if (task.killed || chance(8)) return end(chosen->first, FailureKind::kWorkerLost);
    if (task.waiting) return;
    if (task.barriers_left > 0) {
      --task.barriers_left;
      task.waiting = true;
      const BarrierKind kind = chance(97) ? BarrierKind::kAllGather : BarrierKind::kBarrier;
      return apply(BarrierArrived{chosen->first, {kind, std::to_string(task.context.partition)}});
    }
    end(chosen->first, chance(10) ? FailureKind::kTaskError : FailureKind::kNone);
  }

  void end(TaskId task, FailureKind failure) {
    running_.erase(task);
    apply(TaskEnded{task, failure, failure == FailureKind::kNone ? Status() : internal_error("simulated")});
  }

  void apply(const Event& event) {
    gang_launches_.clear();
    for (const Action& action : step(state_, event, now_)) {
      std::visit([this](const auto& what) { act(what); }, action);
    }
    // All or none: a gang that was launched was launched with all its ranks.
    for (const auto& [stage, count] : gang_launches_) EXPECT_EQ(count, ranks_.at(stage));
  }

  void act(const LaunchTask& action) {
    const auto& context = action.context;
    EXPECT_TRUE(open_.at(context.stage));
    EXPECT_TRUE(possible_.at(context.stage));
    for (const auto& [id, other] : running_) {
      EXPECT_FALSE(other.context.stage == context.stage && other.context.partition == context.partition)
          << "two attempts of one partition at once";
      if (context.ranks > 0 && other.context.stage == context.stage) {
        EXPECT_EQ(other.context.attempt, context.attempt) << "two attempts of one gang at once";
      }
    }
    EXPECT_TRUE(
        running_.emplace(context.task, SimulatedTask{context, false, false, context.ranks > 0 ? 2 : 0})
            .second);
    if (context.ranks > 0) {
      ++gang_launches_[context.stage];
      EXPECT_LT(context.attempt, attempts_allowed_.at(context.stage));
      if (chance(3)) running_.at(context.task).barriers_left = 1;  // will miss a barrier
    } else {
      EXPECT_TRUE(succeeded_.count({context.stage, context.partition}) == 0) << "it has counted already";
    }
  }
  void act(const KillTask& action) { running_.at(action.task).killed = true; }
  void act(const ReleaseBarrier& action) {
    EXPECT_EQ(static_cast<int32_t>(action.tasks.size()), ranks_.at(action.stage));
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
    for (const TaskId task : action.tasks) {
      const auto found = running_.find(task);
      if (found != running_.end()) found->second.waiting = false;
    }
  }
  void act(const TaskSucceeded& action) {
    if (ranks_.count(action.stage) > 0) return;
    EXPECT_TRUE(succeeded_.insert({action.stage, action.partition}).second) << "counted twice";
  }
  void act(const GangAttemptStarted&) {}
  void act(const GangAttemptFailed& action) { EXPECT_FALSE(action.status.ok()); }
  void act(const StageEnded& action) {
    EXPECT_TRUE(open_.at(action.stage)) << "ended twice";
    open_.at(action.stage) = false;
    for (const auto& [id, task] : running_)
      EXPECT_NE(task.context.stage, action.stage) << "ended while a task runs";
    if (!possible_.at(action.stage)) {
      EXPECT_FALSE(action.status.ok());
    } else if (action.status.ok() && ranks_.count(action.stage) == 0) {
      for (int32_t partition = 0; partition < added_[action.stage]; ++partition) {
        EXPECT_EQ(succeeded_.count({action.stage, partition}), 1u);
      }
    }
  }

  // No slot is booked twice or lost.
  void check() {
    Slots used{0, {}};
    for (const auto& [id, task] : running_) give_back(demand_.at(task.context.stage), used);
    EXPECT_GE(state_.free.cpus, 0);
    EXPECT_EQ(state_.free.cpus + used.cpus, total_.cpus);
    EXPECT_EQ(state_.free.resources.at("gpu") + used.resources["gpu"], total_.resources.at("gpu"));
    EXPECT_EQ(state_.running.size(), running_.size());
  }

  // Progress: when nothing new comes, all that is open ends, within a bounded number of steps.
  void finish() {
    for (const StageId stage : growing_) apply(NoMoreTasks{stage});
    for (int count = 0; count < 200000 && !state_.stages.empty(); ++count) {
      const int64_t idle =
          static_cast<int64_t>(std::count_if(running_.begin(), running_.end(), [](const auto& entry) {
            return entry.second.waiting && !entry.second.killed;
          }));
      if (idle == static_cast<int64_t>(running_.size())) {
        const auto deadline = next_deadline(state_);
        ASSERT_TRUE(deadline.has_value()) << "stuck: nobody runs and nothing is due";
        now_ = std::max(now_, *deadline);
        apply(Tick{});
      } else {
        advance_a_task();
      }
      check();
    }
    EXPECT_TRUE(state_.stages.empty());
    EXPECT_EQ(state_.free, state_.total);
    for (const auto& [stage, open] : open_) EXPECT_FALSE(open) << "stage " << stage;
  }

  std::mt19937 random_;
  Slots total_;
  State state_;
  SteadyTime now_{};
  StageId next_stage_ = 1;
  std::vector<StageId> growing_;
  std::map<StageId, bool> open_, possible_;
  std::map<StageId, Slots> demand_;
  std::map<StageId, int32_t> ranks_, attempts_allowed_, added_, gang_launches_;
  std::map<TaskId, SimulatedTask> running_;
  std::set<std::pair<StageId, int32_t>> succeeded_;
};

TEST(SchedulerHistories, KeepTheInvariants) {
  for (uint32_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).run(300);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace deuteron::scheduler::core
