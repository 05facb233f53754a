// A DuckDB vector of any type with the vectors inside it, as kernels that take every type read it.
// Internal to kernels/; valid while the vector is.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {

// NaN has many bit patterns and zero two: each counts as one value.
inline int32_t bits_of(float value) {
  if (std::isnan(value)) value = std::numeric_limits<float>::quiet_NaN();
  return value == 0 ? 0 : std::bit_cast<int32_t>(value);
}
inline int64_t bits_of(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  return value == 0 ? 0 : std::bit_cast<int64_t>(value);
}

// A vector of any type and the vectors inside it, looked up once for all rows of a chunk.
struct Column {
  duckdb_type id;
  duckdb_type decimal_storage = DUCKDB_TYPE_INVALID;
  bool is_wide = false;  // a decimal of more than 18 digits
  const void* data;
  uint64_t* validity;
  std::vector<Column> children;

  template <typename T>
  T at(idx_t row) const {
    return static_cast<const T*>(data)[row];
  }
};

inline Column column_of(duckdb_vector vector) {
  duckdb_logical_type type = duckdb_vector_get_column_type(vector);
  Column column;
  column.id = duckdb_get_type_id(type);
  column.data = duckdb_vector_get_data(vector);
  column.validity = duckdb_vector_get_validity(vector);
  if (column.id == DUCKDB_TYPE_DECIMAL) {
    column.decimal_storage = duckdb_decimal_internal_type(type);
    column.is_wide = duckdb_decimal_width(type) > 18;
  } else if (column.id == DUCKDB_TYPE_LIST) {
    column.children.push_back(column_of(duckdb_list_vector_get_child(vector)));
  } else if (column.id == DUCKDB_TYPE_STRUCT) {
    for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i)
      column.children.push_back(column_of(duckdb_struct_vector_get_child(vector, i)));
  }
  duckdb_destroy_logical_type(&type);
  return column;
}

inline Int128 unscaled(const Column& column, idx_t row) {
  switch (column.decimal_storage) {
    case DUCKDB_TYPE_SMALLINT: return column.at<int16_t>(row);
    case DUCKDB_TYPE_INTEGER: return column.at<int32_t>(row);
    case DUCKDB_TYPE_BIGINT: return column.at<int64_t>(row);
    default: return column.at<Int128>(row);
  }
}

}  // namespace deuteron::relational::kernels
