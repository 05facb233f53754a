// Validated Arrow arrays -> DuckDB's vectors, with the carriers that lowering.h lists. Text is not copied:
// the vectors point into the arrays' memory, which must outlive the query. What validation of the arrays does
// not cover (UTF-8, decimals beyond their precision) is checked here. Stateless;
// thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include <duckdb.h>

#include "base/status.h"
#include "types/data_type.h"

struct ArrowSchema;
struct ArrowArrayView;

namespace deuteron::relational {

// How an Arrow column is read, worked out once per stream.
struct ArrowSource {
  int type = 0;  // nanoarrow's ArrowType
  int unit = 0;  // nanoarrow's ArrowTimeUnit
  std::vector<ArrowSource> children;

  static Result<ArrowSource> of(const ArrowSchema& field);
};

// Writes `count` rows from `start` of `array` to rows `target`… of `vector`, whose type is the carrier of
// `type`.
Status write_rows(const ArrowArrayView& array, const ArrowSource& source, int64_t start, int64_t count,
                  const types::DataType& type, duckdb_vector vector, int64_t target);

// Makes DuckDB's carrier type; the caller destroys it.
duckdb_logical_type make_carrier(const types::DataType& type);

// Whether an Arrow column read as `actual` can stand for a column of type `expected`.
bool stands_for(const types::DataType& actual, const types::DataType& expected);

}  // namespace deuteron::relational
