// Interrupt: by all, by tag, by operation id. Answers with the ids that were told to stop.
#include "connect/service/service.h"

namespace deuteron::connect {
namespace {

using spark::connect::InterruptRequest;

bool is_meant(const InterruptRequest& request, const Operation& operation) {
  switch (request.interrupt_type()) {
    case InterruptRequest::INTERRUPT_TYPE_ALL: return true;
    case InterruptRequest::INTERRUPT_TYPE_TAG: return operation.tags.contains(request.operation_tag());
    case InterruptRequest::INTERRUPT_TYPE_OPERATION_ID: return operation.id == request.operation_id();
    default: return false;
  }
}

}  // namespace

grpc::ServerUnaryReactor* Service::Interrupt(grpc::CallbackServerContext* context,
                                             const InterruptRequest* request,
                                             spark::connect::InterruptResponse* response) {
  return answer(context, [&]() -> Status {
    const SessionKey key = session_key(*request);
    ASSIGN_OR_RETURN(const auto session, open_session(*request));
    echo_session(key, *session, *response);
    for (const auto& operation : operations_.of_session(key)) {
      if (!is_meant(*request, *operation) || operation->state() != OperationState::kRunning) continue;
      operation->interrupt();
      response->add_interrupted_ids(operation->id);
    }
    return {};
  });
}

}  // namespace deuteron::connect
