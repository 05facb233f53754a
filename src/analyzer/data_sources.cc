// Python data sources: a worker makes the source and tells its columns, how it is read and in which parts;
// each part is a row of a partition of its own, and mapInArrow reads it.
#include "analyzer/answer_reader.h"
#include "analyzer/errors.h"
#include "analyzer/local_data.h"
#include "analyzer/relations.h"
#include "analyzer/simplification.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

constexpr int32_t kMapArrow = 207;  // PySpark's PythonEvalType
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

ExpressionPtr bytes_literal(std::string bytes) {
  return make_literal({DataType(TypeId::kBinary), types::Value(std::move(bytes))});
}

resolved::Expressions question(const std::string& bytes, const std::string& name, const std::string& value) {
  return {bytes_literal(bytes), make_string(name), make_string(value)};
}

// Runs a function of deuteron.worker.data_sources on the rows.
Result<AnswerReader> ask(Analysis& analysis, const unresolved::PythonCall& python,
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

Status failed(const std::string& action, const std::string& type, const std::string& message) {
  return error("PYTHON_DATA_SOURCE_ERROR", {{"action", action}, {"type", type}, {"msg", message}});
}

}  // namespace

Result<Input> RelationResolver::python_data_source(const unresolved::DataSource& source,
                                                   const unresolved::PythonCall& python,
                                                   const types::Schema& schema, const plan::Origin& origin) {
  if (source.paths.size() > 1) return at(unsupported("several paths of a Python data source"), origin);
  plan::Options options = source.options;
  if (!source.paths.empty() && !options.emplace("path", source.paths[0]).second)
    return at(unsupported("a path of a Python data source beside the option path"), origin);
  const std::string wanted = schema.empty() ? "" : DataType::structure(schema).json();
  std::vector<resolved::Expressions> rows = {question(python.command, python.name, wanted)};
  for (const auto& [key, value] : options) rows.push_back(question("", key, value));
  ASSIGN_OR_RETURN(AnswerReader created, ask(analysis_, python, "create", std::move(rows)));
  if (const std::string failure = created.text(); !failure.empty())
    return at(failed("create", "instance", failure), origin);
  const std::string columns = created.text();
  ASSIGN_OR_RETURN(const types::Schema fields, parse_schema_text(columns));

  const std::string instance = from_hexadecimal(created.text());
  rows = {question(instance, "", DataType::structure(fields).json())};
  ASSIGN_OR_RETURN(AnswerReader read, ask(analysis_, python, "read", std::move(rows)));
  if (const std::string failure = read.text(); !failure.empty())
    return at(failed("generate", "read partitions", failure), origin);
  const std::string command = from_hexadecimal(read.text());
  std::vector<resolved::Expressions> parts;
  for (size_t left = read.count(); left > 0; --left)
    parts.push_back({bytes_literal(from_hexadecimal(read.text()))});
  const auto partitions = static_cast<int32_t>(parts.size());
  const Column part{analysis_.next_id(), "part", DataType(TypeId::kBinary), false, {}, ""};
  Columns output;
  for (const types::StructField& field : fields)
    output.push_back({analysis_.next_id(), field.name, field.type, field.nullable, {}, field.metadata_json});
  return analyzer::source(
      map_in_arrow(resolved::make_relation(resolved::Values{std::move(parts)}, {part}, partitions), python,
                   command, std::move(output), partitions));
}

}  // namespace deuteron::analyzer
