#include "connect/operations/registry.h"

namespace deuteron::connect {
namespace {

constexpr size_t kMostOperations = 1'000;
constexpr size_t kRememberedOperations = 1'000;

}  // namespace

Result<std::shared_ptr<Operation>> OperationRegistry::add(SessionKey session, std::string id,
                                                          std::set<std::string> tags, bool reattachable) {
  std::lock_guard lock(mutex_);
  const Key key{session, id};
  if (operations_.contains(key)) return error("INVALID_HANDLE.OPERATION_ALREADY_EXISTS", {{"handle", id}});
  if (removed_.contains(key)) return error("INVALID_HANDLE.OPERATION_ABANDONED", {{"handle", id}});
  if (operations_.size() >= kMostOperations) {
    return error("TOO_MANY_OPERATIONS", {{"limit", std::to_string(kMostOperations)}});
  }
  auto operation =
      std::make_shared<Operation>(std::move(session), std::move(id), std::move(tags), reattachable);
  operations_.emplace(key, operation);
  return operation;
}

std::shared_ptr<Operation> OperationRegistry::find(const SessionKey& session, const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = operations_.find({session, id});
  return found == operations_.end() ? nullptr : found->second;
}

void OperationRegistry::remove(const std::shared_ptr<Operation>& operation) {
  {
    std::lock_guard lock(mutex_);
    const Key key{operation->session, operation->id};
    if (operations_.erase(key) == 0) return;
    removed_.emplace(key, operation);
    removed_order_.push_back(key);
    if (removed_order_.size() > kRememberedOperations) {
      removed_.erase(removed_order_.front());
      removed_order_.pop_front();
    }
  }
  if (operation->state() == OperationState::kRunning) operation->interrupt();
  operation->responses.drop_all();
}

std::vector<std::shared_ptr<Operation>> OperationRegistry::of_session(const SessionKey& session) {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Operation>> found;
  for (auto entry = operations_.lower_bound({session, ""});
       entry != operations_.end() && entry->first.first == session; ++entry) {
    found.push_back(entry->second);
  }
  return found;
}

std::optional<OperationState> OperationRegistry::state(const SessionKey& session, const std::string& id) {
  std::lock_guard lock(mutex_);
  const Key key{session, id};
  if (auto found = operations_.find(key); found != operations_.end()) return found->second->state();
  if (auto found = removed_.find(key); found != removed_.end()) return found->second->state();
  return std::nullopt;
}

void OperationRegistry::remove_abandoned(SteadyTime now) {
  for (const auto& operation : all()) {
    const Duration limit = operation->peer_is_local ? limits_.local : limits_.remote;
    const SteadyTime since = operation->detached_since();
    if (since != SteadyTime::max() && now - since > limit) remove(operation);
  }
}

std::vector<std::shared_ptr<Operation>> OperationRegistry::all() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Operation>> found;
  for (const auto& [key, operation] : operations_) found.push_back(operation);
  return found;
}

}  // namespace deuteron::connect
