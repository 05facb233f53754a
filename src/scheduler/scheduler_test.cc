#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

namespace deuteron::scheduler {
namespace {

// Runs tasks as threads would: a function per task, called when the task starts, on the scheduler's thread.
class FakeLauncher : public Launcher {
 public:
  void start(LaunchRequest request) override {
    works[request.context.partition] = request.works;
    on_start(request.context);
  }
  void kill(tasks::TaskId task) override { on_kill(task); }
  void answer_barrier(const std::vector<tasks::TaskId>& tasks, tasks::BarrierReply reply) override {
    for (const tasks::TaskId task : tasks) on_answer(task, reply);
  }
  void look_at(const std::vector<tasks::TaskId>& tasks) override { on_look(tasks); }

  std::map<int32_t, std::vector<std::shared_ptr<const tasks::TaskWork>>> works;  // by partition
  std::function<void(const tasks::TaskContext&)> on_start = [](const auto&) {};
  std::function<void(tasks::TaskId)> on_kill = [](auto) {};
  std::function<void(const std::vector<tasks::TaskId>&)> on_look = [](const auto&) {};
  std::function<void(tasks::TaskId, tasks::BarrierReply)> on_answer = [](auto, const auto&) {};
};

struct Ended : StageListener {
  void task_succeeded(int32_t partition, int32_t attempt, std::shared_ptr<tasks::TaskOutput>) override {
    succeeded.emplace_back(partition, attempt);
  }
  void gang_attempt_failed(int32_t, const Status&) override { ++failed_attempts; }
  void stage_ended(const Status& status) override { end.set_value(status); }
  Status wait() {
    auto future = end.get_future();
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      return internal_error("did not end");
    return future.get();
  }
  std::vector<std::pair<int32_t, int32_t>> succeeded;
  int failed_attempts = 0;
  std::promise<Status> end;
};

TEST(Scheduler, RunsAGangWithABarrierAndRestartsIt) {
  FakeLauncher launcher;
  events::Bus bus;
  std::mutex mutex;
  std::vector<std::string> seen;
  bus.subscribe([&](const events::Event& event) {
    std::lock_guard lock(mutex);
    seen.push_back(events::to_json(event));
  });
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  launcher.on_start = [&](const tasks::TaskContext& context) {
    if (context.attempt == 0 && context.partition == 1) {
      scheduler.task_ended(context.task,
                           {tasks::FailureKind::kWorkerLost, internal_error("killed"), nullptr, 0, 0});
    } else {
      scheduler.barrier_requested(context.task, {tasks::BarrierKind::kAllGather, "x"});
    }
  };
  launcher.on_kill = [&](tasks::TaskId task) {
    scheduler.task_ended(task, {tasks::FailureKind::kWorkerLost, internal_error("killed"), nullptr, 0, 0});
  };
  launcher.on_answer = [&](tasks::TaskId task, const tasks::BarrierReply& reply) {
    if (!reply.status.ok()) return;
    EXPECT_EQ(reply.messages->size(), 2u);
    scheduler.task_ended(task, {});
  };
  auto listener = std::make_shared<Ended>();
  const auto job = scheduler.new_job("session", "operation");
  scheduler.submit_gang({job, "train", {}, {nullptr, nullptr}, {}, {}, ""}, listener);
  const Status status = listener->wait();
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(listener->failed_attempts, 1);
  EXPECT_EQ(listener->succeeded.size(), 2u);
  bus.flush();
  std::string all;
  for (const auto& line : seen) all += line + "\n";
  for (const char* name :
       {"JobStarted", "StageSubmitted", "GangAttemptStarted", "TaskStarted", "GangAttemptFailed",
        "TaskKilled", "TaskFinished", "BarrierReleased", "StageFinished"}) {
    EXPECT_NE(all.find(name), std::string::npos) << name << "\n" << all;
  }
}

struct Work : tasks::TaskWork {};

// Makes input again where it was lost: what each kind of stage asks for.
struct MakesInput : Ended {
  void input_lost(int32_t partition, const Status& status) override {
    EXPECT_EQ(status.condition(), "STAGE_OUTPUT_LOST");
    lost.push_back(partition);
    on_lost(partition);
  }
  std::vector<int32_t> lost;
  std::function<void(int32_t)> on_lost;
};

TEST(Scheduler, AnAttemptAfterLostInputGetsTheNewInput) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  const auto old_work = std::make_shared<Work>();
  const auto new_work = std::make_shared<Work>();
  launcher.on_start = [&](const tasks::TaskContext& context) {
    const bool has_lost = launcher.works.at(context.partition).front() == old_work && context.partition == 1;
    const Status status = has_lost ? error("STAGE_OUTPUT_LOST", {{"reason", "cut off"}}) : Status();
    const auto failure = has_lost ? tasks::FailureKind::kInputLost : tasks::FailureKind::kNone;
    scheduler.task_ended(context.task, {failure, status, nullptr, 0, 0});
  };
  launcher.on_kill = [&](tasks::TaskId task) {
    scheduler.task_ended(task, {tasks::FailureKind::kWorkerLost, internal_error("killed"), nullptr, 0, 0});
  };
  const auto job = scheduler.new_job("session", "operation");

