// FetchErrorDetails: the whole of an error that an earlier call's status named.
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::FetchErrorDetails(grpc::CallbackServerContext* context,
                                                     const spark::connect::FetchErrorDetailsRequest* request,
                                                     spark::connect::FetchErrorDetailsResponse* response) {
  return answer(context, [&]() -> Status {
    response->set_session_id(request->session_id());
    if (const auto session = backend_.find(session_key(*request))) {
      response->set_server_side_session_id(session->server_side_id());
    }
    errors_.fetch(request->error_id(),
                  *response);  // an unknown id is answered without an error, as Spark does
    return {};
  });
}

}  // namespace deuteron::connect
