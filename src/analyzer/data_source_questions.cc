#include "analyzer/data_source_questions.h"

#include "analyzer/errors.h"
#include "analyzer/relations.h"
#include "analyzer/simplification.h"

namespace deuteron::analyzer {

using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {
constexpr int32_t kMapArrow = 207;  // PySpark's PythonEvalType
}  // namespace

ExpressionPtr bytes_literal(std::string bytes) {
  return make_literal({DataType(TypeId::kBinary), types::Value(std::move(bytes))});
}

resolved::Expressions question(const std::string& bytes, const std::string& name, const std::string& value) {
  return {bytes_literal(bytes), make_string(name), make_string(value)};
}

std::string from_hexadecimal(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return bytes;
}

RelationPtr map_in_arrow(RelationPtr input, const unresolved::PythonCall& python, std::string command,
                         Columns output, int32_t partitions) {
  types::Schema schema = resolved::to_schema(output);
  resolved::PythonFunction function{python.name,
                                    kMapArrow,
                                    std::move(command),
                                    python.python_version,
                                    DataType::structure(std::move(schema)),
                                    true};
  return resolved::make_relation(
      resolved::MapPartitions{std::move(input),
                              std::make_shared<const resolved::PythonFunction>(std::move(function)), false},
      std::move(output), partitions);
}

Result<AnswerReader> ask_worker(Analysis& analysis, const unresolved::PythonCall& python,
                                const std::string& function, std::vector<resolved::Expressions> rows) {
  constexpr int64_t kMostTexts = 1000000;
  const DataType text(TypeId::kString);
  Columns columns;
  for (const ExpressionPtr& value : rows[0])
    columns.push_back({analysis.next_id(), "value", value->type, false, {}, ""});
  const RelationPtr input = resolved::make_relation(resolved::Values{std::move(rows)}, std::move(columns), 1);
  // A pickle of the function, and of a type that mapInArrow does not look at.
  const std::string command =
      "(cdeuteron.worker.data_sources\n" + function + "\ncpyspark.sql.types\nNullType\n(tRt.";
  RelationPtr plan =
      map_in_arrow(input, python, command, {{analysis.next_id(), "text", text, true, {}, ""}}, 1);
  ASSIGN_OR_RETURN(plan, simplify(analysis, plan));
  ASSIGN_OR_RETURN(auto texts, analysis.catalog.run(plan, kMostTexts));
  return AnswerReader(std::move(texts));
}

Status data_source_failed(const std::string& action, const std::string& type, const std::string& message) {
  return error("PYTHON_DATA_SOURCE_ERROR", {{"action", action}, {"type", type}, {"msg", message}});
}

}  // namespace deuteron::analyzer