  auto gang = std::make_shared<MakesInput>();
  std::atomic<tasks::StageId> stage = 0;
  gang->on_lost = [&](int32_t) {
    while (stage == 0) std::this_thread::yield();
    scheduler.input_made(stage, {new_work, new_work});
  };
  stage = scheduler.submit_gang({job, "train", {}, {old_work, old_work}, {1}, {}, ""}, gang);
  EXPECT_TRUE(gang->wait().ok());
  EXPECT_EQ(gang->lost, std::vector<int32_t>{1});
  EXPECT_EQ(gang->failed_attempts, 1);

  auto tasks = std::make_shared<MakesInput>();
  stage = scheduler.submit_tasks({job, "map", {}, 1, 1, {}, ""}, tasks);
  std::promise<void> made;
  tasks->on_lost = [&](int32_t partition) {
    scheduler.add_task(stage, partition, new_work);
    made.set_value();
  };
  for (int32_t partition = 0; partition < 3; ++partition) scheduler.add_task(stage, partition, old_work);
  made.get_future().wait();
  scheduler.no_more_tasks(stage);
  EXPECT_TRUE(tasks->wait().ok());
  EXPECT_EQ(tasks->lost, std::vector<int32_t>{1});
  EXPECT_EQ(tasks->succeeded.size(), 3u);
  EXPECT_EQ(std::ranges::count(tasks->succeeded, std::pair<int32_t, int32_t>(1, 1)), 1);
}

TEST(Scheduler, ABarrierTimeoutComesByItself) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  launcher.on_start = [&](const tasks::TaskContext& context) {
    if (context.partition == 0) scheduler.barrier_requested(context.task, {});
  };
  launcher.on_kill = [&](tasks::TaskId task) {
    scheduler.task_ended(task, {tasks::FailureKind::kWorkerLost, internal_error("killed"), nullptr, 0, 0});
  };
  auto listener = std::make_shared<Ended>();
  scheduler.submit_gang({scheduler.new_job("s", "o"),
                         "train",
                         {},
                         {nullptr, nullptr},
                         {1, std::chrono::milliseconds(20)},
                         {},
                         ""},
                        listener);
  EXPECT_EQ(listener->wait().condition(), "BARRIER_STAGE_FAILED");
}

// Nobody is woken for a barrier: when nothing else is to be done, who tells of the last rank answers it.
TEST(Scheduler, ABarrierIsAnsweredByWhoTellsOfIt) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  std::promise<void> started;
  launcher.on_start = [&](const tasks::TaskContext& context) {
    if (context.partition == 1) started.set_value();
  };
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> is_own_thread{false};
  std::atomic<int> answers{0};
  launcher.on_answer = [&](tasks::TaskId, const tasks::BarrierReply& reply) {
    EXPECT_TRUE(reply.messages->empty());
    is_own_thread = is_own_thread || std::this_thread::get_id() == caller;
    ++answers;
  };
  const auto listener = std::make_shared<Ended>();
  scheduler.submit_gang({scheduler.new_job("s", "o"), "train", {}, {nullptr, nullptr}, {}, {}, ""}, listener);
  started.get_future().wait();
  for (int turn = 1; turn <= 1000 && !is_own_thread; ++turn) {
    scheduler.barrier_requested(1, {});
    scheduler.barrier_requested(2, {});
    while (answers < 2 * turn) std::this_thread::yield();
  }
  EXPECT_TRUE(is_own_thread);
  scheduler.stop();
}

