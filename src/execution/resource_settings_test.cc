#include "execution/resource_settings.h"

#include <gtest/gtest.h>

namespace deuteron::execution {
namespace {

using tasks::kWhole;

TEST(ResourceSettings, ATaskTakesOneCpuUnlessItIsTold) {
  EXPECT_EQ(*task_slots({}), tasks::Slots{});
  const auto slots = *task_slots({{"spark.task.cpus", "2"},
                                  {"spark.task.resource.gpu.amount", "0.25"},
                                  {"spark.task.resource.mig-1g.10gb.amount", "2"},
                                  {"spark.task.resource.fpga.amount", "0"}});
  EXPECT_EQ(slots.cpus, 2);
  EXPECT_EQ(slots.resources.at("gpu"), kWhole / 4);
  EXPECT_EQ(slots.resources.at("mig-1g.10gb"), 2 * kWhole);
  EXPECT_EQ(slots.resources.count("fpga"), 0u);
}

TEST(ResourceSettings, AThirdFitsThrice) {
  const auto slots = *task_slots({{"spark.task.resource.gpu.amount", "0.3333333333"}});
  EXPECT_LE(3 * slots.resources.at("gpu"), kWhole);
}

TEST(ResourceSettings, AmountsThatMakeNoSenseAreErrors) {
  for (const char* amount : {"1.5", "-1", "two", "nan", "inf", "1e300", "0.0000001"}) {
    const auto slots = task_slots({{"spark.task.resource.gpu.amount", amount}});
    ASSERT_FALSE(slots.ok()) << amount;
    EXPECT_EQ(slots.status().condition(), "INVALID_CONF_VALUE.REQUIREMENT") << amount;
  }
  EXPECT_FALSE(task_slots({{"spark.task.cpus", "0"}}).ok());
  EXPECT_FALSE(task_slots({{"spark.executor.pyspark.memory", "much"}}).ok());
}

TEST(ResourceSettings, MemoryIsTheTasksShareOfTheExecutors) {
  EXPECT_EQ(task_slots({{"spark.executor.pyspark.memory", "2g"}})->memory, int64_t{2} << 30);
  EXPECT_EQ(task_slots({{"spark.executor.pyspark.memory", "2048"}})->memory, int64_t{2} << 30) << "MiB";
  EXPECT_EQ(task_slots({{"spark.executor.pyspark.memory", "2g"}, {"spark.executor.cores", "4"}})->memory,
            int64_t{512} << 20);
}

TEST(ResourceSettings, AProfileStandsInsteadOfTheSettings) {
  const Settings settings = {{"spark.task.resource.gpu.amount", "1"}, {"spark.task.cpus", "3"}};
  const auto slots = *task_slots(settings, {{{"fpga", 1}}, {{"cores", 8}, {"pyspark.memory", 4096}}});
  EXPECT_EQ(slots.cpus, 3);
  EXPECT_EQ(slots.resources, (std::map<std::string, tasks::Amount>{{"fpga", kWhole}}));
  EXPECT_EQ(slots.memory, int64_t{2} << 30) << "two tasks of three CPUs share the memory of eight cores";
  EXPECT_EQ(task_slots(settings, {{{"cpus", 1}}, {}})->cpus, 1);
  EXPECT_FALSE(task_slots(settings, {{{"cpus", 0}}, {}}).ok());
  EXPECT_FALSE(task_slots(settings, {{{"gpu", 2.5}}, {}}).ok());
}

TEST(ResourceSettings, EqualProfilesAreOne) {
  ResourceProfiles profiles;
  EXPECT_EQ(*profiles.add({{{"gpu", 1}}, {}}), 1);
  EXPECT_EQ(*profiles.add({{{"gpu", 2}}, {}}), 2);
  EXPECT_EQ(*profiles.add({{{"gpu", 1}}, {}}), 1);
  EXPECT_EQ(profiles.find(2)->task.at("gpu"), 2);
  EXPECT_EQ(profiles.find(3).status().condition(), "RESOURCE_PROFILE_NOT_FOUND");
  EXPECT_EQ(profiles.find(0).status().condition(), "RESOURCE_PROFILE_NOT_FOUND");
}

TEST(ResourceSettings, CudaSeesWhatTheTaskHas) {
  EXPECT_EQ(device_environment({{"gpu", {"2", "3"}}, {"fpga", {"0"}}}).at("CUDA_VISIBLE_DEVICES"), "2,3");
  EXPECT_EQ(device_environment({{"mig-1g.10gb", {"MIG-1"}}}).at("CUDA_VISIBLE_DEVICES"), "MIG-1");
  EXPECT_TRUE(device_environment({{"fpga", {"0"}}}).empty());
}

TEST(ResourceSettings, WhenAddressesAreLeftOut) {
  EXPECT_EQ(exclusion_policy({})->lost_tasks, 2);
  const auto policy = *exclusion_policy({{"spark.deuteron.resource.exclusion.lostTasks", "0"},
                                         {"spark.deuteron.resource.exclusion.timeout", "10min"}});
  EXPECT_EQ(policy.lost_tasks, 0);
  EXPECT_EQ(policy.time, std::chrono::minutes(10));
  EXPECT_FALSE(exclusion_policy({{"spark.deuteron.resource.exclusion.lostTasks", "-1"}}).ok());
}

}  // namespace
}  // namespace deuteron::execution
