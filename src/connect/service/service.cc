#include "connect/service/service.h"

#include <openssl/crypto.h>

#include <thread>

namespace deuteron::connect {

Service::Service(Backend& backend, const ServiceOptions& options)
    : backend_(backend), options_(options), operations_(options.detach) {}

grpc::Status Service::check_access(const grpc::CallbackServerContext& context) const {
  if (options_.token.empty()) return grpc::Status::OK;
  const std::string expected = "Bearer " + options_.token;
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  const bool equal = found != metadata.end() && found->second.size() == expected.size() &&
                     CRYPTO_memcmp(found->second.data(), expected.data(), expected.size()) == 0;
  return equal ? grpc::Status::OK
               : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "Invalid or missing authentication token");
}

void Service::clean_up() {
  operations_.remove_abandoned(steady_now());
  backend_.close_idle_sessions(steady_now());
}

void Service::drain(Duration patience) {
  draining_ = true;
  const SteadyTime deadline = steady_now() + patience;
  auto any_running = [&] {
    for (const auto& operation : operations_.all()) {
      if (operation->state() == OperationState::kRunning) return true;
    }
    return false;
  };
  while (any_running() && steady_now() < deadline) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  for (const auto& operation : operations_.all()) operations_.remove(operation);
}

}  // namespace deuteron::connect
