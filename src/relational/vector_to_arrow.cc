#include "relational/vector_to_arrow.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace deuteron::relational {

namespace {

using exchange::Buffer;
using exchange::ColumnBuilder;
using types::TypeId;

int64_t row_at(const RowRange& rows, int64_t i) {
  return rows.selection == nullptr ? rows.start + i : static_cast<int64_t>(rows.selection[i]);
}

bool is_valid(const uint64_t* validity, int64_t row) {
  return validity == nullptr || ((validity[row >> 6] >> (row & 63)) & 1) != 0;
}

// Also moves `length` on.
void append_validity(const uint64_t* validity, const RowRange& rows, ColumnBuilder& column) {
  if (validity == nullptr) {
    column.add_valid(rows.count);
  } else if (rows.selection == nullptr) {
    column.add_validity(validity, rows.start, rows.count);
  } else {
    for (int64_t i = 0; i < rows.count; ++i) {
      if (is_valid(validity, rows.selection[i])) {
        column.add_valid(1);
      } else {
        column.add_null();
      }
    }
  }
}

template <typename T>
void append_fixed(const void* data, const RowRange& rows, Buffer& values) {
  const auto* source = static_cast<const T*>(data);
  auto* target = reinterpret_cast<T*>(values.extend(static_cast<size_t>(rows.count) * sizeof(T)));
  if (rows.selection == nullptr) {
    std::memcpy(target, source + rows.start, static_cast<size_t>(rows.count) * sizeof(T));
  } else {
    for (int64_t i = 0; i < rows.count; ++i) target[i] = source[rows.selection[i]];
  }
}

// Integers that grow wider on the way (decimals).
template <typename From, typename To>
void append_widened(const void* data, const RowRange& rows, Buffer& values) {
  const auto* source = static_cast<const From*>(data);
  uint8_t* target = values.extend(static_cast<size_t>(rows.count) * sizeof(To));
  for (int64_t i = 0; i < rows.count; ++i) {
    const To value = static_cast<To>(source[row_at(rows, i)]);
    std::memcpy(target + static_cast<size_t>(i) * sizeof(To), &value, sizeof(To));
  }
}

// DuckDB: months, days, microseconds. Arrow: months, days, nanoseconds.
void append_calendar_intervals(const void* data, const uint64_t* validity, const RowRange& rows,
                               Buffer& values) {
  const auto* source = static_cast<const duckdb_interval*>(data);
  uint8_t* target = values.extend(static_cast<size_t>(rows.count) * 16);
  for (int64_t i = 0; i < rows.count; ++i, target += 16) {
    const int64_t row = row_at(rows, i);
    const duckdb_interval value = is_valid(validity, row) ? source[row] : duckdb_interval{};
    int64_t nanoseconds = 0;
    if (__builtin_mul_overflow(value.micros, int64_t{1000}, &nanoseconds)) {
      nanoseconds =
          value.micros < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
    }
    std::memcpy(target, &value.months, 4);
    std::memcpy(target + 4, &value.days, 4);
    std::memcpy(target + 8, &nanoseconds, 8);
  }
}

void append_booleans(const void* data, const RowRange& rows, ColumnBuilder& column) {
  const auto* source = static_cast<const uint8_t*>(data);
  if (rows.selection == nullptr) {
    column.add_booleans(source + rows.start, rows.count);
    return;
  }
  std::vector<uint8_t> chosen(static_cast<size_t>(rows.count));
  for (int64_t i = 0; i < rows.count; ++i) chosen[static_cast<size_t>(i)] = source[rows.selection[i]];
  column.add_booleans(chosen.data(), rows.count);
}

Status too_large() {
  return error("UNSUPPORTED_FEATURE",
               {{"feature", "more than 2 GiB of text or of nested elements in one Arrow batch"}});
}

Status append_strings(const void* data, const uint64_t* validity, const RowRange& rows,
                      ColumnBuilder& column) {
  const auto* source = static_cast<const duckdb_string_t*>(data);
  int64_t total = 0;
  for (int64_t i = 0; i < rows.count; ++i) {
    const int64_t row = row_at(rows, i);
    if (is_valid(validity, row)) total += source[row].value.inlined.length;
  }
  int64_t end = column.last_offset();
  if (end + total > std::numeric_limits<int32_t>::max()) return too_large();
  int32_t* offsets = column.extend_offsets(rows.count);
  uint8_t* target = column.values.extend(static_cast<size_t>(total));
  for (int64_t i = 0; i < rows.count; ++i) {
    const int64_t row = row_at(rows, i);
    if (is_valid(validity, row)) {
      const duckdb_string_t& text = source[row];
      const uint32_t length = text.value.inlined.length;
      std::memcpy(target, length <= 12 ? text.value.inlined.inlined : text.value.pointer.ptr, length);
      target += length;
      end += length;
    }
    offsets[i] = static_cast<int32_t>(end);
  }
  return Status();
}

// Visits the elements of lists as runs of the child vector, in the order of the rows.
template <typename Visit>
Status append_lists(const void* data, const uint64_t* validity, const RowRange& rows, ColumnBuilder& column,
                    Visit&& visit) {
  const auto* entries = static_cast<const duckdb_list_entry*>(data);
  int64_t end = column.last_offset();
  int32_t* offsets = column.extend_offsets(rows.count);
  RowRange run;
  for (int64_t i = 0; i < rows.count; ++i) {
    const int64_t row = row_at(rows, i);
    if (is_valid(validity, row) && entries[row].length > 0) {
      const auto first = static_cast<int64_t>(entries[row].offset);
      const auto length = static_cast<int64_t>(entries[row].length);
      if (first == run.start + run.count) {
        run.count += length;
      } else {
        if (run.count > 0) RETURN_IF_ERROR(visit(run));
        run = {first, length, nullptr};
      }
      end += length;
      if (end > std::numeric_limits<int32_t>::max()) return too_large();
    }
    offsets[i] = static_cast<int32_t>(end);
  }
  return run.count > 0 ? visit(run) : Status();
}

Status append_decimals(const void* data, duckdb_type internal, const RowRange& rows, Buffer& values) {
  switch (internal) {
    case DUCKDB_TYPE_SMALLINT: append_widened<int16_t, __int128>(data, rows, values); return Status();
    case DUCKDB_TYPE_INTEGER: append_widened<int32_t, __int128>(data, rows, values); return Status();
    case DUCKDB_TYPE_BIGINT: append_widened<int64_t, __int128>(data, rows, values); return Status();
    case DUCKDB_TYPE_HUGEINT: append_fixed<duckdb_hugeint>(data, rows, values); return Status();
    default: return internal_error("a decimal of an unknown kind");
  }
}

struct Carrier {
  TypeId spark;
  duckdb_type duckdb;
};
constexpr Carrier kCarriers[] = {
    {TypeId::kBoolean, DUCKDB_TYPE_BOOLEAN},
    {TypeId::kByte, DUCKDB_TYPE_TINYINT},
    {TypeId::kShort, DUCKDB_TYPE_SMALLINT},
    {TypeId::kInteger, DUCKDB_TYPE_INTEGER},
    {TypeId::kLong, DUCKDB_TYPE_BIGINT},
    {TypeId::kFloat, DUCKDB_TYPE_FLOAT},
    {TypeId::kDouble, DUCKDB_TYPE_DOUBLE},
    {TypeId::kDecimal, DUCKDB_TYPE_DECIMAL},
    {TypeId::kString, DUCKDB_TYPE_VARCHAR},
    {TypeId::kBinary, DUCKDB_TYPE_BLOB},
    {TypeId::kDate, DUCKDB_TYPE_DATE},
    {TypeId::kTimestamp, DUCKDB_TYPE_TIMESTAMP},
    {TypeId::kTimestamp, DUCKDB_TYPE_TIMESTAMP_TZ},
    {TypeId::kTimestampNtz, DUCKDB_TYPE_TIMESTAMP},
    {TypeId::kDayTimeInterval, DUCKDB_TYPE_BIGINT},
    {TypeId::kYearMonthInterval, DUCKDB_TYPE_INTEGER},
    {TypeId::kCalendarInterval, DUCKDB_TYPE_INTERVAL},
    {TypeId::kArray, DUCKDB_TYPE_LIST},
    {TypeId::kMap, DUCKDB_TYPE_MAP},
    {TypeId::kStruct, DUCKDB_TYPE_STRUCT},
    {TypeId::kStruct, DUCKDB_TYPE_BOOLEAN},  // without fields
};

bool is_carrier(TypeId spark, duckdb_type duckdb) {
  return std::any_of(std::begin(kCarriers), std::end(kCarriers), [&](const Carrier& carrier) {
    return carrier.spark == spark && carrier.duckdb == duckdb;
  });
}

// The decimal's precision and scale are the expression writer's promise; here only the integer's width
// matters.
Status append_values(duckdb_vector vector, const SourceType& source, const uint64_t* validity,
                     const RowRange& rows, ColumnBuilder& column) {
  const void* data = duckdb_vector_get_data(vector);
  switch (column.type.id()) {
    case TypeId::kBoolean: append_booleans(data, rows, column); return Status();
    case TypeId::kByte: append_fixed<int8_t>(data, rows, column.values); return Status();
    case TypeId::kShort: append_fixed<int16_t>(data, rows, column.values); return Status();
    case TypeId::kInteger:
    case TypeId::kFloat:
    case TypeId::kDate:
    case TypeId::kYearMonthInterval: append_fixed<int32_t>(data, rows, column.values); return Status();
    case TypeId::kLong:
    case TypeId::kDouble:
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz:
    case TypeId::kDayTimeInterval: append_fixed<int64_t>(data, rows, column.values); return Status();
    case TypeId::kDecimal: return append_decimals(data, source.internal, rows, column.values);
    case TypeId::kCalendarInterval:
      append_calendar_intervals(data, validity, rows, column.values);
      return Status();
    case TypeId::kString:
    case TypeId::kBinary: return append_strings(data, validity, rows, column);
    case TypeId::kArray:
      return append_lists(data, validity, rows, column, [&](const RowRange& run) {
        return append_rows(duckdb_list_vector_get_child(vector), source.children[0], run, column.children[0]);
      });
    case TypeId::kMap:
      return append_lists(data, validity, rows, column, [&](const RowRange& run) {
        duckdb_vector entries = duckdb_list_vector_get_child(vector);
        for (idx_t i = 0; i < 2; ++i) {
          RETURN_IF_ERROR(append_rows(duckdb_struct_vector_get_child(entries, i), source.children[i], run,
                                      column.children[i]));
        }
        return Status();
      });
    case TypeId::kStruct:
      for (idx_t i = 0; i < column.children.size(); ++i) {
        RETURN_IF_ERROR(append_rows(duckdb_struct_vector_get_child(vector, i), source.children[i], rows,
                                    column.children[i]));
      }
      return Status();
    case TypeId::kNull: return Status();
  }
  return internal_error("a column of an unknown type");
}

}  // namespace

