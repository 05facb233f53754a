#include "base/error_conditions.h"

#include <unordered_map>

namespace deuteron {
namespace {

constexpr std::string_view kAnalysis = "org.apache.spark.sql.AnalysisException";
constexpr std::string_view kParse = "org.apache.spark.sql.catalyst.parser.ParseException";
constexpr std::string_view kArithmetic = "org.apache.spark.SparkArithmeticException";
constexpr std::string_view kArrayIndex = "org.apache.spark.SparkArrayIndexOutOfBoundsException";
constexpr std::string_view kDateTime = "org.apache.spark.SparkDateTimeException";
constexpr std::string_view kNumberFormat = "org.apache.spark.SparkNumberFormatException";
constexpr std::string_view kIllegalArgument = "org.apache.spark.SparkIllegalArgumentException";
constexpr std::string_view kRuntime = "org.apache.spark.SparkRuntimeException";
constexpr std::string_view kUpgrade = "org.apache.spark.SparkUpgradeException";
constexpr std::string_view kUnsupported = "org.apache.spark.SparkUnsupportedOperationException";
constexpr std::string_view kNoSuchElement = "org.apache.spark.SparkNoSuchElementException";
constexpr std::string_view kClassNotFound = "org.apache.spark.SparkClassNotFoundException";
constexpr std::string_view kPython = "org.apache.spark.api.python.PythonException";
constexpr std::string_view kSpark = "org.apache.spark.SparkException";
constexpr std::string_view kFileNotFound = "org.apache.spark.SparkFileNotFoundException";
constexpr std::string_view kSql = "org.apache.spark.sql.connect.common.InvalidPlanInput";

// Sorted by name; one line a condition.
constexpr ErrorCondition kConditions[] = {
#include "base/error_conditions.inc"
};

// What each thrown class derives from, nearest first, as far as PySpark's mapping needs it.
const std::unordered_map<std::string_view, std::vector<std::string_view>>& parents() {
  static const std::unordered_map<std::string_view, std::vector<std::string_view>> kParents = {
      {kAnalysis, {"java.lang.Exception"}},
      {kParse, {kAnalysis, "java.lang.Exception"}},
      {kArithmetic, {"java.lang.ArithmeticException", "java.lang.RuntimeException"}},
      {kArrayIndex, {"java.lang.ArrayIndexOutOfBoundsException", "java.lang.RuntimeException"}},
      {kDateTime, {"java.time.DateTimeException", "java.lang.RuntimeException"}},
      {kNumberFormat, {"java.lang.NumberFormatException", "java.lang.IllegalArgumentException"}},
      {kIllegalArgument, {"java.lang.IllegalArgumentException", "java.lang.RuntimeException"}},
      {kRuntime, {"java.lang.RuntimeException"}},
      {kUpgrade, {"java.lang.RuntimeException"}},
      {kUnsupported, {"java.lang.UnsupportedOperationException", "java.lang.RuntimeException"}},
      {kNoSuchElement, {"java.util.NoSuchElementException", "java.lang.RuntimeException"}},
      {kClassNotFound, {"java.lang.ClassNotFoundException", "java.lang.ReflectiveOperationException"}},
      {kPython, {"java.lang.RuntimeException"}},
      {kSpark, {"java.lang.Exception"}},
      {kFileNotFound, {"java.io.FileNotFoundException", "java.io.IOException"}},
      {kSql, {"java.lang.RuntimeException"}},
  };
  return kParents;
}

}  // namespace

const ErrorCondition& find_error_condition(std::string_view condition) {
  static const auto* const kByName = [] {
    auto* by_name = new std::unordered_map<std::string_view, const ErrorCondition*>;
    for (const ErrorCondition& entry : kConditions) by_name->emplace(entry.name, &entry);
    return by_name;
  }();
  for (std::string_view name = condition;;) {
    if (auto found = kByName->find(name); found != kByName->end()) return *found->second;
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return *kByName->at("INTERNAL_ERROR");
    name = name.substr(0, dot);
  }
}

std::vector<std::string> exception_hierarchy(const ErrorCondition& condition) {
  std::vector<std::string> classes{std::string(condition.exception)};
  if (auto found = parents().find(condition.exception); found != parents().end()) {
    classes.insert(classes.end(), found->second.begin(), found->second.end());
  }
  classes.emplace_back("java.lang.Throwable");
  classes.emplace_back("java.lang.Object");
  return classes;
}

std::string format_error_message(std::string_view message_template,
                                 const std::map<std::string, std::string>& parameters) {
  std::string text;
  for (size_t position = 0; position < message_template.size();) {
    const size_t open = message_template.find('<', position);
    const size_t close = open == std::string_view::npos ? open : message_template.find('>', open);
    if (close == std::string_view::npos) return text.append(message_template.substr(position));
    text.append(message_template.substr(position, open - position));
    const std::string name(message_template.substr(open + 1, close - open - 1));
    const auto found = parameters.find(name);
    text.append(found == parameters.end() ? "<" + name + ">" : found->second);
    position = close + 1;
  }
  return text;
}

}  // namespace deuteron
