#include "server/logs_command.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace deuteron::server {
namespace {

using events::LogLine;
using events::LogOrigin;

LogLine line(LogOrigin origin, std::string text) {
  return {1'795'601'472'123'456, std::make_shared<const LogOrigin>(std::move(origin)), std::move(text)};
}

TEST(LogsCommand, ShowsWhoSaysALine) {
  EXPECT_EQ(show_line(line({"rank", "s", "1234abcd-ef", 7, 0, 1}, "loss 0.5")),
            "2026-11-25T10:11:12.123456Z rank 1 attempt 0 op 1234abcd | loss 0.5");
  EXPECT_EQ(show_line(line({"engine", "s", "1234abcd-ef", 7, 0, 1}, "failed")),
            "2026-11-25T10:11:12.123456Z engine rank 1 attempt 0 op 1234abcd | failed");
  EXPECT_EQ(show_line(line({.source = "server"}, "starts")), "2026-11-25T10:11:12.123456Z server | starts");
}

TEST(LogsCommand, MakesControlCharactersVisible) {
  EXPECT_EQ(show_line(line({.source = "server"}, "\x1b[2J\tä\x7f")),
            "2026-11-25T10:11:12.123456Z server | \\x1b[2J\tä\\x7f");
}

TEST(LogsCommand, FiltersByOperationSessionRankAndTime) {
  const LogLine one = line({"rank", "session", "operation", 7, 0, 1}, "");
  EXPECT_TRUE(matches({}, 0, one));
  EXPECT_TRUE(matches({.operation = "oper", .session = "sess", .rank = 1}, one.time_micros, one));
  EXPECT_FALSE(matches({.operation = "other"}, 0, one));
  EXPECT_FALSE(matches({.session = "other"}, 0, one));
  EXPECT_FALSE(matches({.rank = 0}, 0, one));
  EXPECT_FALSE(matches({}, one.time_micros + 1, one));
}

TEST(LogsCommand, SinceIsADurationOrATime) {
  constexpr int64_t kNow = 1'795'601'472'000'000;  // 2026-11-25T10:11:12Z
  EXPECT_EQ(parse_since("90s", kNow), kNow - 90'000'000);
  EXPECT_EQ(parse_since("10min", kNow), kNow - 600'000'000);
  EXPECT_EQ(parse_since("2026-11-25T10:11:12", 0), kNow);
  EXPECT_EQ(parse_since("2026-11-25T10:11:12.5Z", 0), kNow + 500'000);
  EXPECT_EQ(parse_since("2026-11-25 10:11:12", 0), kNow);
  EXPECT_EQ(parse_since("2026-11-25", 0), kNow - (10 * 3600 + 11 * 60 + 12) * int64_t{1'000'000});
  EXPECT_EQ(parse_since("yesterday", kNow), std::nullopt);
  EXPECT_EQ(parse_since("2026-11-25T10:11:12 o'clock", kNow), std::nullopt);
}

TEST(LogsCommand, ShowsTheOldFileBeforeTheNewOne) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("logs-command-test-" + std::to_string(getpid()));
  {
    auto log = events::ServerLog::open(directory, 1500);
    ASSERT_TRUE(log.ok());
    for (int count = 0; count < 40; ++count) {
      (*log)->append(line({"rank", "s", "o", 1, 0, count % 2}, "number " + std::to_string(count)));
    }
  }
  std::ostringstream all;
  ASSERT_TRUE(show_logs({.directory = directory}, all).ok());
  const std::string text = all.str();
  EXPECT_LT(text.find("number 38\n"), text.find("number 39\n"));
  EXPECT_GT(std::count(text.begin(), text.end(), '\n'), 10) << text;
  std::ostringstream of_rank;
  ASSERT_TRUE(show_logs({.directory = directory, .rank = 1}, of_rank).ok());
  EXPECT_EQ(of_rank.str().find("number 38\n"), std::string::npos);
  EXPECT_NE(of_rank.str().find("number 39\n"), std::string::npos);
  std::filesystem::remove_all(directory);
  std::ostringstream none;
  EXPECT_NE(show_logs({.directory = directory}, none).to_string().find("no log in"), std::string::npos);
}

}  // namespace
}  // namespace deuteron::server
