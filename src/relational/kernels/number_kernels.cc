// Numbers: parsing, text as Java prints it, rounding, and functions whose edge cases differ between Java and
// C.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <unordered_map>

#include "relational/kernels/vector_access.h"
#include "types/value.h"

namespace deuteron::relational::kernels {

Int128 power_of_ten(int exponent) {
  Int128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

std::string_view trim_all(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= 0x20) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= 0x20) text.remove_suffix(1);
  return text;
}

std::optional<Digits> parse_digits(std::string_view text) {
  Digits number;
  size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) number.negative = text[i++] == '-';
  const Int128 limit = power_of_ten(37);
  bool any = false, point = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (number.digits < limit) {
      number.digits = number.digits * 10 + (c - '0');
      if (point) --number.exponent;
    } else if (!point) {
      ++number.exponent;
    }
  }
  if (!any) return std::nullopt;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    bool negative = false;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) negative = text[i++] == '-';
    int exponent = 0;
    const auto [end, failed] = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
    if (failed != std::errc() || exponent > 100000) return std::nullopt;
    i = static_cast<size_t>(end - text.data());
    number.exponent += negative ? -exponent : exponent;
  }
  if (i != text.size()) return std::nullopt;
  return number;
}

namespace {

template <typename T>
Digits shortest(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  return *parse_digits({buffer, static_cast<size_t>(end.ptr - buffer)});
}

std::string plain_text(const Digits& number) {
  std::string digits;
  for (Int128 rest = number.digits; rest != 0; rest /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  if (digits.empty()) digits = "0";
  int exponent = number.exponent;
  while (exponent < 0 && digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (exponent >= 0) {
    digits.append(static_cast<size_t>(exponent), '0');
  } else {
    const auto places = static_cast<size_t>(-exponent);
    if (digits.size() <= places) digits.insert(0, places - digits.size() + 1, '0');
    digits.insert(digits.size() - places, ".");
  }
  return (number.negative ? "-" : "") + digits;
}

enum class Rounding { kUp, kEven };

// Spark rounds a double's shortest decimal text.
template <typename T, Rounding kRounding>
std::optional<T> round_number(T value, int32_t scale) {
  if (!std::isfinite(value) || value == 0) return value;
  const Digits number = shortest(static_cast<double>(value));
  const int drop = -scale - number.exponent;
  if (drop <= 0) return value;
  if (drop > 20) return std::signbit(value) ? T(0) : T(0);
  const Int128 unit = power_of_ten(drop);
  Int128 kept = number.digits / unit;
  const Int128 rest = (number.digits % unit) * 2;
  if (rest > unit || (rest == unit && (kRounding == Rounding::kUp || kept % 2 != 0))) ++kept;
  const std::string text = (number.negative && kept != 0 ? "-" : "") +
                           std::to_string(static_cast<int64_t>(kept)) + "e" + std::to_string(-scale);
  return static_cast<T>(std::is_same_v<T, float> ? std::strtof(text.c_str(), nullptr)
                                                 : std::strtod(text.c_str(), nullptr));
}

template <Rounding kRounding>
std::optional<Int128> round_integer(Int128 value, int32_t scale) {
  if (scale >= 0) return value;
  if (scale < -20) return Int128(0);
  const Int128 unit = power_of_ten(-scale);
  const Int128 magnitude = value < 0 ? -value : value;
  Int128 kept = magnitude / unit;
  const Int128 rest = (magnitude % unit) * 2;
  if (rest > unit || (rest == unit && (kRounding == Rounding::kUp || kept % 2 != 0))) ++kept;
  return value < 0 ? -kept * unit : kept * unit;
}

// ---- parsing
// ----------------------------------------------------------------------------------------------------------

template <typename T, bool kLenient>
std::optional<T> parse_integer(std::string_view text) {
  text = trim_all(text);
  size_t i = 0;
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) negative = text[i++] == '-';
  const size_t first = i;
  Int128 value = 0;
  const Int128 limit = Int128(std::numeric_limits<T>::max()) + 1;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
    value = value * 10 + (text[i] - '0');
    if (value > limit) return std::nullopt;
  }
  const bool digits = i > first;
  if (kLenient && i < text.size() && text[i] == '.') {
    const size_t point = i++;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    if (!digits && i == point + 1) return std::nullopt;
  } else if (!digits) {
    return std::nullopt;
  }
  if (i != text.size()) return std::nullopt;
  if (negative) value = -value;
  if (value > Int128(std::numeric_limits<T>::max())) return std::nullopt;
  return static_cast<T>(value);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

// The texts that Java's parseDouble takes, hexadecimal ones included, and Spark's own words for the special
// values.
bool is_number_text(std::string_view text) {
  size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  const bool hexadecimal =
      text.size() > i + 1 && text[i] == '0' && (text[i + 1] == 'x' || text[i + 1] == 'X');
  if (hexadecimal) i += 2;
  const auto is_digit = [&](char c) {
    return (c >= '0' && c <= '9') || (hexadecimal && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')));
  };
  size_t digits = 0;
  bool point = false;
  for (; i < text.size() && (is_digit(text[i]) || (text[i] == '.' && !point)); ++i) {
    if (text[i] == '.')
      point = true;
    else
      ++digits;
  }
  if (digits == 0) return false;
  const auto is_exponent = [&](char c) { return hexadecimal ? c == 'p' || c == 'P' : c == 'e' || c == 'E'; };
  const bool has_exponent = i < text.size() && is_exponent(text[i]);
  if (hexadecimal && !has_exponent) return false;
  if (has_exponent) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    const size_t start = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    if (i == start) return false;
  }
  if (i < text.size() && (text[i] == 'd' || text[i] == 'D' || text[i] == 'f' || text[i] == 'F')) ++i;
  return i == text.size();
}

template <typename T>
std::optional<T> parse_floating(std::string_view text) {
  text = trim_all(text);
  if (!is_number_text(text)) {
    const std::string word = lower(text);
    if (word == "nan") return std::numeric_limits<T>::quiet_NaN();
    if (word == "inf" || word == "+inf" || word == "infinity" || word == "+infinity")
      return std::numeric_limits<T>::infinity();
    if (word == "-inf" || word == "-infinity") return -std::numeric_limits<T>::infinity();
    return std::nullopt;
  }
  std::string copy(text);
  const bool hexadecimal = copy.find('x') != std::string::npos || copy.find('X') != std::string::npos;
  if (const char last = copy.back();
      !hexadecimal && (last == 'd' || last == 'D' || last == 'f' || last == 'F'))
    copy.pop_back();
  return static_cast<T>(std::is_same_v<T, float> ? std::strtof(copy.c_str(), nullptr)
                                                 : std::strtod(copy.c_str(), nullptr));
}

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string word = lower(trim_all(text));
  for (const char* yes : {"t", "true", "y", "yes", "1"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"f", "false", "n", "no", "0"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

// ---- conversions
// ------------------------------------------------------------------------------------------------------

template <typename T>
std::optional<T> saturating(double value) {
  if (std::isnan(value)) return T(0);
  if (value >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

std::optional<float> to_float(double value) { return static_cast<float>(value); }
std::optional<std::string> double_text(double value) { return types::floating_text(value); }
std::optional<std::string> float_text(float value) { return types::floating_text(value); }
std::optional<std::string> double_plain_text(double value) {
  return std::isfinite(value) ? plain_text(shortest(value)) : types::floating_text(value);
}
std::optional<std::string> float_plain_text(float value) {
  return std::isfinite(value) ? plain_text(shortest(value)) : types::floating_text(value);
}

std::optional<double> power(double base, double exponent) {
  if (exponent == 0) return 1.0;
  if (std::isnan(exponent) || std::isnan(base) || (std::abs(base) == 1 && std::isinf(exponent))) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return std::pow(base, exponent);
}
std::optional<double> signum(double value) { return value > 0 ? 1.0 : value < 0 ? -1.0 : value; }
std::optional<double> hypotenuse(double a, double b) { return std::hypot(a, b); }
std::optional<double> cube_root(double value) {
  const double root = std::cbrt(value);
  if (!std::isfinite(root) || root == 0) return root;
  return root -
         (root * root * root - value) / (3 * root * root);  // the last bit, which the C library may miss
}

// The number of the bucket among `count` equal ones between two bounds, in whichever order these are.
std::optional<int64_t> width_bucket(double value, double first, double last, int64_t count) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (count <= 0 || count == kMost || std::isnan(value) || first == last || !std::isfinite(first) ||
      !std::isfinite(last)) {
    return std::nullopt;
  }
  const bool rising = first < last;
  if (rising ? value < first : value > first) return 0;
  if (rising ? value >= last : value <= last) return count + 1;
  const double distance = rising ? value - first : first - value;
  const double whole = rising ? last - first : first - last;
  return *saturating<int64_t>(static_cast<double>(count) * distance / whole) + 1;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 36;
}

// Up to the first character that is no digit. A negative target base means a signed number.
template <bool kLenient>
std::optional<std::string> convert_base(std::string_view text, int32_t from, int32_t to) {
  const auto is_base = [](int64_t base) { return base >= 2 && base <= 36; };
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.empty() || !is_base(from) || !is_base(std::abs(static_cast<int64_t>(to)))) return std::nullopt;
  bool negative = text.front() == '-';
  if (negative) text.remove_prefix(1);
  uint64_t value = 0;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit >= from) break;
    const unsigned __int128 next =
        static_cast<unsigned __int128>(value) * static_cast<uint64_t>(from) + static_cast<uint64_t>(digit);
    if (next > std::numeric_limits<uint64_t>::max()) {
      if (!kLenient) return std::nullopt;
      value = std::numeric_limits<uint64_t>::max();
      break;
    }
    value = static_cast<uint64_t>(next);
  }
  const auto is_below_zero = [&] { return static_cast<int64_t>(value) < 0; };
  if (negative && to > 0) value = is_below_zero() ? std::numeric_limits<uint64_t>::max() : 0 - value;
  if (to < 0 && is_below_zero()) {
    value = 0 - value;
    negative = true;
  }
  std::string digits;
  const auto base = static_cast<uint64_t>(std::abs(to));
  do {
    digits.insert(digits.begin(), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value % base]);
    value /= base;
  } while (value != 0);
  return (negative && to < 0 ? "-" : "") + digits;
}

// BigDecimal.toString of a decimal's plain text.
std::optional<std::string> decimal_java_text(std::string_view plain) {
  return types::big_decimal_text(std::string(plain));
}

// Java takes the low five or six bits of the count.
template <typename T>
std::optional<T> shift_left(T value, int32_t count) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(value)
                        << (static_cast<uint32_t>(count) & (sizeof(T) * 8 - 1)));
}
template <typename T>
std::optional<T> shift_right(T value, int32_t count) {
  return static_cast<T>(value >> (static_cast<uint32_t>(count) & (sizeof(T) * 8 - 1)));
}
template <typename T>
std::optional<T> shift_right_unsigned(T value, int32_t count) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(value) >>
                        (static_cast<uint32_t>(count) & (sizeof(T) * 8 - 1)));
}

