#include "execution/spark_random.h"

#include <gtest/gtest.h>

namespace deuteron::execution {
namespace {

// What Apache Spark answers to range(0, 6, 1, 2).select(rand(42)) and randn(42): three rows of partition 0,
// then three of partition 1.
TEST(SparkRandom, DrawsSparksNumbers) {
  SparkRandom first(42);
  EXPECT_EQ(first.next_double(), 0.619189370225301);
  EXPECT_EQ(first.next_double(), 0.5096018842446481);
  EXPECT_EQ(first.next_double(), 0.8325259388871524);
  SparkRandom second(43);
  EXPECT_EQ(second.next_double(), 0.8017532427858894);
  EXPECT_EQ(second.next_double(), 0.6565552949992319);
  EXPECT_EQ(second.next_double(), 0.2515595782593636);
}

TEST(SparkRandom, NormalNumbersComeInPairs) {
  SparkRandom first(42);
  EXPECT_DOUBLE_EQ(first.next_gaussian(), 2.384479054241165);
  EXPECT_DOUBLE_EQ(first.next_gaussian(), 0.1920934041293524);
  EXPECT_DOUBLE_EQ(first.next_gaussian(), 0.7337336533286575);
}

TEST(SparkRandom, NegativeSeed) { EXPECT_EQ(SparkRandom(-5).next_double(), 0.7332337014740989); }

}  // namespace
}  // namespace deuteron::execution
