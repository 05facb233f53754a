#include "events/server_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "events/event_lines.h"

namespace deuteron::events {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const LogOrigin> rank(int64_t number) {
  return std::make_shared<const LogOrigin>(LogOrigin{"rank", "session", "operation", 7, 1, number});
}

class ServerLogTest : public testing::Test {
 protected:
  ServerLogTest() : directory_(fs::temp_directory_path() / ("server-log-test-" + std::to_string(getpid()))) {
    fs::remove_all(directory_);
  }
  ~ServerLogTest() override { fs::remove_all(directory_); }

  std::unique_ptr<ServerLog> open(uint64_t file_bytes = 1 << 20) {
    auto log = ServerLog::open(directory_, file_bytes);
    EXPECT_TRUE(log.ok()) << log.status().to_string();
    return *std::move(log);
  }

  std::vector<LogLine> lines(const std::string& name = ServerLog::kFileName) const {
    std::ifstream file(directory_ / name);
    std::vector<LogLine> found;
    for (std::string text; std::getline(file, text);) {
      auto line = parse_log_line(text);
      EXPECT_TRUE(line) << text;
      if (line) found.push_back(*std::move(line));
    }
    return found;
  }

  const fs::path directory_;
};

TEST_F(ServerLogTest, LinesComeBackAsTheyWere) {
  open()->append({123456, rank(2), "a \"text\"\twith \x1b and ä"});
  const auto found = lines();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].time_micros, 123456);
  EXPECT_EQ(*found[0].origin, *rank(2));
  EXPECT_EQ(found[0].text, "a \"text\"\twith \x1b and ä");
}

TEST_F(ServerLogTest, LinesAreInTheOrderOfTimeAlsoWhenTheyCameLate) {
  const auto log = open();
  const int64_t now = wall_clock_micros();
  log->append({now + 2, rank(0), "third"});
  log->append({now, rank(1), "first"});
  log->append({now + 1, rank(2), "second"});
  log->flush();
  log->append({now - 1000, rank(0), "too late"});
  log->flush();
  std::string order;
  int64_t last = 0;
  for (const LogLine& line : lines()) {
    order += line.text + " ";
    EXPECT_GE(line.time_micros, last);
    last = line.time_micros;
  }
  EXPECT_EQ(order, "first second third too late ");
}

TEST_F(ServerLogTest, ALongTextIsCutAndSaysSo) {
  open()->append(rank(0), std::string(ServerLog::kLongestText + 5, 'x'));
  const auto found = lines();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].text, std::string(ServerLog::kLongestText, 'x') + " … (5 bytes more)");
}

TEST_F(ServerLogTest, TwoFilesIsAllThereIs) {
  {
    const auto log = open(10'000);
    for (int count = 0; count < 2000; ++count) log->append(rank(0), "line " + std::to_string(count));
  }
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    EXPECT_LE(entry.file_size(), 10'000u);
    ++files;
  }
  EXPECT_EQ(files, 2u);
  EXPECT_EQ(lines().back().text, "line 1999");
  EXPECT_FALSE(lines(ServerLog::kOldFileName).empty());
}

TEST_F(ServerLogTest, WhatDoesNotFitIntoTheQueueIsCounted) {
  const std::string text(8000, 'x');
  uint64_t lost = 0;
  size_t written = 0;
  {
    const auto log = open(uint64_t{1} << 30);
    for (int count = 0; count < 5000; ++count) log->append(rank(0), text);
  }
  for (const LogLine& line : lines()) {
    if (line.origin->source == "server") {
      lost += std::stoull(line.text);
    } else {
      ++written;
    }
  }
  EXPECT_EQ(lost + written, 5000u);
}

TEST_F(ServerLogTest, ItIsPrivateAndHasOneWriter) {
  const auto log = open();
  struct stat status {};
  ASSERT_EQ(stat((directory_ / ServerLog::kFileName).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto other = ServerLog::open(directory_, 1 << 20);
  EXPECT_NE(other.status().to_string().find("another server"), std::string::npos);
}

TEST_F(ServerLogTest, WhatIsNoLineIsNone) {
  for (const char* text :
       {"", "{", "[]", "{\"time\":1}", "{\"time\":\"x\",\"text\":\"\"}", "{\"time\":1,\"text\":2}"}) {
    EXPECT_FALSE(parse_log_line(text)) << text;
  }
}

TEST(EventLines, AGangThatStartsAgain) {
  EventLines lines;
  EXPECT_TRUE(lines.lines_of({1, 10, JobStarted{5, "session", "operation"}}).empty());
  EXPECT_TRUE(lines.lines_of({2, 20, StageSubmitted{5, 9, "gang", "train", 2, 1}}).empty());
  const auto first = lines.lines_of({3, 30, GangAttemptStarted{9, 0, 2}});
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].text, "the gang train of 2 ranks starts");
  EXPECT_EQ(*first[0].origin, (LogOrigin{"engine", "session", "operation", 9, 0, -1}));
  const auto failed = lines.lines_of({4, 40, GangAttemptFailed{9, 0, 1, "killed\nby a signal"}});
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed[0].text, "the attempt has failed: killed");
  EXPECT_EQ(failed[0].origin->rank, 1);
  EXPECT_EQ(failed[1].text, "by a signal");
  EXPECT_EQ(failed[1].time_micros, 40);
  EXPECT_EQ(lines.lines_of({5, 50, GangAttemptStarted{9, 1, 2}})[0].text,
            "the gang train of 2 ranks starts again");
  EXPECT_EQ(lines.lines_of({6, 60, RanksMissing{9, 1, 3, "0, 2", 1530, "warn"}})[0].text,
            "others wait at barrier 3 since 1.5 s for rank 0, 2 (policy: warn)");
  EXPECT_EQ(lines.lines_of({7, 70, StageFinished{5, 9, ""}})[0].text, "the gang has ended well");
  EXPECT_TRUE(lines.lines_of({8, 80, OperationFinished{"session", "operation", ""}}).empty());
}

}  // namespace
}  // namespace deuteron::events
