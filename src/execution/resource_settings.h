// What settings and resource profiles say about what a task needs (docs/resources.md lists them). Pure.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "execution/resource_profile.h"
#include "scheduler/core/state.h"
#include "tasks/task.h"

namespace deuteron::execution {

using Settings = std::map<std::string, std::string>;

// spark.task.cpus, spark.task.resource.NAME.amount, spark.executor.pyspark.memory and .cores. Errors name the
// setting, INVALID_CONF_VALUE.
Result<tasks::Slots> task_slots(const Settings& settings);
// What the profile does not say is as in `settings`, but for resources: those are the profile's alone.
Result<tasks::Slots> task_slots(const Settings& settings, const ResourceProfile& profile);
// Of the server.
Result<scheduler::core::ExclusionPolicy> exclusion_policy(const Settings& settings);

// In the environment of a task that has these addresses: what CUDA may see of its GPUs, or MIG slices.
std::map<std::string, std::string> device_environment(
    const std::map<std::string, std::vector<std::string>>& addresses);

}  // namespace deuteron::execution
