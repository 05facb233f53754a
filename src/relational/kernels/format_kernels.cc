// Numbers and texts as java.util.Formatter and java.text.DecimalFormat write them: format_number,
// format_string.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <unordered_map>

#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

// A finite number by its digits: `point` of them stand before the point (negative: zeros follow the point
// first).
struct Plain {
  bool negative = false;
  std::string digits;
  int64_t point = 0;
};

// "-12.50"
Plain plain_of(std::string_view text) {
  Plain number;
  number.negative = text.starts_with('-');
  if (number.negative) text.remove_prefix(1);
  const size_t dot = text.find('.');
  number.digits = text.substr(0, dot);
  number.point = static_cast<int64_t>(number.digits.size());
  if (dot != std::string_view::npos) number.digits += text.substr(dot + 1);
  return number;
}

// The shortest digits that read back as the same number.
Plain plain_of(double value) {
  char text[64];
  const auto end =
      std::to_chars(std::begin(text), std::end(text), std::abs(value), std::chars_format::scientific).ptr;
  const std::string_view shown(text, static_cast<size_t>(end - text));
  const size_t exponent_at = shown.find('e');
  Plain number = plain_of(shown.substr(0, exponent_at));
  number.negative = std::signbit(value);
  number.point += std::atoi(std::string(shown.substr(exponent_at + 1)).c_str());
  return number;
}

bool is_tie(const Plain& number, int64_t places) {
  const int64_t kept = number.point + places;
  if (kept < 0 || kept >= static_cast<int64_t>(number.digits.size())) return false;
  const auto at = static_cast<size_t>(kept);
  return number.digits[at] == '5' && number.digits.find_first_not_of('0', at + 1) == std::string::npos;
}

// To `places` digits after the point; a tie goes up, or to the even digit.
void round_to(Plain& number, int64_t places, bool ties_to_even) {
  const int64_t kept = number.point + places;
  if (kept >= static_cast<int64_t>(number.digits.size())) return;
  if (kept < 0) {
    number.digits.clear();
    return;
  }
  const bool tie = is_tie(number, places);
  auto at = static_cast<size_t>(kept);
  const bool odd = at > 0 && (number.digits[at - 1] - '0') % 2 == 1;
  const bool up = tie ? !ties_to_even || odd : number.digits[at] >= '5';
  number.digits.resize(at);
  if (!up) return;
  while (at > 0 && number.digits[at - 1] == '9') number.digits[--at] = '0';
  if (at > 0) {
    ++number.digits[at - 1];
  } else {
    number.digits.insert(0, "1");
    ++number.point;
  }
}

// Without a sign, with exactly `places` digits after the point.
std::string magnitude_text(const Plain& number, int64_t places, bool grouped) {
  const auto digit_at = [&](int64_t index) {
    return index < 0 || index >= static_cast<int64_t>(number.digits.size())
               ? '0'
               : number.digits[static_cast<size_t>(index)];
  };
  int64_t first = 0;
  while (first < number.point && digit_at(first) == '0') ++first;
  std::string text;
  for (int64_t i = first; i < number.point; ++i) {
    if (grouped && i > first && (number.point - i) % 3 == 0) text += ',';
    text += digit_at(i);
  }
  if (text.empty()) text = "0";
  if (places > 0) text += '.';
  for (int64_t i = 0; i < places; ++i) text += digit_at(number.point + i);
  return text;
}

std::string decimal_format(Plain number, int64_t places) {
  round_to(number, places, true);
  return (number.negative ? "-" : "") + magnitude_text(number, places, true);
}

std::optional<std::string> format_number_text(std::string_view number, int32_t places) {
  if (places < 0) return std::nullopt;
  return decimal_format(plain_of(number), places);
}