SourceType SourceType::of(duckdb_logical_type type) {
  SourceType source;
  source.id = duckdb_get_type_id(type);
  const auto add_child = [&](duckdb_logical_type child) {
    source.children.push_back(of(child));
    duckdb_destroy_logical_type(&child);
  };
  switch (source.id) {
    case DUCKDB_TYPE_DECIMAL: source.internal = duckdb_decimal_internal_type(type); break;
    case DUCKDB_TYPE_LIST: add_child(duckdb_list_type_child_type(type)); break;
    case DUCKDB_TYPE_MAP:
      add_child(duckdb_map_type_key_type(type));
      add_child(duckdb_map_type_value_type(type));
      break;
    case DUCKDB_TYPE_STRUCT:
      for (idx_t i = 0; i < duckdb_struct_type_child_count(type); ++i)
        add_child(duckdb_struct_type_child_type(type, i));
      break;
    default: break;
  }
  return source;
}

Status append_rows(duckdb_vector vector, const SourceType& source, const RowRange& rows,
                   ColumnBuilder& column) {
  if (column.type.is(TypeId::kNull)) {
    column.length += rows.count;
    return Status();
  }
  if (!is_carrier(column.type.id(), source.id) ||
      (column.type.is(TypeId::kStruct) && source.children.size() != column.children.size())) {
    return internal_error("DuckDB's type " + std::to_string(source.id) + " does not carry " +
                          column.type.sql());
  }
  const uint64_t* validity = duckdb_vector_get_validity(vector);
  RETURN_IF_ERROR(append_values(vector, source, validity, rows, column));
  append_validity(validity, rows, column);
  return Status();
}

}  // namespace deuteron::relational
