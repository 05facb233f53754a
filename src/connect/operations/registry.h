// All operations of the server, by session and id. Thread-safe. Remembers how lately removed ones ended
// (bounded).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "connect/operations/operation.h"

namespace deuteron::connect {

struct DetachLimits {
  Duration local =
      std::chrono::seconds(5);  // the client is on this machine: a lost stream means a lost process
  Duration remote = std::chrono::minutes(5);  // Spark's default
};

class OperationRegistry {
 public:
  explicit OperationRegistry(DetachLimits limits) : limits_(limits) {}

  // INVALID_HANDLE.OPERATION_ALREADY_EXISTS when the id is in use or was used lately; refused when too many
  // are running.
  Result<std::shared_ptr<Operation>> add(SessionKey session, std::string id, std::set<std::string> tags,
                                         bool reattachable);
  std::shared_ptr<Operation> find(const SessionKey& session, const std::string& id);
  // Cancels it when it still runs, and forgets it.
  void remove(const std::shared_ptr<Operation>& operation);
  std::vector<std::shared_ptr<Operation>> of_session(const SessionKey& session);
  std::optional<OperationState> state(const SessionKey& session, const std::string& id);
  // Removes what no client reads any more.
  void remove_abandoned(SteadyTime now);
  std::vector<std::shared_ptr<Operation>> all();

 private:
  using Key = std::pair<SessionKey, std::string>;
  const DetachLimits limits_;
  std::mutex mutex_;
  std::map<Key, std::shared_ptr<Operation>> operations_;
  std::map<Key, std::shared_ptr<Operation>> removed_;  // their buffers are empty; kept for their state
  std::deque<Key> removed_order_;
};

}  // namespace deuteron::connect
