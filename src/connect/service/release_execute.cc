// ReleaseExecute: the client has read responses, or wants no more of an operation.
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::ReleaseExecute(grpc::CallbackServerContext* context,
                                                  const spark::connect::ReleaseExecuteRequest* request,
                                                  spark::connect::ReleaseExecuteResponse* response) {
  return answer(context, [&]() -> Status {
    const SessionKey key = session_key(*request);
    const auto session = backend_.find(key);
    if (session == nullptr) return error("INVALID_HANDLE.SESSION_NOT_FOUND", {{"handle", key.session_id}});
    echo_session(key, *session, *response);
    // An operation that is gone already is released: the answer names it only while it is known.
    if (auto operation = operations_.find(key, request->operation_id())) {
      response->set_operation_id(operation->id);
      if (request->has_release_until()) {
        operation->responses.release_until(request->release_until().response_id());
      } else {
        operations_.remove(operation);
      }
    }
    return {};
  });
}

}  // namespace deuteron::connect
