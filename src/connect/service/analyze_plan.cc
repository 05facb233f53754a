// AnalyzePlan: schema, explain and the like; may read files, so it has a thread of its own.
#include "connect/service/service.h"

namespace deuteron::connect {

grpc::ServerUnaryReactor* Service::AnalyzePlan(grpc::CallbackServerContext* context,
                                               const spark::connect::AnalyzePlanRequest* request,
                                               spark::connect::AnalyzePlanResponse* response) {
  return answer_on_thread(context, [this, request, response]() -> Status {
    ASSIGN_OR_RETURN(const auto session, open_session(*request));
    echo_session(session_key(*request), *session, *response);
    return session->analyze(*request, *response);
  });
}

}  // namespace deuteron::connect
