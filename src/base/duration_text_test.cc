#include "base/duration_text.h"

#include <gtest/gtest.h>

namespace deuteron {
namespace {

using std::chrono::seconds;

TEST(DurationText, UnitsAreSparks) {
  EXPECT_EQ(parse_duration("90", seconds(1)), seconds(90));
  EXPECT_EQ(parse_duration("90", std::chrono::milliseconds(1)), std::chrono::milliseconds(90));
  EXPECT_EQ(parse_duration("250ms", seconds(1)), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_duration("2m", seconds(1)), seconds(120));
  EXPECT_EQ(parse_duration("2min", seconds(1)), seconds(120));
  EXPECT_EQ(parse_duration("365d", seconds(1)), std::chrono::hours(24 * 365));
}

TEST(DurationText, OtherTextIsNone) {
  for (const char* text : {"", "s", "1.5s", "-1s", "1 s", "1w", "99999999999d", "1ss"})
    EXPECT_FALSE(parse_duration(text, seconds(1)).has_value()) << text;
}

}  // namespace
}  // namespace deuteron
