// Decimal arithmetic where DuckDB's differs from Spark's: exact intermediate results, half-up rounding to the
// result's scale, null where it does not fit. A kernel's name tells its types: decimal_divide_38_2_20_0_38_6
// takes DECIMAL(38,2) and DECIMAL(20,0).
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

using UInt128 = unsigned __int128;

struct DecimalType {
  int precision = 0;
  int scale = 0;
};

// An unsigned number of 256 bits, least significant limb first.
struct UInt256 {
  std::array<uint64_t, 4> limbs{};

  static UInt256 of(UInt128 value) {
    return {{static_cast<uint64_t>(value), static_cast<uint64_t>(value >> 64), 0, 0}};
  }
  bool fits_128() const { return limbs[2] == 0 && limbs[3] == 0; }
  UInt128 low() const { return (UInt128(limbs[1]) << 64) | limbs[0]; }

  void multiply(uint64_t factor) {
    UInt128 carry = 0;
    for (uint64_t& limb : limbs) {
      carry += UInt128(limb) * factor;
      limb = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
  }
  uint64_t divide(uint64_t divisor) {
    UInt128 rest = 0;
    for (size_t i = 4; i-- > 0;) {
      rest = (rest << 64) | limbs[i];
      limbs[i] = static_cast<uint64_t>(rest / divisor);
      rest %= divisor;
    }
    return static_cast<uint64_t>(rest);
  }
  void add(const UInt256& other) {
    UInt128 carry = 0;
    for (size_t i = 0; i < 4; ++i) {
      carry += UInt128(limbs[i]) + other.limbs[i];
      limbs[i] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
  }
  // Requires *this >= other.
  void subtract(const UInt256& other) {
    uint64_t borrow = 0;
    for (size_t i = 0; i < 4; ++i) {
      const UInt128 take = UInt128(other.limbs[i]) + borrow;
      borrow = limbs[i] < take ? 1 : 0;
      limbs[i] = static_cast<uint64_t>(limbs[i] - take);
    }
  }
  bool less_than(const UInt256& other) const {
    for (size_t i = 4; i-- > 0;) {
      if (limbs[i] != other.limbs[i]) return limbs[i] < other.limbs[i];
    }
    return false;
  }
  void scale_up(int digits) {
    for (int i = 0; i < digits; ++i) multiply(10);
  }
};

UInt256 product(UInt128 a, UInt128 b) {
  const uint64_t a0 = static_cast<uint64_t>(a), a1 = static_cast<uint64_t>(a >> 64);
  UInt256 low = UInt256::of(b), high = UInt256::of(b);
  low.multiply(a0);
  high.multiply(a1);
  high.limbs = {0, high.limbs[0], high.limbs[1], high.limbs[2]};
  low.add(high);
  return low;
}

UInt128 magnitude(Int128 value) {
  return value < 0 ? -static_cast<UInt128>(value) : static_cast<UInt128>(value);
}

std::optional<Int128> signed_within(UInt128 value, bool negative, int precision) {
  if (value >= static_cast<UInt128>(power_of_ten(precision))) return std::nullopt;
  return negative ? -static_cast<Int128>(value) : static_cast<Int128>(value);
}

// Drops `digits` digits, half up.
std::optional<Int128> rounded(UInt256 value, bool negative, int digits, int precision) {
  if (digits > 0) {
    for (int i = 0; i + 1 < digits; ++i) value.divide(10);
    if (value.divide(10) >= 5) value.add(UInt256::of(1));
  }
  if (!value.fits_128()) return std::nullopt;
  return signed_within(value.low(), negative, precision);
}

struct Operands {
  DecimalType a, b, result;
};
using Operation = std::optional<Int128> (*)(Int128, Int128, const Operands&);

std::optional<Int128> multiply(Int128 a, Int128 b, const Operands& types) {
  const int drop = types.a.scale + types.b.scale - types.result.scale;
  UInt256 value = product(magnitude(a), magnitude(b));
  if (drop < 0) value.scale_up(-drop);
  return rounded(value, (a < 0) != (b < 0), drop, types.result.precision);
}

template <int kSign>
std::optional<Int128> add(Int128 a, Int128 b, const Operands& types) {
  if (kSign < 0) b = -b;
  const int scale = std::max(types.a.scale, types.b.scale);
  UInt256 x = UInt256::of(magnitude(a)), y = UInt256::of(magnitude(b));
  x.scale_up(scale - types.a.scale);
  y.scale_up(scale - types.b.scale);
  bool negative = a < 0;
  if ((a < 0) == (b < 0)) {
    x.add(y);
  } else if (x.less_than(y)) {
    y.subtract(x);
    x = y;
    negative = b < 0;
  } else {
    x.subtract(y);
  }
  const int drop = scale - types.result.scale;
  if (drop < 0) x.scale_up(-drop);
  return rounded(x, negative, drop, types.result.precision);
}

std::optional<Int128> divide(Int128 a, Int128 b, const Operands& types) {
  if (b == 0) return std::nullopt;
  const bool negative = (a < 0) != (b < 0);
  const UInt128 divisor = magnitude(b);
  UInt128 quotient = magnitude(a) / divisor, rest = magnitude(a) % divisor;
  const int digits = types.result.scale - types.a.scale + types.b.scale;
  if (digits < 0) return rounded(UInt256::of(quotient), negative, -digits, types.result.precision);
  const UInt128 limit = static_cast<UInt128>(power_of_ten(37));
  for (int i = 0; i < digits; ++i) {
    if (quotient > limit) return std::nullopt;
    // rest < divisor <= 10^38, so that 10 * rest may pass 128 bits.
    uint64_t digit = 0;
    UInt256 ten_times = UInt256::of(rest);
    ten_times.multiply(10);
    if (ten_times.fits_128()) {
      digit = static_cast<uint64_t>(ten_times.low() / divisor);
      rest = ten_times.low() % divisor;
    } else {
      const UInt256 step = UInt256::of(divisor);
      while (!ten_times.less_than(step)) {
        ten_times.subtract(step);
        ++digit;
      }
      rest = ten_times.low();
    }
    quotient = quotient * 10 + digit;
  }
  if (rest >= divisor - rest) ++quotient;
  return signed_within(quotient, negative, types.result.precision);
}

struct Aligned {
  UInt128 a, b;
};
std::optional<Aligned> align(Int128 a, Int128 b, const Operands& types) {
  const int scale = std::max(types.a.scale, types.b.scale);
  UInt256 x = UInt256::of(magnitude(a)), y = UInt256::of(magnitude(b));
  x.scale_up(scale - types.a.scale);
  y.scale_up(scale - types.b.scale);
  if (!x.fits_128() || !y.fits_128()) return std::nullopt;
  return Aligned{x.low(), y.low()};
}

std::optional<Int128> remainder(Int128 a, Int128 b, const Operands& types) {
  const auto aligned = align(a, b, types);
  if (b == 0 || !aligned) return std::nullopt;
  const int drop = std::max(types.a.scale, types.b.scale) - types.result.scale;
  return rounded(UInt256::of(aligned->a % aligned->b), a < 0, drop, types.result.precision);
}

std::optional<Int128> positive_modulo(Int128 a, Int128 b, const Operands& types) {
  const auto aligned = align(a, b, types);
  if (b == 0 || !aligned) return std::nullopt;
  const UInt128 rest = aligned->a % aligned->b;
  const int drop = std::max(types.a.scale, types.b.scale) - types.result.scale;
  if (a >= 0 || rest == 0) return rounded(UInt256::of(rest), false, drop, types.result.precision);
  // (-rest + b) % b, which has b's sign only when b is negative.
  if (b > 0) return rounded(UInt256::of(aligned->b - rest), false, drop, types.result.precision);
  return rounded(UInt256::of(rest), true, drop, types.result.precision);
}

std::optional<Int128> quotient(Int128 a, Int128 b, const Operands& types) {
  const auto aligned = align(a, b, types);
  if (b == 0 || !aligned) return std::nullopt;
  return signed_within(aligned->a / aligned->b, (a < 0) != (b < 0), 38);
}

// round(value, scale): the value's type is a, the result's `result`.
enum class Rounding { kUp, kEven, kCeiling, kFloor };

template <Rounding kRounding>
std::optional<Int128> round_to(Int128 value, Int128 places, const Operands& types) {
  const int scale = static_cast<int>(places);
  const int drop = types.a.scale - scale;
  if (drop <= 0) return value;
  const bool negative = value < 0;
  UInt128 kept = 0, rest = magnitude(value), unit = 0;
  if (drop <= 38) {
    unit = static_cast<UInt128>(power_of_ten(drop));
    kept = magnitude(value) / unit;
    rest = magnitude(value) % unit;
  }
  bool up = false;
  if (kRounding == Rounding::kCeiling)
    up = rest != 0 && !negative;
  else if (kRounding == Rounding::kFloor)
    up = rest != 0 && negative;
  else if (unit != 0)
    up = rest * 2 > unit || (rest * 2 == unit && (kRounding == Rounding::kUp || kept % 2 != 0));
  if (up) ++kept;
  UInt256 result = UInt256::of(kept);
  result.scale_up(types.result.scale - scale);
  if (!result.fits_128()) return std::nullopt;
  return signed_within(result.low(), negative, types.result.precision);
}

// value × 10^places without its fraction, and of that the low 64 bits.
std::optional<Int128> low_bits(Int128 value, Int128 places, const Operands& types) {
  const int shift = static_cast<int>(places) - types.a.scale;
  UInt128 size = magnitude(value);
  for (int i = 0; i < shift; ++i) size *= 10;
  for (int i = shift; i < 0; ++i) size /= 10;
  return static_cast<int64_t>(static_cast<uint64_t>(value < 0 ? -size : size));
}

// ---- results that no decimal holds, for errors

struct Unscaled {
  bool negative = false;
  UInt128 digits = 0;
  int scale = 0;
};

// "-12.50"
Unscaled unscaled_of(std::string_view text) {
  Unscaled number;
  bool after_point = false;
  for (const char c : text) {
    if (c == '-') number.negative = true;
    if (c == '.') after_point = true;
    if (c < '0' || c > '9') continue;
    number.digits = number.digits * 10 + static_cast<UInt128>(c - '0');
    if (after_point) ++number.scale;
  }
  return number;
}

std::string text_of(UInt256 value, bool negative, int scale) {
  std::string digits;
  while (!value.less_than(UInt256::of(1))) digits += static_cast<char>('0' + value.divide(10));
  while (static_cast<int>(digits.size()) <= scale) digits += '0';
  if (scale > 0) digits.insert(static_cast<size_t>(scale), 1, '.');
  if (negative) digits += '-';
  return {digits.rbegin(), digits.rend()};
}

// a + b, a - b exactly; a * b to 38 digits, as Spark's product has them.
std::optional<std::string> exact_decimal_text(std::string_view a_text, std::string_view symbol,
                                              std::string_view b_text) {
  constexpr size_t kProductDigits = 38;
  Unscaled a = unscaled_of(a_text), b = unscaled_of(b_text);
  if (symbol == "*") {
    UInt256 value = product(a.digits, b.digits);
    int scale = a.scale + b.scale;
    const size_t size = text_of(value, false, 0).size();
    if (size > kProductDigits) {
      const auto drop = static_cast<int>(size - kProductDigits);
      for (int i = 0; i + 1 < drop; ++i) value.divide(10);
      if (value.divide(10) >= 5) value.add(UInt256::of(1));
      value.scale_up(std::max(0, drop - scale));
      scale = std::max(0, scale - drop);
    }
    return text_of(value, a.negative != b.negative, scale);
  }
  if (symbol == "-") b.negative = !b.negative;
  const int scale = std::max(a.scale, b.scale);
  UInt256 x = UInt256::of(a.digits), y = UInt256::of(b.digits);
  x.scale_up(scale - a.scale);
  y.scale_up(scale - b.scale);
  if (a.negative == b.negative) {
    x.add(y);
    return text_of(x, a.negative, scale);
  }
  if (x.less_than(y)) {
    y.subtract(x);
    return text_of(y, b.negative, scale);
  }
  x.subtract(y);
  return text_of(x, a.negative, scale);
}

// ---- vectors of decimals
// ----------------------------------------------------------------------------------------------

Int128 load(const void* data, idx_t row, int precision) {
  if (precision <= 4) return static_cast<const int16_t*>(data)[row];
  if (precision <= 9) return static_cast<const int32_t*>(data)[row];
  if (precision <= 18) return static_cast<const int64_t*>(data)[row];
  return static_cast<const Int128*>(data)[row];
}

void save(void* data, idx_t row, int precision, Int128 value) {
  if (precision <= 4)
    static_cast<int16_t*>(data)[row] = static_cast<int16_t>(value);
  else if (precision <= 9)
    static_cast<int32_t*>(data)[row] = static_cast<int32_t>(value);
  else if (precision <= 18)
    static_cast<int64_t*>(data)[row] = static_cast<int64_t>(value);
  else
    static_cast<Int128*>(data)[row] = value;
}

enum class Source { kDecimals, kDecimalAndScale, kText, kDouble, kFloat };

struct DecimalKernel {
  Operands types;
  Operation operation = nullptr;
  Source source = Source::kDecimals;
};

std::optional<Int128> evaluate(const DecimalKernel& kernel, void* const data[], idx_t row) {
  const Operands& types = kernel.types;
  switch (kernel.source) {
    case Source::kDecimals:
      return kernel.operation(load(data[0], row, types.a.precision), load(data[1], row, types.b.precision),
                              types);
    case Source::kDecimalAndScale:
      return kernel.operation(load(data[0], row, types.a.precision),
                              static_cast<const int32_t*>(data[1])[row], types);
    case Source::kText: {
      const auto number = parse_digits(trim_all(view_of(static_cast<duckdb_string_t*>(data[0]) + row)));
      return number ? to_unscaled(*number, types.result.precision, types.result.scale) : std::nullopt;
    }
    case Source::kDouble: {
      const double value = static_cast<const double*>(data[0])[row];
      if (!std::isfinite(value)) return std::nullopt;
      return to_unscaled(shortest_digits(value), types.result.precision, types.result.scale);
    }
    case Source::kFloat: {
      const float value = static_cast<const float*>(data[0])[row];
      if (!std::isfinite(value)) return std::nullopt;
      return to_unscaled(shortest_digits(value), types.result.precision, types.result.scale);
    }
  }
  return std::nullopt;
}

void run(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
  const auto& kernel = *static_cast<const DecimalKernel*>(duckdb_scalar_function_get_extra_info(info));
  const idx_t rows = duckdb_data_chunk_get_size(input), columns = duckdb_data_chunk_get_column_count(input);
  void* data[2] = {nullptr, nullptr};
  uint64_t* validity[2] = {nullptr, nullptr};
  for (idx_t i = 0; i < columns && i < 2; ++i) {
    duckdb_vector vector = duckdb_data_chunk_get_vector(input, i);
    data[i] = duckdb_vector_get_data(vector);
    validity[i] = duckdb_vector_get_validity(vector);
  }
  duckdb_vector_ensure_validity_writable(output);
  uint64_t* output_validity = duckdb_vector_get_validity(output);
  void* results = duckdb_vector_get_data(output);
  for (idx_t row = 0; row < rows; ++row) {
    std::optional<Int128> value;
    if (!row_is_null(validity[0], row) && !row_is_null(validity[1], row)) value = evaluate(kernel, data, row);
    if (value)
      save(results, row, kernel.types.result.precision, *value);
    else
      duckdb_validity_set_row_invalid(output_validity, row);
  }
}

struct Prefix {
  std::string_view name;
  Source source;
  Operation operation;
};
constexpr Prefix kPrefixes[] = {
    {"decimal_multiply_", Source::kDecimals, multiply},
    {"decimal_add_", Source::kDecimals, add<1>},
    {"decimal_subtract_", Source::kDecimals, add<-1>},
    {"decimal_divide_", Source::kDecimals, divide},
    {"decimal_remainder_", Source::kDecimals, remainder},
    {"decimal_pmod_", Source::kDecimals, positive_modulo},
    {"decimal_quotient_", Source::kDecimals, quotient},
    {"decimal_round_up_", Source::kDecimalAndScale, round_to<Rounding::kUp>},
    {"decimal_round_even_", Source::kDecimalAndScale, round_to<Rounding::kEven>},
    {"decimal_round_ceiling_", Source::kDecimalAndScale, round_to<Rounding::kCeiling>},
    {"decimal_round_floor_", Source::kDecimalAndScale, round_to<Rounding::kFloor>},
    {"decimal_low_bits_", Source::kDecimalAndScale, low_bits},
    {"parse_decimal_", Source::kText, nullptr},
    {"double_to_decimal_", Source::kDouble, nullptr},
    {"float_to_decimal_", Source::kFloat, nullptr},
};

const Prefix* prefix_of(std::string_view name) {
  for (const Prefix& prefix : kPrefixes) {
    if (name.starts_with(prefix.name)) return &prefix;
  }
  return nullptr;
}

std::vector<int> numbers_of(std::string_view text) {
  std::vector<int> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int number = 0;
    const auto [next, failed] = std::from_chars(at, end, number);
    if (failed != std::errc()) return {};
    numbers.push_back(number);
    at = next + 1;
  }
  return numbers;
}

}  // namespace