std::optional<double> exponential_minus_one(double value) { return std::expm1(value); }
std::optional<double> logarithm_of_one_plus(double value) {
  if (value <= -1) return std::nullopt;
  return std::log1p(value);
}

}  // namespace

Digits shortest_digits(double value) { return shortest(value); }
Digits shortest_digits(float value) { return shortest(value); }
std::string java_double_text(double value) { return types::floating_text(value); }

std::optional<Int128> to_unscaled(const Digits& number, int precision, int scale) {
  const int shift = number.exponent + scale;
  Int128 value = number.digits;
  if (shift >= 0) {
    const Int128 limit = power_of_ten(precision);
    for (int i = 0; i < shift && value != 0; ++i) {
      value *= 10;
      if (value >= limit) return std::nullopt;
    }
  } else if (shift < -39) {
    value = 0;
  } else {
    if (shift < -1) value /= power_of_ten(std::min(38, -shift - 1));
    value = value / 10 + (value % 10 >= 5 ? 1 : 0);
  }
  if (value >= power_of_ten(precision)) return std::nullopt;
  return number.negative ? -value : value;
}

std::optional<Signature> find_number_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"parse_boolean", Adapter<parse_boolean>::signature()},
      {"parse_byte", Adapter<parse_integer<int8_t, false>>::signature()},
      {"parse_short", Adapter<parse_integer<int16_t, false>>::signature()},
      {"parse_integer", Adapter<parse_integer<int32_t, false>>::signature()},
      {"parse_long", Adapter<parse_integer<int64_t, false>>::signature()},
      {"parse_byte_lenient", Adapter<parse_integer<int8_t, true>>::signature()},
      {"parse_short_lenient", Adapter<parse_integer<int16_t, true>>::signature()},
      {"parse_integer_lenient", Adapter<parse_integer<int32_t, true>>::signature()},
      {"parse_long_lenient", Adapter<parse_integer<int64_t, true>>::signature()},
      {"parse_float", Adapter<parse_floating<float>>::signature()},
      {"parse_double", Adapter<parse_floating<double>>::signature()},
      {"double_text", Adapter<double_text>::signature()},
      {"float_text", Adapter<float_text>::signature()},
      {"double_plain_text", Adapter<double_plain_text>::signature()},
      {"float_plain_text", Adapter<float_plain_text>::signature()},
      {"double_to_float", Adapter<to_float>::signature()},
      {"double_to_long_saturating", Adapter<saturating<int64_t>>::signature()},
      {"double_to_integer_saturating", Adapter<saturating<int32_t>>::signature()},
      {"double_round_up", Adapter<round_number<double, Rounding::kUp>>::signature()},
      {"double_round_even", Adapter<round_number<double, Rounding::kEven>>::signature()},
      {"float_round_up", Adapter<round_number<float, Rounding::kUp>>::signature()},
      {"float_round_even", Adapter<round_number<float, Rounding::kEven>>::signature()},
      {"integer_round_up", Adapter<round_integer<Rounding::kUp>>::signature()},
      {"integer_round_even", Adapter<round_integer<Rounding::kEven>>::signature()},
      {"width_bucket", Adapter<width_bucket>::signature()},
      {"convert_base", Adapter<convert_base<false>>::signature()},
      {"convert_base_lenient", Adapter<convert_base<true>>::signature()},
      {"decimal_java_text", Adapter<decimal_java_text>::signature()},
      {"double_cbrt", Adapter<cube_root>::signature()},
      {"shift_left_integer", Adapter<shift_left<int32_t>>::signature()},
      {"shift_left_long", Adapter<shift_left<int64_t>>::signature()},
      {"shift_right_integer", Adapter<shift_right<int32_t>>::signature()},
      {"shift_right_long", Adapter<shift_right<int64_t>>::signature()},
      {"shift_right_unsigned_integer", Adapter<shift_right_unsigned<int32_t>>::signature()},
      {"shift_right_unsigned_long", Adapter<shift_right_unsigned<int64_t>>::signature()},
      {"double_power", Adapter<power>::signature()},
      {"double_signum", Adapter<signum>::signature()},
      {"double_hypot", Adapter<hypotenuse>::signature()},
      {"double_expm1", Adapter<exponential_minus_one>::signature()},
      {"double_log1p", Adapter<logarithm_of_one_plus>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
