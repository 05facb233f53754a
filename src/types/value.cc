#include "types/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace deuteron::types {
namespace {

std::string two_digits(int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

std::string date_text(int64_t days) {
  const CivilDate date = civil_from_days(days);
  char buffer[32];
  const char* sign = date.year < 0 ? "-" : date.year > 9999 ? "+" : "";
  std::snprintf(buffer, sizeof buffer, "%s%04lld-%02d-%02d", sign,
                static_cast<long long>(std::abs(date.year)), date.month, date.day);
  return buffer;
}

std::string timestamp_text(int64_t microseconds) {
  constexpr int64_t kMicrosPerDay = 86'400'000'000;
  int64_t days = microseconds / kMicrosPerDay;
  int64_t rest = microseconds % kMicrosPerDay;
  if (rest < 0) {
    rest += kMicrosPerDay;
    --days;
  }
  const int64_t seconds = rest / 1'000'000;
  std::string text = date_text(days) + " " + two_digits(seconds / 3600) + ":" +
                     two_digits(seconds / 60 % 60) + ":" + two_digits(seconds % 60);
  if (int64_t fraction = rest % 1'000'000; fraction != 0) {
    std::string digits = std::to_string(1'000'000 + fraction).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text;
}

template <typename T>
std::string java_text(T value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  const T magnitude = std::abs(value);
  char buffer[64];
  char* const last = buffer + sizeof buffer;
  const bool plain = magnitude >= T(1e-3) && magnitude < T(1e7);
  if (plain) {
    std::string text(buffer, std::to_chars(buffer, last, value, std::chars_format::fixed).ptr);
    return text.find('.') == std::string::npos ? text + ".0" : text;
  }
  std::string text(buffer, std::to_chars(buffer, last, value, std::chars_format::scientific).ptr);
  if (text.find('.') == std::string::npos) {
    // Java shows two digits at least, and of these the ones that come nearest.
    const std::string nearest(buffer,
                              std::to_chars(buffer, last, value, std::chars_format::scientific, 1).ptr);
    T read = 0;
    std::from_chars(nearest.data(), nearest.data() + nearest.size(), read);
    text = read == value ? nearest : text.insert(text.find('e'), ".0");
  }
  const size_t exponent_at = text.find('e');
  return text.substr(0, exponent_at) + "E" + std::to_string(std::stoi(text.substr(exponent_at + 1)));
}

// INTERVAL '1 02:03:04' DAY TO SECOND, INTERVAL '1-2' YEAR TO MONTH; a leading field is not padded when it is
// the day or the year.
std::string interval_text(int64_t value, const DataType& type) {
  const bool negative = value < 0;
  uint64_t rest = negative ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  std::string body;
  if (type.is(TypeId::kYearMonthInterval)) {
    const bool both = type.start_field() != type.end_field();
    body = both ? std::to_string(rest / 12) + "-" + std::to_string(rest % 12)
                : std::to_string(type.start_field() == 0 ? rest / 12 : rest);
  } else {
    static constexpr uint64_t kUnits[] = {86'400'000'000, 3'600'000'000, 60'000'000, 1'000'000};
    for (int field = type.start_field(); field <= type.end_field(); ++field) {
      const uint64_t count = rest / kUnits[field];
      rest %= kUnits[field];
      if (field > type.start_field()) body += field == 1 ? " " : ":";
      body += field == 0 ? std::to_string(count) : two_digits(static_cast<int64_t>(count));
    }
    if (type.end_field() == 3 && rest != 0) {
      std::string digits = std::to_string(1'000'000 + rest).substr(1);
      digits.erase(digits.find_last_not_of('0') + 1);
      body += "." + digits;
    }
  }
  const std::string name = type.sql();  // INTERVAL DAY TO SECOND
  return "INTERVAL '" + std::string(negative ? "-" : "") + body + "'" + name.substr(8);
}

std::string joined(const std::vector<Value>& values, const DataType& type, std::string_view open) {
  std::string text(open);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) text += ", ";
    const DataType& element = type.is(TypeId::kStruct) ? type.fields()[i].type : type.element();
    text += to_sql_text({element, values[i]});
  }
  return text + ")";
}

}  // namespace

std::string floating_text(double value) { return java_text(value); }
std::string floating_text(float value) { return java_text(value); }

std::string decimal_to_string(Int128 unscaled, int scale) {
  const bool negative = unscaled < 0;
  unsigned __int128 rest = negative ? -static_cast<unsigned __int128>(unscaled) : unscaled;
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  while (static_cast<int>(digits.size()) <= scale) digits.push_back('0');
  std::reverse(digits.begin(), digits.end());
  if (scale > 0) digits.insert(digits.size() - static_cast<size_t>(scale), ".");
  return (negative ? "-" : "") + digits;
}

std::string big_decimal_text(const std::string& plain) {
  const size_t first = plain.find_first_not_of("-0.");
  const size_t point = plain.find('.');
  const auto scale = static_cast<int>(point == std::string::npos ? 0 : plain.size() - point - 1);
  std::string digits = first == std::string::npos ? "0" : plain.substr(first);
  std::erase(digits, '.');
  const int exponent = static_cast<int>(digits.size()) - 1 - scale;
  if (exponent >= -6) return plain;
  if (digits.size() > 1) digits.insert(1, ".");
  return (plain[0] == '-' ? "-" : "") + digits + "E" + std::to_string(exponent);
}

std::string to_sql_text(const TypedValue& literal) {
  const Value& value = literal.value;
  if (value.is_null()) return "NULL";
  switch (literal.type.id()) {
    case TypeId::kBoolean: return std::get<bool>(value.data) ? "true" : "false";
    case TypeId::kFloat: return floating_text(static_cast<float>(std::get<double>(value.data)));
    case TypeId::kDouble: return floating_text(std::get<double>(value.data));
    case TypeId::kDecimal:
      return big_decimal_text(decimal_to_string(std::get<Int128>(value.data), literal.type.scale()));
    case TypeId::kString: return std::get<std::string>(value.data);
    case TypeId::kBinary: {
      std::string text = "X'";
      for (const char c : std::get<std::string>(value.data)) {
        char buffer[3];
        std::snprintf(buffer, sizeof buffer, "%02X", static_cast<unsigned char>(c));
        text += buffer;
      }
      return text + "'";
    }
    case TypeId::kDate: return "DATE '" + date_text(std::get<int64_t>(value.data)) + "'";
    case TypeId::kTimestamp: return "TIMESTAMP '" + timestamp_text(std::get<int64_t>(value.data)) + "'";
    case TypeId::kTimestampNtz:
      return "TIMESTAMP_NTZ '" + timestamp_text(std::get<int64_t>(value.data)) + "'";
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return interval_text(std::get<int64_t>(value.data), literal.type);
    case TypeId::kArray: return joined(std::get<std::vector<Value>>(value.data), literal.type, "array(");
    case TypeId::kStruct: return joined(std::get<std::vector<Value>>(value.data), literal.type, "struct(");
    default:
      if (const auto* number = std::get_if<int64_t>(&value.data)) return std::to_string(*number);
      return literal.type.simple_string();
  }
}

int64_t days_from_civil(int64_t year, int month, int day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

CivilDate civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2), month, day};
}

}  // namespace deuteron::types
