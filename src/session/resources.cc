// What PySpark calls resources: profiles of functions, and what the driver has.
#include <charconv>
#include <string_view>

#include "execution/resource_settings.h"
#include "session/session.h"

namespace deuteron::session {

Result<int32_t> Session::create_resource_profile(execution::ResourceProfile profile) {
  RETURN_IF_ERROR(execution::task_slots(settings_.all(), profile).status());
  return environment_.profiles.add(std::move(profile));
}

Result<std::map<std::string, std::vector<std::string>>> Session::driver_resources() const {
  constexpr std::string_view kPrefix = "spark.driver.resource.";
  constexpr std::string_view kSuffix = ".amount";
  std::map<std::string, std::vector<std::string>> found;
  for (const auto& [key, value] : settings_.all()) {
    if (!key.starts_with(kPrefix) || !key.ends_with(kSuffix)) continue;
    const std::string name = key.substr(kPrefix.size(), key.size() - kPrefix.size() - kSuffix.size());
    const auto resource = environment_.resources.find(name);
    const size_t there = resource == environment_.resources.end() ? 0 : resource->second.addresses.size();
    size_t amount = 0;
    const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), amount);
    if (failure != std::errc() || end != value.data() + value.size() || amount > there) {
      return error(
          "RESOURCE_NOT_FOUND",
          {{"name", name}, {"reason", key + " is " + value + ", and there are " + std::to_string(there)}});
    }
    if (amount == 0) continue;
    const auto& addresses = resource->second.addresses;
    found[name].assign(addresses.begin(), addresses.begin() + static_cast<ptrdiff_t>(amount));
  }
  return found;
}

}  // namespace deuteron::session
