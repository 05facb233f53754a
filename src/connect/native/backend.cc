#include "connect/native/backend.h"

#include "connect/native/session.h"

namespace deuteron::connect {

Result<std::shared_ptr<BackendSession>> NativeBackend::open(const SessionKey& key,
                                                            const std::string& observed) {
  ASSIGN_OR_RETURN(auto session, sessions_.get({key.user_id, key.session_id}, observed));
  return std::shared_ptr<BackendSession>(std::make_shared<NativeSession>(std::move(session), sessions_));
}

std::shared_ptr<BackendSession> NativeBackend::find(const SessionKey& key) {
  auto session = sessions_.find({key.user_id, key.session_id});
  return session == nullptr ? nullptr : std::make_shared<NativeSession>(std::move(session), sessions_);
}

void NativeBackend::release(const SessionKey& key, bool allow_reconnect) {
  sessions_.release({key.user_id, key.session_id}, allow_reconnect);
}

void NativeBackend::close_idle_sessions(SteadyTime now) { sessions_.close_idle(now); }

Result<std::shared_ptr<BackendSession>> NativeSession::clone(const std::string& new_session_id) {
  ASSIGN_OR_RETURN(auto copy, sessions_.clone(*session_, new_session_id));
  return std::shared_ptr<BackendSession>(std::make_shared<NativeSession>(std::move(copy), sessions_));
}

}  // namespace deuteron::connect
