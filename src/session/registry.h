// All sessions of the server, by user and session id. Thread-safe. Sessions that nobody used for a while are
// closed.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "session/session.h"

namespace deuteron::session {

class SessionRegistry {
 public:
  SessionRegistry(Environment& environment, Duration idle_timeout)
      : environment_(environment), idle_timeout_(idle_timeout) {}

  // The session of that identity, made when it is new. `observed` is the server-side id that the client saw
  // last ("" none): INVALID_HANDLE.SESSION_CHANGED when it is another one; INVALID_HANDLE.SESSION_CLOSED
  // after a release; INVALID_HANDLE.FORMAT for an id that is no UUID.
  Result<std::shared_ptr<Session>> get(const Identity& identity, const std::string& observed);
  // The session if there is one; never makes one.
  std::shared_ptr<Session> find(const Identity& identity);
  Result<std::shared_ptr<Session>> clone(const Session& original, const std::string& new_session_id);
  // `allow_reconnect`: the id may be used again for a new session.
  void release(const Identity& identity, bool allow_reconnect);
  // Drops what was idle for longer than the timeout; returns how many. Sessions that are in use elsewhere
  // stay.
  int close_idle(SteadyTime now);

 private:
  struct Entry {
    std::shared_ptr<Session> session;
    SteadyTime last_use;
  };

  Environment& environment_;
  const Duration idle_timeout_;
  std::mutex mutex_;
  std::map<Identity, Entry> sessions_;
  std::set<Identity> closed_;  // bounded, see release()
};

}  // namespace deuteron::session
