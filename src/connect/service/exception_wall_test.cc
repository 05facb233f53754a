#include "connect/service/exception_wall.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace deuteron::connect {
namespace {

TEST(ExceptionWall, HandsOnWhatTheWorkAnswers) {
  EXPECT_TRUE(behind_wall([] { return Status(); }).ok());
  EXPECT_EQ(behind_wall([] { return cancelled(); }).condition(), cancelled().condition());
}

TEST(ExceptionWall, MakesAnErrorOfWhatIsThrown) {
  const Status status = behind_wall([]() -> Status { throw std::length_error("too long"); });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.condition(), "INTERNAL_ERROR");
  EXPECT_NE(status.to_string().find("too long"), std::string::npos);
}

}  // namespace
}  // namespace deuteron::connect
