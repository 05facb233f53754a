// What the analyzer asks about names outside the plan: temporary views, tables, files. An interface, so that
// the analyzer stays a pure function; session/ implements the view part, relational/ reads the files
// (FileSchemaReader).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/resolved.h"
#include "plan/unresolved.h"

namespace deuteron::catalog {

// A temporary view. That of a DataFrame holds what the DataFrame meant when the view was made; that of SQL
// text is analyzed again at each use. One of the two is null.
struct View {
  plan::resolved::RelationPtr plan;
  plan::unresolved::RelationPtr query;
  plan::Names columns;  // new names; empty: the query's own
};

// Files of one data source, listed and typed.
struct FileSource {
  plan::Names paths;     // files, absolute, sorted
  types::Schema schema;  // data columns, then partition columns
  plan::Names partition_columns;
};

// Reads what files say of themselves. Thread-safe. Errors: PATH_NOT_FOUND, UNABLE_TO_INFER_SCHEMA,
// FAILED_READ_FILE …
class FileSchemaReader {
 public:
  virtual ~FileSchemaReader() = default;
  // `schema` empty: infer it. Options have lower-case keys and Spark's meaning. Paths may be files, folders
  // (with key=value partitions), globs.
  virtual Result<FileSource> describe(const std::string& format, const plan::Names& paths,
                                      const plan::Options& options, const types::Schema& schema) = 0;
};

// A consistent view for one analysis. Names are matched without regard to case.
class CatalogView {
 public:
  virtual ~CatalogView() = default;
  virtual std::optional<View> find_view(const plan::Names& name) const = 0;
  // A Python function registered for SQL (a PythonCall without arguments), or null.
  virtual plan::unresolved::ExpressionPtr find_function(const std::string& name) const = 0;
  // A Python data source (a PythonCall whose command is the pickled class), or null.
  virtual plan::unresolved::ExpressionPtr find_data_source(const std::string& name) const {
    static_cast<void>(name);
    return nullptr;
  }
  // What python_worker_logs() gives. FEATURE_NOT_ENABLED.
  virtual Result<plan::resolved::RelationPtr> python_worker_logs() const {
    return unsupported("the function python_worker_logs");
  }
  // What waiting_gangs() gives.
  virtual Result<plan::resolved::RelationPtr> waiting_gangs() const {
    return unsupported("the function waiting_gangs");
  }
  // An artifact that the client uploaded under cache/<hash>, or null.
  virtual plan::Bytes find_cached_artifact(const std::string& hash) const = 0;
  virtual FileSchemaReader& files() const = 0;
  // Runs a query of one string column whose answer the analysis needs (the values of a pivot); at most
  // `limit` rows, null as nullopt.
  virtual Result<std::vector<std::optional<std::string>>> run(const plan::resolved::RelationPtr& plan,
                                                              int64_t limit) const {
    static_cast<void>(plan);
    static_cast<void>(limit);
    return unsupported("a plan whose analysis runs a query");
  }
};

}  // namespace deuteron::catalog
