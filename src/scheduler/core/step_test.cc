#include <gtest/gtest.h>

#include "scheduler/core/inventory.h"
#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using tasks::BarrierKind;
using tasks::FailureKind;
using tasks::kWhole;

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
  static TaskEnded raised(TaskId task, const std::string& text = "boom") {
    return {task, FailureKind::kTaskError, error("PYTHON_EXCEPTION", {{"message", text}})};
  }
  static TaskEnded lost(TaskId task) {
    return {task, FailureKind::kWorkerLost, error("PYTHON_WORKER_CRASHED", {{"reason", "signal 9"}})};
  }
  static TaskEnded input_lost(TaskId task) {
    return {task, FailureKind::kInputLost, error("STAGE_OUTPUT_LOST", {{"reason", "cut off"}})};
  }
  Actions submit_gang(StageId stage, int32_t ranks, int32_t max_attempts = 4) {
    GangRules rules = rules_;
    rules.max_attempts = max_attempts;
    return step(SubmitGang{1, stage, {}, ranks, rules, queue_, "train"});
  }
  Actions submit_preemptible(StageId stage, int32_t ranks, int32_t priority) {
    GangRules rules = rules_;
    rules.is_preemptible = true;
    return step(SubmitGang{1, stage, {}, ranks, rules, {"default", priority}, ""});
  }
  // The processes of killed ranks end.
  Actions end_all(const std::vector<TaskId>& ranks) {
    Actions actions;
    for (const TaskId task : ranks) actions = step(lost(task));
    return actions;
  }
  // A stage of one task, which runs if it may.
  Actions submit_task(StageId stage) {
    step(SubmitTaskStage{1, stage, {}, 1, 4, queue_});
    return step(AddTask{stage, 0});
  }
  // A gang that ends after `duration`, so that others like it are expected to take half as long again.
  void run_gang(StageId stage, int32_t ranks, Duration duration) {
    const auto tasks = launched(submit_gang(stage, ranks));
    ASSERT_EQ(tasks.size(), static_cast<size_t>(ranks));
    now_ += duration;
    for (const TaskId task : tasks) step(succeeded(task));
  }
  // Time passes, with a tick where one is due.
  Actions pass(Duration duration) {
    Actions all;
    const SteadyTime end = now_ + duration;
    while (next_deadline(state_) && *next_deadline(state_) <= end) {
      now_ = *next_deadline(state_);
      for (Action& action : step(Tick{})) all.push_back(std::move(action));
    }
    now_ = end;
    return all;
  }

  State state_{tasks::Machine{4, {}}};
  SteadyTime now_{};
  GangRules rules_{.barrier_timeout = seconds(60), .hang = {HangPolicy::kWarn, std::nullopt, 10}};
  QueueRules queue_;
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
  const auto waits = pick<GangWaits>(submit_gang(2, 4));
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].position, 1);
  EXPECT_EQ(waits[0].reason, "needs 4 CPUs, free: 3 CPUs");
  EXPECT_FALSE(waits[0].expected.has_value()) << "nobody knows how long the task takes";
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
  const Inventory inventory(tasks::Machine{8, {{"gpu", {{}, {}, 2 * kWhole}}}});
  EXPECT_FALSE(inventory.fits({{1, {{"gpu", kWhole}}}, 3}));
  EXPECT_TRUE(inventory.fits({{1, {{"gpu", kWhole}}}, 2}));
  EXPECT_FALSE(inventory.fits({{1, {{"tpu", kWhole}}}, 1}));
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
    step(raised(ranks[1], "boom " + std::to_string(attempt)));
    actions = step(lost(ranks[0]));
    if (attempt == 1) actions = pass(seconds(1));
    if (attempt < 2) ranks = launched(actions);
  }
  const auto ended = pick<StageEnded>(actions);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status.condition(), "BARRIER_STAGE_FAILED");
  EXPECT_NE(ended[0].status.detail().message.find("boom 2"), std::string::npos) << "the first rank's failure";
  EXPECT_EQ(state_.slots.free().describe(), describe(state_.slots.machine()));
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
  ASSERT_EQ(next_deadline(state_), now_ + seconds(60));
  now_ += seconds(59);
  EXPECT_TRUE(step(Tick{}).empty());
  now_ += seconds(1);
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

TEST_F(Core, ATaskWithoutInputMayBeAddedAgainAndHasUsedUpNothing) {
  step(SubmitTaskStage{1, 1, {}, 1, 1, queue_});
  step(AddTask{1, 0});
  step(AddTask{1, 1});
  const auto gone = pick<TaskInputLost>(step(input_lost(1)));
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].partition, 0);
  EXPECT_TRUE(pick<StageEnded>(step(succeeded(2))).empty());
  for (int32_t attempt = 1; attempt < 6; ++attempt) {
    const auto again = pick<LaunchTask>(step(AddTask{1, 0}));
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].context.attempt, attempt);
    if (attempt < 5) step(input_lost(again[0].context.task));
  }
  step(NoMoreTasks{1});
  EXPECT_EQ(pick<StageEnded>(step(succeeded(7))).size(), 1u);
}

TEST_F(Core, AStageThatLacksInputCanBeCancelled) {
  submit_task(1);
  step(input_lost(1));
  EXPECT_EQ(pick<StageEnded>(step(CancelJob{1}))[0].status.condition(), "OPERATION_CANCELED");
  const auto ranks = launched(submit_gang(2, 2));
  step(input_lost(ranks[0]));
  step(lost(ranks[1]));
  EXPECT_EQ(pick<StageEnded>(step(CancelJob{1}))[0].status.condition(), "OPERATION_CANCELED");
  EXPECT_TRUE(step(InputMade{2}).empty());
}

