#include "relational/arrow_to_vector.h"

#include <nanoarrow/nanoarrow.h>

#include <cstring>
#include <string>
#include <string_view>

namespace deuteron::relational {

namespace {

using types::DataType;
using types::TypeId;

Status malformed(const std::string& reason) { return error("MALFORMED_ARROW_DATA", {{"message", reason}}); }

// One column's rows on their way.
struct Job {
  const ArrowArrayView& array;
  const ArrowSource& source;
  int64_t start;
  int64_t count;
  const DataType& type;
  duckdb_vector vector;
  int64_t target;

  bool is_null(int64_t i) const { return ArrowArrayViewIsNull(&array, start + i) != 0; }
  template <typename T>
  T* output() const {
    return static_cast<T*>(duckdb_vector_get_data(vector)) + target;
  }
  // Values of fixed width in the array's second buffer.
  template <typename T>
  const T* input() const {
    return reinterpret_cast<const T*>(array.buffer_views[1].data.as_uint8) + array.offset + start;
  }
};

void set_null(duckdb_vector vector, int64_t row) {
  duckdb_vector_ensure_validity_writable(vector);
  duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), static_cast<idx_t>(row));
}

void write_validity(const Job& job) {
  if (job.array.storage_type != NANOARROW_TYPE_NA && job.array.buffer_views[0].data.data == nullptr) return;
  for (int64_t i = 0; i < job.count; ++i) {
    if (job.is_null(i)) set_null(job.vector, job.target + i);
  }
}

template <typename T>
Status copy_fixed(const Job& job) {
  if (job.count > 0) std::memcpy(job.output<T>(), job.input<T>(), static_cast<size_t>(job.count) * sizeof(T));
  return Status();
}

Status write_booleans(const Job& job) {
  auto* output = job.output<bool>();
  const uint8_t* bits = job.array.buffer_views[1].data.as_uint8;
  for (int64_t i = 0; i < job.count; ++i)
    output[i] = ArrowBitGet(bits, job.array.offset + job.start + i) != 0;
  return Status();
}

int64_t floor_divide(int64_t value, int64_t divisor) {
  const int64_t quotient = value / divisor;
  return value % divisor < 0 ? quotient - 1 : quotient;
}

// Seconds to nanoseconds -> microseconds.
Status write_micros(const Job& job) {
  static constexpr int64_t kPerUnit[] = {1000000, 1000, 1, 0};
  if (job.source.unit == NANOARROW_TIME_UNIT_MICRO) return copy_fixed<int64_t>(job);
  const auto* input = job.input<int64_t>();
  auto* output = job.output<int64_t>();
  for (int64_t i = 0; i < job.count; ++i) {
    if (job.source.unit == NANOARROW_TIME_UNIT_NANO) {
      output[i] = floor_divide(input[i], 1000);
    } else if (__builtin_mul_overflow(input[i], kPerUnit[job.source.unit], &output[i]) && !job.is_null(i)) {
      return malformed("a time is out of range");
    }
  }
  return Status();
}

Status write_dates(const Job& job) {
  if (job.source.type == NANOARROW_TYPE_DATE32) return copy_fixed<int32_t>(job);
  const auto* input = job.input<int64_t>();
  auto* output = job.output<int32_t>();
  for (int64_t i = 0; i < job.count; ++i) output[i] = static_cast<int32_t>(floor_divide(input[i], 86400000));
  return Status();
}