// Threads that stand for ranks, jobs that come and are cancelled, and questions, all at once: each barrier is
// answered once, to all of its ranks, with all messages in order.
TEST(Scheduler, ManyThreadsAtOnce) {
  constexpr int kGangs = 4, kRanks = 4, kCalls = 300;
  FakeLauncher launcher;
  events::Bus bus;
  struct Rank {
    std::mutex mutex;
    std::condition_variable answered;
    std::vector<tasks::BarrierReply> replies;
  };
  std::mutex mutex;
  std::map<tasks::TaskId, std::shared_ptr<Rank>> ranks;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0}, good{0};
  std::optional<Scheduler> scheduler;
  const auto run_rank = [&](const tasks::TaskContext& context, const std::shared_ptr<Rank>& rank) {
    for (int call = 0; call < kCalls; ++call) {
      const bool gathers = call % 3 == 0;
      const std::string message = std::to_string(call) + "/" + std::to_string(context.partition);
      scheduler->barrier_requested(
          context.task,
          {gathers ? tasks::BarrierKind::kAllGather : tasks::BarrierKind::kBarrier, gathers ? message : ""});
      if (call % 7 == 0) scheduler->task_idle(context.task, steady_now());
      std::unique_lock lock(rank->mutex);
      if (!rank->answered.wait_for(lock, std::chrono::seconds(60), [&] { return !rank->replies.empty(); }) ||
          rank->replies.size() != 1 || !rank->replies[0].status.ok()) {
        ++wrong;
        break;
      }
      std::vector<std::string> expected;
      for (int other = 0; gathers && other < kRanks; ++other)
        expected.push_back(std::to_string(call) + "/" + std::to_string(other));
      ++(*rank->replies[0].messages == expected ? good : wrong);
      rank->replies.clear();
    }
    scheduler->task_ended(context.task, {});
  };
  launcher.on_start = [&](const tasks::TaskContext& context) {
    if (context.ranks != kRanks) return scheduler->task_ended(context.task, {});
    std::lock_guard lock(mutex);
    const auto rank = ranks[context.task] = std::make_shared<Rank>();
    threads.emplace_back([&run_rank, context, rank] { run_rank(context, rank); });
  };
  launcher.on_answer = [&](tasks::TaskId task, const tasks::BarrierReply& reply) {
    std::shared_ptr<Rank> rank;
    {
      std::lock_guard lock(mutex);
      rank = ranks.at(task);
    }
    std::lock_guard lock(rank->mutex);
    rank->replies.push_back(reply);
    rank->answered.notify_one();
  };
  scheduler.emplace(tasks::Machine{kGangs * kRanks + 1, {}}, launcher, bus);
  const auto job = scheduler->new_job("s", "o");
  std::vector<std::shared_ptr<Ended>> ended;
  for (int gang = 0; gang < kGangs; ++gang) {
    ended.push_back(std::make_shared<Ended>());
    scheduler->submit_gang(
        {job, "train", {}, std::vector<std::shared_ptr<const tasks::TaskWork>>(kRanks), {}, {}, ""},
        ended.back());
  }
  std::atomic<bool> are_done{false};
  std::thread others([&] {
    while (!are_done) {
      const auto other = scheduler->new_job("s", "other");
      const auto listener = std::make_shared<Ended>();
      const auto stage = scheduler->submit_tasks({other, "map", {}, 1, 4}, listener);
      scheduler->add_task(stage, 0, nullptr);
      EXPECT_TRUE(scheduler->waiting(job).empty());
      scheduler->cancel_job(other);
      EXPECT_EQ(listener->wait().condition(), "OPERATION_CANCELED");
    }
  });
  for (const auto& listener : ended) EXPECT_TRUE(listener->wait().ok());
  are_done = true;
  others.join();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(good, kGangs * kRanks * kCalls);
}

// stop() while others are in a turn of their own.
TEST(Scheduler, StoppingWhileBarriersAreAnswered) {
  for (int trial = 0; trial < 10; ++trial) {
    FakeLauncher launcher;
    events::Bus bus;
    Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
    std::promise<void> started;
    std::atomic<bool> has_stopped{false};
    std::atomic<int> answers{0}, late{0};
    launcher.on_start = [&](const tasks::TaskContext& context) {
      if (context.partition == 1) started.set_value();
    };
    launcher.on_answer = [&](tasks::TaskId, const tasks::BarrierReply&) { ++(has_stopped ? late : answers); };
    const auto listener = std::make_shared<Ended>();
    scheduler.submit_gang({scheduler.new_job("s", "o"), "train", {}, {nullptr, nullptr}, {}, {}, ""},
                          listener);
    started.get_future().wait();
    std::vector<std::thread> ranks;
    for (tasks::TaskId task = 1; task <= 2; ++task) {
      ranks.emplace_back([&, task] {
        while (!has_stopped) {
          scheduler.barrier_requested(task, {});
          std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
      });
    }
    while (answers < 10) std::this_thread::yield();
    scheduler.stop();
    has_stopped = true;
    for (std::thread& rank : ranks) rank.join();
    EXPECT_EQ(late, 0);
    EXPECT_EQ(listener->wait().condition(), "OPERATION_CANCELED");
  }
}

TEST(Scheduler, StoppingEndsWhatIsUnderWay) {
  FakeLauncher launcher;
  events::Bus bus;
  std::atomic<int> killed{0};
  launcher.on_kill = [&](tasks::TaskId) { ++killed; };
  auto listener = std::make_shared<Ended>();
  std::promise<void> started;
  launcher.on_start = [&](const tasks::TaskContext& context) {
    if (context.partition == 1) started.set_value();
  };
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  scheduler.submit_gang({scheduler.new_job("s", "o"), "train", {}, {nullptr, nullptr}, {}, {}, ""}, listener);
  started.get_future().wait();
  scheduler.stop();
  EXPECT_EQ(killed, 2);
  EXPECT_EQ(listener->wait().condition(), "OPERATION_CANCELED");
  scheduler.task_ended(1, {});
}

TEST(Scheduler, CancelEndsAStage) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  launcher.on_kill = [&](tasks::TaskId task) {
    scheduler.task_ended(task, {tasks::FailureKind::kWorkerLost, internal_error("killed"), nullptr, 0, 0});
  };
  auto listener = std::make_shared<Ended>();
  const auto job = scheduler.new_job("s", "o");
  const auto stage = scheduler.submit_tasks({job, "map", {}, 1, 4}, listener);
  scheduler.add_task(stage, 0, nullptr);
  scheduler.cancel_job(job);
  EXPECT_EQ(listener->wait().condition(), "OPERATION_CANCELED");
}

