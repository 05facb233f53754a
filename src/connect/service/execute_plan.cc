// ExecutePlan: starts an operation on a thread of its own and streams its responses.
#include <regex>

#include "base/identifier.h"
#include "connect/service/response_stream.h"
#include "connect/service/service.h"

namespace deuteron::connect {
namespace {

using spark::connect::ExecutePlanRequest;
using spark::connect::ExecutePlanResponse;

struct RequestOptions {
  bool reattachable = false;
  int64_t chunk_bytes = 0;  // 0: the client does not take Arrow batches in chunks
};

RequestOptions read_options(const ExecutePlanRequest& request) {
  constexpr int64_t kLargestChunk = int64_t{16} << 20;
  RequestOptions options;
  for (const auto& option : request.request_options()) {
    if (option.has_reattach_options()) options.reattachable = option.reattach_options().reattachable();
    if (option.has_result_chunking_options() &&
        option.result_chunking_options().allow_arrow_batch_chunking()) {
      const auto& chunking = option.result_chunking_options();
      options.chunk_bytes = kLargestChunk;
      if (chunking.has_preferred_arrow_chunk_size() && chunking.preferred_arrow_chunk_size() > 0) {
        options.chunk_bytes = std::min(kLargestChunk, chunking.preferred_arrow_chunk_size());
      }
    }
  }
  return options;
}

// Numbers the responses of one operation and puts them into its buffer.
class OperationWriter final : public ResponseWriter {
 public:
  OperationWriter(Operation& operation, std::string server_side_session_id, int64_t chunk_bytes)
      : operation_(operation),
        server_side_session_id_(std::move(server_side_session_id)),
        chunk_bytes_(chunk_bytes) {}

  Status write(ExecutePlanResponse response) override {
    if (chunk_bytes_ > 0 && response.has_arrow_batch() &&
        response.arrow_batch().data().size() > static_cast<size_t>(chunk_bytes_)) {
      return write_in_chunks(std::move(response));
    }
    return append(std::move(response));
  }

 private:
  Status append(ExecutePlanResponse response) {
    response.set_session_id(operation_.session.session_id);
    response.set_server_side_session_id(server_side_session_id_);
    response.set_operation_id(operation_.id);
    response.set_response_id(random_uuid());
    return operation_.responses.append(std::move(response));
  }

  Status write_in_chunks(ExecutePlanResponse response) {
    const std::string data = std::move(*response.mutable_arrow_batch()->mutable_data());
    const size_t chunk = static_cast<size_t>(chunk_bytes_);
    const auto chunks = static_cast<int64_t>((data.size() + chunk - 1) / chunk);
    for (int64_t index = 0; index < chunks; ++index) {
      ExecutePlanResponse part = response;
      part.mutable_arrow_batch()->set_data(data.substr(static_cast<size_t>(index) * chunk, chunk));
      part.mutable_arrow_batch()->set_chunk_index(index);
      part.mutable_arrow_batch()->set_num_chunks_in_batch(chunks);
      RETURN_IF_ERROR(append(std::move(part)));
    }
    return {};
  }

  Operation& operation_;
  const std::string server_side_session_id_;
  const int64_t chunk_bytes_;
};

bool is_local_peer(const std::string& peer) {
  return peer.starts_with("ipv4:127.") || peer.starts_with("ipv6:%5B::1%5D") ||
         peer.starts_with("ipv6:[::1]") || peer.starts_with("unix");
}

}  // namespace

Result<std::shared_ptr<Operation>> Service::start_operation(const grpc::CallbackServerContext& context,
                                                            const ExecutePlanRequest& request) {
  if (draining_) return error("SERVER_IS_STOPPING", {});
  ASSIGN_OR_RETURN(auto session, open_session(request));
  const std::string id = request.has_operation_id() ? request.operation_id() : random_uuid();
  static const std::regex kUuid("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");
  if (!std::regex_match(id, kUuid)) return error("INVALID_HANDLE.FORMAT", {{"handle", id}});
  std::set<std::string> tags(request.tags().begin(), request.tags().end());
  ASSIGN_OR_RETURN(auto operation, operations_.add(session_key(request), id, std::move(tags),
                                                   read_options(request).reattachable));
  operation->peer_is_local = is_local_peer(context.peer());
  // The request lives only as long as its RPC; the operation may outlive it.
  threads_.post([this, session, operation, request] { run_operation(session, operation, request); });
  return operation;
}

void Service::run_operation(const std::shared_ptr<BackendSession>& session,
                            const std::shared_ptr<Operation>& operation, const ExecutePlanRequest& request) {
  OperationWriter writer(*operation, session->server_side_id(), read_options(request).chunk_bytes);
  Status status = session->execute(request, operation->id, writer, operation->cancel);
  if (status.ok()) {
    ExecutePlanResponse complete;
    complete.mutable_result_complete();
    status = writer.write(std::move(complete));
  }
  operation->finish(status);
}

grpc::ServerWriteReactor<ExecutePlanResponse>* Service::ExecutePlan(grpc::CallbackServerContext* context,
                                                                    const ExecutePlanRequest* request) {
  if (grpc::Status access = check_access(*context); !access.ok()) return ResponseStream::refuse(access);
  auto operation = start_operation(*context, *request);
  if (!operation.ok()) return ResponseStream::refuse(errors_.report(operation.status()));
  return ResponseStream::start(*operation, errors_, [this, operation = *operation] {
    if (!operation->reattachable) operations_.remove(operation);
  });
}

}  // namespace deuteron::connect
