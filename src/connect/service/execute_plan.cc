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

  Status write(ExecutePlanResponse response, const exchange::Region& batch_data) override {
    if (chunk_bytes_ > 0 && batch_data.length > static_cast<uint64_t>(chunk_bytes_)) {
      return write_in_chunks(response, batch_data);
    }
    return append(std::move(response), batch_data);
  }

 private:
  Status append(ExecutePlanResponse response, const exchange::Region& batch_data) {
    response.set_session_id(operation_.session.session_id);
    response.set_server_side_session_id(server_side_session_id_);
    response.set_operation_id(operation_.id);
    response.set_response_id(random_uuid());
    return operation_.responses.append(encode_response(std::move(response), batch_data));
  }

  Status write_in_chunks(const ExecutePlanResponse& response, const exchange::Region& batch_data) {
    const auto chunk_bytes = static_cast<uint64_t>(chunk_bytes_);
    const uint64_t chunks = (batch_data.length + chunk_bytes - 1) / chunk_bytes;
    for (uint64_t index = 0; index < chunks; ++index) {
      ExecutePlanResponse part = response;
      part.mutable_arrow_batch()->set_chunk_index(static_cast<int64_t>(index));
      part.mutable_arrow_batch()->set_num_chunks_in_batch(static_cast<int64_t>(chunks));
      exchange::Region chunk = batch_data;
      chunk.offset += index * chunk_bytes;
      chunk.length = std::min(chunk_bytes, batch_data.length - index * chunk_bytes);
      RETURN_IF_ERROR(append(std::move(part), chunk));
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
  const Status status = behind_wall([&]() -> Status {
    RETURN_IF_ERROR(session->execute(request, operation->id, writer, operation->cancel));
    ExecutePlanResponse complete;
    complete.mutable_result_complete();
    return writer.write(std::move(complete), {});
  });
  operation->finish(status);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* Service::ExecutePlan(grpc::CallbackServerContext* context,
                                                                 const grpc::ByteBuffer* bytes) {
  if (grpc::Status access = check_access(*context); !access.ok()) return ResponseStream::refuse(access);
  ExecutePlanRequest request;
  if (grpc::Status parsed = parse(*bytes, request); !parsed.ok()) return ResponseStream::refuse(parsed);
  auto operation = start_operation(*context, request);
  if (!operation.ok()) return ResponseStream::refuse(errors_.report(operation.status()));
  return ResponseStream::start(*operation, errors_, [this, operation = *operation] {
    if (!operation->reattachable) operations_.remove(operation);
  });
}

}  // namespace deuteron::connect