TEST_F(Core, AGangWithoutInputGivesItsSlotsBackAndThenHasItsOldPlace) {
  const auto ranks = launched(submit_gang(1, 4, 1));
  submit_gang(2, 4);
  submit_gang(3, 4);
  const auto gone = pick<GangInputLost>(step(input_lost(ranks[1])));
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].rank, 1);
  step(lost(ranks[0]));
  step(input_lost(ranks[2]));  // told once
  const Actions ended = step(lost(ranks[3]));
  EXPECT_TRUE(pick<StageEnded>(ended).empty());
  const auto other = launched(ended);
  ASSERT_EQ(other.size(), 4u);  // who waited behind it
  const auto waits = forecast(state_, 1, now_);
  ASSERT_TRUE(waits.has_value());
  EXPECT_EQ(waits->reason, "what was lost of its input is being made again");
  EXPECT_FALSE(waits->expected.has_value());
  EXPECT_TRUE(launched(step(InputMade{1})).empty());
  EXPECT_EQ(forecast(state_, 1, now_)->position, 1);  // before stage 3
  Actions free;
  for (const TaskId task : other) free = step(succeeded(task));
  const auto started = pick<GangAttemptStarted>(free);
  ASSERT_EQ(started.size(), 1u);
  EXPECT_EQ(started[0].stage, 1);
  EXPECT_EQ(started[0].attempt, 1);  // although there is one attempt in all: this is no failure
  for (const TaskId task : launched(free)) step(lost(task));
  EXPECT_EQ(state_.stages.count(1), 0u);
}

TEST_F(Core, InputThatIsThereBeforeTheLastRankHasEndedIsUsedAtOnce) {
  const auto ranks = launched(submit_gang(1, 2));
  step(input_lost(ranks[0]));
  EXPECT_TRUE(launched(step(InputMade{1})).empty());
  EXPECT_EQ(launched(step(lost(ranks[1]))).size(), 2u);
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
  step(SubmitGang{2, 2, {}, 4});
  EXPECT_EQ(pick<StageEnded>(step(CancelJob{2})).size(), 1u);
}

// ---- the queue

TEST_F(Core, WhoEndsInTimeMayGoAroundTheHead) {
  queue_.pool = "any";
  run_gang(1, 2, seconds(10));  // gangs of this likeness are expected to take 15 s
  submit_gang(2, 2);
  EXPECT_EQ(pick<GangWaits>(submit_gang(3, 4)).at(0).expected, seconds(15));
  EXPECT_TRUE(submit_task(4).empty()) << "nobody knows how long it takes";
  rules_.time_limit = seconds(11);
  EXPECT_TRUE(launched(step(SubmitGang{1, 5, {}, 2, rules_, {}, ""})).empty()) << "a second too long";
  rules_.time_limit = seconds(8);
  EXPECT_EQ(launched(step(SubmitGang{1, 6, {}, 2, rules_, {}, ""})).size(), 2u);
}

TEST_F(Core, ALateEndIsNoReasonToGoAroundTheHead) {
  run_gang(1, 2, seconds(10));
  submit_gang(2, 2);
  submit_gang(3, 4);
  now_ += seconds(16);
  rules_.time_limit = milliseconds(1);
  EXPECT_TRUE(launched(step(SubmitGang{1, 4, {}, 1, rules_, {}, ""})).empty());
}

TEST_F(Core, WhatTheHeadDoesNotNeedMayBeUsed) {
  State state{tasks::Machine{4, {{"gpu", {{"0", "1"}}}}}};
  const auto launches = [&](const Event& event) { return launched(core::step(state, event, now_)).size(); };
  EXPECT_EQ(launches(SubmitGang{1, 1, {1, {{"gpu", kWhole}}}, 1}), 1u);
  EXPECT_EQ(launches(SubmitGang{1, 2, {1, {{"gpu", kWhole}}}, 2}), 0u) << "one gpu is free";
  EXPECT_EQ(launches(SubmitGang{1, 3, {1, {}}, 1}), 1u) << "three CPUs are free, the head takes two of them";
  EXPECT_EQ(launches(SubmitGang{1, 4, {1, {}}, 1}), 0u);
  EXPECT_EQ(launches(SubmitGang{1, 5, {1, {{"gpu", kWhole}}}, 1}), 0u);
}

TEST_F(Core, SlotsThatAreSpareWhenTheHeadStartsMayBeUsedForEver) {
  run_gang(1, 2, seconds(10));
  submit_gang(2, 2);
  submit_gang(3, 3);
  EXPECT_EQ(launched(submit_task(4)).size(), 1u) << "in 15 s four are free, and the head takes three";
  EXPECT_TRUE(submit_task(5).empty());
}

TEST_F(Core, AGangTakesAnEighthOfWhatIsSpareAndASingleTaskAllOfIt) {
  State state{tasks::Machine{20, {}}};
  const auto launches = [&](const Event& event) { return launched(core::step(state, event, now_)).size(); };
  rules_.time_limit = seconds(15);
  EXPECT_EQ(launches(SubmitGang{1, 1, {}, 10, rules_, {}, ""}), 10u);
  EXPECT_EQ(launches(SubmitGang{1, 2, {}, 12, {}, {}, ""}), 0u) << "in 15 s it leaves eight";
  EXPECT_EQ(launches(SubmitGang{1, 3, {}, 2, {}, {}, ""}), 0u);
  for (StageId stage = 4; stage < 12; ++stage) {
    launches(SubmitTaskStage{1, stage, {}, 1, 4, {}});
    EXPECT_EQ(launches(AddTask{stage, 0}), 1u);
  }
  launches(SubmitTaskStage{1, 12, {}, 1, 4, {}});
  EXPECT_EQ(launches(AddTask{12, 0}), 0u) << "it would be the head's";
}

