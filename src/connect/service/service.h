// Spark Connect's gRPC service: the twelve RPCs, a file each (execute_plan.cc, analyze_plan.cc …). Checks
// access, finds the session, and hands on to the backend; work that may block runs on WorkThreads, never on
// gRPC's own threads.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>

#include "connect/backend.h"
#include "connect/encode/error.h"
#include "connect/operations/registry.h"
#include "connect/service/exception_wall.h"
#include "connect/service/work_threads.h"
#include "spark/connect/base.grpc.pb.h"

namespace deuteron::connect {

struct ServiceOptions {
  std::string token;  // "" : none is asked for
  DetachLimits detach;
};

// ExecutePlan and ReattachExecute write bytes instead of messages, so that batches are not copied.
using RawStreams = spark::connect::SparkConnectService::WithRawCallbackMethod_ExecutePlan<
    spark::connect::SparkConnectService::WithRawCallbackMethod_ReattachExecute<
        spark::connect::SparkConnectService::CallbackService>>;

class Service final : public RawStreams {
 public:
  Service(Backend& backend, const ServiceOptions& options);

  // Once a second or so: drops abandoned operations and idle sessions.
  void clean_up();
  // Refuses new executions, waits for running ones up to `patience`, then interrupts them.
  void drain(Duration patience);

  grpc::ServerWriteReactor<grpc::ByteBuffer>* ExecutePlan(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReattachExecute(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* request) override;
  grpc::ServerReadReactor<spark::connect::AddArtifactsRequest>* AddArtifacts(
      grpc::CallbackServerContext* context, spark::connect::AddArtifactsResponse* response) override;
  grpc::ServerUnaryReactor* AnalyzePlan(grpc::CallbackServerContext* context,
                                        const spark::connect::AnalyzePlanRequest* request,
                                        spark::connect::AnalyzePlanResponse* response) override;
  grpc::ServerUnaryReactor* Config(grpc::CallbackServerContext* context,
                                   const spark::connect::ConfigRequest* request,
                                   spark::connect::ConfigResponse* response) override;
  grpc::ServerUnaryReactor* ArtifactStatus(grpc::CallbackServerContext* context,
                                           const spark::connect::ArtifactStatusesRequest* request,
                                           spark::connect::ArtifactStatusesResponse* response) override;
  grpc::ServerUnaryReactor* Interrupt(grpc::CallbackServerContext* context,
                                      const spark::connect::InterruptRequest* request,
                                      spark::connect::InterruptResponse* response) override;
  grpc::ServerUnaryReactor* ReleaseExecute(grpc::CallbackServerContext* context,
                                           const spark::connect::ReleaseExecuteRequest* request,
                                           spark::connect::ReleaseExecuteResponse* response) override;
  grpc::ServerUnaryReactor* ReleaseSession(grpc::CallbackServerContext* context,
                                           const spark::connect::ReleaseSessionRequest* request,
                                           spark::connect::ReleaseSessionResponse* response) override;
  grpc::ServerUnaryReactor* FetchErrorDetails(grpc::CallbackServerContext* context,
                                              const spark::connect::FetchErrorDetailsRequest* request,
                                              spark::connect::FetchErrorDetailsResponse* response) override;
  grpc::ServerUnaryReactor* CloneSession(grpc::CallbackServerContext* context,
                                         const spark::connect::CloneSessionRequest* request,
                                         spark::connect::CloneSessionResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const spark::connect::GetStatusRequest* request,
                                      spark::connect::GetStatusResponse* response) override;

 private:
  // The message that a raw method was called with, or why it cannot be read.
  template <typename Request>
  static grpc::Status parse(const grpc::ByteBuffer& bytes, Request& request) {
    grpc::ByteBuffer copy(bytes);  // shares the bytes; reading clears it
    return grpc::SerializationTraits<Request>::Deserialize(&copy, &request);
  }
  // OK, or UNAUTHENTICATED when a token is asked for and the call does not carry it.
  grpc::Status check_access(const grpc::CallbackServerContext& context) const;
  template <typename Request>
  static SessionKey session_key(const Request& request) {
    return {request.user_context().user_id(), request.session_id()};
  }
  // The session that a request names, or the error to answer with.
  template <typename Request>
  Result<std::shared_ptr<BackendSession>> open_session(const Request& request) {
    return backend_.open(session_key(request), request.client_observed_server_side_session_id());
  }
  template <typename Response>
  static void echo_session(const SessionKey& key, const BackendSession& session, Response& response) {
    response.set_session_id(key.session_id);
    response.set_server_side_session_id(session.server_side_id());
  }
  // A unary RPC whose `work` does not block; it returns our Status.
  template <typename Work>
  grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context, Work work);
  // The same on a thread of its own.
  template <typename Work>
  grpc::ServerUnaryReactor* answer_on_thread(grpc::CallbackServerContext* context, Work work);

  Result<std::shared_ptr<Operation>> start_operation(const grpc::CallbackServerContext& context,
                                                     const spark::connect::ExecutePlanRequest& request);
  void run_operation(const std::shared_ptr<BackendSession>& session,
                     const std::shared_ptr<Operation>& operation,
                     const spark::connect::ExecutePlanRequest& request);
  Result<std::shared_ptr<Operation>> find_for_reattach(const spark::connect::ReattachExecuteRequest& request);

  Backend& backend_;
  const ServiceOptions options_;
  ErrorStore errors_;
  OperationRegistry operations_;
  std::atomic<bool> draining_ = false;
  WorkThreads threads_{512};  // last: its destructor waits for work that uses all of the above
};

template <typename Work>
grpc::ServerUnaryReactor* Service::answer(grpc::CallbackServerContext* context, Work work) {
  auto* reactor = context->DefaultReactor();
  if (grpc::Status access = check_access(*context); !access.ok()) {
    reactor->Finish(access);
    return reactor;
  }
  const Status status = behind_wall(work);
  reactor->Finish(status.ok() ? grpc::Status::OK : errors_.report(status));
  return reactor;
}

template <typename Work>
grpc::ServerUnaryReactor* Service::answer_on_thread(grpc::CallbackServerContext* context, Work work) {
  auto* reactor = context->DefaultReactor();
  if (grpc::Status access = check_access(*context); !access.ok()) {
    reactor->Finish(access);
    return reactor;
  }
  threads_.post([this, reactor, work = std::move(work)] {
    const Status status = behind_wall(work);
    reactor->Finish(status.ok() ? grpc::Status::OK : errors_.report(status));
  });
  return reactor;
}

}  // namespace deuteron::connect
