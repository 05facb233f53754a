// Dates, timestamps and intervals: Spark's texts of them, read and written. Timestamps here are microseconds
// of a clock whose zone the caller chose.
#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <unordered_map>

#include "relational/kernels/vector_access.h"
#include "types/value.h"

namespace deuteron::relational::kernels {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t floor_modulo(int64_t a, int64_t b) { return a - floor_divide(a, b) * b; }

int days_in_month(int64_t year, int month) {
  const int64_t next =
      month == 12 ? types::days_from_civil(year + 1, 1, 1) : types::days_from_civil(year, month + 1, 1);
  return static_cast<int>(next - types::days_from_civil(year, month, 1));
}

bool is_date(int64_t year, int64_t month, int64_t day) {
  return month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, static_cast<int>(month));
}

std::string padded(int64_t value, int width) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%0*lld", width, static_cast<long long>(value));
  return buffer;
}

std::string year_text(int64_t year) {
  if (year > 9999) return "+" + std::to_string(year);
  if (year < 0) return "-" + padded(-year, 4);
  return padded(year, 4);
}

std::string text_of_date(int64_t days) {
  const types::CivilDate date = types::civil_from_days(days);
  return year_text(date.year) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2);
}

std::string fraction_text(int64_t micros) {
  std::string digits = padded(micros, 6);
  digits.erase(digits.find_last_not_of('0') + 1);
  return digits.empty() ? "" : "." + digits;
}

std::optional<std::string> date_text(Date date) { return text_of_date(date.days); }

std::optional<std::string> timestamp_text(Timestamp value) {
  const int64_t days = floor_divide(value.microseconds, kMicrosPerDay),
                rest = floor_modulo(value.microseconds, kMicrosPerDay);
  const int64_t seconds = rest / kMicrosPerSecond;
  return text_of_date(days) + " " + padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" +
         padded(seconds % 60, 2) + fraction_text(rest % kMicrosPerSecond);
}

// ---- reading
// ----------------------------------------------------------------------------------------------------------

// Reads numbers and marks from the front of a text.
struct Reader {
  std::string_view rest;

