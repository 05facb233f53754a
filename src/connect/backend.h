// The seam between the protocol service and what answers a session: this machine (native/backend.h), later a
// Spark cluster. Requests cross it as they came from the client, so that a backend may also forward them.
// Calls come from many threads; they may block, except where it is said. A backend never fills in session or
// response ids: the service does.
#pragma once

#include <memory>
#include <string>

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/status.h"
#include "exchange/block.h"
#include "spark/connect/base.pb.h"

namespace deuteron::connect {

struct SessionKey {
  std::string user_id;
  std::string session_id;
  auto operator<=>(const SessionKey&) const = default;
};

// Takes the responses of one execution, in order. write() blocks while the client is slow; it fails when
// nobody will read any more. `batch_data`: the data of the response's Arrow batch, sent from where it lies.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual Status write(spark::connect::ExecutePlanResponse response,
                       const exchange::Region& batch_data = {}) = 0;
};

class BackendSession {
 public:
  virtual ~BackendSession() = default;
  virtual const std::string& server_side_id() const = 0;
  virtual Status execute(const spark::connect::ExecutePlanRequest& request, const std::string& operation_id,
                         ResponseWriter& responses, CancelToken& cancel) = 0;
  virtual Status analyze(const spark::connect::AnalyzePlanRequest& request,
                         spark::connect::AnalyzePlanResponse& response) = 0;
  // Does not block.
  virtual Status configure(const spark::connect::ConfigRequest& request,
                           spark::connect::ConfigResponse& response) = 0;
  virtual Status add_artifact(const std::string& name, std::string content) = 0;
  // Does not block.
  virtual bool has_artifact(const std::string& name) = 0;
  virtual Result<std::shared_ptr<BackendSession>> clone(const std::string& new_session_id) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  // Makes the session when it is new. `observed`: the server-side id that the client saw last, "" for none.
  // Does not block.
  virtual Result<std::shared_ptr<BackendSession>> open(const SessionKey& key,
                                                       const std::string& observed) = 0;
  // Null when there is none.
  virtual std::shared_ptr<BackendSession> find(const SessionKey& key) = 0;
  virtual void release(const SessionKey& key, bool allow_reconnect) = 0;
  virtual void close_idle_sessions(SteadyTime now) = 0;
};

}  // namespace deuteron::connect
