// ReleaseSession: ends what the session still runs and drops its state.
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::ReleaseSession(grpc::CallbackServerContext* context,
                                                  const spark::connect::ReleaseSessionRequest* request,
                                                  spark::connect::ReleaseSessionResponse* response) {
  return answer_on_thread(context, [this, request, response]() -> Status {
    const SessionKey key = session_key(*request);
    response->set_session_id(key.session_id);
    if (const auto session = backend_.find(key))
      response->set_server_side_session_id(session->server_side_id());
    for (const auto& operation : operations_.of_session(key)) operations_.remove(operation);
    backend_.release(key, request->allow_reconnect());
    return {};
  });
}

}  // namespace deuteron::connect