TEST_F(Core, TasksAreExpectedToTakeAsLongAsTheirLike) {
  const auto submit = [this](StageId stage, const std::string& likeness) {
    step(SubmitTaskStage{1, stage, {}, 1, 4, {}, likeness});
    return launched(step(AddTask{stage, 0}));
  };
  const auto quick = submit(1, "quick");
  now_ += seconds(1);
  step(succeeded(quick.at(0)));
  run_gang(2, 2, seconds(10));
  submit_gang(3, 2);
  submit_gang(4, 4);
  EXPECT_TRUE(submit(5, "other").empty());
  EXPECT_EQ(submit(6, "quick").size(), 1u);
}

TEST_F(Core, WhoWaitsIsToldWhenItWillStart) {
  const auto submit = [this](StageId stage, int32_t ranks, Duration limit) {
    GangRules rules = rules_;
    rules.time_limit = limit;
    return step(SubmitGang{1, stage, {}, ranks, rules, {}, ""});
  };
  submit(1, 3, seconds(10));
  submit(2, 1, seconds(30));
  EXPECT_EQ(pick<GangWaits>(submit(3, 2, seconds(5))).at(0).expected, seconds(10));
  EXPECT_EQ(pick<GangWaits>(submit(4, 4, seconds(7))).at(0).expected, seconds(30));
  const auto last = pick<GangWaits>(submit(5, 1, seconds(100))).at(0);
  EXPECT_EQ(last.expected, seconds(37));
  EXPECT_EQ(last.position, 3);
  EXPECT_EQ(last.reason, "needs 1 CPU, free: 0 CPUs, reserved for stage 3; 2 before it in pool default");
  now_ += seconds(1);
  EXPECT_EQ(forecast(state_, 5, now_)->expected, seconds(36));
  EXPECT_FALSE(forecast(state_, 1, now_).has_value()) << "it runs";
}

TEST_F(Core, APriorityGoesFirstAndWaitingOutweighsIt) {
  const auto first = launched(submit_gang(1, 4));
  submit_gang(2, 4);
  now_ += seconds(59);
  queue_.priority = 1;
  EXPECT_EQ(pick<GangWaits>(submit_gang(3, 4)).at(0).position, 1);
  now_ += seconds(2);
  EXPECT_EQ(pick<GangWaits>(submit_gang(4, 4)).at(0).position, 3) << "a minute weighs as much as a level";
  Actions actions;
  for (const TaskId task : first) actions = step(succeeded(task));
  EXPECT_EQ(pick<GangAttemptStarted>(actions).at(0).stage, 3);
}

TEST_F(Core, FairPoolsShareByWeight) {
  State state{tasks::Machine{4, {}}, QueuePolicy{.mode = QueueMode::kFair, .pools = {{"b", {3, 0}}}}};
  StageId stage = 1;
  std::vector<TaskId> running = launched(core::step(state, SubmitGang{1, stage, {}, 4}, now_));
  std::map<StageId, std::string> pools;
  for (const std::string pool : {"a", "b"}) {
    pools[++stage] = pool;
    core::step(state, SubmitTaskStage{1, stage, {}, 1, 4, {pool, 0}}, now_);
    for (int32_t task = 0; task < 8; ++task) core::step(state, AddTask{stage, task}, now_);
  }
  std::map<std::string, int> share;
  for (const TaskId task : running) {
    for (const auto& launch : pick<LaunchTask>(core::step(state, succeeded(task), now_)))
      ++share[pools.at(launch.context.stage)];
  }
  EXPECT_EQ(share, (std::map<std::string, int>{{"a", 1}, {"b", 3}}));
}

TEST_F(Core, AMinimumShareComesFirstUntilOthersLosePatience) {
  State state{tasks::Machine{1, {}},
              QueuePolicy{.mode = QueueMode::kFair, .patience = seconds(60), .pools = {{"b", {1, 1}}}}};
  core::step(state, SubmitTaskStage{1, 1, {}, 1, 4, {"a", 0}}, now_);
  core::step(state, SubmitTaskStage{1, 2, {}, 1, 4, {"b", 0}}, now_);
  TaskId running = launched(core::step(state, AddTask{2, 0}, now_)).at(0);
  core::step(state, AddTask{1, 0}, now_);
  for (int32_t task = 1; task < 10; ++task) core::step(state, AddTask{2, task}, now_);
  core::step(state, AddTask{1, 1}, now_);
  std::vector<StageId> order;
  for (int turn = 0; turn < 5; ++turn) {
    now_ += seconds(turn == 3 ? 60 : 1);
    const auto launches = pick<LaunchTask>(core::step(state, succeeded(running), now_));
    ASSERT_EQ(launches.size(), 1u);
    order.push_back(launches[0].context.stage);
    running = launches[0].context.task;
  }
  EXPECT_EQ(order, (std::vector<StageId>{2, 2, 2, 1, 1}));
}

// ---- failures

