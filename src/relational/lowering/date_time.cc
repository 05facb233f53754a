// Dates and timestamps. A timestamp is UTC; its fields are those of the session's time zone.
#include <algorithm>
#include <cctype>
#include <iterator>
#include <unordered_map>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// The argument on the local clock.
Result<std::string> local_argument(CallWriter& call, size_t index) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(index));
  return call.type(index).is(TypeId::kTimestamp) ? call.to_local(text) : text;
}

Result<std::string> lower_clock_field(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string local, local_argument(call, 0));
  if (call.function == "second_with_fraction") {
    return "CAST(CAST((epoch_us(" + local +
           ") % 60000000 + 60000000) % 60000000 AS DECIMAL(18,0)) / 1000000 AS DECIMAL(8,6))";
  }
  return cast_to(std::string(call.function) + "(" + local + ")", "INTEGER");
}

// What date_trunc and trunc take; the second list only date_trunc.
std::optional<std::string_view> truncation_unit(const std::string& name, bool with_time) {
  static const std::unordered_map<std::string, std::string_view> kDates = {
      {"YEAR", "year"},   {"YYYY", "year"}, {"YY", "year"},   {"QUARTER", "quarter"},
      {"MONTH", "month"}, {"MM", "month"},  {"MON", "month"}, {"WEEK", "week"}};
  static const std::unordered_map<std::string, std::string_view> kTimes = {{"DAY", "day"},
                                                                           {"DD", "day"},
                                                                           {"HOUR", "hour"},
                                                                           {"MINUTE", "minute"},
                                                                           {"SECOND", "second"},
                                                                           {"MILLISECOND", "milliseconds"},
                                                                           {"MICROSECOND", "microseconds"}};
  if (const auto found = kDates.find(upper(name)); found != kDates.end()) return found->second;
  if (const auto found = kTimes.find(upper(name)); with_time && found != kTimes.end()) return found->second;
  return std::nullopt;
}

Result<std::string> lower_truncate(CallWriter& call) {
  const bool is_date = call.function == "trunc";
  const size_t value = is_date ? 0 : 1;
  if (call.is_null_literal(1 - value)) return "CAST(NULL AS " + duckdb_type(call.result()) + ")";
  const auto name = call.literal_text(1 - value);
  if (!name) return unsupported(std::string(call.function) + " with a unit that is not constant");
  const auto unit = truncation_unit(*name, !is_date);
  if (!unit) return "CAST(NULL AS " + duckdb_type(call.result()) + ")";
  ASSIGN_OR_RETURN(const std::string text, local_argument(call, value));
  const std::string sql = "date_trunc('" + std::string(*unit) + "', " + text + ")";
  return is_date ? cast_to(sql, "DATE") : call.to_utc(cast_to(sql, "TIMESTAMP"));
}

Result<std::string> lower_add_months(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return "CAST(" + texts[0] + " + to_months(" + texts[1] + ") AS DATE)";
}

Result<std::string> lower_months_between(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string a, local_argument(call, 0));
  ASSIGN_OR_RETURN(const std::string b, local_argument(call, 1));
  std::string rounds = "true";
  if (call.size() > 2) {
    ASSIGN_OR_RETURN(rounds, call.argument(2));
  }
  return call.kernel("months_between", {a, b, rounds});
}

Result<std::string> lower_next_day(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (call.is_null_literal(1)) return std::string("CAST(NULL AS DATE)");
  static const std::unordered_map<std::string, int> kDays = {
      {"SU", 0}, {"SUN", 0}, {"SUNDAY", 0},   {"MO", 1}, {"MON", 1}, {"MONDAY", 1},
      {"TU", 2}, {"TUE", 2}, {"TUESDAY", 2},  {"WE", 3}, {"WED", 3}, {"WEDNESDAY", 3},
      {"TH", 4}, {"THU", 4}, {"THURSDAY", 4}, {"FR", 5}, {"FRI", 5}, {"FRIDAY", 5},
      {"SA", 6}, {"SAT", 6}, {"SATURDAY", 6}};
  const auto name = call.literal_text(1);
  if (!name) return unsupported("next_day with a day that is not constant");
  const auto day = kDays.find(upper(*name));
  if (day == kDays.end()) {
    const std::string failure = call.raise_without_context("ILLEGAL_DAY_OF_WEEK", {{"string", *name}});
    return "CASE WHEN " + texts[0] + " IS NOT NULL THEN " + (call.ansi ? failure : "NULL") + " END";
  }
  return "(" + texts[0] + " + CAST((" + std::to_string(day->second + 6) + " - dayofweek(" + texts[0] +
         ")) % 7 + 1 AS INTEGER))";
}

