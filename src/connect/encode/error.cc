#include "connect/encode/error.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <nlohmann/json.hpp>

#include "base/error_conditions.h"
#include "base/identifier.h"

namespace deuteron::connect {
namespace {

constexpr size_t kKeptErrors = 1'000;
// A gRPC status travels in HTTP/2 headers, which peers limit to 8 KB: long texts come with FetchErrorDetails.
constexpr size_t kLongestStatusText = 2'048;

// Of a place in the SQL text without bounds clients learn by the message only.
bool is_sent(const QueryContext& context) {
  return context.kind != QueryContext::Kind::kSql || context.start_index >= 0;
}

// Conditions without an SQLSTATE are names of ours for errors to which Spark gives none, but for its own of
// older times.
bool is_named_by_spark(const std::string& name, const ErrorCondition& condition) {
  return !condition.sql_state.empty() || name.starts_with("_LEGACY_ERROR_TEMP_");
}

std::string full_message(const Status& status) {
  const ErrorDetail& detail = status.detail();
  std::string message = status.to_string();
  for (const QueryContext& context : detail.contexts) {
    if (!context.summary.empty()) message += (is_sent(context) ? "\n" : " ") + context.summary;
  }
  return message;
}

std::string shortened(const std::string& text) {
  if (text.size() <= kLongestStatusText) return text;
  size_t end = kLongestStatusText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;  // not within a UTF-8 character
  return text.substr(0, end) + "...";
}

google::rpc::ErrorInfo error_info(const Status& status, const std::string& error_id) {
  const ErrorDetail& detail = status.detail();
  ErrorCondition condition = find_error_condition(detail.condition);
  if (!detail.exception.empty()) condition.exception = detail.exception;
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(condition.exception));
  info.set_domain("org.apache.spark");
  auto& metadata = *info.mutable_metadata();
  metadata["classes"] = nlohmann::json(exception_hierarchy(condition)).dump();
  metadata["errorId"] = error_id;
  if (is_named_by_spark(detail.condition, condition)) metadata["errorClass"] = detail.condition;
  if (!condition.sql_state.empty()) metadata["sqlState"] = std::string(condition.sql_state);
  const std::string parameters =
      nlohmann::json(detail.parameters).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  metadata["messageParameters"] = parameters.size() <= kLongestStatusText ? parameters : "{}";
  return info;
}

void encode_context(const QueryContext& context,
                    spark::connect::FetchErrorDetailsResponse_QueryContext& out) {
  using Encoded = spark::connect::FetchErrorDetailsResponse_QueryContext;
  out.set_context_type(context.kind == QueryContext::Kind::kSql ? Encoded::SQL : Encoded::DATAFRAME);
  out.set_object_type(context.object_type);
  out.set_object_name(context.object_name);
  out.set_start_index(context.start_index);
  out.set_stop_index(context.stop_index);
  out.set_fragment(context.fragment);
  out.set_call_site(context.call_site);
  out.set_summary(context.summary);
}

}  // namespace

grpc::Status ErrorStore::report(const Status& status) {
  const std::string error_id = random_uuid();
  {
    std::lock_guard lock(mutex_);
    if (latest_.size() >= kKeptErrors) latest_.pop_front();
    latest_.push_back({error_id, status});
  }
  const std::string text = shortened(full_message(status));
  google::rpc::Status details;
  details.set_code(static_cast<int>(grpc::StatusCode::INTERNAL));
  details.set_message(text);
  details.add_details()->PackFrom(error_info(status, error_id));
  return {grpc::StatusCode::INTERNAL, text, details.SerializeAsString()};
}

bool ErrorStore::fetch(const std::string& error_id,
                       spark::connect::FetchErrorDetailsResponse& response) const {
  Status status;
  {
    std::lock_guard lock(mutex_);
    for (const Entry& entry : latest_) {
      if (entry.id == error_id) status = entry.status;
    }
  }
  if (status.ok()) return false;
  const ErrorDetail& detail = status.detail();
  ErrorCondition condition = find_error_condition(detail.condition);
  if (!detail.exception.empty()) condition.exception = detail.exception;
  response.set_root_error_idx(0);
  auto* out = response.add_errors();
  for (const std::string& name : exception_hierarchy(condition)) out->add_error_type_hierarchy(name);
  out->set_message(full_message(status));
  auto* throwable = out->mutable_spark_throwable();
  if (is_named_by_spark(detail.condition, condition)) throwable->set_error_class(detail.condition);
  if (!condition.sql_state.empty()) throwable->set_sql_state(std::string(condition.sql_state));
  throwable->mutable_message_parameters()->insert(detail.parameters.begin(), detail.parameters.end());
  for (const QueryContext& context : detail.contexts) {
    if (is_sent(context)) encode_context(context, *throwable->add_query_contexts());
  }
  return true;
}

}  // namespace deuteron::connect
