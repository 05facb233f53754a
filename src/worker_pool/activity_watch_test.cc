#include "worker_pool/activity_watch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <thread>

namespace deuteron::worker_pool {
namespace {

using std::chrono::seconds;

// Runs `shell` in a process of its own, watched, until the test ends.
class Watching : public ::testing::Test {
 protected:
  void watch(const char* shell) {
    process_ = fork();
    if (process_ == 0) {
      setpgid(0, 0);
      execl("/bin/sh", "sh", "-c", shell, nullptr);
      _exit(127);
    }
    loop_.post([this] { watch_.add(7, process_); });
    thread_ = std::thread([this] { loop_.run(); });
  }
  void TearDown() override {
    kill(-process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    loop_.stop();
    thread_.join();
  }
  bool becomes_idle() { return told_[0].get_future().wait_for(seconds(20)) == std::future_status::ready; }
  bool becomes_active() { return told_[1].get_future().wait_for(seconds(20)) == std::future_status::ready; }

  EventLoop loop_;
  std::promise<void> told_[2];  // the first time
  int count_ = 0;
  ActivityWatch watch_{loop_, [this](tasks::TaskId task, std::optional<SteadyTime> since) {
                         EXPECT_EQ(task, 7);
                         EXPECT_EQ(since.has_value(), count_ % 2 == 0) << "it changes each time";
                         if (since) {
                           EXPECT_LE(*since, steady_now());
                         }
                         if (count_ < 2) told_[count_].set_value();
                         ++count_;
                       }};
  pid_t process_ = -1;
  std::thread thread_;
};

TEST_F(Watching, AProcessThatSleepsIsIdle) {
  watch("exec sleep 60");
  EXPECT_TRUE(becomes_idle());
}

TEST_F(Watching, AProcessThatLooksAgainAndAgainIsIdle) {
  watch("exec python3 -c 'import time\nwhile True: time.sleep(0.05)'");
  EXPECT_TRUE(becomes_idle());
}

TEST_F(Watching, AStoppedProcessIsIdleUntilItGoesOn) {
  watch("while :; do :; done");
  kill(process_, SIGSTOP);
  ASSERT_TRUE(becomes_idle());
  kill(process_, SIGCONT);
  EXPECT_TRUE(becomes_active());
}

TEST_F(Watching, WhatItHasStartedCounts) {
  // In a session of its own, so that it must end by itself.
  watch("setsid sh -c 'sleep 1; while kill -0 $PPID 2>/dev/null; do :; done' & wait");
  ASSERT_TRUE(becomes_idle());
  EXPECT_TRUE(becomes_active());
  kill(-process_, SIGKILL);
}

}  // namespace
}  // namespace deuteron::worker_pool