  bool at_end() const { return rest.empty(); }
  bool take(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  // Between `least` and `most` digits.
  std::optional<int64_t> number(size_t least, size_t most) {
    size_t digits = 0;
    int64_t value = 0;
    while (digits < rest.size() && digits < most && std::isdigit(static_cast<unsigned char>(rest[digits]))) {
      value = value * 10 + (rest[digits++] - '0');
    }
    if (digits < least) return std::nullopt;
    rest.remove_prefix(digits);
    return value;
  }
  bool at_digit() const { return !rest.empty() && std::isdigit(static_cast<unsigned char>(rest.front())); }
};

struct DateParts {
  int64_t year = 0, month = 1, day = 1;
  int fields = 1;
};

// [+-]yyyy[-m[m][-d[d]]]
std::optional<DateParts> read_date(Reader& reader) {
  DateParts parts;
  const bool negative = reader.take('-');
  if (!negative) reader.take('+');
  const auto year = reader.number(4, 7);
  if (!year || reader.at_digit()) return std::nullopt;
  parts.year = negative ? -*year : *year;
  if (reader.take('-')) {
    const auto month = reader.number(1, 2);
    if (!month || reader.at_digit()) return std::nullopt;
    parts.month = *month;
    parts.fields = 2;
    if (reader.take('-')) {
      const auto day = reader.number(1, 2);
      if (!day || reader.at_digit()) return std::nullopt;
      parts.day = *day;
      parts.fields = 3;
    }
  }
  if (!is_date(parts.year, parts.month, parts.day)) return std::nullopt;
  return parts;
}

std::optional<Date> parse_date(std::string_view text) {
  Reader reader{trim_all(text)};
  const auto parts = read_date(reader);
  if (!parts) return std::nullopt;
  // After a whole date anything may follow a space or T.
  if (!reader.at_end() && !(parts->fields == 3 && (reader.rest.front() == ' ' || reader.rest.front() == 'T')))
    return std::nullopt;
  const int64_t days =
      types::days_from_civil(parts->year, static_cast<int>(parts->month), static_cast<int>(parts->day));
  if (days < std::numeric_limits<int32_t>::min() || days > std::numeric_limits<int32_t>::max())
    return std::nullopt;
  return Date{static_cast<int32_t>(days)};
}

struct ParsedTime {
  Int128 local_micros = 0;
  std::string_view zone;
  bool only_time = false;
};

// h[h][:m[m][:s[s][.fraction]]]
std::optional<int64_t> read_time(Reader& reader) {
  const auto hour = reader.number(1, 2);
  if (!hour || *hour > 23 || reader.at_digit()) return std::nullopt;
  int64_t micros = *hour * 3600 * kMicrosPerSecond;
  if (!reader.take(':')) return micros;
  const auto minute = reader.number(1, 2);
  if (!minute || *minute > 59 || reader.at_digit()) return std::nullopt;
  micros += *minute * 60 * kMicrosPerSecond;
  if (!reader.take(':')) return micros;
  const auto second = reader.number(1, 2);
  if (!second || *second > 59 || reader.at_digit()) return std::nullopt;
  micros += *second * kMicrosPerSecond;
  if (!reader.take('.')) return micros;
  int64_t unit = kMicrosPerSecond;
  while (reader.at_digit()) {
    unit /= 10;
    micros += *reader.number(1, 1) * unit;
  }
  return micros;
}

std::optional<ParsedTime> read_timestamp(std::string_view text) {
  Reader reader{trim_all(text)};
  ParsedTime parsed;
  Reader ahead = reader;
  const bool starts_with_t = ahead.take('T');
  const auto hour = ahead.number(1, 2);
  if (hour && !ahead.rest.empty() && ahead.rest.front() == ':') {
    if (starts_with_t) reader.take('T');
    parsed.only_time = true;
  } else {
    const auto date = read_date(reader);
    if (!date) return std::nullopt;
    const int64_t days =
        types::days_from_civil(date->year, static_cast<int>(date->month), static_cast<int>(date->day));
    parsed.local_micros = Int128(days) * kMicrosPerDay;
    if (reader.at_end()) return parsed;
    if (date->fields != 3 || (!reader.take(' ') && !reader.take('T'))) return std::nullopt;
    if (reader.at_end()) return parsed;
  }
  const auto time = read_time(reader);
  if (!time) return std::nullopt;
  parsed.local_micros += *time;
  parsed.zone = trim_all(reader.rest);
  return parsed;
}

// Z, UTC, GMT, [UTC|GMT][+-]h[h][:mm[:ss]]; nullopt for named regions.
std::optional<int64_t> zone_seconds(std::string_view zone) {
  if (zone == "Z" || zone == "UTC" || zone == "GMT" || zone == "UT") return 0;
  for (std::string_view prefix : {"UTC", "GMT", "UT"}) {
    if (zone.starts_with(prefix)) {
      zone.remove_prefix(prefix.size());
      break;
    }
  }
  if (zone.empty() || (zone.front() != '+' && zone.front() != '-')) return std::nullopt;
  const int sign = zone.front() == '-' ? -1 : 1;
  Reader reader{zone.substr(1)};
  const auto hours = reader.number(1, 2);
  if (!hours || *hours > 18) return std::nullopt;
  int64_t seconds = *hours * 3600;
  for (const int64_t unit : {60, 1}) {
    if (reader.at_end()) break;
    reader.take(':');
    const auto part = reader.number(1, 2);
    if (!part || *part > 59) return std::nullopt;
    seconds += *part * unit;
  }
  if (!reader.at_end()) return std::nullopt;
  return sign * seconds;
}

int64_t today_micros() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return floor_divide(std::chrono::duration_cast<std::chrono::microseconds>(now).count(), kMicrosPerDay) *
         kMicrosPerDay;
}

