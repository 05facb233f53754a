#include "execution/queue_settings.h"

#include <gtest/gtest.h>

namespace deuteron::execution {
namespace {

using scheduler::core::HangPolicy;
using scheduler::core::QueueMode;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(QueueSettings, NothingSetMeansTheDefaults) {
  const auto rules = gang_rules({{"spark.deuteron.gang.timeLimit", ""}});
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(rules->max_attempts, 4);
  EXPECT_TRUE(rules->stops_on_same_failure);
  EXPECT_FALSE(rules->time_limit.has_value());
  EXPECT_EQ(rules->hang.policy, HangPolicy::kWarn);
  EXPECT_FALSE(rules->is_preemptible);
  EXPECT_EQ(queue_policy({})->mode, QueueMode::kFifo);
  EXPECT_EQ(queue_rules({})->pool, "default");
}

TEST(QueueSettings, AGangsRulesAreRead) {
  const auto rules = gang_rules({{"spark.stage.maxConsecutiveAttempts", "7"},
                                 {"spark.barrier.sync.timeout", "90"},
                                 {"spark.deuteron.gang.timeLimit", "2h"},
                                 {"spark.deuteron.gang.expectedDuration", "90min"},
                                 {"spark.deuteron.gang.backoff", "10ms"},
                                 {"spark.deuteron.gang.stopOnSameFailure", "true"},
                                 {"spark.deuteron.gang.minRanks", "3"},
                                 {"spark.deuteron.gang.preemptible", "true"},
                                 {"spark.deuteron.gang.preemption.notice", "2m"},
                                 {"spark.deuteron.gang.hang.policy", "relaunch"},
                                 {"spark.deuteron.gang.hang.timeout", "0"}});
  ASSERT_TRUE(rules.ok()) << rules.status().to_string();
  EXPECT_EQ(rules->max_attempts, 7);
  EXPECT_EQ(rules->barrier_timeout, seconds(90));
  EXPECT_EQ(rules->time_limit, std::chrono::hours(2));
  EXPECT_EQ(rules->expected, std::chrono::minutes(90));
  EXPECT_EQ(rules->backoff, milliseconds(10));
  EXPECT_TRUE(rules->stops_on_same_failure);
  EXPECT_EQ(rules->min_ranks, 3);
  EXPECT_TRUE(rules->is_preemptible);
  EXPECT_EQ(rules->notice, std::chrono::minutes(2));
  EXPECT_EQ(rules->hang.policy, HangPolicy::kRelaunch);
  EXPECT_FALSE(rules->hang.timeout.has_value()) << "0 turns it off";
}

TEST(QueueSettings, WhoSaysHowManyAttemptsThereAreGetsThem) {
  EXPECT_FALSE(gang_rules({{"spark.stage.maxConsecutiveAttempts", "4"}})->stops_on_same_failure);
  EXPECT_FALSE(gang_rules({{"spark.deuteron.gang.stopOnSameFailure", "false"}})->stops_on_same_failure);
}

TEST(QueueSettings, NothingIsLongEnoughToOverflow) {
  const auto rules = gang_rules(
      {{"spark.deuteron.gang.timeLimit", "106000d"}, {"spark.deuteron.gang.hang.factor", "2000000000"}});
  ASSERT_TRUE(rules.ok()) << rules.status().to_string();
  EXPECT_EQ(rules->time_limit, std::chrono::hours(24 * 3650));
  EXPECT_EQ(rules->hang.factor, 1000);
}

TEST(QueueSettings, PoolsAreNamedInTheKeys) {
  const auto policy = queue_policy({{"spark.scheduler.mode", "FAIR"},
                                    {"spark.deuteron.scheduler.pool.a.b.weight", "3"},
                                    {"spark.deuteron.scheduler.pool.c.minShare", "2"},
                                    {"spark.deuteron.scheduler.patience", "30s"}});
  ASSERT_TRUE(policy.ok()) << policy.status().to_string();
  EXPECT_EQ(policy->mode, QueueMode::kFair);
  EXPECT_EQ(policy->pools.at("a.b").weight, 3);
  EXPECT_EQ(policy->pools.at("c").min_share, 2);
  EXPECT_EQ(policy->patience, seconds(30));
}

TEST(QueueSettings, WhatCannotBeTakenIsAnError) {
  EXPECT_EQ(gang_rules({{"spark.deuteron.gang.timeLimit", "soon"}}).status().condition(),
            "INVALID_CONF_VALUE.TYPE_MISMATCH");
  EXPECT_EQ(gang_rules({{"spark.deuteron.gang.hang.policy", "shrug"}}).status().condition(),
            "INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS");
  EXPECT_EQ(gang_rules({{"spark.stage.maxConsecutiveAttempts", "0"}}).status().condition(),
            "INVALID_CONF_VALUE.REQUIREMENT");
  EXPECT_EQ(queue_rules({{"spark.deuteron.scheduler.priority", "high"}}).status().condition(),
            "INVALID_CONF_VALUE.TYPE_MISMATCH");
  EXPECT_EQ(queue_policy({{"spark.scheduler.mode", "LIFO"}}).status().condition(),
            "INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS");
}

}  // namespace
}  // namespace deuteron::execution