std::optional<Signature> find_exact_decimal_kernel(std::string_view name) {
  if (name != "exact_decimal_text") return std::nullopt;
  return Adapter<exact_decimal_text>::signature();
}

bool is_decimal_kernel(std::string_view name) { return prefix_of(name) != nullptr; }

duckdb_state register_decimal_kernel(duckdb_connection connection, const std::string& name) {
  const Prefix* prefix = prefix_of(name);
  const std::vector<int> numbers = numbers_of(std::string_view(name).substr(prefix->name.size()));
  const size_t expected = prefix->source == Source::kDecimals          ? 6
                          : prefix->source == Source::kDecimalAndScale ? 4
                                                                       : 2;
  if (numbers.size() != expected) return DuckDBError;
  auto* kernel = new DecimalKernel{{}, prefix->operation, prefix->source};
  if (expected >= 4) kernel->types.a = {numbers[0], numbers[1]};
  if (expected == 6) kernel->types.b = {numbers[2], numbers[3]};
  kernel->types.result = {numbers[expected - 2], numbers[expected - 1]};

  duckdb_scalar_function function = duckdb_create_scalar_function();
  duckdb_scalar_function_set_name(function, name.c_str());
  const auto add_parameter = [&](duckdb_logical_type type) {
    duckdb_scalar_function_add_parameter(function, type);
    duckdb_destroy_logical_type(&type);
  };
  const auto decimal = [](const DecimalType& type) {
    return duckdb_create_decimal_type(static_cast<uint8_t>(type.precision), static_cast<uint8_t>(type.scale));
  };
  switch (prefix->source) {
    case Source::kDecimals:
      add_parameter(decimal(kernel->types.a));
      add_parameter(decimal(kernel->types.b));
      break;
    case Source::kDecimalAndScale:
      add_parameter(decimal(kernel->types.a));
      add_parameter(duckdb_create_logical_type(DUCKDB_TYPE_INTEGER));
      break;
    case Source::kText: add_parameter(duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR)); break;
    case Source::kDouble: add_parameter(duckdb_create_logical_type(DUCKDB_TYPE_DOUBLE)); break;
    case Source::kFloat: add_parameter(duckdb_create_logical_type(DUCKDB_TYPE_FLOAT)); break;
  }
  duckdb_logical_type result = decimal(kernel->types.result);
  duckdb_scalar_function_set_return_type(function, result);
  duckdb_destroy_logical_type(&result);
  duckdb_scalar_function_set_extra_info(function, kernel,
                                        [](void* data) { delete static_cast<DecimalKernel*>(data); });
  duckdb_scalar_function_set_special_handling(function);
  duckdb_scalar_function_set_function(function, run);
  const duckdb_state state = duckdb_register_scalar_function(connection, function);
  duckdb_destroy_scalar_function(&function);
  return state;
}

}  // namespace deuteron::relational::kernels