TEST_F(Core, AttemptsAfterTheSecondKeepTheirDistance) {
  rules_.backoff = seconds(1);
  auto ranks = launched(submit_gang(1, 1));
  ranks = launched(step(lost(ranks[0])));
  ASSERT_EQ(ranks.size(), 1u) << "at once";
  now_ += milliseconds(100);
  const auto waits = pick<GangWaits>(step(lost(ranks[0])));
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].position, 0);
  EXPECT_EQ(waits[0].expected, milliseconds(900)) << "from start to start";
  EXPECT_EQ(state_.slots.free().describe(), describe(state_.slots.machine()))
      << "others may have them meanwhile";
  ranks = launched(pass(milliseconds(900)));
  ASSERT_EQ(ranks.size(), 1u);
  now_ += seconds(3);
  EXPECT_EQ(launched(step(lost(ranks[0]))).size(), 1u) << "it ran longer than the distance";
}

TEST_F(Core, TheSameExceptionOfTheSameRankTwiceIsFinalWhereThatIsAskedFor) {
  rules_.stops_on_same_failure = true;
  auto ranks = launched(submit_gang(1, 2));
  step(raised(ranks[1]));
  ranks = launched(step(lost(ranks[0])));
  step(raised(ranks[1]));
  const auto ended = pick<StageEnded>(step(lost(ranks[0])));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].status.condition(), "GANG_FAILS_ALIKE");
  EXPECT_NE(ended[0].status.detail().message.find("boom"), std::string::npos);
}

TEST_F(Core, AnotherRankOrExceptionOrADeathInBetweenIsNotTheSame) {
  rules_.stops_on_same_failure = true;
  rules_.backoff = Duration::zero();
  const auto next = [this](const TaskEnded& end, TaskId other) {
    step(end);
    return launched(step(lost(other)));
  };
  auto ranks = launched(submit_gang(1, 2, 9));
  ranks = next(raised(ranks[1]), ranks[0]);
  ranks = next(raised(ranks[0]), ranks[1]);
  ranks = next(raised(ranks[0], "bang"), ranks[1]);
  ranks = next(lost(ranks[0]), ranks[1]);
  ranks = next(raised(ranks[0], "bang"), ranks[1]);
  EXPECT_EQ(ranks.size(), 2u);
  step(BarrierArrived{ranks[1], {}});
  step(succeeded(ranks[0]));  // breaks the barrier
  ranks = launched(step(lost(ranks[1])));
  ranks = next(raised(ranks[0], "bang"), ranks[1]);
  EXPECT_EQ(ranks.size(), 2u);
}

TEST_F(Core, TheSameExceptionIsTriedAgain) {
  rules_.backoff = Duration::zero();
  auto ranks = launched(submit_gang(1, 1));
  for (int attempt = 1; attempt < 4; ++attempt) ranks = launched(step(raised(ranks.at(0))));
  EXPECT_EQ(pick<StageEnded>(step(raised(ranks.at(0)))).at(0).status.condition(), "BARRIER_STAGE_FAILED");
}

TEST_F(Core, ATimeLimitEndsAGangForGood) {
  rules_.time_limit = seconds(10);
  const auto ranks = launched(submit_gang(1, 1));
  EXPECT_TRUE(pass(milliseconds(9999)).empty());
  EXPECT_EQ(pick<KillTask>(pass(milliseconds(1))).size(), 1u);
  EXPECT_EQ(pick<StageEnded>(step(lost(ranks[0]))).at(0).status.condition(), "GANG_TIME_LIMIT");
}

TEST_F(Core, ATimeLimitCountsAllAttemptsAndTheirPauses) {
  rules_.time_limit = seconds(10);
  rules_.backoff = seconds(30);
  auto ranks = launched(submit_gang(1, 1));
  now_ += seconds(4);
  ranks = launched(step(lost(ranks[0])));
  now_ += seconds(4);
  EXPECT_TRUE(launched(step(lost(ranks[0]))).empty());
  EXPECT_EQ(pick<StageEnded>(pass(seconds(2))).at(0).status.condition(), "GANG_TIME_LIMIT");
}

// ---- elastic gangs

TEST_F(Core, AnElasticGangStartsWithAsManyRanksAsThereIsRoomFor) {
  rules_.min_ranks = 2;
  const auto other = launched(submit_gang(1, 1));
  EXPECT_EQ(other.size(), 1u) << "it has fewer than the least";
  const Actions actions = submit_gang(2, 9);
  EXPECT_EQ(launched(actions).size(), 3u);
  EXPECT_EQ(pick<GangAttemptStarted>(actions).at(0).ranks, 3);
  for (const auto& launch : pick<LaunchTask>(actions)) EXPECT_EQ(launch.context.ranks, 3);
  const auto waits = pick<GangWaits>(submit_gang(3, 9));
  EXPECT_EQ(waits.at(0).reason, "needs at least 2 CPUs, free: 0 CPUs");
}

TEST_F(Core, TheLeastDecidesWhetherAnElasticGangIsPossible) {
  rules_.min_ranks = 4;
  EXPECT_EQ(launched(submit_gang(1, 1000)).size(), 4u);
  step(CancelJob{1});
  rules_.min_ranks = 5;
  EXPECT_EQ(pick<StageEnded>(submit_gang(2, 1000)).at(0).status.condition(), "BARRIER_STAGE_TOO_LARGE");
}

TEST_F(Core, ABarrierOfAnElasticGangIsThatOfTheRanksItHas) {
  rules_.min_ranks = 1;
  submit_task(1);
  const auto ranks = launched(submit_gang(2, 4));
  ASSERT_EQ(ranks.size(), 3u);
  for (int rank = 0; rank < 2; ++rank) EXPECT_TRUE(step(BarrierArrived{ranks[rank], {}}).empty());
  EXPECT_EQ(pick<ReleaseBarrier>(step(BarrierArrived{ranks[2], {}})).at(0).tasks, ranks);
  Actions actions;
  for (const TaskId rank : ranks) actions = step(succeeded(rank));
  EXPECT_TRUE(pick<StageEnded>(actions).at(0).status.ok());
}