__int128 power_of_ten(int exponent) {
  __int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

__int128 decimal_at(const Job& job, int64_t i) {
  if (job.source.type == NANOARROW_TYPE_DECIMAL32) return job.input<int32_t>()[i];
  if (job.source.type == NANOARROW_TYPE_DECIMAL64) return job.input<int64_t>()[i];
  __int128 value = 0;
  std::memcpy(
      &value,
      job.array.buffer_views[1].data.as_uint8 + static_cast<size_t>(job.array.offset + job.start + i) * 16,
      16);
  return value;
}

template <typename T>
Status write_decimals_as(const Job& job) {
  const __int128 limit = power_of_ten(job.type.precision());
  auto* output =
      static_cast<uint8_t*>(duckdb_vector_get_data(job.vector)) + static_cast<size_t>(job.target) * sizeof(T);
  for (int64_t i = 0; i < job.count; ++i, output += sizeof(T)) {
    __int128 value = decimal_at(job, i);
    if (value >= limit || value <= -limit) {
      if (!job.is_null(i)) return malformed("a decimal exceeds its precision");
      value = 0;
    }
    const T narrow = static_cast<T>(value);
    std::memcpy(output, &narrow, sizeof(T));
  }
  return Status();
}

Status write_decimals(const Job& job) {
  const int precision = job.type.precision();
  if (precision <= 4) return write_decimals_as<int16_t>(job);
  if (precision <= 9) return write_decimals_as<int32_t>(job);
  if (precision <= 18) return write_decimals_as<int64_t>(job);
  return write_decimals_as<__int128>(job);
}

Status write_calendar_intervals(const Job& job) {
  auto* output = job.output<duckdb_interval>();
  const uint8_t* input =
      job.array.buffer_views[1].data.as_uint8 + static_cast<size_t>(job.array.offset + job.start) * 16;
  for (int64_t i = 0; i < job.count; ++i, input += 16) {
    int64_t nanoseconds = 0;
    std::memcpy(&output[i].months, input, 4);
    std::memcpy(&output[i].days, input + 4, 4);
    std::memcpy(&nanoseconds, input + 8, 8);
    output[i].micros = floor_divide(nanoseconds, 1000);
  }
  return Status();
}

bool is_ascii(const char* text, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text + i, 8);
    if ((word & 0x8080808080808080u) != 0) return false;
  }
  for (; i < size; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0x80u) != 0) return false;
  }
  return true;
}

// Well-formed UTF-8: shortest form, no surrogates, at most U+10FFFF.
bool is_utf8(const char* text, size_t size) {
  if (is_ascii(text, size)) return true;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text);
  for (size_t i = 0; i < size;) {
    const unsigned char lead = bytes[i];
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                          : (lead & 0xF0) == 0xE0        ? 3
                          : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                         : 0;
    if (length == 0 || size - i < length) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((bytes[i + k] & 0xC0) != 0x80) return false;
    }
    const unsigned char second = bytes[i + 1];
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += length;
  }
  return true;
}

void set_string(duckdb_string_t& out, const char* text, uint32_t length) {
  constexpr uint32_t kInlined = 12;
  constexpr size_t kPrefix = 4;
  std::memset(&out, 0, sizeof(out));
  out.value.inlined.length = length;
  if (length <= kInlined) {
    if (length > 0) std::memcpy(out.value.inlined.inlined, text, length);
    return;
  }
  std::memcpy(out.value.pointer.prefix, text, kPrefix);
  out.value.pointer.ptr = const_cast<char*>(text);
}

Status write_strings(const Job& job) {
  auto* output = job.output<duckdb_string_t>();
  const bool is_text = job.type.is(TypeId::kString);
  for (int64_t i = 0; i < job.count; ++i) {
    if (job.is_null(i)) {
      set_string(output[i], nullptr, 0);
      continue;
    }
    const ArrowBufferView value = ArrowArrayViewGetBytesUnsafe(&job.array, job.start + i);
    if (value.size_bytes > UINT32_MAX) return malformed("a string of more than 4 GiB");
    const auto size = static_cast<size_t>(value.size_bytes);
    if (is_text && !is_utf8(value.data.as_char, size)) return malformed("a string is not UTF-8");
    set_string(output[i], value.data.as_char, static_cast<uint32_t>(size));
  }
  return Status();
}

struct Run {
  int64_t begin = 0;
  int64_t end = 0;
};

Run list_at(const ArrowArrayView& array, int64_t row) {
  const int64_t index = array.offset + row;
  switch (array.storage_type) {
    case NANOARROW_TYPE_LARGE_LIST:
      return {array.buffer_views[1].data.as_int64[index], array.buffer_views[1].data.as_int64[index + 1]};
    case NANOARROW_TYPE_FIXED_SIZE_LIST: {
      const int64_t size = array.layout.child_size_elements;
      return {index * size, (index + 1) * size};
    }
    default:
      return {array.buffer_views[1].data.as_int32[index], array.buffer_views[1].data.as_int32[index + 1]};
  }
}

