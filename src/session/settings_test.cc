#include "session/settings.h"

#include <gtest/gtest.h>

namespace deuteron::session {
namespace {

TEST(SessionSettings, ValueStandsBeforeServerDefaultBeforeSparkDefault) {
  SessionSettings settings(std::map<std::string, std::string>{{"spark.sql.shuffle.partitions", "7"}});
  EXPECT_EQ(*settings.get("spark.sql.shuffle.partitions"), "7");
  EXPECT_EQ(*settings.get("spark.sql.session.timeZone"), "UTC");
  ASSERT_TRUE(settings.set("spark.sql.shuffle.partitions", "9").ok());
  EXPECT_EQ(*settings.get("spark.sql.shuffle.partitions"), "9");
  ASSERT_TRUE(settings.unset("spark.sql.shuffle.partitions").ok());
  EXPECT_EQ(*settings.get("spark.sql.shuffle.partitions"), "7");
}

TEST(SessionSettings, KnowsWhatItDoesNotKnow) {
  SessionSettings settings({});
  EXPECT_EQ(settings.get("no.such.key").status().condition(), "SQL_CONF_NOT_FOUND");
  ASSERT_TRUE(settings.set("my.own.key", "x").ok()) << "users keep their own keys here";
  EXPECT_EQ(*settings.get("my.own.key"), "x");
}

TEST(SessionSettings, TheAskersDefaultStandsBeforeTheOneOfAnSqlKey) {
  SessionSettings settings(std::map<std::string, std::string>{{"spark.sql.shuffle.partitions", "7"}});
  EXPECT_EQ(*settings.get_or("spark.sql.ansi.enabled", "false"), "false");
  EXPECT_EQ(*settings.get_or("spark.sql.ansi.enabled", std::nullopt), std::nullopt);
  EXPECT_EQ(settings.get_or("spark.sql.ansi.enabled", "perhaps").status().condition(),
            "INVALID_CONF_VALUE.TYPE_MISMATCH");
  EXPECT_EQ(*settings.get_or("spark.sql.shuffle.partitions", "9"), "7");
  EXPECT_EQ(*settings.get_or("spark.master", "x"), *settings.get("spark.master"));
  EXPECT_EQ(*settings.get_or("no.such.key", "x"), "x");
}

TEST(SessionSettings, RefusesValuesThatAKeyCannotTake) {
  SessionSettings settings({});
  EXPECT_EQ(settings.set("spark.sql.ansi.enabled", "perhaps").condition(),
            "INVALID_CONF_VALUE.TYPE_MISMATCH");
  EXPECT_EQ(settings.set("spark.task.cpus", "many").condition(), "INVALID_CONF_VALUE.TYPE_MISMATCH");
  EXPECT_EQ(settings.set("spark.sql.session.timeZone", "../../etc/passwd").condition(),
            "INVALID_CONF_VALUE.TIME_ZONE");
  EXPECT_TRUE(settings.set("spark.sql.session.timeZone", "+02:00").ok());
  EXPECT_EQ(settings.set("spark.deuteron.gang.timeLimit", "soon").condition(),
            "INVALID_CONF_VALUE.TYPE_MISMATCH");
  EXPECT_EQ(settings.set("spark.deuteron.gang.hang.policy", "shrug").condition(),
            "INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS");
  EXPECT_TRUE(settings.set("spark.deuteron.gang.timeLimit", "2h").ok());
  EXPECT_EQ(settings.set("spark.master", "yarn").condition(), "CANNOT_MODIFY_STATIC_CONFIG");
}

TEST(SessionSettings, CopiesAreIndependent) {
  SessionSettings original({});
  ASSERT_TRUE(original.set("a", "1").ok());
  SessionSettings copy(original);
  ASSERT_TRUE(copy.set("a", "2").ok());
  EXPECT_EQ(*original.get("a"), "1");
}

}  // namespace
}  // namespace deuteron::session