TEST_F(Core, AnElasticGangGrowsAtARelaunchIfNobodyWaits) {
  rules_.min_ranks = 1;
  rules_.backoff = Duration::zero();
  const TaskId task = launched(submit_task(1)).at(0);
  auto ranks = launched(submit_gang(2, 4));
  step(succeeded(task));
  ranks = launched(end_all(ranks));
  EXPECT_EQ(ranks.size(), 4u);
  step(CancelJob{1});
  end_all(ranks);
  const TaskId other = launched(submit_task(3)).at(0);
  ranks = launched(submit_gang(4, 4));
  rules_.min_ranks = 0;
  submit_gang(5, 4);
  step(succeeded(other));
  EXPECT_EQ(launched(end_all(ranks)).size(), 3u) << "the free slot is the other's";
}

TEST_F(Core, AnElasticGangTakesNoMoreAroundTheHeadThanDoesNotDelayIt) {
  run_gang(1, 2, seconds(10));  // gangs of this likeness are expected to take 15 s
  submit_gang(2, 2);
  submit_gang(3, 3);
  rules_.min_ranks = 1;
  EXPECT_EQ(launched(step(SubmitGang{1, 4, {}, 4, rules_, {}, ""})).size(), 1u)
      << "two are free, and in 15 s the head takes three of four";
}

TEST_F(Core, WhoMakesWayGoesOnWithTheRanksThatAreLeft) {
  rules_.min_ranks = 1;
  const auto low = launched(submit_preemptible(1, 4, -1));
  rules_.min_ranks = 0;
  submit_gang(2, 3);
  pass(seconds(30));
  const Actions actions = end_all(low);
  std::map<StageId, int> started;
  for (const auto& attempt : pick<GangAttemptStarted>(actions)) started[attempt.stage] = attempt.ranks;
  EXPECT_EQ(started, (std::map<StageId, int>{{1, 1}, {2, 3}})) << "at once";
}

// ---- making way

TEST_F(Core, AGangOfLowerPriorityMakesWayAndComesBack) {
  const auto low = launched(submit_preemptible(1, 4, -1));
  const Actions actions = submit_gang(2, 3);
  const auto notice = pick<GiveNotice>(actions);
  ASSERT_EQ(notice.size(), 1u);
  EXPECT_EQ(std::make_tuple(notice[0].stage, notice[0].attempt, notice[0].by), std::make_tuple(1, 0, 2));
  EXPECT_EQ(notice[0].left, seconds(30));
  EXPECT_EQ(pick<GangWaits>(actions).at(0).expected, seconds(30));
  EXPECT_EQ(pick<GangWaits>(actions).at(0).reason, "needs 3 CPUs, free: 0 CPUs; stage 1 makes way");
  EXPECT_TRUE(pass(milliseconds(29999)).empty());
  const Actions ended = pass(milliseconds(1));
  EXPECT_EQ(pick<KillTask>(ended).size(), 4u);
  EXPECT_TRUE(pick<GangAttemptFailed>(ended).empty());
  EXPECT_EQ(pick<GangPreempted>(ended).at(0).by, 2);
  const auto high = launched(end_all(low));
  EXPECT_EQ(high.size(), 3u);
  const auto waits = forecast(state_, 1, now_);
  ASSERT_TRUE(waits.has_value()) << "it stands in the queue again";
  EXPECT_EQ(waits->reason, "preempted by stage 2; needs 4 CPUs, free: 1 CPU");
  Actions last;
  for (const TaskId task : high) last = step(succeeded(task));
  for (const auto& launch : pick<LaunchTask>(last)) EXPECT_EQ(launch.context.attempt, 1);
  EXPECT_EQ(launched(last).size(), 4u);
}

TEST_F(Core, WhoDoesNotAllowItOrHasTheSamePriorityIsLeftAlone) {
  rules_.is_preemptible = true;
  submit_gang(1, 2);
  rules_.is_preemptible = false;
  queue_.priority = -1;
  submit_gang(2, 2);
  queue_.priority = 0;
  EXPECT_TRUE(pick<GiveNotice>(submit_gang(3, 2)).empty());
}

TEST_F(Core, NobodyMakesWayInVain) {
  submit_gang(1, 2);
  submit_preemptible(2, 2, -1);
  EXPECT_TRUE(pick<GiveNotice>(submit_gang(3, 4)).empty()) << "two slots will not come back";
}

TEST_F(Core, AsFewMakeWayAsSufficeTheLowestPriorityAndTheLatestStartFirst) {
  submit_preemptible(1, 1, -2);
  submit_preemptible(2, 1, -3);
  submit_preemptible(3, 1, -3);
  submit_preemptible(4, 1, -1);
  const auto first = pick<GiveNotice>(submit_gang(5, 1));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].stage, 3);
  step(CancelJob{1});
  for (const auto& [task, running] : std::map(state_.running.begin(), state_.running.end())) step(lost(task));
  submit_preemptible(6, 1, -2);
  submit_preemptible(7, 3, -1);
  const auto large = pick<GiveNotice>(submit_gang(8, 3));
  ASSERT_EQ(large.size(), 1u) << "the other alone would not do";
  EXPECT_EQ(large[0].stage, 7);
}

