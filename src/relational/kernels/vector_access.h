// Turns a C++ function of plain values into a DuckDB scalar function: types are told by the function's own
// signature.
//   std::optional<double> f(double, int32_t)   nullopt is null; a null argument gives null without a call.
// Internal to kernels/.
#pragma once

#include <duckdb.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace deuteron::relational::kernels {

using Int128 = __int128;

struct Date {
  int32_t days;
};
struct Timestamp {
  int64_t microseconds;
};
struct Interval {
  int32_t months;
  int32_t days;
  int64_t micros;
};
struct Blob {
  std::string_view bytes;
};
// The result of a kernel that makes bytes.
struct OwnedBlob {
  std::string bytes;
};

inline std::string_view view_of(duckdb_string_t* text) {
  return {duckdb_string_t_data(text), duckdb_string_t_length(*text)};
}

// Storage: what lies in the vector; `read` makes the value of it.
template <typename T>
struct Carried;

#define DEUTERON_CARRIED(Type, id)                          \
  template <>                                               \
  struct Carried<Type> {                                    \
    using Storage = Type;                                   \
    static constexpr duckdb_type kId = id;                  \
    static Type read(Storage* storage) { return *storage; } \
  };
DEUTERON_CARRIED(bool, DUCKDB_TYPE_BOOLEAN)
DEUTERON_CARRIED(int8_t, DUCKDB_TYPE_TINYINT)
DEUTERON_CARRIED(int16_t, DUCKDB_TYPE_SMALLINT)
DEUTERON_CARRIED(int32_t, DUCKDB_TYPE_INTEGER)
DEUTERON_CARRIED(int64_t, DUCKDB_TYPE_BIGINT)
DEUTERON_CARRIED(Int128, DUCKDB_TYPE_HUGEINT)
DEUTERON_CARRIED(float, DUCKDB_TYPE_FLOAT)
DEUTERON_CARRIED(double, DUCKDB_TYPE_DOUBLE)
DEUTERON_CARRIED(Date, DUCKDB_TYPE_DATE)
DEUTERON_CARRIED(Timestamp, DUCKDB_TYPE_TIMESTAMP)
DEUTERON_CARRIED(Interval, DUCKDB_TYPE_INTERVAL)
#undef DEUTERON_CARRIED
template <>
struct Carried<std::string_view> {
  using Storage = duckdb_string_t;
  static constexpr duckdb_type kId = DUCKDB_TYPE_VARCHAR;
  static std::string_view read(Storage* storage) { return view_of(storage); }
};
template <>
struct Carried<Blob> {
  using Storage = duckdb_string_t;
  static constexpr duckdb_type kId = DUCKDB_TYPE_BLOB;
  static Blob read(Storage* storage) { return {view_of(storage)}; }
};
template <>
struct Carried<std::string> {
  static constexpr duckdb_type kId = DUCKDB_TYPE_VARCHAR;
};
template <>
struct Carried<OwnedBlob> {
  static constexpr duckdb_type kId = DUCKDB_TYPE_BLOB;
};
// A list of texts, null among them; only as a result.
using TextList = std::vector<std::optional<std::string>>;
template <>
struct Carried<TextList> {
  static constexpr duckdb_type kId = DUCKDB_TYPE_VARCHAR;
};

// What registry.cc needs of a kernel.
struct Signature {
  std::vector<duckdb_type> arguments;
  duckdb_type result = DUCKDB_TYPE_INVALID;
  duckdb_scalar_function_t body = nullptr;
  bool is_variadic = false;  // any number of further arguments of any type
  bool gives_list = false;   // `result` is the type of the list's elements
};

inline bool row_is_null(uint64_t* validity, idx_t row) {
  return validity != nullptr && !duckdb_validity_row_is_valid(validity, row);
}

template <typename Result>
void store(duckdb_vector output, idx_t row, const Result& value) {
  static_cast<Result*>(duckdb_vector_get_data(output))[row] = value;
}
inline void store(duckdb_vector output, idx_t row, const std::string& value) {
  duckdb_vector_assign_string_element_len(output, row, value.data(), value.size());
}
inline void store(duckdb_vector output, idx_t row, const OwnedBlob& value) {
  duckdb_vector_assign_string_element_len(output, row, value.bytes.data(), value.bytes.size());
}
inline void store(duckdb_vector output, idx_t row, const Blob& value) {
  duckdb_vector_assign_string_element_len(output, row, value.bytes.data(), value.bytes.size());
}

