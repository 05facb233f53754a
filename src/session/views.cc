#include "session/views.h"

#include <algorithm>

namespace deuteron::session {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
  });
  return text;
}

}  // namespace

Views::Snapshot Views::snapshot() const {
  std::lock_guard lock(mutex_);
  return views_;
}

bool Views::create(const std::string& name, catalog::View view, bool replace) {
  std::lock_guard lock(mutex_);
  const std::string key = lower_case(name);
  if (!replace && views_->contains(key)) return false;
  auto changed = std::make_shared<std::map<std::string, catalog::View>>(*views_);
  (*changed)[key] = std::move(view);
  views_ = std::move(changed);
  return true;
}

bool Views::drop(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto changed = std::make_shared<std::map<std::string, catalog::View>>(*views_);
  if (changed->erase(lower_case(name)) == 0) return false;
  views_ = std::move(changed);
  return true;
}

std::optional<catalog::View> Views::find(const Snapshot& snapshot, const std::string& name) {
  const auto found = snapshot->find(lower_case(name));
  if (found == snapshot->end()) return std::nullopt;
  return found->second;
}

}  // namespace deuteron::session
