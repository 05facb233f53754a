// C++ functions that DuckDB calls for what SQL cannot say with Spark's meaning. Each is registered on demand,
// under one exact signature, through DuckDB's C API. A kernel never fails: it answers null (or an error
// code), and the SQL around it raises.
#pragma once

#include <string_view>

#include <duckdb.h>

#include "base/status.h"

namespace deuteron::relational {

// Registers the kernel `name` (as Fragment::kernels() lists it) with the database of `connection`.
// Registering a name twice on one database is not an error. The caller serialises calls per database.
Status register_kernel(duckdb_connection connection, std::string_view name);

namespace kernels {
// Whether `name` is an aggregate.
bool is_aggregate_kernel(std::string_view name);
}  // namespace kernels

}  // namespace deuteron::relational
