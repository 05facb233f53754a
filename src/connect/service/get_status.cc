// GetStatus: how the session's operations stand.
#include "connect/service/service.h"

namespace deuteron::connect {
namespace {

using Encoded = spark::connect::GetStatusResponse_OperationStatus;

Encoded::OperationState encode_state(std::optional<OperationState> state) {
  if (!state.has_value()) return Encoded::OPERATION_STATE_UNKNOWN;
  switch (*state) {
    case OperationState::kRunning: return Encoded::OPERATION_STATE_RUNNING;
    case OperationState::kTerminating: return Encoded::OPERATION_STATE_TERMINATING;
    case OperationState::kSucceeded: return Encoded::OPERATION_STATE_SUCCEEDED;
    case OperationState::kFailed: return Encoded::OPERATION_STATE_FAILED;
    case OperationState::kCancelled: return Encoded::OPERATION_STATE_CANCELLED;
  }
  return Encoded::OPERATION_STATE_UNKNOWN;
}

}  // namespace

grpc::ServerUnaryReactor* Service::GetStatus(grpc::CallbackServerContext* context,
                                             const spark::connect::GetStatusRequest* request,
                                             spark::connect::GetStatusResponse* response) {
  return answer(context, [&]() -> Status {
    const SessionKey key = session_key(*request);
    ASSIGN_OR_RETURN(const auto session, open_session(*request));
    echo_session(key, *session, *response);
    if (!request->has_operation_status()) return {};
    auto add = [&](const std::string& id) {
      auto* status = response->add_operation_statuses();
      status->set_operation_id(id);
      status->set_state(encode_state(operations_.state(key, id)));
    };
    for (const std::string& id : request->operation_status().operation_ids()) add(id);
    if (request->operation_status().operation_ids().empty()) {
      for (const auto& operation : operations_.of_session(key)) add(operation->id);
    }
    return {};
  });
}

}  // namespace deuteron::connect
