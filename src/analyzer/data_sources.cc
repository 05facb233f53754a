// Python data sources: a worker makes the source and tells its columns, how it is read and in which parts;
// each part is a row of a partition of its own, and mapInArrow reads it.
#include "analyzer/data_source_questions.h"
#include "analyzer/errors.h"
#include "analyzer/local_data.h"
#include "analyzer/relations.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using types::DataType;
using types::TypeId;

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
  ASSIGN_OR_RETURN(AnswerReader created, ask_worker(analysis_, python, "create", std::move(rows)));
  if (const std::string failure = created.text(); !failure.empty())
    return at(data_source_failed("create", "instance", failure), origin);
  const std::string columns = created.text();
  ASSIGN_OR_RETURN(const types::Schema fields, parse_schema_text(columns));

  const std::string instance = from_hexadecimal(created.text());
  const char* pushdown = analysis_.settings.python_filter_pushdown ? "true" : "false";
  rows = {question(instance, pushdown, DataType::structure(fields).json())};
  ASSIGN_OR_RETURN(AnswerReader read, ask_worker(analysis_, python, "read", std::move(rows)));
  if (const std::string failure = read.text(); !failure.empty()) {
    const bool has_reader = read.text() == "partitions";
    return at(has_reader ? data_source_failed("generate", "read partitions", failure)
                         : data_source_failed("initialize", "reader", failure),
              origin);
  }
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
