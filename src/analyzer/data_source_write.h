// Writing to a Python data source: what is asked of its class before and after the tasks that write.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/analyzer.h"

namespace deuteron::analyzer {

struct DataSourceWriteRequest {
  plan::resolved::RelationPtr input;
  plan::unresolved::PythonCall source;  // its command is the pickled class
  plan::Options options;
  bool overwrite = false;
};

struct DataSourceWrite {
  plan::unresolved::PythonCall source;
  std::string writer;  // pickled
  // A MapPartitions whose tasks write, and leave one row of bytes: the message that commit or abort shall
  // get.
  plan::resolved::RelationPtr plan;
};

// PYTHON_DATA_SOURCE_ERROR when the source makes no writer.
Result<DataSourceWrite> plan_data_source_write(const DataSourceWriteRequest& request,
                                               const Settings& settings, const catalog::CatalogView& catalog);

enum class WriteEnd { kCommit, kAbort };
// Calls the writer with what the tasks left, by partition and in hexadecimal; nothing of those that did not
// succeed.
Status end_data_source_write(const DataSourceWrite& write, WriteEnd end,
                             const std::vector<std::optional<std::string>>& messages,
                             const Settings& settings, const catalog::CatalogView& catalog);

}  // namespace deuteron::analyzer