// UTC, when the text names its zone.
std::optional<Timestamp> timestamp_of(Int128 micros) {
  if (micros != static_cast<int64_t>(micros)) return std::nullopt;
  return Timestamp{static_cast<int64_t>(micros)};
}

std::optional<Timestamp> parse_with_zone(std::string_view text) {
  const auto parsed = read_timestamp(text);
  if (!parsed || parsed->zone.empty()) return std::nullopt;
  const auto offset = zone_seconds(parsed->zone);
  if (!offset) return std::nullopt;
  return timestamp_of(parsed->local_micros + (parsed->only_time ? today_micros() : 0) -
                      *offset * kMicrosPerSecond);
}

std::optional<Timestamp> parse_without_zone(std::string_view text) {
  const auto parsed = read_timestamp(text);
  if (!parsed || !parsed->zone.empty()) return std::nullopt;
  return timestamp_of(parsed->local_micros + (parsed->only_time ? today_micros() : 0));
}

// The region that the text names, and the time beside it; null when its zone is no region.
std::optional<std::string> parse_region(std::string_view text) {
  const auto parsed = read_timestamp(text);
  if (!parsed || parsed->zone.empty() || zone_seconds(parsed->zone)) return std::nullopt;
  const bool plausible = parsed->zone.find('/') != std::string_view::npos &&
                         std::all_of(parsed->zone.begin(), parsed->zone.end(), [](unsigned char c) {
                           return std::isalnum(c) || c == '/' || c == '_' || c == '-' || c == '+';
                         });
  if (!plausible) return std::nullopt;
  return std::string(parsed->zone);
}

std::optional<Timestamp> parse_beside_region(std::string_view text) {
  const auto parsed = read_timestamp(text);
  if (!parsed) return std::nullopt;
  return timestamp_of(parsed->local_micros + (parsed->only_time ? today_micros() : 0));
}

// A zone in the text is read and left aside; a time alone is no timestamp without zone.
std::optional<Timestamp> parse_ntz(std::string_view text) {
  const auto parsed = read_timestamp(text);
  if (!parsed || parsed->only_time || (!parsed->zone.empty() && !zone_seconds(parsed->zone)))
    return std::nullopt;
  return timestamp_of(parsed->local_micros);
}

// ---- other
// ------------------------------------------------------------------------------------------------------------

std::optional<double> months_between(Timestamp a, Timestamp b, bool rounds) {
  const int64_t days_a = floor_divide(a.microseconds, kMicrosPerDay),
                days_b = floor_divide(b.microseconds, kMicrosPerDay);
  const types::CivilDate x = types::civil_from_days(days_a), y = types::civil_from_days(days_b);
  const auto months = static_cast<double>((x.year - y.year) * 12 + x.month - y.month);
  const bool both_last = x.day == days_in_month(x.year, x.month) && y.day == days_in_month(y.year, y.month);
  if (x.day == y.day || both_last) return months;
  const int64_t seconds_a = floor_modulo(a.microseconds, kMicrosPerDay) / kMicrosPerSecond;
  const int64_t seconds_b = floor_modulo(b.microseconds, kMicrosPerDay) / kMicrosPerSecond;
  const double difference =
      months + static_cast<double>((x.day - y.day) * 86400 + seconds_a - seconds_b) / (31 * 86400.0);
  return rounds ? std::floor(difference * 1e8 + 0.5) / 1e8 : difference;
}

