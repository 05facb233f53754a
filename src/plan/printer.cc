#include "plan/printer.h"

#include "plan/resolved.h"
#include "plan/unresolved.h"

namespace deuteron::plan {

std::string scalar_text(const std::string& value) {
  constexpr size_t kLongest = 200;
  return value.size() <= kLongest ? value : std::to_string(value.size()) + " bytes";
}
std::string scalar_text(const types::DataType& value) { return value.simple_string(); }
std::string scalar_text(const types::TypedValue& value) {
  if (value.type.is(types::TypeId::kNull) && !value.value.is_null()) {
    if (const auto* number = std::get_if<int64_t>(&value.value.data)) return std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&value.value.data)) return scalar_text(*text);
    if (const auto* real = std::get_if<double>(&value.value.data)) return std::to_string(*real);
    if (const auto* flag = std::get_if<bool>(&value.value.data)) return *flag ? "true" : "false";
    if (const auto* wide = std::get_if<types::Int128>(&value.value.data))
      return types::decimal_to_string(*wide, 0);
    return "value";
  }
  return to_sql_text(value);
}

void Printer::line(int depth, const std::string& head, const std::string& rest) {
  out_ << std::string(static_cast<size_t>(depth) * 2, ' ') << head << rest << "\n";
}

namespace {

template <typename Pointer>
std::string print(const Pointer& pointer) {
  Printer printer;
  printer.print_node(pointer, 0);
  return printer.text();
}

}  // namespace

namespace unresolved {
std::string to_string(const RelationPtr& relation) { return print(relation); }
std::string to_string(const ExpressionPtr& expression) { return print(expression); }
std::string to_string(const Command& command) { return print(std::make_shared<const Command>(command)); }
}  // namespace unresolved

namespace resolved {
std::string to_string(const RelationPtr& relation) { return print(relation); }
std::string to_string(const ExpressionPtr& expression) { return print(expression); }

types::Schema to_schema(const Columns& columns) {
  types::Schema schema;
  schema.reserve(columns.size());
  for (const Column& column : columns)
    schema.push_back({column.name, column.type, column.nullable, column.metadata_json});
  return schema;
}
}  // namespace resolved

}  // namespace deuteron::plan