// Lists and maps: entries first, then all elements at once.
Status write_entries(const Job& job, Run& elements, int64_t& child_target) {
  child_target = static_cast<int64_t>(duckdb_list_vector_get_size(job.vector));
  if (job.count == 0) return Status();
  elements = {list_at(job.array, job.start).begin, list_at(job.array, job.start + job.count - 1).end};
  const int64_t child_length = job.array.children[0]->length;
  if (elements.begin < 0 || elements.end < elements.begin || elements.end > child_length)
    return malformed("a list is broken");
  const auto size = static_cast<idx_t>(child_target + elements.end - elements.begin);
  if (duckdb_list_vector_reserve(job.vector, size) != DuckDBSuccess ||
      duckdb_list_vector_set_size(job.vector, size) != DuckDBSuccess) {
    return internal_error("no memory for the elements of a list");
  }
  auto* output = job.output<duckdb_list_entry>();
  for (int64_t i = 0; i < job.count; ++i) {
    const Run run = list_at(job.array, job.start + i);
    if (run.begin < elements.begin || run.end > elements.end || run.end < run.begin)
      return malformed("a list is broken");
    output[i] = {static_cast<uint64_t>(child_target + run.begin - elements.begin),
                 static_cast<uint64_t>(run.end - run.begin)};
    if (job.is_null(i)) output[i].length = 0;
  }
  return Status();
}

Status write_lists(const Job& job) {
  Run elements;
  int64_t target = 0;
  RETURN_IF_ERROR(write_entries(job, elements, target));
  return write_rows(*job.array.children[0], job.source.children[0], elements.begin,
                    elements.end - elements.begin, job.type.element(),
                    duckdb_list_vector_get_child(job.vector), target);
}

Status write_maps(const Job& job) {
  Run elements;
  int64_t target = 0;
  RETURN_IF_ERROR(write_entries(job, elements, target));
  const ArrowArrayView& entries = *job.array.children[0];
  const ArrowSource& source = job.source.children[0];
  const int64_t count = elements.end - elements.begin;
  for (int64_t i = elements.begin; i < elements.end; ++i) {
    if (ArrowArrayViewIsNull(entries.children[0], i) != 0) return malformed("a map has a null key");
  }
  duckdb_vector pairs = duckdb_list_vector_get_child(job.vector);
  RETURN_IF_ERROR(write_rows(*entries.children[0], source.children[0], elements.begin, count, job.type.key(),
                             duckdb_struct_vector_get_child(pairs, 0), target));
  return write_rows(*entries.children[1], source.children[1], elements.begin, count, job.type.value(),
                    duckdb_struct_vector_get_child(pairs, 1), target);
}

Status write_structs(const Job& job) {
  const types::Schema& fields = job.type.fields();
  if (fields.empty()) {  // see duckdb_type()
    std::fill_n(static_cast<bool*>(duckdb_vector_get_data(job.vector)) + job.target, job.count, true);
    return Status();
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    duckdb_vector child = duckdb_struct_vector_get_child(job.vector, i);
    RETURN_IF_ERROR(write_rows(*job.array.children[i], job.source.children[i], job.array.offset + job.start,
                               job.count, fields[i].type, child, job.target));
  }
  // DuckDB wants the fields of a null struct to be null.
  for (int64_t i = 0; i < job.count; ++i) {
    if (!job.is_null(i)) continue;
    for (size_t field = 0; field < fields.size(); ++field) {
      set_null(duckdb_struct_vector_get_child(job.vector, field), job.target + i);
    }
  }
  return Status();
}

Status write_values(const Job& job) {
  switch (job.type.id()) {
    case TypeId::kNull: return Status();
    case TypeId::kBoolean: return write_booleans(job);
    case TypeId::kByte: return copy_fixed<int8_t>(job);
    case TypeId::kShort: return copy_fixed<int16_t>(job);
    case TypeId::kInteger:
    case TypeId::kFloat:
    case TypeId::kYearMonthInterval: return copy_fixed<int32_t>(job);
    case TypeId::kLong:
    case TypeId::kDouble: return copy_fixed<int64_t>(job);
    case TypeId::kDecimal: return write_decimals(job);
    case TypeId::kString:
    case TypeId::kBinary: return write_strings(job);
    case TypeId::kDate: return write_dates(job);
    case TypeId::kTimestamp:
    case TypeId::kTimestampNtz:
    case TypeId::kDayTimeInterval: return write_micros(job);
    case TypeId::kCalendarInterval: return write_calendar_intervals(job);
    case TypeId::kArray: return write_lists(job);
    case TypeId::kMap: return write_maps(job);
    case TypeId::kStruct: return write_structs(job);
  }
  return internal_error("a column of an unknown type");
}

}  // namespace