TEST_F(Core, WhoIsNotNeededAnyMoreGoesOn) {
  const auto other = launched(submit_gang(1, 2));
  const auto low = launched(submit_preemptible(2, 2, -1));
  ASSERT_EQ(pick<GiveNotice>(submit_gang(3, 2)).size(), 1u);
  step(succeeded(other[0]));
  const Actions actions = step(succeeded(other[1]));
  EXPECT_EQ(launched(actions).size(), 2u);
  EXPECT_FALSE(pick<GiveNotice>(actions).at(0).left.has_value());
  EXPECT_TRUE(pass(seconds(60)).empty());
  step(raised(low[0]));
  const Actions again = step(lost(low[1]));
  EXPECT_EQ(launched(again).size(), 2u) << "who was told may end by failing: that does not count";
  EXPECT_EQ(std::get<Gang>(state_.stages.at(2).kind).failures, 0);
}

TEST_F(Core, ARankThatEndsInTheTimeOfTheNoticeIsDoneAndTheGangToo) {
  const auto low = launched(submit_preemptible(1, 4, -1));
  submit_gang(2, 2);
  now_ += seconds(10);
  Actions actions;
  for (const TaskId task : low) actions = step(succeeded(task));
  EXPECT_TRUE(pick<StageEnded>(actions).at(0).status.ok());
  EXPECT_EQ(launched(actions).size(), 2u);
}

TEST_F(Core, MakingWayIsNoFailure) {
  rules_.max_attempts = 1;
  auto low = launched(submit_preemptible(1, 4, -1));
  for (StageId stage = 2; stage < 4; ++stage) {
    queue_.priority = 10;
    submit_gang(stage, 4);
    pass(seconds(30));
    const auto high = launched(end_all(low));
    Actions actions;
    for (const TaskId task : high) actions = step(succeeded(task));
    low = launched(actions);
    ASSERT_EQ(low.size(), 4u);
  }
  EXPECT_EQ(std::get<Gang>(state_.stages.at(1).kind).attempt, 2);
  step(raised(low[0]));
  for (size_t rank = 1; rank < 3; ++rank) step(lost(low[rank]));
  EXPECT_EQ(pick<StageEnded>(step(lost(low[3]))).at(0).status.condition(), "BARRIER_STAGE_FAILED");
}

TEST_F(Core, EachTimeProtectsByOneLevel) {
  auto low = launched(submit_preemptible(1, 4, 0));
  queue_.priority = 2;
  for (StageId stage = 2; stage < 4; ++stage) {
    ASSERT_EQ(pick<GiveNotice>(submit_gang(stage, 4)).size(), 1u);
    pass(seconds(30));
    Actions actions;
    for (const TaskId task : launched(end_all(low))) actions = step(succeeded(task));
    low = launched(actions);
  }
  EXPECT_TRUE(pick<GiveNotice>(submit_gang(4, 4)).empty());
}

TEST_F(Core, ATimeLimitDoesNotCountMakingWay) {
  rules_.time_limit = seconds(100);
  const auto low = launched(submit_preemptible(1, 4, -1));
  rules_.time_limit.reset();
  now_ += seconds(20);
  submit_gang(2, 4);
  pass(seconds(30));
  const auto high = launched(end_all(low));
  EXPECT_TRUE(pass(seconds(1000)).empty());
  for (const TaskId task : high) step(succeeded(task));
  EXPECT_TRUE(pick<KillTask>(pass(seconds(49))).empty());
  EXPECT_EQ(pick<KillTask>(pass(seconds(1))).size(), 4u);
}

TEST_F(Core, WhoMakesWayForATaskStageWaitsUntilItHasNoMoreTasksThatWait) {
  const auto low = launched(submit_preemptible(1, 4, -1));
  submit_task(2);
  step(AddTask{2, 1});
  pass(seconds(30));
  EXPECT_EQ(launched(end_all(low)).size(), 2u);
  EXPECT_EQ(forecast(state_, 1, now_)->position, 1);
  step(CancelJob{1});
}

TEST_F(Core, WhoHasMadeWayWaitsAgainWhenTheOtherIsCancelled) {
  const auto other = launched(submit_gang(1, 1));
  const auto low = launched(submit_preemptible(2, 3, -1));
  step(SubmitGang{7, 3, {}, 3, rules_, queue_, ""});
  pass(seconds(30));
  step(lost(low[0]));
  const Actions cancelled = step(CancelJob{7});
  EXPECT_EQ(pick<StageEnded>(cancelled).size(), 1u);
  step(lost(low[1]));
  EXPECT_EQ(launched(step(lost(low[2]))).size(), 3u) << "its slots are still its own";
}

// ---- ranks that do not come

// Of 4 slots one goes, and with it a rank of the first gang.
TEST_F(Core, AGangThatHasLostSlotsWaitsForOthersInItsOldPlace) {
  const auto ranks = launched(submit_gang(1, 2)), others = launched(submit_gang(2, 2));
  submit_gang(3, 1);
  step(SlotsLost{{1, {}}});
  step(lost(ranks[1]));
  EXPECT_TRUE(launched(step(lost(ranks[0]))).empty()) << "one slot is not enough, and nobody goes around it";
  step(succeeded(others[0]));
  const auto launches = pick<LaunchTask>(step(succeeded(others[1])));
  ASSERT_EQ(launches.size(), 3u);
  EXPECT_EQ(launches[0].context.stage, 1);
  EXPECT_EQ(launches[0].context.attempt, 1);
  EXPECT_EQ(launches[2].context.stage, 3);
}

