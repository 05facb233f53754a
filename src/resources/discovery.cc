#include "resources/discovery.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/program.h"

namespace deuteron::resources {
namespace {

using tasks::Resource;

constexpr std::string_view kPrefix = "spark.executor.resource.";
constexpr size_t kMostAddresses = 4096;

struct Wish {
  std::optional<size_t> amount;
  std::string script;
};

Status wrong(const std::string& name, const std::string& reason) {
  return error("RESOURCE_NOT_FOUND", {{"name", name}, {"reason", reason}});
}

Result<size_t> parse_amount(const std::string& name, const std::string& text) {
  size_t amount = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (failure != std::errc() || end != text.data() + text.size() || amount > kMostAddresses)
    return wrong(name,
                 "its amount is not a number from 0 to " + std::to_string(kMostAddresses) + ": " + text);
  return amount;
}

Result<std::map<std::string, Wish>> wishes(const std::map<std::string, std::string>& settings) {
  std::map<std::string, Wish> found;
  for (auto entry = settings.lower_bound(std::string(kPrefix));
       entry != settings.end() && entry->first.starts_with(kPrefix); ++entry) {
    const std::string rest = entry->first.substr(kPrefix.size());
    const size_t dot = rest.rfind('.');
    if (dot == std::string::npos) continue;
    Wish& wish = found[rest.substr(0, dot)];
    if (rest.substr(dot) == ".discoveryScript") wish.script = entry->second;
    if (rest.substr(dot) != ".amount") continue;
    ASSIGN_OR_RETURN(wish.amount, parse_amount(rest.substr(0, dot), entry->second));
  }
  return found;
}

Resource numbered(size_t amount) {
  Resource resource;
  for (size_t index = 0; index < amount; ++index) resource.addresses.push_back(std::to_string(index));
  return resource;
}

Result<Resource> ask_script(const std::string& name, const std::string& script) {
  auto text = output_of({script});
  if (!text.ok())
    return wrong(name, "its discovery script " + script + ": " + text.status().detail().message);
  return parse_script_output(name, *text);
}

// Groups keep those that are left.
Status cut_to(size_t amount, const std::string& name, Resource& resource) {
  if (resource.addresses.size() < amount) {
    return wrong(name, std::to_string(amount) + " are asked for, and there are " +
                           std::to_string(resource.addresses.size()));
  }
  resource.addresses.resize(amount);
  for (auto& group : resource.groups)
    std::erase_if(group, [&](int32_t index) { return static_cast<size_t>(index) >= amount; });
  std::erase_if(resource.groups, [](const auto& group) { return group.size() < 2; });
  return {};
}

bool are_nested(const std::vector<std::vector<int32_t>>& groups) {
  for (const auto& one : groups) {
    for (const auto& other : groups) {
      std::vector<int32_t> common;
      std::ranges::set_intersection(one, other, std::back_inserter(common));
      if (!common.empty() && common.size() != std::min(one.size(), other.size())) return false;
    }
  }
  return true;
}

}  // namespace

Result<Resource> parse_script_output(const std::string& name, const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  try {
    if (json.is_discarded() || json.at("name").get<std::string>() != name)
      return wrong(name, "its discovery script must print {\"name\": \"" + name +
                             "\", \"addresses\": [\"0\", ...]}, and printed: " + text.substr(0, 200));
    Resource resource;
    resource.addresses = json.at("addresses").get<std::vector<std::string>>();
    if (resource.addresses.size() > kMostAddresses) return wrong(name, "it has too many addresses");
    std::map<std::string, int32_t> indices;
    for (const std::string& address : resource.addresses) {
      if (!indices.emplace(address, static_cast<int32_t>(indices.size())).second)
        return wrong(name, "its discovery script prints the address " + address + " twice");
    }
    for (const auto& names : json.value("groups", std::vector<std::vector<std::string>>())) {
      std::set<int32_t> members;
      for (const std::string& address : names) {
        if (indices.count(address) == 0) return wrong(name, "a group has an unknown address: " + address);
        members.insert(indices.at(address));
      }
      if (members.size() > 1) resource.groups.emplace_back(members.begin(), members.end());
    }
    if (!are_nested(resource.groups))
      return wrong(name, "of two groups with a common address one must lie within the other");
    return resource;
  } catch (const nlohmann::json::exception& failure) {
    return wrong(name, std::string("its discovery script: ") + failure.what());
  }
}

Result<std::map<std::string, Resource>> discover(const std::map<std::string, std::string>& settings,
                                                 const NvidiaPlaces& places) {
  ASSIGN_OR_RETURN(const auto wished, wishes(settings));
  std::map<std::string, Resource> found = nvidia_gpus(places);
  for (const auto& [name, wish] : wished) {
    if (!wish.script.empty()) {
      ASSIGN_OR_RETURN(found[name], ask_script(name, wish.script));
    } else if (found.count(name) == 0) {
      found[name] = numbered(wish.amount.value_or(0));
    }
    if (wish.amount) RETURN_IF_ERROR(cut_to(*wish.amount, name, found[name]));
  }
  std::erase_if(found, [](const auto& entry) { return entry.second.addresses.empty(); });
  return found;
}

}  // namespace deuteron::resources
