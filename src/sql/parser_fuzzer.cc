// Any bytes: the parser answers, without a crash, a hang or a leak, and what it accepts can be printed. The
// first character tells what the rest is: 1 an expression, 2 a schema, 3 a type, 4 a name, 5 a type in JSON;
// with any other the whole text is a statement.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/json_type.h"
#include "sql/parser.h"

namespace {

using deuteron::plan::unresolved::to_string;

void parse_statement(std::string_view text) {
  const auto statement = deuteron::sql::parse_statement(text);
  if (!statement.ok()) return;
  if (const auto* relation = std::get_if<deuteron::plan::unresolved::RelationPtr>(&*statement))
    to_string(*relation);
}

void parse_expression(std::string_view text) {
  const auto expression = deuteron::sql::parse_expression(text);
  if (expression.ok()) to_string(*expression);
}

// What a type prints is the same type.
void check_type(const deuteron::Result<deuteron::types::DataType>& type) {
  if (!type.ok()) return;
  (void)type->sql();
  (void)type->simple_string();
  const auto again = deuteron::sql::parse_json_type(type->json());
  if (!again.ok() || !again->same_type(*type)) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.empty()) return 0;
  const std::string_view rest = text.substr(1);
  switch (text.front()) {
    case '1': parse_expression(rest); break;
    case '2': (void)deuteron::sql::parse_schema(rest); break;
    case '3': check_type(deuteron::sql::parse_data_type(rest)); break;
    case '4': (void)deuteron::sql::parse_name(rest); break;
    case '5': check_type(deuteron::sql::parse_json_type(rest)); break;
    default: parse_statement(text);
  }
  return 0;
}