std::optional<std::string> format_number_double(double value, int32_t given_places) {
  constexpr int32_t kMostPlaces = 340;
  if (given_places < 0) return std::nullopt;
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-∞" : "∞";
  const int32_t places = std::min(given_places, kMostPlaces);
  Plain number = plain_of(value);
  if (is_tie(number, places)) {
    // The exact value decides, of which the digits are only the shortest name.
    std::string exact(static_cast<size_t>(std::snprintf(nullptr, 0, "%.*f", places, value)) + 1, '\0');
    std::snprintf(exact.data(), exact.size(), "%.*f", places, value);
    exact.pop_back();
    number = plain_of(exact);
  }
  return decimal_format(std::move(number), places);
}

// ---- format_string --------------------------------------------------------------------------------

// In UTF-16 units, as Java counts.
size_t java_length(std::string_view text) {
  size_t length = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) length += byte >= 0xF0 ? 2 : 1;
  }
  return length;
}

bool has(std::string_view flags, char flag) { return flags.find(flag) != std::string_view::npos; }

std::string justified(std::string text, std::string_view flags, int32_t width) {
  const size_t length = java_length(text);
  if (width < 0 || length >= static_cast<size_t>(width)) return text;
  const std::string spaces(static_cast<size_t>(width) - length, ' ');
  return has(flags, '-') ? text + spaces : spaces + text;
}

// A sign or parentheses around the digits, and zeros between when flag 0 asks for the width.
std::string signed_text(std::string digits, bool negative, std::string_view flags, int32_t width) {
  std::string before = negative          ? (has(flags, '(') ? "(" : "-")
                       : has(flags, '+') ? "+"
                       : has(flags, ' ') ? " "
                                         : "";
  const std::string after = negative && has(flags, '(') ? ")" : "";
  const size_t length = before.size() + digits.size() + after.size();
  if (has(flags, '0') && width >= 0 && length < static_cast<size_t>(width))
    digits.insert(0, static_cast<size_t>(width) - length, '0');
  return justified(before + digits + after, flags, width);
}

// A negative precision or width is none.
std::optional<std::string> format_text(std::string_view text, std::string_view flags, int32_t width,
                                       int32_t precision) {
  size_t end = text.size(), units = 0;
  for (size_t i = 0; precision >= 0 && i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) == 0x80) continue;
    units += byte >= 0xF0 ? 2 : 1;
    if (units > static_cast<size_t>(precision)) {
      end = i;
      break;
    }
  }
  return justified(std::string(text.substr(0, end)), flags, width);
}

std::optional<std::string> format_integer(int64_t value, std::string_view flags, int32_t width) {
  const Plain number = plain_of(std::to_string(value));
  return signed_text(magnitude_text(number, 0, has(flags, ',')), number.negative, flags, width);
}

// %x and %o; bits beyond the value's own type are zero.
std::optional<std::string> format_bits(int64_t bits, int32_t base, std::string_view flags, int32_t width) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), static_cast<uint64_t>(bits), base).ptr;
  return signed_text(std::string(text, end), false, flags, width);
}

std::optional<std::string> format_double(double value, std::string_view flags, int32_t width,
                                         int32_t precision) {
  if (std::isnan(value)) return justified("NaN", flags, width);
  if (std::isinf(value)) {
    std::string without_zeros(flags);
    std::erase(without_zeros, '0');
    return signed_text("Infinity", value < 0, without_zeros, width);
  }
  const int32_t places = precision < 0 ? 6 : precision;
  Plain number = plain_of(value);
  round_to(number, places, false);
  return signed_text(magnitude_text(number, places, has(flags, ',')), number.negative, flags, width);
}

}  // namespace

std::optional<Signature> find_format_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"format_number_text", Adapter<format_number_text>::signature()},
      {"format_number_double", Adapter<format_number_double>::signature()},
      {"format_text", Adapter<format_text>::signature()},
      {"format_integer", Adapter<format_integer>::signature()},
      {"format_bits", Adapter<format_bits>::signature()},
      {"format_double", Adapter<format_double>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
