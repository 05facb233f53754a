#include <gtest/gtest.h>

#include "scheduler/core/slots.h"
#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {
namespace {

using tasks::BarrierKind;
using tasks::FailureKind;

// A scheduler under a clock that the test moves.
class Core : public ::testing::Test {
 protected:
  Actions step(const Event& event) { return core::step(state_, event, now_); }

  template <typename Kind>
  static std::vector<Kind> pick(const Actions& actions) {
    std::vector<Kind> found;
    for (const Action& action : actions) {
      if (const auto* kind = std::get_if<Kind>(&action)) found.push_back(*kind);
    }
    return found;
  }
  static std::vector<TaskId> launched(const Actions& actions) {
    std::vector<TaskId> ids;
    for (const LaunchTask& launch : pick<LaunchTask>(actions)) ids.push_back(launch.context.task);
    return ids;
  }
  static TaskEnded succeeded(TaskId task) { return {task, FailureKind::kNone, Status()}; }
  static TaskEnded raised(TaskId task) {
    return {task, FailureKind::kTaskError, error("PYTHON_EXCEPTION", {{"message", "boom"}})};
  }
  static TaskEnded lost(TaskId task) {
    return {task, FailureKind::kWorkerLost, error("PYTHON_WORKER_CRASHED", {{"reason", "signal 9"}})};
  }
  Actions submit_gang(StageId stage, int32_t ranks, int32_t max_attempts = 4) {
    return step(SubmitGang{1, stage, {}, ranks, max_attempts, std::chrono::seconds(60)});
  }

  State state_{Slots{4, {}}};
  SteadyTime now_{};
};

TEST_F(Core, ATaskStageTakesWhatIsFree) {
  EXPECT_TRUE(step(SubmitTaskStage{1, 1, {}, 1, 4}).empty());
  for (int partition = 0; partition < 4; ++partition)
    EXPECT_EQ(launched(step(AddTask{1, partition})).size(), 1u);
  EXPECT_TRUE(step(AddTask{1, 4}).empty());
  const Actions actions = step(succeeded(2));
  EXPECT_EQ(pick<TaskSucceeded>(actions).at(0).partition, 1);
  EXPECT_EQ(pick<LaunchTask>(actions).at(0).context.partition, 4);
}

TEST_F(Core, AStageEndsAfterItsLastTask) {
  step(SubmitTaskStage{1, 1, {}, 1, 4});
  const TaskId task = launched(step(AddTask{1, 0})).at(0);
  EXPECT_TRUE(step(NoMoreTasks{1}).empty());
  const auto ended = pick<StageEnded>(step(succeeded(task)));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_TRUE(ended[0].status.ok());
  EXPECT_TRUE(state_.stages.empty());
}

TEST_F(Core, AGangWaitsForAllItsSlotsAndKeepsOthersFromThem) {
  step(SubmitTaskStage{1, 1, {}, 1, 4});
  const TaskId task = launched(step(AddTask{1, 0})).at(0);
  EXPECT_TRUE(submit_gang(2, 4).empty());
  step(SubmitTaskStage{2, 3, {}, 1, 4});
  EXPECT_TRUE(step(AddTask{3, 0}).empty()) << "three slots are free, and held for the gang";
  const Actions actions = step(succeeded(task));
  EXPECT_EQ(launched(actions).size(), 4u);
  EXPECT_EQ(pick<GangAttemptStarted>(actions).at(0).stage, 2);
}

TEST_F(Core, AnImpossibleGangIsRefusedAtOnce) {
  const auto ended = pick<StageEnded>(submit_gang(1, 5));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status.condition(), "BARRIER_STAGE_TOO_LARGE");
  EXPECT_NE(ended[0].status.detail().message.find("5 CPUs"), std::string::npos);
  EXPECT_NE(ended[0].status.detail().message.find("4 CPUs"), std::string::npos);
}

TEST_F(Core, NamedResourcesCount) {
  State state{Slots{8, {{"gpu", 2}}}};
  EXPECT_FALSE(fits({1, {{"gpu", 1}}}, 3, state.total));
  EXPECT_TRUE(fits({1, {{"gpu", 1}}}, 2, state.total));
  EXPECT_FALSE(fits({1, {{"tpu", 1}}}, 1, state.total));
}

