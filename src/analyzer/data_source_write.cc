#include "analyzer/data_source_write.h"

#include "analyzer/data_source_questions.h"
#include "analyzer/renumbering.h"
#include "analyzer/simplification.h"
#include "plan/validator.h"

namespace deuteron::analyzer {

Result<DataSourceWrite> plan_data_source_write(const DataSourceWriteRequest& request,
                                               const Settings& settings,
                                               const catalog::CatalogView& catalog) {
  Analysis analysis(settings, catalog);
  const resolved::RelationPtr input = renumbered(analysis, request.input);
  const std::string schema = types::DataType::structure(resolved::to_schema(input->output)).json();
  std::vector<resolved::Expressions> rows = {question(request.source.command, request.source.name, schema),
                                             question("", "overwrite", request.overwrite ? "true" : "false")};
  for (const auto& [key, value] : request.options) rows.push_back(question("", key, value));
  ASSIGN_OR_RETURN(AnswerReader answer, ask_worker(analysis, request.source, "write", std::move(rows)));
  if (const std::string failure = answer.text(); !failure.empty())
    return data_source_failed("initialize", "writer", failure);
  const std::string command = from_hexadecimal(answer.text());
  const std::string writer = from_hexadecimal(answer.text());

  const types::DataType bytes(types::TypeId::kBinary);
  resolved::RelationPtr plan =
      map_in_arrow(input, request.source, command, {{analysis.next_id(), "message", bytes, true, {}, ""}},
                   input->partitions);
  ASSIGN_OR_RETURN(plan, simplify(analysis, plan));
  RETURN_IF_ERROR(plan::validate(plan));
  return DataSourceWrite{request.source, writer, std::move(plan)};
}

Status end_data_source_write(const DataSourceWrite& write, WriteEnd end,
                             const std::vector<std::optional<std::string>>& messages,
                             const Settings& settings, const catalog::CatalogView& catalog) {
  Analysis analysis(settings, catalog);
  std::vector<resolved::Expressions> rows = {
      question(write.writer, end == WriteEnd::kCommit ? "commit" : "abort", "")};
  for (const auto& message : messages) rows.push_back(question("", message.value_or(""), ""));
  ASSIGN_OR_RETURN(AnswerReader answer, ask_worker(analysis, write.source, "end_write", std::move(rows)));
  const std::string failure = answer.text();
  return failure.empty() ? Status() : data_source_failed("commit or abort", "write", failure);
}

}  // namespace deuteron::analyzer
