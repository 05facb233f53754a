#include <algorithm>
#include <charconv>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

constexpr std::string_view kMark = "deuteron#";
constexpr char kSeparator = 31;  // stands between the run-time parameters of a raised error

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

Status failure_status(const Fragment::Failure& failure, const std::vector<std::string>& values) {
  std::map<std::string, std::string> parameters = failure.parameters;
  for (auto& [name, text] : parameters) {
    for (size_t i = 0; i < values.size(); ++i)
      text = replace_all(std::move(text), "{" + std::to_string(i) + "}", values[i]);
  }
  std::vector<QueryContext> contexts;
  if (failure.origin != nullptr) contexts.push_back(*failure.origin);
  return error(failure.condition, std::move(parameters), std::move(contexts));
}

// A message of DuckDB's own checks: which operation, and the values that it names.
struct NativeMessage {
  std::string operation;
  std::vector<std::string> values;
};

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const size_t start = text.find(before);
  if (start == std::string_view::npos) return {};
  const size_t from = start + before.size();
  const size_t end = text.find(after, from);
  return end == std::string_view::npos ? std::string_view() : text.substr(from, end - from);
}

// "Overflow in addition of INT32 (2147483647 + 1)!", "Overflow in multiplication of DECIMAL(38) (1 * 2). You
// might …"
std::optional<NativeMessage> parse_arithmetic(std::string_view message) {
  struct Operation {
    std::string_view shown, word, symbol;
  };
  constexpr Operation kOperations[] = {{"addition", "addition", " + "},
                                       {"subtraction", "subtraction", " - "},
                                       {"subtract", "subtraction", " - "},  // of decimals
                                       {"multiplication", "multiplication", " * "}};
  for (const auto& [shown, word, symbol] : kOperations) {
    const std::string head = "Overflow in " + std::string(shown) + " of ";
    const size_t at = message.find(head);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = message.substr(at + head.size());
    const size_t open = rest.find(" (");
    if (open == std::string_view::npos) continue;
    NativeMessage native{std::string(word) + " " + std::string(rest.substr(0, open)), {}};
    const std::string_view operands = between(rest, " (", ")");
    if (const size_t middle = operands.find(symbol); middle != std::string_view::npos) {
      native.values = {std::string(operands.substr(0, middle)),
                       std::string(operands.substr(middle + symbol.size()))};
    }
    return native;
  }
  return std::nullopt;
}

std::optional<NativeMessage> parse_native(std::string_view message) {
  if (auto arithmetic = parse_arithmetic(message)) return arithmetic;
  if (message.find("Overflow on abs(") != std::string_view::npos) {
    return NativeMessage{"abs", {std::string(between(message, "abs(", ")"))}};
  }
  // "Type INT64 with value 300 can't be cast because the value is out of range for the destination type INT8"
  if (const std::string_view source = between(message, "Type ", " with value "); !source.empty()) {
    const std::string_view value = between(message, " with value ", " can't be cast");
    std::string_view target = message.substr(std::min(message.size(), message.find("destination type ")));
    target.remove_prefix(std::min<size_t>(target.size(), 17));
    target = target.substr(0, target.find_first_of(" \n!"));
    return NativeMessage{"cast " + std::string(source) + " " + std::string(target), {std::string(value)}};
  }
  // "Casting value "1.50" to type DECIMAL(2,2) failed", "Could not cast value 123 to DECIMAL(2,0)"
  if (message.find("Casting value \"") != std::string_view::npos) {
    return NativeMessage{"cast to " + std::string(between(message, "to type ", " failed")),
                         {std::string(between(message, "Casting value \"", "\""))}};
  }
  if (const size_t at = message.find("Could not cast value "); at != std::string_view::npos) {
    const std::string_view rest = message.substr(at + 21);
    if (const size_t to = rest.find(" to "); to != std::string_view::npos) {
      std::string_view target = rest.substr(to + 4);
      if (const size_t close = target.find(')'); close != std::string_view::npos)
        target = target.substr(0, close + 1);
      return NativeMessage{"cast to " + std::string(target), {std::string(rest.substr(0, to))}};
    }
  }
  return std::nullopt;
}

}  // namespace

int Fragment::add_failure(Failure failure) {
  failures_.push_back(std::move(failure));
  return static_cast<int>(failures_.size()) - 1;
}

// Spark runs a correlated sub-query as a join, whose error is of another class and names no place.
Status Fragment::too_many_rows() const {
  const bool is_known = scalar_subqueries_.size() == 1;
  Status status = error("SCALAR_SUBQUERY_TOO_MANY_ROWS");
  if (is_known && scalar_subqueries_[0].correlated) {
    ErrorDetail detail = status.detail();
    detail.exception = "org.apache.spark.SparkRuntimeException";
    return Status(std::move(detail));
  }
  if (!is_known || scalar_subqueries_[0].origin == nullptr) return status;
  return status.with_context(*scalar_subqueries_[0].origin);
}

std::optional<Fragment::Diagnosis> Fragment::status_of(std::string_view message) const {
  if (const size_t mark = message.find(kMark); mark != std::string_view::npos) {
    std::string_view rest = message.substr(mark + kMark.size());
    size_t index = 0;
    const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    if (failed != std::errc() || index >= failures_.size()) return std::nullopt;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    std::vector<std::string> values;
    if (!rest.empty() && rest.front() == kSeparator) values = split(rest.substr(1), kSeparator);
    return Diagnosis{failure_status(failures_[index], values)};
  }
  if (message.find("More than one row returned by a subquery") != std::string_view::npos) {
    return Diagnosis{too_many_rows()};
  }
  if (const std::string_view zone = between(message, "Unknown TimeZone '", "'!"); !zone.empty()) {
    return Diagnosis{error("INVALID_TIMEZONE", {{"timeZone", std::string(zone)}})};
  }
  const auto native = parse_native(message);
  if (!native) return std::nullopt;
  if (uses_narrow_decimals_ && message.find("DECIMAL(") != std::string_view::npos) {
    return Diagnosis{error("ARITHMETIC_OVERFLOW", {{"message", "overflow"}}), false, true};
  }
  std::vector<const NativeCheck*> candidates;
  for (const NativeCheck& check : native_checks_) {
    if (check.operation == native->operation) candidates.push_back(&check);
  }
  if (candidates.empty()) return std::nullopt;
  const Failure& first = candidates.front()->failure;
  if (candidates.size() == 1 && !candidates.front()->has_own_values)
    return Diagnosis{failure_status(first, native->values)};
  Failure without_place = first;
  without_place.origin = nullptr;
  return Diagnosis{failure_status(without_place, native->values), true, false};
}

}  // namespace deuteron::relational
