// Status and Result: how every module reports failure. A Status is OK or carries one ErrorDetail in Spark's
// words (condition, SQLSTATE, parameters, query context), so that nothing is lost between a worker and the
// client. Values are immutable once made and cheap to copy; safe to pass between threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace deuteron {

// The place in a user's program that an error speaks of.
struct QueryContext {
  enum class Kind { kSql, kDataFrame };
  Kind kind = Kind::kSql;
  std::string object_type;
  std::string object_name;
  int32_t start_index =
      -1;  // first character of the fragment in the SQL text, from 0; -1: the message alone tells the place
  int32_t stop_index = -1;  // last character, inclusive
  std::string fragment;
  std::string call_site;
  std::string summary;

  bool operator==(const QueryContext&) const = default;
};

struct ErrorDetail {
  std::string condition;  // for example DIVIDE_BY_ZERO, UNSUPPORTED_FEATURE.X
  std::string message;    // text without the [CONDITION] prefix and the SQLSTATE suffix
  std::map<std::string, std::string> parameters;  // message parameters by name
  std::vector<QueryContext> contexts;
  std::string exception;  // the JVM class, where it is not the condition's usual one (error_conditions.h)
  bool retriable = false;
  std::string python_traceback;  // of the user's function, when it was one that failed
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  explicit Status(ErrorDetail detail) : detail_(std::make_shared<const ErrorDetail>(std::move(detail))) {}

  bool ok() const { return detail_ == nullptr; }
  explicit operator bool() const = delete;
  // Requires !ok().
  const ErrorDetail& detail() const { return *detail_; }
  const std::string& condition() const;
  // "[CONDITION] message SQLSTATE: xxxxx", as Spark prints it; "OK" for success.
  std::string to_string() const;
  // The same error with a query context added in front.
  Status with_context(QueryContext context) const;
  Status with_traceback(std::string traceback) const;

 private:
  std::shared_ptr<const ErrorDetail> detail_;
};

// An error of a condition listed in base/error_conditions.h; the message is made from the condition's
// template.
Status error(std::string condition, std::map<std::string, std::string> parameters = {},
             std::vector<QueryContext> contexts = {});
// INTERNAL_ERROR: a bug of ours or a broken environment.
Status internal_error(std::string message);
// UNSUPPORTED_FEATURE.<condition>, naming what was asked for. `feature` is a short name a user recognises.
Status unsupported(std::string feature);
// OPERATION_CANCELED.
Status cancelled();

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : value_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(value_); }
  Status status() const { return ok() ? Status() : std::get<Status>(value_); }
  // The value; requires ok().
  T& operator*() & { return std::get<T>(value_); }
  const T& operator*() const& { return std::get<T>(value_); }
  T&& operator*() && { return std::get<T>(std::move(value_)); }
  T* operator->() { return &std::get<T>(value_); }
  const T* operator->() const { return &std::get<T>(value_); }

 private:
  std::variant<Status, T> value_;
};

}  // namespace deuteron

#define DEUTERON_CONCAT_INNER(a, b) a##b
#define DEUTERON_CONCAT(a, b) DEUTERON_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expression` (a Status) failed.
#define RETURN_IF_ERROR(expression)                                 \
  do {                                                              \
    if (::deuteron::Status status_ = (expression); !status_.ok()) { \
      return status_;                                               \
    }                                                               \
  } while (false)

#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return result.status();                     \
  declaration = *std::move(result)

// ASSIGN_OR_RETURN(auto x, f()): x is f()'s value, or the enclosing function returns f()'s error.
#define ASSIGN_OR_RETURN(declaration, ...) \
  ASSIGN_OR_RETURN_INNER(DEUTERON_CONCAT(result_, __LINE__), declaration, (__VA_ARGS__))
