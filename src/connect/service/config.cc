// Config: reads and changes the session's settings.
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::Config(grpc::CallbackServerContext* context,
                                          const spark::connect::ConfigRequest* request,
                                          spark::connect::ConfigResponse* response) {
  return answer(context, [&]() -> Status {
    ASSIGN_OR_RETURN(const auto session, open_session(*request));
    echo_session(session_key(*request), *session, *response);
    return session->configure(*request, *response);
  });
}

}  // namespace deuteron::connect
