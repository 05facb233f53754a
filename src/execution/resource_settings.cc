#include "execution/resource_settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/byte_size.h"
#include "base/duration_text.h"

namespace deuteron::execution {
namespace {

using tasks::Amount;
using tasks::kWhole;
using tasks::Slots;

constexpr std::string_view kPrefix = "spark.task.resource.";
constexpr std::string_view kSuffix = ".amount";
constexpr double kMost = 1e6;

Status unfit(const std::string& key, const std::string& value, const std::string& requirement) {
  return error("INVALID_CONF_VALUE.REQUIREMENT",
               {{"confName", key}, {"confValue", value}, {"confRequirement", requirement}});
}

template <typename Number>
Result<Number> parse(const std::string& key, const std::string& text) {
  Number number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure == std::errc() && end == text.data() + text.size()) return number;
  return unfit(key, text, "It must be a number.");
}

// Parts are rounded down: a third fits thrice into a whole.
Result<Amount> amount_of(const std::string& key, double value) {
  const auto text = std::to_string(value);
  if (!(value >= 0) || value > kMost) return unfit(key, text, "It must be a number from 0 to 1000000.");
  if (value > 1 && value != std::floor(value))
    return unfit(key, text, "It must be at most 1, or a whole number.");
  const auto amount = static_cast<Amount>(value * kWhole);
  if (value > 0 && amount == 0) return unfit(key, text, "It must be at least 0.000001.");
  return amount;
}

Result<int32_t> number(const Settings& settings, const std::string& key, int32_t otherwise) {
  const auto found = settings.find(key);
  if (found == settings.end() || found->second.empty()) return otherwise;
  ASSIGN_OR_RETURN(const auto value, parse<int32_t>(key, found->second));
  if (value < 1) return unfit(key, found->second, "It must be at least 1.");
  return value;
}

// Of an executor's memory for Python each of its tasks has a share, as in Spark.
int64_t share(int64_t bytes, int32_t cpus, int64_t cores) {
  return bytes / std::max<int64_t>(1, std::max<int64_t>(cores, cpus) / cpus);
}

// All but resources.
Result<Slots> plain_slots(const Settings& settings) {
  Slots slots;
  ASSIGN_OR_RETURN(slots.cpus, number(settings, "spark.task.cpus", 1));
  const auto memory = settings.find("spark.executor.pyspark.memory");
  if (memory == settings.end() || memory->second.empty()) return slots;
  const bool has_unit = memory->second.find_first_not_of("0123456789") != std::string::npos;
  ASSIGN_OR_RETURN(const uint64_t bytes, parse_byte_size(memory->second + (has_unit ? "" : "m")));
  ASSIGN_OR_RETURN(const int32_t cores, number(settings, "spark.executor.cores", slots.cpus));
  slots.memory = share(static_cast<int64_t>(bytes), slots.cpus, cores);
  return slots;
}

}  // namespace

Result<Slots> task_slots(const Settings& settings) {
  ASSIGN_OR_RETURN(Slots slots, plain_slots(settings));
  for (auto entry = settings.lower_bound(std::string(kPrefix));
       entry != settings.end() && entry->first.starts_with(kPrefix); ++entry) {
    const std::string& key = entry->first;
    if (!key.ends_with(kSuffix) || entry->second.empty()) continue;
    const std::string name = key.substr(kPrefix.size(), key.size() - kPrefix.size() - kSuffix.size());
    ASSIGN_OR_RETURN(const auto value, parse<double>(key, entry->second));
    ASSIGN_OR_RETURN(const Amount amount, amount_of(key, value));
    if (amount > 0) slots.resources[name] = amount;
  }
  return slots;
}

Result<Slots> task_slots(const Settings& settings, const ResourceProfile& profile) {
  ASSIGN_OR_RETURN(Slots slots, plain_slots(settings));
  for (const auto& [name, value] : profile.task) {
    const std::string key = "task resource " + name;
    ASSIGN_OR_RETURN(const Amount amount, amount_of(key, value));
    if (name != "cpus") {
      if (amount > 0) slots.resources[name] = amount;
      continue;
    }
    if (value < 1) return unfit(key, std::to_string(value), "It must be at least 1.");
    slots.cpus = static_cast<int32_t>(value);
  }
  const auto memory = profile.executor.find("pyspark.memory");
  if (memory == profile.executor.end()) return slots;
  constexpr int64_t kMostMebibytes = int64_t{1} << 40;
  if (memory->second < 0 || memory->second > kMostMebibytes)
    return unfit("executor resource pyspark.memory", std::to_string(memory->second), "It is too large.");
  const auto cores = profile.executor.find("cores");
  slots.memory = share(memory->second << 20, slots.cpus, cores == profile.executor.end() ? 1 : cores->second);
  return slots;
}

Result<scheduler::core::ExclusionPolicy> exclusion_policy(const Settings& settings) {
  scheduler::core::ExclusionPolicy policy;
  const std::string lost = "spark.deuteron.resource.exclusion.lostTasks";
  if (const auto found = settings.find(lost); found != settings.end()) {
    ASSIGN_OR_RETURN(policy.lost_tasks, parse<int32_t>(lost, found->second));
    if (policy.lost_tasks < 0) return unfit(lost, found->second, "It must be at least 0.");
  }
  const std::string time = "spark.deuteron.resource.exclusion.timeout";
  if (const auto found = settings.find(time); found != settings.end()) {
    const auto parsed = parse_duration(found->second, std::chrono::seconds(1));
    if (!parsed) return unfit(time, found->second, "It must be a duration, as 10min.");
    policy.time = *parsed;
  }
  return policy;
}

std::map<std::string, std::string> device_environment(
    const std::map<std::string, std::vector<std::string>>& addresses) {
  std::string visible;
  for (const auto& [name, its] : addresses) {
    if (name != "gpu" && !name.starts_with("mig-")) continue;
    for (const std::string& address : its) visible += (visible.empty() ? "" : ",") + address;
  }
  if (visible.empty()) return {};
  return {{"CUDA_DEVICE_ORDER", "PCI_BUS_ID"}, {"CUDA_VISIBLE_DEVICES", visible}};
}

}  // namespace deuteron::execution
