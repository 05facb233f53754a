// Dates, timestamps and intervals made of their fields, what is wrong with fields that make none, and Spark's
// text of a calendar interval.
#include <array>
#include <cctype>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "relational/kernels/date_fields.h"
#include "relational/kernels/vector_access.h"
#include "types/value.h"

namespace deuteron::relational::kernels {

std::optional<std::string> range_error(const Field& field, int64_t value) {
  if (value >= field.lowest && value <= field.highest) return std::nullopt;
  return "Invalid value for " + std::string(field.name) + " (valid values " + std::to_string(field.lowest) +
         " - " + std::string(field.highest_text) + "): " + std::to_string(value);
}

std::optional<std::string> civil_date_error(int64_t year, int64_t month, int64_t day) {
  constexpr std::array<std::string_view, 12> kNames = {"JANUARY",   "FEBRUARY", "MARCH",    "APRIL",
                                                       "MAY",       "JUNE",     "JULY",     "AUGUST",
                                                       "SEPTEMBER", "OCTOBER",  "NOVEMBER", "DECEMBER"};
  for (const auto& [field, value] :
       {std::pair(kYear, year), std::pair(kMonth, month), std::pair(kDay, day)}) {
    if (auto wrong = range_error(field, value)) return wrong;
  }
  const int64_t days = types::days_from_civil(year, static_cast<int>(month), static_cast<int>(day));
  if (types::civil_from_days(days).day == day) return std::nullopt;
  if (day == 29) return "Invalid date 'February 29' as '" + std::to_string(year) + "' is not a leap year";
  return "Invalid date '" + std::string(kNames[static_cast<size_t>(month - 1)]) + " " + std::to_string(day) +
         "'";
}

namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerMinute = 60 * kMicrosPerSecond;
constexpr int64_t kMicrosPerHour = 60 * kMicrosPerMinute;
constexpr int64_t kMicrosPerDay = 24 * kMicrosPerHour;

// ---- made of their fields
// -------------------------------------------------------------------------------------

std::optional<std::string> date_error(int32_t year, int32_t month, int32_t day) {
  return civil_date_error(year, month, day);
}

std::optional<Date> make_date(int32_t year, int32_t month, int32_t day) {
  if (date_error(year, month, day)) return std::nullopt;
  const int64_t days = types::days_from_civil(year, month, day);
  if (days != static_cast<int32_t>(days)) return std::nullopt;
  return Date{static_cast<int32_t>(days)};
}

// `micros` are the seconds with their fraction; 60 whole seconds are the next minute.
std::optional<std::string> timestamp_error(int32_t year, int32_t month, int32_t day, int32_t hour,
                                           int32_t minute, int64_t micros) {
  if (auto wrong = date_error(year, month, day)) return wrong;
  if (auto wrong = range_error(kHour, hour)) return wrong;
  if (auto wrong = range_error(kMinute, minute)) return wrong;
  if (micros == kMicrosPerMinute) return std::nullopt;
  return range_error(kSecond, micros / kMicrosPerSecond - (micros % kMicrosPerSecond < 0 ? 1 : 0));
}

std::optional<Timestamp> make_local_timestamp(int32_t year, int32_t month, int32_t day, int32_t hour,
                                              int32_t minute, int64_t micros) {
  constexpr int64_t kLargestYear = 294'246;  // whose microseconds surely fit into 64 bits
  if (timestamp_error(year, month, day, hour, minute, micros)) return std::nullopt;
  if (year > kLargestYear || year < -kLargestYear) return std::nullopt;
  return Timestamp{types::days_from_civil(year, month, day) * kMicrosPerDay + hour * kMicrosPerHour +
                   minute * kMicrosPerMinute + micros};
}

// ---- days
// -----------------------------------------------------------------------------------------------------

// Days are counted in 32 bits that wrap.
std::optional<Date> add_days(Date date, int32_t days) {
  return Date{static_cast<int32_t>(static_cast<uint32_t>(date.days) + static_cast<uint32_t>(days))};
}

std::optional<Date> subtract_days(Date date, int32_t days) {
  return Date{static_cast<int32_t>(static_cast<uint32_t>(date.days) - static_cast<uint32_t>(days))};
}

// ---- calendar intervals
// ---------------------------------------------------------------------------------------

std::optional<Interval> make_calendar_interval(int32_t years, int32_t months, int32_t weeks, int32_t days,
                                               int32_t hours, int32_t minutes, int64_t micros) {
  Interval made{};
  int32_t of_years = 0, of_weeks = 0;
  const bool overflows =
      __builtin_mul_overflow(years, 12, &of_years) ||
      __builtin_add_overflow(of_years, months, &made.months) || __builtin_mul_overflow(weeks, 7, &of_weeks) ||
      __builtin_add_overflow(of_weeks, days, &made.days) ||
      __builtin_add_overflow(hours * kMicrosPerHour + minutes * kMicrosPerMinute, micros, &made.micros);
  return overflows ? std::nullopt : std::optional<Interval>(made);
}

// 1 years 2 months 25 days 5 hours 6 minutes 7.5 seconds
std::optional<std::string> calendar_text(Interval interval) {
  std::string text;
  const auto add = [&](int64_t count, std::string_view unit) {
    if (count != 0) text += (text.empty() ? "" : " ") + std::to_string(count) + " " + std::string(unit);
  };
  add(interval.months / 12, "years");
  add(interval.months % 12, "months");
  add(interval.days, "days");
  add(interval.micros / kMicrosPerHour, "hours");
  add(interval.micros % kMicrosPerHour / kMicrosPerMinute, "minutes");
  if (const int64_t rest = interval.micros % kMicrosPerMinute; rest != 0) {
    const int64_t size = std::abs(rest);
    std::string digits = std::to_string(kMicrosPerSecond + size % kMicrosPerSecond).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += std::string(text.empty() ? "" : " ") + (rest < 0 ? "-" : "") +
            std::to_string(size / kMicrosPerSecond) + (digits.empty() ? "" : "." + digits) + " seconds";
  }
  return text.empty() ? "0 seconds" : text;
}

// ---- text of intervals
// ----------------------------------------------------------------------------------------

// The fields of an interval type: those of years and months are counted 0 and 1, those of days from 0.
struct IntervalForm {
  std::string_view separators;  // between the fields
  std::string units;
};

IntervalForm form_of(bool months, int32_t start, int32_t end) {
  constexpr std::string_view kMonthUnits[] = {"YEAR", "MONTH"};
  constexpr std::string_view kDayUnits[] = {"DAY", "HOUR", "MINUTE", "SECOND"};
  const auto unit = [&](int32_t field) {
    return std::string(months ? kMonthUnits[field] : kDayUnits[field]);
  };
  const std::string_view separators = months ? "-" : " ::";
  return {separators.substr(static_cast<size_t>(start), static_cast<size_t>(end - start)),
          start == end ? unit(start) : unit(start) + " TO " + unit(end)};
}

bool take_ignoring_case(std::string_view& text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(text[i])) != word[i]) return false;
  }
  text.remove_prefix(word.size());
  return true;
}