// Towards zero, as whole months of the calendar.
std::optional<int64_t> whole_months_between(Timestamp from, Timestamp to) {
  const int64_t days_a = floor_divide(from.microseconds, kMicrosPerDay),
                days_b = floor_divide(to.microseconds, kMicrosPerDay);
  const types::CivilDate a = types::civil_from_days(days_a), b = types::civil_from_days(days_b);
  const int64_t rest_a = a.day * kMicrosPerDay + floor_modulo(from.microseconds, kMicrosPerDay);
  const int64_t rest_b = b.day * kMicrosPerDay + floor_modulo(to.microseconds, kMicrosPerDay);
  int64_t months = (b.year - a.year) * 12 + b.month - a.month;
  if (months > 0 && rest_b < rest_a) --months;
  if (months < 0 && rest_b > rest_a) ++months;
  return months;
}

// Null where Spark's answer is the last microsecond of all, which DuckDB takes for infinity.
std::optional<Timestamp> seconds_to_timestamp(int64_t seconds) {
  constexpr int64_t kLimit = std::numeric_limits<int64_t>::max() / kMicrosPerSecond;
  if (seconds > kLimit) return std::nullopt;
  if (seconds < -kLimit) return Timestamp{std::numeric_limits<int64_t>::min()};
  return Timestamp{seconds * kMicrosPerSecond};
}

constexpr std::string_view kDayTimeFields[] = {"DAY", "HOUR", "MINUTE", "SECOND"};

// INTERVAL '1 02:03:04.5' DAY TO SECOND
std::optional<std::string> day_time_text(int64_t micros, int32_t start, int32_t end) {
  const bool negative = micros < 0;
  const auto size =
      negative ? -static_cast<unsigned __int128>(micros) : static_cast<unsigned __int128>(micros);
  const auto value = static_cast<uint64_t>(size);
  constexpr uint64_t kUnits[] = {86'400'000'000, 3'600'000'000, 60'000'000, 1'000'000};
  std::string text;
  for (int field = start; field <= end; ++field) {
    const uint64_t amount = (field == start ? value : value % kUnits[field - 1]) / kUnits[field];
    if (field > start) text += field == 1 ? " " : ":";
    text += field == 0 ? std::to_string(amount) : padded(static_cast<int64_t>(amount), 2);
    if (field == 3) text += fraction_text(static_cast<int64_t>(value % 1'000'000));
  }
  std::string fields(kDayTimeFields[start]);
  if (end > start) fields += " TO " + std::string(kDayTimeFields[end]);
  return "INTERVAL '" + std::string(negative ? "-" : "") + text + "' " + fields;
}

std::optional<std::string> year_month_text(int32_t months, int32_t start, int32_t end) {
  const int64_t size = std::abs(static_cast<int64_t>(months));
  const std::string sign = months < 0 ? "-" : "";
  if (start == 0 && end == 1)
    return "INTERVAL '" + sign + std::to_string(size / 12) + "-" + std::to_string(size % 12) +
           "' YEAR TO MONTH";
  if (start == 0) return "INTERVAL '" + sign + std::to_string(size / 12) + "' YEAR";
  return "INTERVAL '" + sign + std::to_string(size) + "' MONTH";
}

}  // namespace

std::optional<Signature> find_time_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"date_text", Adapter<date_text>::signature()},
      {"timestamp_text", Adapter<timestamp_text>::signature()},
      {"day_time_text", Adapter<day_time_text>::signature()},
      {"year_month_text", Adapter<year_month_text>::signature()},
      {"parse_date", Adapter<parse_date>::signature()},
      {"parse_timestamp_with_zone", Adapter<parse_with_zone>::signature()},
      {"parse_timestamp_without_zone", Adapter<parse_without_zone>::signature()},
      {"parse_timestamp_region", Adapter<parse_region>::signature()},
      {"parse_timestamp_beside_region", Adapter<parse_beside_region>::signature()},
      {"parse_timestamp_ntz", Adapter<parse_ntz>::signature()},
      {"months_between", Adapter<months_between>::signature()},
      {"whole_months_between", Adapter<whole_months_between>::signature()},
      {"seconds_to_timestamp", Adapter<seconds_to_timestamp>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
