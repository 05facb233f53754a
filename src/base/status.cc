#include "base/status.h"

#include "base/error_conditions.h"

namespace deuteron {

const std::string& Status::condition() const {
  static const std::string kOk;
  return ok() ? kOk : detail_->condition;
}

std::string Status::to_string() const {
  if (ok()) return "OK";
  const std::string_view sql_state = find_error_condition(detail_->condition).sql_state;
  if (sql_state.empty()) return detail_->message;  // our own name for an error to which Spark gives none
  return "[" + detail_->condition + "] " + detail_->message + " SQLSTATE: " + std::string(sql_state);
}

Status Status::with_context(QueryContext context) const {
  ErrorDetail detail = *detail_;
  detail.contexts.insert(detail.contexts.begin(), std::move(context));
  return Status(std::move(detail));
}

Status Status::with_traceback(std::string traceback) const {
  ErrorDetail detail = *detail_;
  detail.python_traceback = std::move(traceback);
  return Status(std::move(detail));
}

namespace {

// A malformed text raises another class for each kind of type that it is read as.
std::string exception_by_parameters(const std::string& condition,
                                    const std::map<std::string, std::string>& parameters) {
  if (condition != "CAST_INVALID_INPUT") return "";
  const auto target = parameters.find("targetType");
  if (target == parameters.end()) return "";
  if (target->second == "\"BOOLEAN\"") return "org.apache.spark.SparkRuntimeException";
  const bool is_time = target->second == "\"DATE\"" || target->second.starts_with("\"TIMESTAMP");
  return is_time ? "org.apache.spark.SparkDateTimeException" : "";
}

}  // namespace

Status error(std::string condition, std::map<std::string, std::string> parameters,
             std::vector<QueryContext> contexts) {
  ErrorDetail detail;
  detail.message = format_error_message(find_error_condition(condition).message, parameters);
  detail.exception = exception_by_parameters(condition, parameters);
  detail.condition = std::move(condition);
  detail.parameters = std::move(parameters);
  detail.contexts = std::move(contexts);
  return Status(std::move(detail));
}

Status internal_error(std::string message) {
  return error("INTERNAL_ERROR", {{"message", std::move(message)}});
}

Status unsupported(std::string feature) {
  return error("UNSUPPORTED_FEATURE", {{"feature", std::move(feature)}});
}

Status cancelled() { return error("OPERATION_CANCELED"); }

}  // namespace deuteron