std::optional<std::string> unit_interval(const std::string& unit, const std::string& count, bool& calendar) {
  static const std::unordered_map<std::string, std::pair<std::string_view, bool>> kUnits = {
      {"MICROSECOND", {"to_microseconds({})", false}},
      {"MILLISECOND", {"to_milliseconds({})", false}},
      {"SECOND", {"to_seconds({})", false}},
      {"MINUTE", {"to_minutes({})", false}},
      {"HOUR", {"to_hours({})", false}},
      {"DAY", {"to_days(CAST({} AS INTEGER))", true}},
      {"DAYOFYEAR", {"to_days(CAST({} AS INTEGER))", true}},
      {"WEEK", {"to_days(CAST({} * 7 AS INTEGER))", true}},
      {"MONTH", {"to_months(CAST({} AS INTEGER))", true}},
      {"QUARTER", {"to_months(CAST({} * 3 AS INTEGER))", true}},
      {"YEAR", {"to_months(CAST({} * 12 AS INTEGER))", true}}};
  const auto found = kUnits.find(upper(unit));
  if (found == kUnits.end()) return std::nullopt;
  calendar = found->second.second;
  return replace_all(std::string(found->second.first), "{}", count);
}

Result<std::string> lower_timestamp_add(CallWriter& call) {
  const auto unit = call.literal_text(0);
  ASSIGN_OR_RETURN(const std::string count, call.argument(1));
  ASSIGN_OR_RETURN(const std::string base, call.argument(2));
  bool calendar = false;
  const auto interval = unit ? unit_interval(*unit, count, calendar) : std::nullopt;
  if (!interval) return unsupported("timestampadd with the unit " + unit.value_or("that is not constant"));
  if (!calendar || !call.type(2).is(TypeId::kTimestamp)) return "(" + base + " + " + *interval + ")";
  return call.to_utc("(" + call.to_local(base) + " + " + *interval + ")");
}

// Whole units from a to b, cut towards zero.
Result<std::string> lower_timestamp_diff(CallWriter& call) {
  const auto unit = call.literal_text(0);
  ASSIGN_OR_RETURN(const std::string from, local_argument(call, 1));
  ASSIGN_OR_RETURN(const std::string to, local_argument(call, 2));
  static const std::unordered_map<std::string, std::string_view> kExact = {
      {"MICROSECOND", "1"},   {"MILLISECOND", "1000"}, {"SECOND", "1000000"},   {"MINUTE", "60000000"},
      {"HOUR", "3600000000"}, {"DAY", "86400000000"},  {"WEEK", "604800000000"}};
  static const std::unordered_map<std::string, std::string_view> kMonths = {
      {"MONTH", "1"}, {"QUARTER", "3"}, {"YEAR", "12"}};
  const std::string name = upper(unit.value_or(""));
  if (const auto found = kExact.find(name); found != kExact.end()) {
    return "((epoch_us(" + to + ") - epoch_us(" + from + ")) // " + std::string(found->second) + ")";
  }
  if (const auto found = kMonths.find(name); found != kMonths.end()) {
    return "(" + call.kernel("whole_months_between", {from, to}) + " // " + std::string(found->second) + ")";
  }
  return unsupported("timestampdiff with the unit " + name);
}

// ---- text and numbers to dates and back
// -------------------------------------------------------------------------------

// Letters of Spark's patterns that the kernels know.
Status check_pattern(const CallWriter& call, const std::string& pattern) {
  bool quoted = false;
  for (const char c : pattern) {
    if (c == '\'') quoted = !quoted;
    if (quoted || !std::isalpha(static_cast<unsigned char>(c))) continue;
    if (std::string_view("yMdHhmsSaEDqQ").find(c) == std::string_view::npos) {
      return unsupported(std::string(call.function) + " with the pattern " + pattern);
    }
  }
  if (pattern.find('[') != std::string::npos || pattern.find('#') != std::string::npos ||
      pattern.find('{') != std::string::npos) {
    return unsupported(std::string(call.function) + " with the pattern " + pattern);
  }
  return {};
}

