// The table of error conditions: SQLSTATE, the exception classes that a client raises, and our message
// template. A condition with a sub-condition is written MAIN.SUB; a missing entry falls back to MAIN, then to
// INTERNAL_ERROR.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace deuteron {

struct ErrorCondition {
  std::string_view name;
  std::string_view sql_state;
  std::string_view exception;  // key into exception_hierarchy(), the JVM class that Spark throws
  std::string_view message;    // template with <parameter> places
};

// The entry for `condition`, or for the closest parent.
const ErrorCondition& find_error_condition(std::string_view condition);
// JVM class names from the thrown class upwards; PySpark picks its own exception class by the first it knows.
std::vector<std::string> exception_hierarchy(const ErrorCondition& condition);
// The template with its <parameters> filled in.
std::string format_error_message(std::string_view message_template,
                                 const std::map<std::string, std::string>& parameters);

}  // namespace deuteron
