#include "server/listener.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <sstream>

#include "base/log.h"

namespace deuteron::server {
namespace {

constexpr int kLargestMessage = 512 << 20;  // local relations arrive as one message

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file || content.str().empty()) return error("INVALID_OPTION", {{"reason", "cannot read " + path}});
  return content.str();
}

Result<std::shared_ptr<grpc::ServerCredentials>> credentials(const Options& options) {
  if (options.tls_certificate.empty()) return grpc::InsecureServerCredentials();
  ASSIGN_OR_RETURN(std::string certificate, read_file(options.tls_certificate));
  ASSIGN_OR_RETURN(std::string key, read_file(options.tls_key));
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({std::move(key), std::move(certificate)});
  return grpc::SslServerCredentials(tls);
}

// gRPC's own messages are for its developers: what users need to know is said by us.
void log_grpc_message(gpr_log_func_args* message) { log_debug(std::string("grpc: ") + message->message); }

}  // namespace

Result<Listener> listen(const Options& options, connect::Service& service) {
  ASSIGN_OR_RETURN(auto channel_credentials, credentials(options));
  gpr_set_log_function(log_grpc_message);
  Listener listener;
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else two servers share a port in silence
  builder.SetMaxReceiveMessageSize(kLargestMessage);
  builder.SetMaxSendMessageSize(-1);
  // A dead peer is noticed although it sends nothing.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddListeningPort(listen_address(options), channel_credentials, &listener.port);
  builder.RegisterService(&service);
  listener.grpc = builder.BuildAndStart();
  if (listener.grpc == nullptr || listener.port == 0) {
    return error("CANNOT_LISTEN", {{"address", listen_address(options)}});
  }
  return listener;
}

}  // namespace deuteron::server
