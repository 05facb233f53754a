// NativeSession::configure: the Config RPC's operations on the session's settings.
#include "connect/native/session.h"

namespace deuteron::connect {
namespace {

using spark::connect::ConfigRequest;
using spark::connect::ConfigResponse;

void add_pair(ConfigResponse& response, const std::string& key, const std::optional<std::string>& value) {
  auto* pair = response.add_pairs();
  pair->set_key(key);
  if (value.has_value()) pair->set_value(*value);
}

}  // namespace

Status NativeSession::configure(const ConfigRequest& request, ConfigResponse& response) {
  session::SessionSettings& settings = session_->settings();
  const ConfigRequest::Operation& operation = request.operation();
  switch (operation.op_type_case()) {
    case ConfigRequest::Operation::kSet:
      for (const auto& pair : operation.set().pairs()) {
        Status status = settings.set(pair.key(), pair.value());
        if (status.ok()) continue;
        if (!operation.set().silent()) return status;
        response.add_warnings(status.to_string());
      }
      return {};
    case ConfigRequest::Operation::kGet:
      for (const std::string& key : operation.get().keys()) {
        ASSIGN_OR_RETURN(const std::optional<std::string> value, settings.get(key));
        add_pair(response, key, value);
      }
      return {};
    case ConfigRequest::Operation::kGetWithDefault:
      for (const auto& pair : operation.get_with_default().pairs()) {
        std::optional<std::string> otherwise;
        if (pair.has_value()) otherwise = pair.value();
        ASSIGN_OR_RETURN(const std::optional<std::string> value, settings.get_or(pair.key(), otherwise));
        add_pair(response, pair.key(), value);
      }
      return {};
    case ConfigRequest::Operation::kGetOption:
      for (const std::string& key : operation.get_option().keys())
        add_pair(response, key, settings.find(key));
      return {};
    case ConfigRequest::Operation::kGetAll: {
      const std::string& prefix = operation.get_all().prefix();
      // With a prefix the keys come back without it, as Spark does.
      for (const auto& [key, value] : settings.all(prefix))
        add_pair(response, key.substr(prefix.size()), value);
      return {};
    }
    case ConfigRequest::Operation::kUnset:
      for (const std::string& key : operation.unset().keys()) RETURN_IF_ERROR(settings.unset(key));
      return {};
    case ConfigRequest::Operation::kIsModifiable:
      for (const std::string& key : operation.is_modifiable().keys()) {
        add_pair(response, key, session::SessionSettings::is_modifiable(key) ? "true" : "false");
      }
      return {};
    case ConfigRequest::Operation::OP_TYPE_NOT_SET: break;
  }
  return error("CONNECT_INVALID_PLAN.ASSERTION_FAILURE", {{"message", "The request asks for nothing."}});
}

}  // namespace deuteron::connect