TEST_F(Core, BarrierReleasesWhenAllHaveArrived) {
  const auto ranks = launched(submit_gang(1, 3));
  EXPECT_TRUE(step(BarrierArrived{ranks[2], {BarrierKind::kAllGather, "c"}}).empty());
  EXPECT_TRUE(step(BarrierArrived{ranks[0], {BarrierKind::kAllGather, "a"}}).empty());
  const auto released = pick<ReleaseBarrier>(step(BarrierArrived{ranks[1], {BarrierKind::kAllGather, "b"}}));
  ASSERT_EQ(released.size(), 1u);
  EXPECT_EQ(released[0].messages, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(released[0].epoch, 0);
  for (int rank = 0; rank < 3; ++rank) step(BarrierArrived{ranks[rank], {}});
  EXPECT_EQ(std::get<Gang>(state_.stages.at(1).kind).epoch.number, 2);
}

TEST_F(Core, AFailedRankRestartsTheGangWhenAllSlotsAreBack) {
  const auto ranks = launched(submit_gang(1, 3));
  step(BarrierArrived{ranks[0], {}});
  const Actions failed = step(lost(ranks[1]));
  EXPECT_EQ(pick<KillTask>(failed).size(), 2u);
  EXPECT_EQ(pick<FailBarrier>(failed).at(0).tasks, std::vector<TaskId>{ranks[0]});
  EXPECT_EQ(pick<GangAttemptFailed>(failed).at(0).rank, 1);
  EXPECT_TRUE(step(lost(ranks[0])).empty());
  EXPECT_TRUE(step(BarrierArrived{ranks[2], {}}).empty()) << "late";
  const Actions restarted = step(succeeded(ranks[2]));
  ASSERT_EQ(launched(restarted).size(), 3u);
  EXPECT_TRUE(pick<TaskSucceeded>(restarted).empty()) << "a success after the failure does not count";
  for (const auto& launch : pick<LaunchTask>(restarted)) EXPECT_EQ(launch.context.attempt, 1);
  EXPECT_TRUE(step(BarrierArrived{ranks[2], {}}).empty()) << "of the attempt before";
}

TEST_F(Core, SlotsOfARestartingGangAreKeptForIt) {
  const auto ranks = launched(submit_gang(1, 4));
  step(SubmitTaskStage{2, 2, {}, 1, 4});
  step(AddTask{2, 0});
  step(lost(ranks[0]));
  for (int rank = 1; rank < 3; ++rank) EXPECT_TRUE(launched(step(lost(ranks[rank]))).empty());
  EXPECT_EQ(launched(step(lost(ranks[3]))).size(), 4u);
}

TEST_F(Core, AttemptsAreUsedUp) {
  auto ranks = launched(submit_gang(1, 2, 3));
  Actions actions;
  for (int attempt = 0; attempt < 3; ++attempt) {
    step(raised(ranks[1]));
    actions = step(lost(ranks[0]));
    if (attempt < 2) ranks = launched(actions);
  }
  const auto ended = pick<StageEnded>(actions);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status.condition(), "BARRIER_STAGE_FAILED");
  EXPECT_NE(ended[0].status.detail().message.find("boom"), std::string::npos) << "the first rank's failure";
  EXPECT_EQ(state_.free, state_.total);
}

TEST_F(Core, ARankThatEndsBeforeABarrierBreaksIt) {
  const auto ranks = launched(submit_gang(1, 2, 1));
  step(BarrierArrived{ranks[0], {}});
  const auto failed = pick<GangAttemptFailed>(step(succeeded(ranks[1])));
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].status.condition(), "BARRIER_BROKEN");
}

TEST_F(Core, ABarrierThatComesAfterARanksEndBreaksToo) {
  const auto ranks = launched(submit_gang(1, 2, 1));
  EXPECT_EQ(pick<TaskSucceeded>(step(succeeded(ranks[1]))).size(), 1u);
  EXPECT_EQ(pick<GangAttemptFailed>(step(BarrierArrived{ranks[0], {}})).size(), 1u);
}

TEST_F(Core, DifferentCallsAtOneBarrierBreakIt) {
  const auto ranks = launched(submit_gang(1, 2, 1));
  step(BarrierArrived{ranks[0], {}});
  EXPECT_EQ(pick<GangAttemptFailed>(step(BarrierArrived{ranks[1], {BarrierKind::kAllGather, ""}})).size(),
            1u);
}

TEST_F(Core, ABarrierTimesOutAndNamesWhoIsMissing) {
  const auto ranks = launched(submit_gang(1, 3, 1));
  EXPECT_FALSE(next_deadline(state_).has_value());
  step(BarrierArrived{ranks[1], {}});
  ASSERT_EQ(next_deadline(state_), now_ + std::chrono::seconds(60));
  now_ += std::chrono::seconds(59);
  EXPECT_TRUE(step(Tick{}).empty());
  now_ += std::chrono::seconds(1);
  const auto failed = pick<GangAttemptFailed>(step(Tick{}));
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_NE(failed[0].status.detail().message.find("0, 2"), std::string::npos);
}

TEST_F(Core, ACrashIsRetriedAndAnErrorIsNot) {
  step(SubmitTaskStage{1, 1, {}, 1, 2});
  TaskId task = launched(step(AddTask{1, 0})).at(0);
  const auto again = pick<LaunchTask>(step(lost(task)));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].context.attempt, 1);
  const auto ended = pick<StageEnded>(step(raised(again[0].context.task)));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status.condition(), "PYTHON_EXCEPTION");
}

TEST_F(Core, CancellingAJobKillsItsTasksAndNoOthers) {
  submit_gang(1, 2);
  step(SubmitTaskStage{2, 2, {}, 1, 4});
  step(AddTask{2, 0});
  const Actions actions = step(CancelJob{1});
  EXPECT_EQ(pick<KillTask>(actions).size(), 2u);
  EXPECT_TRUE(pick<StageEnded>(actions).empty()) << "not before its slots are back";
  step(lost(1));
  const auto ended = pick<StageEnded>(step(lost(2)));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status.condition(), "OPERATION_CANCELED");
  EXPECT_EQ(state_.running.size(), 1u);
}

TEST_F(Core, CancellingAWaitingGangEndsIt) {
  submit_gang(1, 4);
  step(SubmitGang{2, 2, {}, 4, 4, std::chrono::seconds(1)});
  EXPECT_EQ(pick<StageEnded>(step(CancelJob{2})).size(), 1u);
}

}  // namespace
}  // namespace deuteron::scheduler::core
