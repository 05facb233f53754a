#include "worker_pool/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <thread>

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

TEST(EventLoop, RunsPostedFunctionsInOrderAndTimersByTime) {
  EventLoop loop;
  std::string order;
  loop.call_after(milliseconds(20), [&] {
    order += "late ";
    loop.post([&] { order += "posted "; });
    loop.post([&] { loop.stop(); });
  });
  loop.call_after(milliseconds(5), [&] { order += "early "; });
  const EventLoop::TimerId cancelled = loop.call_after(milliseconds(1), [&] { order += "never "; });
  loop.cancel_timer(cancelled);
  std::thread([&] { loop.post([&] { order += "first "; }); }).join();
  loop.run();
  EXPECT_EQ(order, "first early late posted ");
}

TEST(EventLoop, AHandlerMayUnwatchItselfAndOthers) {
  EventLoop loop;
  int one[2];
  int two[2];
  ASSERT_EQ(pipe(one), 0);
  ASSERT_EQ(pipe(two), 0);
  ASSERT_EQ(write(one[1], "x", 1), 1);
  ASSERT_EQ(write(two[1], "x", 1), 1);
  int calls = 0;
  const auto handler = [&](uint32_t) {
    ++calls;
    loop.unwatch(one[0]);
    loop.unwatch(two[0]);
  };
  loop.watch(one[0], EPOLLIN, handler);
  loop.watch(two[0], EPOLLIN, handler);
  loop.call_after(milliseconds(20), [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(calls, 1);
  for (const int descriptor : {one[0], one[1], two[0], two[1]}) close(descriptor);
}

}  // namespace
}  // namespace deuteron::worker_pool
