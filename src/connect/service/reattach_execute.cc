// ReattachExecute: goes on reading an operation's responses after a lost stream.
#include "connect/service/response_stream.h"
#include "connect/service/service.h"

namespace deuteron::connect {

using spark::connect::ReattachExecuteRequest;

Result<std::shared_ptr<Operation>> Service::find_for_reattach(const ReattachExecuteRequest& request) {
  if (backend_.find(session_key(request)) == nullptr) {
    return error("INVALID_HANDLE.SESSION_NOT_FOUND", {{"handle", request.session_id()}});
  }
  RETURN_IF_ERROR(open_session(request).status());
  auto operation = operations_.find(session_key(request), request.operation_id());
  if (operation == nullptr) {
    const bool known = operations_.state(session_key(request), request.operation_id()).has_value();
    return error(known ? "INVALID_HANDLE.OPERATION_ABANDONED" : "INVALID_HANDLE.OPERATION_NOT_FOUND",
                 {{"handle", request.operation_id()}});
  }
  if (!operation->reattachable) return error("INVALID_CURSOR.NOT_REATTACHABLE", {});
  return operation;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* Service::ReattachExecute(grpc::CallbackServerContext* context,
                                                                     const grpc::ByteBuffer* bytes) {
  if (grpc::Status access = check_access(*context); !access.ok()) return ResponseStream::refuse(access);
  ReattachExecuteRequest request;
  if (grpc::Status parsed = parse(*bytes, request); !parsed.ok()) return ResponseStream::refuse(parsed);
  auto operation = find_for_reattach(request);
  if (!operation.ok()) return ResponseStream::refuse(errors_.report(operation.status()));
  // The stream before must not read on from the old place.
  (*operation)->detach((*operation)->attach([] {}));
  if (Status moved = (*operation)->responses.rewind(request.last_response_id()); !moved.ok()) {
    return ResponseStream::refuse(errors_.report(moved));
  }
  return ResponseStream::start(*operation, errors_, nullptr);
}

}  // namespace deuteron::connect