TEST(Scheduler, FewerRanksShareTheWorkOfAllInOrder) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  launcher.on_start = [&](const tasks::TaskContext& context) {
    EXPECT_EQ(context.ranks, 2);
    scheduler.task_ended(context.task, {});
  };
  std::vector<std::shared_ptr<const tasks::TaskWork>> works;
  for (int partition = 0; partition < 5; ++partition) works.push_back(std::make_shared<tasks::TaskWork>());
  core::GangRules rules;
  rules.min_ranks = 1;
  const auto listener = std::make_shared<Ended>();
  scheduler.submit_gang({scheduler.new_job("s", "o"), "train", {}, works, rules, {}, ""}, listener);
  EXPECT_TRUE(listener->wait().ok());
  EXPECT_EQ(launcher.works.at(0), std::vector(works.begin(), works.begin() + 2));
  EXPECT_EQ(launcher.works.at(1), std::vector(works.begin() + 2, works.end()));
}

TEST(Scheduler, AGangThatWaitsSaysWhereAndWhy) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  const auto job = scheduler.new_job("s", "o");
  const auto first = std::make_shared<Ended>(), second = std::make_shared<Ended>();
  scheduler.submit_gang({job, "train", {}, {nullptr, nullptr}, {}, {}, ""}, first);
  const auto stage = scheduler.submit_gang({job, "train", {}, {nullptr}, {}, {}, ""}, second);
  const auto waits = scheduler.waiting(job);
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].stage, stage);
  EXPECT_EQ(waits[0].position, 1);
  EXPECT_EQ(waits[0].reason, "needs 1 CPU, free: 0 CPUs");
  scheduler.stop();
  EXPECT_TRUE(scheduler.waiting(job).empty());
}

TEST(Scheduler, AGangWithMissingRanksIsLookedAtBeforeItFails) {
  FakeLauncher launcher;
  events::Bus bus;
  Scheduler scheduler(tasks::Machine{2, {}}, launcher, bus);
  std::vector<tasks::TaskId> looked_at;
  launcher.on_look = [&](const std::vector<tasks::TaskId>& tasks) {
    looked_at = tasks;
    scheduler.task_stacks(tasks.at(0), {"sleeping", "in wait\n"});
    scheduler.task_stacks(tasks.at(1), {"stopped", ""});
  };
  launcher.on_kill = [&](tasks::TaskId task) {
    scheduler.task_ended(task, {tasks::FailureKind::kWorkerLost, cancelled(), nullptr, 0, 0});
  };
  launcher.on_start = [&](const tasks::TaskContext& context) {
    if (context.partition == 0) scheduler.barrier_requested(context.task, {});
  };
  core::GangRules rules;
  rules.hang.timeout = std::chrono::milliseconds(20);
  rules.hang.policy = core::HangPolicy::kFail;
  const auto ended = std::make_shared<Ended>();
  scheduler.submit_gang({scheduler.new_job("s", "o"), "train", {}, {nullptr, nullptr}, rules, {}, ""}, ended);
  const Status status = ended->wait();
  EXPECT_EQ(looked_at, (std::vector<tasks::TaskId>{1, 2}));
  EXPECT_EQ(status.condition(), "GANG_HANGS");
  EXPECT_NE(status.detail().message.find("\nRank 1, its process is stopped and does not answer\n\n"
                                         "Rank 0, its process is sleeping:\nin wait\n"),
            std::string::npos)
      << status.detail().message;
}

}  // namespace
}  // namespace deuteron::scheduler