Result<ArrowSource> ArrowSource::of(const ArrowSchema& field) {
  ArrowSchemaView view;
  ArrowError failure{};
  if (ArrowSchemaViewInit(&view, &field, &failure) != NANOARROW_OK) return malformed(failure.message);
  ArrowSource source;
  source.type = view.type;
  source.unit = view.time_unit;
  for (int64_t i = 0; i < field.n_children; ++i) {
    ASSIGN_OR_RETURN(ArrowSource child, of(*field.children[i]));
    source.children.push_back(std::move(child));
  }
  return source;
}

Status write_rows(const ArrowArrayView& array, const ArrowSource& source, int64_t start, int64_t count,
                  const DataType& type, duckdb_vector vector, int64_t target) {
  if (start < 0 || count < 0 || start + count > array.length) return malformed("an array is too short");
  const Job job{array, source, start, count, type, vector, target};
  RETURN_IF_ERROR(write_values(job));
  write_validity(job);
  return Status();
}

duckdb_logical_type make_carrier(const DataType& type) {
  static constexpr duckdb_type kAtomic[] = {DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_BOOLEAN,   DUCKDB_TYPE_TINYINT,
                                            DUCKDB_TYPE_SMALLINT,  DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_BIGINT,
                                            DUCKDB_TYPE_FLOAT,     DUCKDB_TYPE_DOUBLE,    DUCKDB_TYPE_INVALID,
                                            DUCKDB_TYPE_VARCHAR,   DUCKDB_TYPE_BLOB,      DUCKDB_TYPE_DATE,
                                            DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_BIGINT,
                                            DUCKDB_TYPE_INTEGER,   DUCKDB_TYPE_INTERVAL};
  switch (type.id()) {
    case TypeId::kDecimal:
      return duckdb_create_decimal_type(static_cast<uint8_t>(type.precision()),
                                        static_cast<uint8_t>(type.scale()));
    case TypeId::kArray: {
      duckdb_logical_type element = make_carrier(type.element());
      duckdb_logical_type list = duckdb_create_list_type(element);
      duckdb_destroy_logical_type(&element);
      return list;
    }
    case TypeId::kMap: {
      duckdb_logical_type key = make_carrier(type.key());
      duckdb_logical_type value = make_carrier(type.value());
      duckdb_logical_type map = duckdb_create_map_type(key, value);
      duckdb_destroy_logical_type(&key);
      duckdb_destroy_logical_type(&value);
      return map;
    }
    case TypeId::kStruct: {
      if (type.fields().empty()) return duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
      std::vector<duckdb_logical_type> children;
      std::vector<const char*> names;
      for (const types::StructField& field : type.fields()) {
        children.push_back(make_carrier(field.type));
        names.push_back(field.name.c_str());
      }
      duckdb_logical_type structure =
          duckdb_create_struct_type(children.data(), names.data(), children.size());
      for (duckdb_logical_type& child : children) duckdb_destroy_logical_type(&child);
      return structure;
    }
    default: return duckdb_create_logical_type(kAtomic[static_cast<size_t>(type.id())]);
  }
}

bool stands_for(const DataType& actual, const DataType& expected) {
  if (actual.id() != expected.id()) return false;
  switch (expected.id()) {
    case TypeId::kDecimal:
      return actual.precision() == expected.precision() && actual.scale() == expected.scale();
    case TypeId::kArray: return stands_for(actual.element(), expected.element());
    case TypeId::kMap:
      return stands_for(actual.key(), expected.key()) && stands_for(actual.value(), expected.value());
    case TypeId::kStruct: {
      if (actual.fields().size() != expected.fields().size()) return false;
      for (size_t i = 0; i < expected.fields().size(); ++i) {
        const types::StructField& left = actual.fields()[i];
        const types::StructField& right = expected.fields()[i];
        if (left.name != right.name || !stands_for(left.type, right.type)) return false;
      }
      return true;
    }
    default: return true;
  }
}

}  // namespace deuteron::relational
