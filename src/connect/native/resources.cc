// Resource profiles, and what the driver has: commands with answers of their own.
#include "connect/native/session.h"

namespace deuteron::connect {

using spark::connect::ExecutePlanResponse;

Status NativeSession::create_resource_profile(const spark::connect::CreateResourceProfileCommand& command,
                                              ResponseWriter& responses) {
  execution::ResourceProfile profile;
  for (const auto& [name, request] : command.profile().task_resources())
    profile.task[name] = request.amount();
  for (const auto& [name, request] : command.profile().executor_resources())
    profile.executor[name] = request.amount();
  ASSIGN_OR_RETURN(const int32_t id, session_->create_resource_profile(std::move(profile)));
  ExecutePlanResponse response;
  response.mutable_create_resource_profile_command_result()->set_profile_id(id);
  return responses.write(std::move(response));
}

Status NativeSession::tell_resources(ResponseWriter& responses) {
  ASSIGN_OR_RETURN(const auto found, session_->driver_resources());
  ExecutePlanResponse response;
  auto& resources = *response.mutable_get_resources_command_result()->mutable_resources();
  for (const auto& [name, addresses] : found) {
    resources[name].set_name(name);
    for (const std::string& address : addresses) resources[name].add_addresses(address);
  }
  return responses.write(std::move(response));
}

}  // namespace deuteron::connect
