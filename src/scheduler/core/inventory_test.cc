#include "scheduler/core/inventory.h"

#include <gtest/gtest.h>

namespace deuteron::scheduler::core {
namespace {

using tasks::kWhole;
using tasks::Machine;
using tasks::Resource;

// Eight gpus: two NUMA nodes, in each two pairs with a fast link.
Machine large_machine() {
  Resource gpus{{"0", "1", "2", "3", "4", "5", "6", "7"},
                {{0, 1, 2, 3}, {4, 5, 6, 7}, {0, 1}, {2, 3}, {4, 5}, {6, 7}}};
  return {64, {{"gpu", gpus}}, int64_t{64} << 30};
}

Demand gpus(double each, int32_t tasks = 1) {
  return {{1, {{"gpu", static_cast<Amount>(each * kWhole)}}}, tasks};
}

class InventoryTest : public ::testing::Test {
 protected:
  using Addresses = std::vector<std::string>;

  // By task.
  std::vector<Addresses> take(const Demand& demand) {
    EXPECT_TRUE(inventory_.fits(demand));
    const Allocation given = inventory_.allocate(demand);
    inventory_.take(given);
    taken_.push_back(given);
    std::vector<Addresses> found;
    for (int32_t task = 0; task < demand.tasks; ++task)
      found.push_back(inventory_.addresses(given, task)["gpu"]);
    return found;
  }
  void give_back(size_t number) { inventory_.give_back(taken_.at(number)); }

  Inventory inventory_{large_machine()};
  std::vector<Allocation> taken_;
};

TEST_F(InventoryTest, NeighboursAreTakenAndLargeGroupsAreLeftWhole) {
  EXPECT_EQ(take(gpus(1)), (std::vector<Addresses>{{"0"}}));
  EXPECT_EQ(take(gpus(2)), (std::vector<Addresses>{{"2", "3"}})) << "a pair, of the node that is not whole";
  EXPECT_EQ(take(gpus(4)), (std::vector<Addresses>{{"4", "5", "6", "7"}}));
  EXPECT_EQ(take(gpus(1)), (std::vector<Addresses>{{"1"}}));
  EXPECT_FALSE(inventory_.fits(gpus(1)));
}

TEST_F(InventoryTest, TheRanksOfAGangAreNeighboursAndEachRanksGpusToo) {
  take(gpus(1));
  EXPECT_EQ(take(gpus(2, 2)), (std::vector<Addresses>{{"4", "5"}, {"6", "7"}}));
  EXPECT_EQ(take(gpus(1, 3)), (std::vector<Addresses>{{"1"}, {"2"}, {"3"}}));
}

TEST_F(InventoryTest, WhatFitsNoGroupTakesTheFullestParts) {
  take(gpus(1));
  take(gpus(1, 1));
  give_back(0);  // 1 is taken, so the first node has three
  EXPECT_EQ(take(gpus(3)), (std::vector<Addresses>{{"0", "2", "3"}}));
  EXPECT_EQ(take(gpus(3)), (std::vector<Addresses>{{"4", "5", "6"}}));
}

TEST_F(InventoryTest, PartsShareAnAddress) {
  EXPECT_EQ(take(gpus(0.5, 3)), (std::vector<Addresses>{{"0"}, {"0"}, {"1"}}));
  EXPECT_EQ(take(gpus(0.25)), (std::vector<Addresses>{{"1"}}));
  EXPECT_EQ(take(gpus(6)), (std::vector<Addresses>{{"2", "3", "4", "5", "6", "7"}}));
  EXPECT_FALSE(inventory_.fits(gpus(1))) << "a quarter is free, not a whole one";
  EXPECT_TRUE(inventory_.fits(gpus(0.25)));
  give_back(0);
  EXPECT_TRUE(inventory_.fits(gpus(1)));
  EXPECT_FALSE(inventory_.fits(gpus(2))) << "a quarter of the other is in use";
  EXPECT_FALSE(inventory_.fits(gpus(0.6, 3))) << "three quarters and one have room for two";
}

TEST_F(InventoryTest, WhatIsLeftOutServesOnlyThoseWhoNeedAll) {
  inventory_.leave_out("gpu", 0, true);
  EXPECT_EQ(take(gpus(1)), (std::vector<Addresses>{{"1"}}));
  give_back(0);
  EXPECT_TRUE(inventory_.fits(gpus(8)));
  EXPECT_TRUE(inventory_.is_left_out(inventory_.allocate(gpus(8))));
  take(gpus(7));
  EXPECT_FALSE(inventory_.fits(gpus(1))) << "it waits for another";
  inventory_.leave_out("gpu", 0, false);
  EXPECT_TRUE(inventory_.fits(gpus(1)));
}

TEST_F(InventoryTest, AGoingAroundLeavesWhatIsNeeded) {
  take(gpus(6));
  EXPECT_TRUE(inventory_.leaves(gpus(1), gpus(1)));
  EXPECT_FALSE(inventory_.leaves(gpus(2), gpus(1)));
  EXPECT_FALSE(inventory_.leaves(gpus(0.1), gpus(4))) << "it lacks gpus, so nobody takes one";
  EXPECT_TRUE(inventory_.leaves({{1, {}}, 1}, gpus(4)));
  const Demand memory{{1, {}, int64_t{40} << 30}, 1};
  EXPECT_TRUE(inventory_.fits(memory));
  EXPECT_FALSE(inventory_.leaves(memory, memory));
}

TEST_F(InventoryTest, WhatNoNumberCanSayDoesNotFit) {
  const Demand memory{{1, {}, int64_t{1} << 60}, 16};
  EXPECT_FALSE(inventory_.fits(memory));
  EXPECT_GT(memory.memory(), int64_t{1} << 60);
  const Slots much{1, {{"gpu", 1'000'000 * kWhole}}};
  EXPECT_EQ(check_gang(much, 1 << 30, large_machine()).condition(), "BARRIER_STAGE_TOO_LARGE");
}

TEST_F(InventoryTest, TellsWhatThereIs) {
  EXPECT_EQ(inventory_.describe(), "64 CPUs and 8 gpu and 65536 MiB of memory");
  EXPECT_EQ(describe(gpus(0.25, 2)), "2 CPUs and 0.5 gpu");
  const Status status = check_gang(gpus(1).each, 9, large_machine());
  EXPECT_EQ(status.condition(), "BARRIER_STAGE_TOO_LARGE");
  EXPECT_TRUE(check_gang(gpus(1).each, 8, large_machine()).ok());
}

}  // namespace
}  // namespace deuteron::scheduler::core