TEST_F(Core, WhoNeedsSlotsThatAreLostKeepsNobodyWaiting) {
  const auto ranks = launched(submit_gang(1, 3));
  submit_gang(2, 2);
  step(SlotsLost{{2, {}}});
  step(lost(ranks[2]));
  const Actions actions = end_all({ranks[0], ranks[1]});
  const auto others = launched(actions);
  EXPECT_EQ(others.size(), 2u);
  const auto waits = pick<GangWaits>(actions);
  ASSERT_FALSE(waits.empty());
  EXPECT_EQ(waits[0].stage, 1);
  EXPECT_NE(waits[0].reason.find("lost slots"), std::string::npos) << waits[0].reason;
  submit_gang(3, 2);
  EXPECT_TRUE(launched(step(SlotsBack{{2, {}}})).empty()) << "they are for the first again";
  step(succeeded(others[0]));
  const auto launches = pick<LaunchTask>(step(succeeded(others[1])));
  ASSERT_EQ(launches.size(), 3u);
  EXPECT_EQ(launches[0].context.stage, 1);
}

TEST_F(Core, AGuessEndsNothing) {
  rules_.expected = seconds(10);
  const auto ranks = launched(submit_gang(1, 4));
  const auto waits = pick<GangWaits>(submit_gang(2, 4));
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].expected, seconds(10));
  EXPECT_TRUE(pass(seconds(100)).empty());
  EXPECT_EQ(state_.running.size(), 4u);
}

TEST_F(Core, ARankThatDoesNotComeIsTold) {
  rules_.hang.timeout = milliseconds(1500);
  const auto ranks = launched(submit_gang(1, 3));
  step(BarrierArrived{ranks[1], {}});
  EXPECT_TRUE(pass(milliseconds(1499)).empty());
  const auto told = pick<RanksMissing>(pass(milliseconds(1)));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].ranks, (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(told[0].tasks, (std::vector<TaskId>{ranks[0], ranks[2]}));
  EXPECT_TRUE(pass(seconds(30)).empty()) << "once";
  step(BarrierArrived{ranks[0], {}});
  const auto released = pick<ReleaseBarrier>(step(BarrierArrived{ranks[2], {}}));
  ASSERT_EQ(released.size(), 1u) << "it was a warning";
  EXPECT_EQ(released[0].last_rank, 2);
  EXPECT_GT(released[0].skew, seconds(30));
}

TEST_F(Core, WhatIsUsualIsNotTold) {
  rules_.hang.timeout = seconds(2);
  const auto ranks = launched(submit_gang(1, 2));
  const auto meet = [&](Duration late) {
    step(BarrierArrived{ranks[0], {}});
    const auto told = pick<RanksMissing>(pass(late)).size();
    step(BarrierArrived{ranks[1], {}});
    return told;
  };
  size_t told = 0;
  for (int epoch = 0; epoch < 20; ++epoch) told += meet(milliseconds(1000));
  EXPECT_EQ(told, 0u);
  EXPECT_EQ(meet(milliseconds(5000)), 0u) << "usual is 1 s, and ten times that are tolerated";
  EXPECT_EQ(meet(milliseconds(15000)), 1u);
}

TEST_F(Core, HangingRanksAreRelaunchedOrFailTheGang) {
  rules_.hang = {HangPolicy::kRelaunch, seconds(1), 10};
  auto ranks = launched(submit_gang(1, 2));
  step(BarrierArrived{ranks[0], {}});
  const Actions actions = pass(seconds(1));
  EXPECT_EQ(pick<RanksMissing>(actions).size(), 1u);
  EXPECT_EQ(pick<GangAttemptFailed>(actions).at(0).rank, 1);
  step(lost(ranks[0]));
  EXPECT_EQ(launched(step(lost(ranks[1]))).size(), 2u);
  step(CancelJob{1});
  for (const auto& [task, running] : std::map(state_.running.begin(), state_.running.end())) step(lost(task));

  rules_.hang.policy = HangPolicy::kFail;
  ranks = launched(submit_gang(2, 2));
  step(BarrierArrived{ranks[0], {}});
  pass(seconds(1));
  step(lost(ranks[0]));
  EXPECT_EQ(pick<StageEnded>(step(lost(ranks[1]))).at(0).status.condition(), "GANG_HANGS");
}

// ---- ranks that do nothing

TEST_F(Core, AGangNoneOfWhoseRanksDoesAnythingIsTold) {
  rules_.hang.timeout = milliseconds(1500);
  const auto ranks = launched(submit_gang(1, 3));
  now_ += seconds(1);
  EXPECT_TRUE(step(RankIdle{ranks[0], now_}).empty());
  EXPECT_TRUE(step(RankIdle{ranks[1], now_}).empty());
  EXPECT_TRUE(pass(seconds(10)).empty()) << "rank 2 computes";
  step(succeeded(ranks[2]));
  EXPECT_TRUE(pass(milliseconds(1499)).empty());
  const auto told = pick<NoProgress>(pass(milliseconds(1)));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].ranks, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(told[0].idle, milliseconds(1500)) << "since the end of rank 2";
  EXPECT_TRUE(pass(seconds(30)).empty()) << "once";
  step(RankIdle{ranks[0], std::nullopt});
  step(RankIdle{ranks[0], now_});
  EXPECT_EQ(pick<NoProgress>(pass(seconds(30))).size(), 1u) << "and anew after something was done";
}

TEST_F(Core, WhoWaitsAtABarrierIsNoGangWithoutProgress) {
  rules_.hang.timeout = milliseconds(1500);
  const auto ranks = launched(submit_gang(1, 2));
  for (const TaskId rank : ranks) step(RankIdle{rank, now_});
  pass(seconds(1));
  step(BarrierArrived{ranks[0], {}});
  const Actions actions = pass(seconds(20));
  EXPECT_TRUE(pick<NoProgress>(actions).empty());
  EXPECT_EQ(pick<RanksMissing>(actions).size(), 1u) << "that is told instead";
  step(BarrierArrived{ranks[1], {}});
  EXPECT_TRUE(pass(milliseconds(1499)).empty()) << "a barrier is progress";
  EXPECT_EQ(pick<NoProgress>(pass(milliseconds(1))).size(), 1u);
}