Result<std::string> pattern_argument(CallWriter& call, size_t index) {
  if (index >= call.size()) return std::string("'yyyy-MM-dd HH:mm:ss'");
  const auto pattern = call.literal_text(index);
  if (!pattern) return unsupported(std::string(call.function) + " with a pattern that is not constant");
  RETURN_IF_ERROR(check_pattern(call, *pattern));
  return quote_text(*pattern);
}

Result<std::string> lower_date_format(CallWriter& call) {
  if (call.is_null_literal(1)) return std::string("CAST(NULL AS VARCHAR)");
  ASSIGN_OR_RETURN(const std::string local, local_argument(call, 0));
  ASSIGN_OR_RETURN(const std::string pattern, pattern_argument(call, 1));
  return call.kernel("date_format", {local, pattern});
}

// Text read by a pattern, on the local clock; null where it does not fit, after the error of `function`.
Result<std::string> parsed_local(CallWriter& call, std::string_view suggestion, bool tries) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const std::string pattern, pattern_argument(call, 1));
  const std::string parsed = call.kernel("parse_with_pattern", {text, pattern});
  if (tries || !call.ansi) return parsed;
  const std::string failure = call.raise_without_context(
      "CANNOT_PARSE_TIMESTAMP",
      {{"message", "Text '{0}' could not be parsed"}, {"func", "`" + std::string(suggestion) + "`"}}, {text});
  return "coalesce(" + parsed + ", CASE WHEN " + text + " IS NOT NULL THEN " + failure + " END)";
}

Result<std::string> lower_to_date(CallWriter& call) {
  const bool tries = call.function == "try_to_date";
  const DataType& from = call.type(0);
  if (call.size() == 2 && call.is_null_literal(1)) return std::string("CAST(NULL AS DATE)");
  if (call.size() == 1 || !from.is(TypeId::kString)) {
    ASSIGN_OR_RETURN(const std::string value, call.argument(0));
    return write_cast(call, value, from, call.result(),
                      tries       ? plan::CastMode::kTry
                      : call.ansi ? plan::CastMode::kAnsi
                                  : plan::CastMode::kLegacy);
  }
  ASSIGN_OR_RETURN(const std::string local, parsed_local(call, "try_to_date", tries));
  return cast_to(local, "DATE");
}

Result<std::string> lower_to_timestamp(CallWriter& call) {
  const bool tries = call.function == "try_to_timestamp";
  const DataType& from = call.type(0);
  if (call.size() == 2 && call.is_null_literal(1)) return std::string("CAST(NULL AS TIMESTAMP)");
  if (call.size() == 1 || !from.is(TypeId::kString)) {
    ASSIGN_OR_RETURN(const std::string value, call.argument(0));
    return write_cast(call, value, from, call.result(),
                      tries       ? plan::CastMode::kTry
                      : call.ansi ? plan::CastMode::kAnsi
                                  : plan::CastMode::kLegacy);
  }
  ASSIGN_OR_RETURN(const std::string local, parsed_local(call, "try_to_timestamp", tries));
  return call.result().is(TypeId::kTimestamp) ? call.to_utc(local) : local;
}

std::string floor_divided(const std::string& microseconds, const std::string& by) {
  return "((" + microseconds + " - ((" + microseconds + " % " + by + ") + " + by + ") % " + by + ") // " +
         by + ")";
}

Result<std::string> lower_unix_timestamp(CallWriter& call) {
  if (call.size() == 0)
    return "CAST('" + std::to_string(call.options().now_micros / 1'000'000) + "' AS BIGINT)";
  ASSIGN_OR_RETURN(std::string value, call.argument(0));
  const DataType& from = call.type(0);
  if (from.is(TypeId::kString)) {
    ASSIGN_OR_RETURN(const std::string local, parsed_local(call, "try_to_timestamp", false));
    value = call.to_utc(local);
  } else if (from.is(TypeId::kDate)) {
    value = call.to_utc(cast_to(value, "TIMESTAMP"));
  } else if (from.is(TypeId::kTimestampNtz)) {
    value = call.to_utc(value);
  }
  return floor_divided("epoch_us(" + value + ")", "1000000");
}

