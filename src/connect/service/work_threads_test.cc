#include "connect/service/work_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace deuteron::connect {
namespace {

TEST(WorkThreads, RunsBlockingWorkSideBySide) {
  constexpr int kWorkers = 8;
  std::latch all_running(kWorkers);
  std::atomic<int> done = 0;
  {
    WorkThreads threads(kWorkers);
    for (int i = 0; i < kWorkers; ++i) {
      threads.post([&] {
        all_running.arrive_and_wait();  // would never return if one of them had to wait for another's thread
        ++done;
      });
    }
  }
  EXPECT_EQ(done, kWorkers);
}

TEST(WorkThreads, RunsMoreWorkThanItHasThreads) {
  std::atomic<int> done = 0;
  {
    WorkThreads threads(2);
    for (int i = 0; i < 100; ++i) threads.post([&] { ++done; });
  }
  EXPECT_EQ(done, 100) << "the destructor waits for all work";
}

}  // namespace
}  // namespace deuteron::connect
