#include "session/registry.h"

#include <algorithm>
#include <vector>

namespace deuteron::session {
namespace {

constexpr size_t kMostClosedIds = 10'000;

bool is_uuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

Status invalid_handle(const std::string& reason, const std::string& handle) {
  return error("INVALID_HANDLE." + reason, {{"handle", handle}});
}

}  // namespace

Result<std::shared_ptr<Session>> SessionRegistry::get(const Identity& identity, const std::string& observed) {
  if (!is_uuid(identity.session_id)) return invalid_handle("FORMAT", identity.session_id);
  std::lock_guard lock(mutex_);
  if (closed_.contains(identity)) return invalid_handle("SESSION_CLOSED", identity.session_id);
  auto found = sessions_.find(identity);
  if (found == sessions_.end()) {
    if (!observed.empty()) return invalid_handle("SESSION_CHANGED", identity.session_id);
    found = sessions_.emplace(identity, Entry{std::make_shared<Session>(identity, environment_), {}}).first;
  } else if (!observed.empty() && observed != found->second.session->server_side_id()) {
    return invalid_handle("SESSION_CHANGED", identity.session_id);
  }
  found->second.last_use = steady_now();
  return found->second.session;
}

std::shared_ptr<Session> SessionRegistry::find(const Identity& identity) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(identity);
  return found == sessions_.end() ? nullptr : found->second.session;
}

Result<std::shared_ptr<Session>> SessionRegistry::clone(const Session& original,
                                                        const std::string& new_session_id) {
  const Identity identity{original.identity().user_id, new_session_id};
  if (!is_uuid(new_session_id)) {
    return error("INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_FORMAT",
                 {{"targetSessionId", new_session_id}});
  }
  std::lock_guard lock(mutex_);
  if (closed_.contains(identity)) {
    return error("INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_ALREADY_CLOSED",
                 {{"targetSessionId", new_session_id}});
  }
  if (sessions_.contains(identity)) {
    return error("INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_ALREADY_EXISTS",
                 {{"targetSessionId", new_session_id}});
  }
  auto session = std::make_shared<Session>(identity, original);
  sessions_.emplace(identity, Entry{session, steady_now()});
  return session;
}

void SessionRegistry::release(const Identity& identity, bool allow_reconnect) {
  std::shared_ptr<Session> dropped;  // its destructor runs outside the lock
  std::lock_guard lock(mutex_);
  if (auto found = sessions_.find(identity); found != sessions_.end()) {
    dropped = std::move(found->second.session);
    sessions_.erase(found);
  }
  if (allow_reconnect) return;
  if (closed_.size() >= kMostClosedIds) closed_.erase(closed_.begin());
  closed_.insert(identity);
}

int SessionRegistry::close_idle(SteadyTime now) {
  std::vector<std::shared_ptr<Session>> dropped;
  std::lock_guard lock(mutex_);
  for (auto entry = sessions_.begin(); entry != sessions_.end();) {
    if (entry->second.session.use_count() == 1 && now - entry->second.last_use > idle_timeout_) {
      dropped.push_back(std::move(entry->second.session));
      entry = sessions_.erase(entry);
    } else {
      ++entry;
    }
  }
  return static_cast<int>(dropped.size());
}

}  // namespace deuteron::session
