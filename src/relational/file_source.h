// Files as tables: what they say of themselves, how they are cut into partitions (Spark's rule), and the SQL
// that reads them. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "plan/resolved.h"
#include "relational/database.h"
#include "relational/engine.h"

namespace deuteron::relational {

// Rows of a file; end_row -1: all of it.
struct FilePiece {
  std::string path;
  int64_t first_row = 0;
  int64_t end_row = -1;
};

class FileSources : public catalog::FileSchemaReader {
 public:
  explicit FileSources(Database& database) : database_(database) {}

  Result<catalog::FileSource> describe(const std::string& format, const plan::Names& paths,
                                       const plan::Options& options, const types::Schema& schema) override;

  // A sub-query in parentheses whose columns are the scan's output. `pieces` null: all files.
  Result<std::string> scan_sql(const plan::resolved::Relation& relation, const plan::resolved::FileScan& scan,
                               const std::string& time_zone, const std::vector<FilePiece>* pieces);

  // Partitions by Spark's rule.
  Result<std::vector<std::vector<FilePiece>>> split(const plan::resolved::FileScan& scan,
                                                    const RunContext& context);
  // One partition's rows, in order, as `most` runs of row groups at the most, none of them small. Files
  // without row groups stay whole.
  Result<std::vector<std::vector<FilePiece>>> slice(const plan::resolved::FileScan& scan,
                                                    const std::vector<FilePiece>& pieces, int32_t most);

 private:
  struct RowGroup {
    int64_t rows = 0;
    int64_t begin = 0;  // bytes
    int64_t bytes = 0;
  };
  struct ParquetFile {
    types::Schema columns;
    std::vector<RowGroup> row_groups;
    int64_t modified = 0;
    uint64_t bytes = 0;
  };
  using ParquetFilePtr = std::shared_ptr<const ParquetFile>;

  // Rows of text; null as "".
  Result<std::vector<std::vector<std::string>>> rows_of(const std::string& sql);
  Result<ParquetFilePtr> parquet_file(const std::string& path);
  Result<types::Schema> infer_csv(const plan::Names& files, const plan::Options& options);
  Result<types::Schema> infer_json(const plan::Names& files, const plan::Options& options);
  Result<types::Schema> merged_parquet_schema(const plan::Names& files, bool merge);
  Result<std::string> parquet_columns(const plan::resolved::Relation& relation,
                                      const plan::resolved::FileScan& scan, const types::Schema& in_file);

  Database& database_;
  std::mutex mutex_;
  std::map<std::string, ParquetFilePtr> parquet_files_;  // by path; checked against size and time of change
};

}  // namespace deuteron::relational
