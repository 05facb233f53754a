// What the analyzer asks about names outside the plan: temporary views, tables, files. An interface, so that
// the analyzer stays a pure function; session/ implements the view part, relational/ reads the files
// (FileSchemaReader).
#pragma once

#include <optional>
#include <string>

#include "plan/unresolved.h"

namespace deuteron::catalog {

// A temporary view: its plan as it was given, to be analyzed again at each use.
struct View {
  plan::unresolved::RelationPtr plan;
  plan::Names columns;  // new names; empty: the plan's own
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
  // An artifact that the client uploaded under cache/<hash>, or null.
  virtual plan::Bytes find_cached_artifact(const std::string& hash) const = 0;
  virtual FileSchemaReader& files() const = 0;
};

}  // namespace deuteron::catalog
