// ArtifactStatus: which of the named artifacts the session has.
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::ArtifactStatus(grpc::CallbackServerContext* context,
                                                  const spark::connect::ArtifactStatusesRequest* request,
                                                  spark::connect::ArtifactStatusesResponse* response) {
  return answer(context, [&]() -> Status {
    ASSIGN_OR_RETURN(const auto session, open_session(*request));
    echo_session(session_key(*request), *session, *response);
    for (const std::string& name : request->names()) {
      (*response->mutable_statuses())[name].set_exists(session->has_artifact(name));
    }
    return {};
  });
}

}  // namespace deuteron::connect
