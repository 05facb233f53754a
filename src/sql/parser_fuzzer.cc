// Any bytes: the parser answers, without a crash, a hang or a leak, and what it accepts can be printed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using deuteron::plan::unresolved::to_string;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0: {
      const auto expression = deuteron::sql::parse_expression(text);
      if (expression.ok()) to_string(*expression);
      break;
    }
    case 1: (void)deuteron::sql::parse_schema(text); break;
    case 2: (void)deuteron::sql::parse_name(text); break;
    default: {
      const auto statement = deuteron::sql::parse_statement(text);
      if (!statement.ok()) break;
      if (const auto* relation = std::get_if<deuteron::plan::unresolved::RelationPtr>(&*statement))
        to_string(*relation);
    }
  }
  return 0;
}
