// One session as the protocol sees it; wraps a session::Session. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "connect/backend.h"
#include "session/registry.h"

namespace deuteron::connect {

class NativeSession final : public BackendSession {
 public:
  NativeSession(std::shared_ptr<session::Session> session, session::SessionRegistry& sessions)
      : session_(std::move(session)), sessions_(sessions) {}

  const std::string& server_side_id() const override { return session_->server_side_id(); }
  // execute.cc
  Status execute(const spark::connect::ExecutePlanRequest& request, const std::string& operation_id,
                 ResponseWriter& responses, CancelToken& cancel) override;
  // analyze.cc
  Status analyze(const spark::connect::AnalyzePlanRequest& request,
                 spark::connect::AnalyzePlanResponse& response) override;
  // configure.cc
  Status configure(const spark::connect::ConfigRequest& request,
                   spark::connect::ConfigResponse& response) override;

  Status add_artifact(const std::string& name, std::string content) override {
    return session_->artifacts().add(name, std::move(content));
  }
  bool has_artifact(const std::string& name) override { return session_->artifacts().exists(name); }
  Result<std::shared_ptr<BackendSession>> clone(const std::string& new_session_id) override;

 private:
  Status run_plan(const spark::connect::ExecutePlanRequest& request, const std::string& operation_id,
                  ResponseWriter& responses, CancelToken& cancel);
  Status send_python_updates(ResponseWriter& responses);
  Status run_query(const plan::unresolved::RelationPtr& relation, const std::string& operation_id,
                   ResponseWriter& responses, CancelToken& cancel);
  // resources.cc
  Status create_resource_profile(const spark::connect::CreateResourceProfileCommand& command,
                                 ResponseWriter& responses);
  Status tell_resources(ResponseWriter& responses);
  Status run_sql(const spark::connect::SqlCommand& command, const std::string& operation_id,
                 ResponseWriter& responses, CancelToken& cancel);
  Result<plan::unresolved::RelationPtr> decode_query(const spark::connect::Plan& plan);

  const std::shared_ptr<session::Session> session_;
  session::SessionRegistry& sessions_;
};

}  // namespace deuteron::connect