bool take_sign(std::string_view& text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  return negative;
}

// INTERVAL [-]'body' UNITS, or the body alone; nullopt: neither. `negative` changes with the outer sign.
std::optional<std::string_view> body_of(std::string_view text, const std::string& units, bool& negative) {
  text = trim_all(text);
  if (!take_ignoring_case(text, "INTERVAL")) return text;
  text = trim_all(text);
  negative = take_sign(text);
  const size_t close = text.rfind('\'');
  if (text.empty() || text.front() != '\'' || close == 0) return std::nullopt;
  std::string_view rest = trim_all(text.substr(close + 1));
  if (!take_ignoring_case(rest, units) || !rest.empty()) return std::nullopt;
  return text.substr(1, close - 1);
}

struct ParsedInterval {
  bool has_form = false;  // the text is one of an interval, though a field may be out of its range
  std::optional<int64_t> value;
};

ParsedInterval parse_interval(std::string_view text, bool months, int32_t start, int32_t end) {
  constexpr int64_t kMonthFactors[] = {12, 1},
                    kDayFactors[] = {kMicrosPerDay, kMicrosPerHour, kMicrosPerMinute, kMicrosPerSecond};
  constexpr int64_t kDayLimits[] = {0, 23, 59, 59};
  constexpr size_t kMostDigits = 18;
  const IntervalForm form = form_of(months, start, end);
  bool negative = false;
  const auto body = body_of(text, form.units, negative);
  if (!body) return {};
  std::string_view rest = *body;
  if (take_sign(rest)) negative = !negative;
  Int128 sum = 0;
  bool in_range = true;
  for (int32_t field = start; field <= end; ++field) {
    if (field > start) {
      const char separator = form.separators[static_cast<size_t>(field - start - 1)];
      if (rest.empty() || rest.front() != separator) return {};
      rest.remove_prefix(1);
    }
    size_t digits = 0;
    int64_t value = 0;
    while (digits < rest.size() && digits < kMostDigits && rest[digits] >= '0' && rest[digits] <= '9')
      value = value * 10 + (rest[digits++] - '0');
    if (digits == 0) return {};
    rest.remove_prefix(digits);
    if (field > start) in_range = in_range && value <= (months ? 11 : kDayLimits[field]);
    sum += static_cast<Int128>(value) * (months ? kMonthFactors[field] : kDayFactors[field]);
  }
  if (!months && end == 3 && !rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    if (rest.empty() || rest.size() > 9) return {};
    for (int64_t unit = kMicrosPerSecond / 10; !rest.empty(); rest.remove_prefix(1), unit /= 10) {
      if (rest.front() < '0' || rest.front() > '9') return {};
      sum += (rest.front() - '0') * unit;
    }
  }
  if (!rest.empty()) return {};
  if (negative) sum = -sum;
  const Int128 highest = months ? INT32_MAX : INT64_MAX;
  if (sum > highest || sum < -highest - 1) in_range = false;
  return {true, in_range ? std::optional<int64_t>(static_cast<int64_t>(sum)) : std::nullopt};
}

std::optional<int64_t> parse_day_time(std::string_view text, int32_t start, int32_t end) {
  return parse_interval(text, false, start, end).value;
}

std::optional<int32_t> parse_year_month(std::string_view text, int32_t start, int32_t end) {
  const auto months = parse_interval(text, true, start, end).value;
  return months ? std::optional<int32_t>(static_cast<int32_t>(*months)) : std::nullopt;
}

std::optional<bool> has_interval_form(std::string_view text, bool months, int32_t start, int32_t end) {
  return parse_interval(text, months, start, end).has_form;
}

}  // namespace

std::optional<Signature> find_calendar_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"make_date_of_fields", Adapter<make_date>::signature()},
      {"date_error", Adapter<date_error>::signature()},
      {"make_local_timestamp", Adapter<make_local_timestamp>::signature()},
      {"timestamp_error", Adapter<timestamp_error>::signature()},
      {"add_days", Adapter<add_days>::signature()},
      {"subtract_days", Adapter<subtract_days>::signature()},
      {"make_calendar_interval", Adapter<make_calendar_interval>::signature()},
      {"parse_day_time", Adapter<parse_day_time>::signature()},
      {"parse_year_month", Adapter<parse_year_month>::signature()},
      {"has_interval_form", Adapter<has_interval_form>::signature()},
      {"calendar_text", Adapter<calendar_text>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
