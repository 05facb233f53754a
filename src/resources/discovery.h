// What this machine offers to tasks beside CPUs and memory. Settings name it as Spark's do
// (`spark.executor.resource.NAME.amount`, `.discoveryScript`); GPUs of NVIDIA are found without.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "resources/nvidia.h"
#include "tasks/machine.h"

namespace deuteron::resources {

// Runs the discovery scripts (blocks; 10 s for each at most). A script prints what Spark's print,
// {"name": "gpu", "addresses": ["0", "1"]}, and may add which addresses are close to each other: "groups":
// [["0", "1"], ["2", "3"]]. An amount without a script, of what is not found otherwise, gives the addresses
// "0", "1", ... More than the amount are not used; fewer are an error, RESOURCE_NOT_FOUND.
Result<std::map<std::string, tasks::Resource>> discover(const std::map<std::string, std::string>& settings,
                                                        const NvidiaPlaces& places = {});

// What a script printed.
Result<tasks::Resource> parse_script_output(const std::string& name, const std::string& text);

}  // namespace deuteron::resources
