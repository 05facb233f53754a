#include "session/name_pattern.h"

#include <gtest/gtest.h>

namespace deuteron::session {
namespace {

TEST(NamePattern, MatchesAsSparkDoes) {
  EXPECT_TRUE(matches_pattern("orders", ""));
  EXPECT_TRUE(matches_pattern("orders", "o*s"));
  EXPECT_TRUE(matches_pattern("orders", "ORD*"));
  EXPECT_TRUE(matches_pattern("orders", "x*|orders"));
  EXPECT_TRUE(matches_pattern("orders", "**"));
  EXPECT_FALSE(matches_pattern("orders", "ord"));
  EXPECT_FALSE(matches_pattern("orders", "o*x|y"));
  EXPECT_FALSE(matches_pattern("", "x"));
}

}  // namespace
}  // namespace deuteron::session
