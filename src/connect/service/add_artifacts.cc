// AddArtifacts: a client's stream of files, whole in batches or in chunks, each with its CRC-32.
#include <zlib.h>

#include "connect/service/service.h"

namespace deuteron::connect {
namespace {

using spark::connect::AddArtifactsRequest;
using spark::connect::AddArtifactsResponse;

constexpr uint64_t kLargestArtifact = uint64_t{2} << 30;

bool checksum_matches(const AddArtifactsRequest::ArtifactChunk& chunk) {
  const auto* data = reinterpret_cast<const Bytef*>(chunk.data().data());
  return static_cast<int64_t>(crc32_z(0, data, chunk.data().size())) == chunk.crc();
}

// Puts the messages of one stream together. Reads one message at a time; deletes itself.
class ArtifactReader final : public grpc::ServerReadReactor<AddArtifactsRequest> {
 public:
  using OpenSession = std::function<Result<std::shared_ptr<BackendSession>>(const AddArtifactsRequest&)>;

  ArtifactReader(OpenSession open_session, ErrorStore& errors, WorkThreads& threads,
                 AddArtifactsResponse* response)
      : open_session_(std::move(open_session)), errors_(errors), threads_(threads), response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      if (!expected_chunks_) return Finish(grpc::Status::OK);
      return Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "the stream ended within an artifact"));
    }
    threads_.post([this] {  // files are written here
      const Status status = behind_wall([this] { return take(request_); });
      if (!status.ok()) return Finish(errors_.report(status));
      StartRead(&request_);
    });
  }
  void OnDone() override { delete this; }

 private:
  Status take(const AddArtifactsRequest& request) {
    if (session_ == nullptr) {
      ASSIGN_OR_RETURN(session_, open_session_(request));
      response_->set_session_id(request.session_id());
      response_->set_server_side_session_id(session_->server_side_id());
    }
    switch (request.payload_case()) {
      case AddArtifactsRequest::kBatch:
        for (const auto& artifact : request.batch().artifacts()) {
          RETURN_IF_ERROR(store(artifact.name(), artifact.data().data(), checksum_matches(artifact.data())));
        }
        return {};
      case AddArtifactsRequest::kBeginChunk: return begin(request.begin_chunk());
      case AddArtifactsRequest::kChunk: return add_chunk(request.chunk());
      default: return error("INVALID_ARTIFACT_STREAM", {{"reason", "a message without content"}});
    }
  }

  Status begin(const AddArtifactsRequest::BeginChunkedArtifact& artifact) {
    if (expected_chunks_ > 0)
      return error("INVALID_ARTIFACT_STREAM", {{"reason", "an artifact within an artifact"}});
    if (artifact.num_chunks() < 1 || artifact.total_bytes() < 0 ||
        static_cast<uint64_t>(artifact.total_bytes()) > kLargestArtifact) {
      return error("INVALID_ARTIFACT_STREAM", {{"reason", "the announced size is not possible"}});
    }
    name_ = artifact.name();
    content_.clear();
    total_bytes_ = static_cast<uint64_t>(artifact.total_bytes());
    expected_chunks_ = artifact.num_chunks();
    checksums_match_ = true;
    return add_chunk(artifact.initial_chunk());
  }

  Status add_chunk(const AddArtifactsRequest::ArtifactChunk& chunk) {
    if (expected_chunks_ == 0)
      return error("INVALID_ARTIFACT_STREAM", {{"reason", "a chunk of no artifact"}});
    if (content_.size() + chunk.data().size() > total_bytes_) {
      return error("INVALID_ARTIFACT_STREAM", {{"reason", "more bytes than announced"}});
    }
    checksums_match_ = checksums_match_ && checksum_matches(chunk);
    content_ += chunk.data();
    if (--expected_chunks_ > 0) return {};
    return store(name_, std::move(content_), checksums_match_);
  }

  Status store(const std::string& name, std::string content, bool intact) {
    auto* summary = response_->add_artifacts();
    summary->set_name(name);
    summary->set_is_crc_successful(intact);
    return intact ? session_->add_artifact(name, std::move(content)) : Status();
  }

  const OpenSession open_session_;
  ErrorStore& errors_;
  WorkThreads& threads_;
  AddArtifactsResponse* const response_;
  AddArtifactsRequest request_;
  std::shared_ptr<BackendSession> session_;
  std::string name_;
  std::string content_;
  uint64_t total_bytes_ = 0;
  int64_t expected_chunks_ = 0;
  bool checksums_match_ = true;
};

class RefusedReader final : public grpc::ServerReadReactor<AddArtifactsRequest> {
 public:
  explicit RefusedReader(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerReadReactor<AddArtifactsRequest>* Service::AddArtifacts(grpc::CallbackServerContext* context,
                                                                    AddArtifactsResponse* response) {
  if (grpc::Status access = check_access(*context); !access.ok()) return new RefusedReader(access);
  return new ArtifactReader([this](const AddArtifactsRequest& request) { return open_session(request); },
                            errors_, threads_, response);
}

}  // namespace deuteron::connect
