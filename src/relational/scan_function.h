// deuteron_scan(handle): the DuckDB table function that reads Arrow streams from the exchange or from a
// client. Handles live in a ScanRegistry for the time of one run. All thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <duckdb.h>

#include "base/status.h"
#include "exchange/stage_output.h"
#include "plan/tree.h"
#include "types/data_type.h"

namespace deuteron::relational {

// Where a scan leaves its error, since DuckDB carries only text.
class FailureSlot {
 public:
  void set(const Status& status);
  Status get() const;  // the first error; OK when there is none

 private:
  mutable std::mutex mutex_;
  Status status_;
};

// Whether the column, or a part of it, is declared not to be null.
bool has_required_part(const types::StructField& field);

// What one handle reads. Columns are c0, c1 … in SQL.
struct ScanSource {
  struct Bytes {
    std::string_view stream;
    int64_t rows = -1;
    const exchange::Stream* origin = nullptr;  // of a stage's output: verified when it is read first
  };
  // [partition][column group][stream]
  std::vector<std::vector<std::vector<Bytes>>> partitions;
  struct Group {
    types::Schema schema;
    exchange::Layout layout = exchange::Layout::kFlat;
    bool is_of_function = false;  // as in exchange::ColumnGroup
  };
  std::vector<Group> groups;
  std::vector<std::shared_ptr<const void>> owners;  // of the bytes
  int64_t first_row = 0;                            // only rows from here …
  int64_t row_count = -1;  // … this many; -1: all. Needs a single partition and column group.
  std::shared_ptr<FailureSlot> failure = std::make_shared<FailureSlot>();
};
using ScanSourcePtr = std::shared_ptr<const ScanSource>;

// All partitions of a stage's output, or those listed.
Result<ScanSourcePtr> scan_of(const exchange::StageOutputPtr& output,
                              const std::vector<int32_t>* partitions = nullptr);
// A client's rows.
ScanSourcePtr scan_of(const plan::Bytes& stream, const types::Schema& schema, int64_t first_row = 0,
                      int64_t row_count = -1);

class ScanRegistry {
 public:
  int64_t add(ScanSourcePtr source);
  void remove(int64_t handle);
  ScanSourcePtr find(int64_t handle) const;

 private:
  mutable std::mutex mutex_;
  int64_t next_handle_ = 1;
  std::map<int64_t, ScanSourcePtr> sources_;
};

// Once per database; the registry outlives it.
Status register_scan_function(duckdb_connection connection, ScanRegistry& registry);

}  // namespace deuteron::relational