Result<std::string> lower_from_unixtime(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string seconds, call.argument(0));
  if (call.size() > 1 && call.is_null_literal(1)) return std::string("CAST(NULL AS VARCHAR)");
  ASSIGN_OR_RETURN(const std::string pattern, pattern_argument(call, 1));
  return call.kernel("date_format", {call.to_local("make_timestamp(" + seconds + " * 1000000)"), pattern});
}

Result<std::string> lower_epoch(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  const std::string micros = "epoch_us(" + value + ")";
  if (call.function == "unix_micros") return micros;
  return floor_divided(micros, call.function == "unix_seconds" ? "1000000" : "1000");
}

Result<std::string> lower_timestamp_of(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  if (call.function == "timestamp_seconds")
    return write_cast(call, value, call.type(0), call.result(), plan::CastMode::kAnsi);
  const std::string number = cast_to(value, "BIGINT");
  return "make_timestamp(" + number + (call.function == "timestamp_millis" ? " * 1000" : "") + ")";
}

Result<std::string> lower_make_date(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string made = "TRY(make_date(CAST(" + texts[0] + " AS BIGINT), CAST(" + texts[1] +
                           " AS BIGINT), CAST(" + texts[2] + " AS BIGINT)))";
  if (!call.ansi) return made;
  const std::string failure = call.raise_without_context(
      "DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION",
      {{"rangeMessage", "Invalid date '{0}-{1}-{2}'"}, {"ansiConfig", kAnsiSetting}},
      {texts[0], texts[1], texts[2]});
  return "coalesce(" + made + ", CASE WHEN " + texts[0] + " IS NOT NULL AND " + texts[1] +
         " IS NOT NULL AND " + texts[2] + " IS NOT NULL THEN " + failure + " END)";
}

Result<std::string> lower_zone_shift(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  const auto zone = call.literal_text(1);
  if (call.is_null_literal(1)) return std::string("CAST(NULL AS TIMESTAMP)");
  if (!zone) return unsupported(std::string(call.function) + " with a time zone that is not constant");
  const bool from_utc = call.function == "from_utc_timestamp";
  if (const auto offset = fixed_offset_seconds(*zone)) {
    return "(" + value + (from_utc ? " + " : " - ") + "to_seconds(" + std::to_string(*offset) + "))";
  }
  const std::string source = from_utc ? "'UTC'" : quote_text(*zone);
  const std::string target = from_utc ? quote_text(*zone) : "'UTC'";
  return "timezone(" + target + ", timezone(" + source + ", " + value + "))";
}

Result<std::string> lower_now(CallWriter& call) {
  const std::string now =
      "make_timestamp(CAST('" + std::to_string(call.options().now_micros) + "' AS BIGINT))";
  if (call.function == "current_timezone") return quote_text(call.options().time_zone);
  if (call.function == "current_date") return cast_to(call.to_local(now), "DATE");
  if (call.function == "localtimestamp") return call.to_local(now);
  return now;
}

Result<std::string> lower_interval_field(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  const std::string_view field = call.function.substr(std::string_view("extract_interval_").size());
  if (field == "second")
    return "CAST(CAST(" + value + " % 60000000 AS DECIMAL(18,0)) / 1000000 AS DECIMAL(8,6))";
  const std::string sql = field == "year"    ? value + " // 12"
                          : field == "month" ? value + " % 12"
                          : field == "day"   ? value + " // 86400000000"
                          : field == "hour"  ? value + " // 3600000000 % 24"
                                             : value + " // 60000000 % 60";
  return cast_to(sql, call.result());
}

Result<std::string> lower_make_interval(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  constexpr std::string_view kFactors[] = {"86400000000", "3600000000", "60000000"};
  std::string sum = "CAST(0 AS BIGINT)";
  if (call.function == "make_ym_interval") {
    if (texts.empty()) return std::string("0");
    return "(" + texts[0] + " * 12" + (texts.size() > 1 ? " + " + texts[1] : "") + ")";
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    sum += i < 3 ? " + CAST(" + texts[i] + " AS BIGINT) * " + std::string(kFactors[i])
                 : " + CAST(" + texts[i] + " * 1000000 AS BIGINT)";
  }
  return "(" + sum + ")";
}

