// DataFrameWriter.save() into a Python data source.
#include "analyzer/data_source_write.h"

#include "session/catalog_view.h"

namespace deuteron::session {

// One task writes each partition, once as far as anyone hears of it: the message of the attempt that
// succeeded counts. Then the source commits, or aborts when anything has failed.
Result<Rows> Session::write_data_source(const plan::unresolved::WriteFiles& command,
                                        const plan::unresolved::PythonCall& source,
                                        const std::string& operation_id, execution::ProgressSink& sink,
                                        CancelToken& cancel) {
  using analyzer::WriteEnd;
  const Catalog catalog = this->catalog();
  const analyzer::Settings settings = analyzer_settings();
  analyzer::DataSourceWriteRequest wanted{nullptr, source, command.options,
                                          command.mode == plan::SaveMode::kOverwrite};
  ASSIGN_OR_RETURN(wanted.input, analyze(command.input, catalog));
  if (command.mode == plan::SaveMode::kErrorIfExists || command.mode == plan::SaveMode::kIgnore) {
    const std::string mode = command.mode == plan::SaveMode::kIgnore ? "\"Ignore\"" : "\"ErrorIfExists\"";
    return error("UNSUPPORTED_DATA_SOURCE_SAVE_MODE", {{"source", command.format}, {"createMode", mode}});
  }
  if (!command.partition_by.empty()) return unsupported("partitionBy of a Python data source");
  if (!command.path.empty() && !wanted.options.emplace("path", command.path).second)
    return unsupported("a path of a Python data source beside the option path");

  ASSIGN_OR_RETURN(const analyzer::DataSourceWrite write,
                   analyzer::plan_data_source_write(wanted, settings, catalog));
  const execution::PartitionBytes left =
      environment_.executor->run_partitions(write.plan, request(operation_id), sink, cancel);
  Status status = left.status;
  if (status.ok())
    status = analyzer::end_data_source_write(write, WriteEnd::kCommit, left.digits, settings, catalog);
  if (status.ok()) return Rows{};
  // What abort raises is not told, as in Spark: the reason for it is.
  (void)analyzer::end_data_source_write(write, WriteEnd::kAbort, left.digits, settings, catalog);
  return status;
}

}  // namespace deuteron::session
