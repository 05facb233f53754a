#include "events/bus.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "events/event_log.h"

namespace deuteron::events {
namespace {

TEST(Bus, DeliversInOrder) {
  std::vector<int64_t> stages;
  {
    Bus bus;
    bus.subscribe([&](const Event& event) { stages.push_back(std::get<StageFinished>(event.body).stage); });
    for (int64_t stage = 0; stage < 1000; ++stage) bus.publish(StageFinished{1, stage, ""});
  }
  ASSERT_EQ(stages.size(), 1000u);
  for (int64_t stage = 0; stage < 1000; ++stage) EXPECT_EQ(stages[stage], stage);
}

TEST(Bus, DropsTheOldestInsteadOfBlocking) {
  std::mutex gate;
  std::vector<int64_t> sequences;
  Bus bus(10);
  gate.lock();
  bus.subscribe([&](const Event& event) {
    std::lock_guard lock(gate);
    sequences.push_back(event.sequence);
  });
  for (int count = 0; count < 1000; ++count) bus.publish(JobCancelled{count});
  gate.unlock();
  bus.flush();
  EXPECT_EQ(bus.dropped() + sequences.size(), 1000u);
  EXPECT_EQ(sequences.back(), 1000);
}

TEST(EventLog, WritesLinesOfJson) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("event-log-test-" + std::to_string(getpid()));
  Bus bus;
  auto path = write_event_log(directory, bus);
  ASSERT_TRUE(path.ok());
  bus.publish(BarrierReleased{7, 1, 3, true, 12, 5, 2});
  bus.publish(StageFinished{1, 7, "bad \xff bytes"});
  bus.flush();
  std::ifstream file(*path);
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_NE(
      line.find(
          R"("event":"BarrierReleased","stage":7,"attempt":1,"epoch":3,"all_gather":true,"bytes":12,"skew_ms":5,"last_rank":2})"),
      std::string::npos)
      << line;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_NE(line.find(R"("event":"StageFinished")"), std::string::npos);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace deuteron::events