TEST_F(Core, IdleTimeThatIsUsualIsNotTold) {
  rules_.hang.timeout = seconds(2);
  const auto ranks = launched(submit_gang(1, 1));
  const auto do_nothing = [&](Duration time) {
    step(RankIdle{ranks[0], now_});
    const auto told = pick<NoProgress>(pass(time)).size();
    step(RankIdle{ranks[0], std::nullopt});
    return told;
  };
  size_t told = 0;
  for (int turn = 0; turn < 20; ++turn) told += do_nothing(seconds(1));
  EXPECT_EQ(told, 0u);
  EXPECT_EQ(do_nothing(seconds(5)), 0u) << "usual is 1 s, and ten times that are tolerated";
  EXPECT_EQ(do_nothing(seconds(20)), 1u);
}

TEST_F(Core, AGangWithoutProgressIsRelaunchedOrFails) {
  rules_.hang = {HangPolicy::kRelaunch, seconds(1), 10};
  const auto hang = [this](TaskId rank) {
    step(RankIdle{rank, now_});
    return pass(seconds(1));
  };
  auto ranks = launched(submit_gang(1, 1));
  EXPECT_EQ(pick<GangAttemptFailed>(hang(ranks[0])).at(0).status.condition(), "GANG_STALLS");
  ranks = launched(step(lost(ranks[0])));
  ASSERT_EQ(ranks.size(), 1u);
  EXPECT_TRUE(pass(seconds(5)).empty()) << "the new rank is taken as active";
  step(CancelJob{1});
  step(lost(ranks[0]));
  rules_.hang.policy = HangPolicy::kFail;
  ranks = launched(submit_gang(2, 1));
  hang(ranks[0]);
  EXPECT_EQ(pick<StageEnded>(step(lost(ranks[0]))).at(0).status.condition(), "GANG_STALLS");
}

class Devices : public ::testing::Test {
 protected:
  Actions step(const Event& event) { return core::step(state_, event, now_); }
  // The addresses of the tasks that start.
  std::vector<std::string> started(const Actions& actions) {
    std::vector<std::string> addresses;
    for (const Action& action : actions) {
      const auto* launch = std::get_if<LaunchTask>(&action);
      if (launch == nullptr) continue;
      last_ = launch->context.task;
      for (const std::string& address : launch->context.addresses.at("gpu")) addresses.push_back(address);
    }
    return addresses;
  }
  Actions submit(StageId stage, int32_t gpus = 1) {
    return step(SubmitGang{1, stage, {1, {{"gpu", gpus * kWhole}}}, 1, rules_, {}, ""});
  }
  Actions lose(TaskId task) {
    return step(TaskEnded{task, FailureKind::kWorkerLost, internal_error("gone")});
  }

  using Addresses = std::vector<std::string>;
  State state_{tasks::Machine{8, {{"gpu", {{"a", "b", "c"}}}}}, {}, {2, seconds(60)}};
  SteadyTime now_{};
  GangRules rules_{.max_attempts = 10, .backoff = Duration::zero()};
  TaskId last_ = 0;
};

TEST_F(Devices, WhereTasksKeepDyingNobodyIsPut) {
  EXPECT_EQ(started(submit(1)), Addresses{"a"});
  EXPECT_EQ(started(lose(last_)), Addresses{"a"}) << "once may be bad luck";
  const Actions twice = lose(last_);
  EXPECT_EQ(started(twice), Addresses{"b"});
  EXPECT_EQ(std::ranges::count_if(
                twice, [](const Action& action) { return std::holds_alternative<AddressLeftOut>(action); }),
            1);
  EXPECT_EQ(started(submit(2)), Addresses{"c"});
  EXPECT_EQ(started(submit(3)), Addresses{});
  now_ += seconds(61);
  EXPECT_EQ(next_deadline(state_), SteadyTime{} + seconds(60));
  EXPECT_EQ(started(step(Tick{})), Addresses{"a"});
}

TEST_F(Devices, ASuccessForgivesWhatWasLost) {
  started(submit(1));
  started(lose(last_));
  step(TaskEnded{last_, FailureKind::kNone, Status()});
  EXPECT_EQ(started(submit(2)), Addresses{"a"});
  EXPECT_EQ(started(lose(last_)), Addresses{"a"});
}

TEST_F(Devices, WhoNeedsAllGetsAlsoWhatIsLeftOut) {
  started(submit(1, 3));
  started(lose(last_));
  EXPECT_EQ(started(lose(last_)), (Addresses{"a", "b", "c"}));
}

TEST_F(Devices, WhatAnotherProgramHasComesWhenItIsFree) {
  state_.set_in_use({"gpu", 0});
  EXPECT_EQ(started(submit(1)), Addresses{"b"});
  const Actions waits = submit(2, 2);
  EXPECT_EQ(started(waits), Addresses{});
  EXPECT_NE(forecast(state_, 2, now_)->reason.find("gpu a is in use by another program"), std::string::npos);
  EXPECT_EQ(started(step(AddressFreed{"gpu", 0})), (Addresses{"a", "c"}));
  EXPECT_TRUE(step(AddressFreed{"gpu", 0}).empty());
}

}  // namespace
}  // namespace deuteron::scheduler::core