const CallRule kRules[] = {
    {.function = "year", .text = "year({0})", .cast = true},
    {.function = "quarter", .text = "quarter({0})", .cast = true},
    {.function = "month", .text = "month({0})", .cast = true},
    {.function = "dayofmonth", .text = "day({0})", .cast = true},
    {.function = "dayofweek", .text = "dayofweek({0}) + 1", .cast = true},
    {.function = "dayofweek_iso", .text = "isodow({0})", .cast = true},
    {.function = "weekday", .text = "isodow({0}) - 1", .cast = true},
    {.function = "dayofyear", .text = "dayofyear({0})", .cast = true},
    {.function = "weekofyear", .text = "week({0})", .cast = true},
    {.function = "yearofweek", .text = "isoyear({0})", .cast = true},
    {.function = "dayname", .text = "left(dayname({0}), 3)"},
    {.function = "monthname", .text = "left(monthname({0}), 3)"},
    {.function = "hour", .lower = lower_clock_field},
    {.function = "minute", .lower = lower_clock_field},
    {.function = "second", .lower = lower_clock_field},
    {.function = "second_with_fraction", .lower = lower_clock_field},
    {.function = "datediff", .text = "CAST({0} - {1} AS INTEGER)"},
    {.function = "add_months", .lower = lower_add_months},
    {.function = "months_between", .lower = lower_months_between},
    {.function = "last_day", .text = "last_day({0})"},
    {.function = "next_day", .lower = lower_next_day},
    {.function = "trunc", .lower = lower_truncate},
    {.function = "date_trunc", .lower = lower_truncate},
    {.function = "timestampadd", .lower = lower_timestamp_add},
    {.function = "timestampdiff", .lower = lower_timestamp_diff},
    {.function = "to_date", .lower = lower_to_date},
    {.function = "try_to_date", .lower = lower_to_date},
    {.function = "to_timestamp", .lower = lower_to_timestamp},
    {.function = "try_to_timestamp", .lower = lower_to_timestamp},
    {.function = "date_format", .lower = lower_date_format},
    {.function = "unix_timestamp", .lower = lower_unix_timestamp},
    {.function = "from_unixtime", .lower = lower_from_unixtime},
    {.function = "timestamp_seconds", .lower = lower_timestamp_of},
    {.function = "timestamp_millis", .lower = lower_timestamp_of},
    {.function = "timestamp_micros", .lower = lower_timestamp_of},
    {.function = "unix_seconds", .lower = lower_epoch},
    {.function = "unix_millis", .lower = lower_epoch},
    {.function = "unix_micros", .lower = lower_epoch},
    {.function = "unix_date", .text = "CAST({0} - DATE '1970-01-01' AS INTEGER)"},
    {.function = "date_from_unix_date", .text = "(DATE '1970-01-01' + {0})"},
    {.function = "make_date", .lower = lower_make_date},
    {.function = "from_utc_timestamp", .lower = lower_zone_shift},
    {.function = "to_utc_timestamp", .lower = lower_zone_shift},
    {.function = "current_date", .lower = lower_now},
    {.function = "current_timestamp", .lower = lower_now},
    {.function = "now", .lower = lower_now},
    {.function = "localtimestamp", .lower = lower_now},
    {.function = "current_timezone", .lower = lower_now},
    {.function = "extract_interval_year", .lower = lower_interval_field},
    {.function = "extract_interval_month", .lower = lower_interval_field},
    {.function = "extract_interval_day", .lower = lower_interval_field},
    {.function = "extract_interval_hour", .lower = lower_interval_field},
    {.function = "extract_interval_minute", .lower = lower_interval_field},
    {.function = "extract_interval_second", .lower = lower_interval_field},
    {.function = "make_dt_interval", .lower = lower_make_interval},
    {.function = "make_ym_interval", .lower = lower_make_interval},
};

}  // namespace

RuleTable date_time_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
