// Answers sessions on this machine: decodes requests, calls the session's verbs, encodes what comes back.
#pragma once

#include "connect/backend.h"
#include "session/registry.h"

namespace deuteron::connect {

class NativeBackend final : public Backend {
 public:
  // The registry must outlive the backend.
  explicit NativeBackend(session::SessionRegistry& sessions) : sessions_(sessions) {}

  Result<std::shared_ptr<BackendSession>> open(const SessionKey& key, const std::string& observed) override;
  std::shared_ptr<BackendSession> find(const SessionKey& key) override;
  void release(const SessionKey& key, bool allow_reconnect) override;
  void close_idle_sessions(SteadyTime now) override;

 private:
  session::SessionRegistry& sessions_;
};

}  // namespace deuteron::connect
