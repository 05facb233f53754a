// CloneSession: a second session that starts with a copy of the first one's state.
#include "base/identifier.h"
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::CloneSession(grpc::CallbackServerContext* context,
                                                const spark::connect::CloneSessionRequest* request,
                                                spark::connect::CloneSessionResponse* response) {
  return answer(context, [&]() -> Status {
    const SessionKey key = session_key(*request);
    const auto session = backend_.find(key);
    if (session == nullptr) return error("INVALID_HANDLE.SESSION_NOT_FOUND", {{"handle", key.session_id}});
    echo_session(key, *session, *response);
    const std::string new_id = request->has_new_session_id() ? request->new_session_id() : random_uuid();
    ASSIGN_OR_RETURN(const auto copy, session->clone(new_id));
    response->set_new_session_id(new_id);
    response->set_new_server_side_session_id(copy->server_side_id());
    return {};
  });
}

}  // namespace deuteron::connect