inline void store(duckdb_vector output, idx_t row, const TextList& texts) {
  const idx_t offset = duckdb_list_vector_get_size(output);
  duckdb_list_vector_reserve(output, offset + texts.size());
  duckdb_list_vector_set_size(output, offset + texts.size());
  duckdb_vector child = duckdb_list_vector_get_child(output);
  duckdb_vector_ensure_validity_writable(child);
  for (idx_t i = 0; i < texts.size(); ++i) {
    if (texts[i])
      store(child, offset + i, *texts[i]);
    else
      duckdb_validity_set_row_invalid(duckdb_vector_get_validity(child), offset + i);
  }
  store(output, row, duckdb_list_entry{offset, texts.size()});
}

template <auto Function>
struct Adapter;

template <typename Result, typename... Arguments, std::optional<Result> (*Function)(Arguments...)>
struct Adapter<Function> {
  static void run(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
    run_indexed(input, output, std::index_sequence_for<Arguments...>{});
  }
  static Signature signature() {
    return {.arguments = {Carried<Arguments>::kId...},
            .result = Carried<Result>::kId,
            .body = &run,
            .gives_list = std::is_same_v<Result, TextList>};
  }

 private:
  template <size_t... Index>
  static void run_indexed(duckdb_data_chunk input, duckdb_vector output, std::index_sequence<Index...>) {
    const idx_t rows = duckdb_data_chunk_get_size(input);
    duckdb_vector vectors[] = {duckdb_data_chunk_get_vector(input, Index)...};
    void* data[] = {duckdb_vector_get_data(vectors[Index])...};
    uint64_t* validity[] = {duckdb_vector_get_validity(vectors[Index])...};
    duckdb_vector_ensure_validity_writable(output);
    uint64_t* output_validity = duckdb_vector_get_validity(output);
    for (idx_t row = 0; row < rows; ++row) {
      std::optional<Result> value;
      if (!(row_is_null(validity[Index], row) || ...)) {
        value = Function(Carried<Arguments>::read(
            static_cast<typename Carried<Arguments>::Storage*>(data[Index]) + row)...);
      }
      if (value)
        store(output, row, *value);
      else
        duckdb_validity_set_row_invalid(output_validity, row);
    }
  }
};

// Null when there is no kernel of this name in the family.
std::optional<Signature> find_exact_decimal_kernel(std::string_view name);
std::optional<Signature> find_format_kernel(std::string_view name);
std::optional<Signature> find_number_kernel(std::string_view name);
std::optional<Signature> find_text_kernel(std::string_view name);
std::optional<Signature> find_time_kernel(std::string_view name);
std::optional<Signature> find_hash_kernel(std::string_view name);
std::optional<Signature> find_json_kernel(std::string_view name);
std::optional<Signature> find_calendar_kernel(std::string_view name);
std::optional<Signature> find_pattern_kernel(std::string_view name);
std::optional<Signature> find_order_kernel(std::string_view name);

// The decimal kernels carry their precisions and scales in the name; registers one if `name` is one.
bool is_decimal_kernel(std::string_view name);
duckdb_state register_decimal_kernel(duckdb_connection connection, const std::string& name);

// Aggregate functions over doubles; registers one.
duckdb_state register_aggregate_kernel(duckdb_connection connection, const std::string& name);

// A decimal number as digits × 10^exponent, as text and doubles have it.
struct Digits {
  bool negative = false;
  Int128 digits = 0;  // at most 38 digits are kept; `sticky`: more followed
  int exponent = 0;
};
std::optional<Digits> parse_digits(std::string_view text);
// The shortest digits that read back as the same number; requires a finite one.
Digits shortest_digits(double value);
Digits shortest_digits(float value);
// As Double.toString gives it.
std::string java_double_text(double value);
// To `scale` digits after the point, half up; nullopt when it needs more than `precision` digits.
std::optional<Int128> to_unscaled(const Digits& number, int precision, int scale);
Int128 power_of_ten(int exponent);  // 0 … 38
std::string_view trim_all(std::string_view text);

}  // namespace deuteron::relational::kernels
