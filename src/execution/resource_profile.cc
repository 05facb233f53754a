#include "execution/resource_profile.h"

#include <algorithm>

namespace deuteron::execution {
namespace {

constexpr size_t kMostProfiles = 10'000;

}  // namespace

Result<int32_t> ResourceProfiles::add(ResourceProfile profile) {
  std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(profiles_, profile);
  if (found != profiles_.end()) return static_cast<int32_t>(found - profiles_.begin()) + 1;
  if (profiles_.size() == kMostProfiles)
    return error("TOO_MANY_RESOURCE_PROFILES", {{"limit", std::to_string(kMostProfiles)}});
  profiles_.push_back(std::move(profile));
  return static_cast<int32_t>(profiles_.size());
}

Result<ResourceProfile> ResourceProfiles::find(int32_t id) const {
  std::lock_guard lock(mutex_);
  if (id < 1 || static_cast<size_t>(id) > profiles_.size())
    return error("RESOURCE_PROFILE_NOT_FOUND", {{"id", std::to_string(id)}});
  return profiles_[static_cast<size_t>(id) - 1];
}

}  // namespace deuteron::execution
