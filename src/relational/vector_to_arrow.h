// DuckDB's vectors -> Arrow buffers, in one copy, with the carriers that lowering.h lists. Stateless;
// thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <duckdb.h>

#include "base/status.h"
#include "exchange/column_builder.h"

namespace deuteron::relational {

// DuckDB's type of a column, asked once per query.
struct SourceType {
  ::duckdb_type id = DUCKDB_TYPE_INVALID;
  ::duckdb_type internal = DUCKDB_TYPE_INVALID;  // of decimals: the integer that holds them
  std::vector<SourceType> children;

  static SourceType of(duckdb_logical_type type);
};

// Rows of a vector: `count` rows from `start`, or those that `selection` names.
struct RowRange {
  int64_t start = 0;
  int64_t count = 0;
  const uint32_t* selection = nullptr;  // `count` row numbers; null: the range
};

// Adds rows to `column`. An error when a carrier is not what the column's Spark type asks for, or a batch
// outgrows Arrow's offsets.
Status append_rows(duckdb_vector vector, const SourceType& source, const RowRange& rows,
                   exchange::ColumnBuilder& column);

}  // namespace deuteron::relational
