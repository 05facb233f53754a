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

// A letter of Spark's patterns.
struct PatternLetter {
  char letter;
  size_t most;   // how often it may stand in a row; more is an error
  bool formats;  // the kernels know it
  bool parses;
};
constexpr PatternLetter kPatternLetters[] = {
    {'y', 6, true, true},   {'M', 4, true, true},   {'L', 4, true, true},   {'d', 2, true, true},
    {'D', 3, true, true},   {'E', 4, true, false},  {'F', 1, true, false},  {'q', 4, true, false},
    {'Q', 4, true, false},  {'H', 2, true, true},   {'h', 2, true, true},   {'k', 2, true, false},
    {'K', 2, true, false},  {'m', 2, true, true},   {'s', 2, true, true},   {'S', 9, true, true},
    {'a', 1, true, true},   {'G', 4, false, false}, {'V', 2, false, false}, {'z', 4, false, false},
    {'O', 4, false, false}, {'X', 5, false, false}, {'x', 5, false, false}, {'Z', 5, false, false}};

bool contains(std::string_view letters, char c) { return letters.find(c) != std::string_view::npos; }

// The pattern's letters and signs that are not quoted; empty when a quotation does not end.
std::optional<std::string> unquoted(std::string_view pattern) {
  std::string text;
  bool quoted = false;
  for (const char c : pattern) {
    if (c == '\'') quoted = !quoted;
    if (!quoted) text += c;
  }
  return quoted ? std::nullopt : std::optional<std::string>(std::move(text));
}

// As Spark checks it: letters that it refuses itself, then those that Java does not know, each told from
// those that the formatter before Spark 3 would take.
Status check_pattern(const CallWriter& call, const std::string& pattern, bool parses) {
  constexpr std::string_view kLegacyLetters = "GyYMLwWDdFEuaHkKhmsSzZX";
  const auto text = unquoted(pattern);
  const std::string shown = "'" + replace_all(pattern, "'", "\\'") + "'";
  const std::string documentation = "https://spark.apache.org/docs/latest";
  const bool legacy = text && std::all_of(text->begin(), text->end(), [&](char c) {
                        return !std::isalpha(static_cast<unsigned char>(c)) || contains(kLegacyLetters, c);
                      });
  const auto refused = [&](Status own) {
    if (!legacy) return own;
    return error("INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION",
                 {{"pattern", shown},
                  {"config", "\"spark.sql.legacy.timeParserPolicy\""},
                  {"docroot", documentation}});
  };
  const Status unknown =
      error("INVALID_DATETIME_PATTERN.WITH_SUGGESTION", {{"pattern", shown}, {"docroot", documentation}});
  if (!text) return refused(unknown);
  for (const char c : *text) {
    if (contains("YWwuec", c)) {
      return refused(error("INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_WEEK_BASED_PATTERN",
                           {{"c", std::string(1, c)}}));
    }
    if (contains("ABnNp", c) || (parses && contains("EFqQ", c))) {
      return refused(error("INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER",
                           {{"c", std::string(1, c)}, {"pattern", pattern}}));
    }
  }
  bool supported = text->find_first_of("[]") == std::string::npos;
  for (size_t i = 0, end = 0; i < text->size(); i = end) {
    const char c = (*text)[i];
    end = i + 1;
    if (contains("#{}", c)) return refused(unknown);
    if (!std::isalpha(static_cast<unsigned char>(c))) continue;
    while (end < text->size() && (*text)[end] == c) ++end;
    const auto* known = std::find_if(std::begin(kPatternLetters), std::end(kPatternLetters),
                                     [&](const PatternLetter& entry) { return entry.letter == c; });
    if (known == std::end(kPatternLetters) || end - i > known->most) return refused(unknown);
    if (c == 'V' && end - i != 2) return refused(unknown);
    supported = supported && (parses ? known->parses : known->formats);
  }
  return supported ? Status() : unsupported(std::string(call.function) + " with the pattern " + pattern);
}

Result<std::string> pattern_argument(CallWriter& call, size_t index, bool parses) {
  if (index >= call.size()) return std::string("'yyyy-MM-dd HH:mm:ss'");
  const auto pattern = call.literal_text(index);
  if (!pattern) return unsupported(std::string(call.function) + " with a pattern that is not constant");
  RETURN_IF_ERROR(check_pattern(call, *pattern, parses));
  return quote_text(*pattern);
}

Result<std::string> lower_date_format(CallWriter& call) {
  if (call.is_null_literal(1)) return std::string("CAST(NULL AS VARCHAR)");
  ASSIGN_OR_RETURN(const std::string local, local_argument(call, 0));
  ASSIGN_OR_RETURN(const std::string pattern, pattern_argument(call, 1, false));
  return call.kernel("date_format", {local, pattern});
}

// Text read by a pattern, on the local clock; null where it does not fit, after the error of `function`.
Result<std::string> parsed_local(CallWriter& call, std::string_view suggestion, bool tries) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const std::string pattern, pattern_argument(call, 1, true));
  const std::string parsed = call.kernel("parse_with_pattern", {text, pattern});
  if (tries || !call.ansi) return parsed;
  const std::string failure = call.raise_without_context(
      "CANNOT_PARSE_TIMESTAMP", {{"message", "{0}"}, {"func", "`" + std::string(suggestion) + "`"}},
      {call.kernel("parse_error", {text, pattern})});
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
  ASSIGN_OR_RETURN(const std::string pattern, pattern_argument(call, 1, false));
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

// `made`, or the error about the fields that make no date or time.
std::string checked_fields(CallWriter& call, const std::string& made, const std::string& kernel,
                           const Texts& fields) {
  if (!call.ansi) return made;
  std::string present;
  for (const std::string& field : fields)
    present += (present.empty() ? "" : " AND ") + field + " IS NOT NULL";
  const std::string failure = call.raise_without_context(
      "DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION", {{"rangeMessage", "{0}"}, {"ansiConfig", kAnsiSetting}},
      {call.kernel(kernel, fields)});
  return "coalesce(" + made + ", CASE WHEN " + present + " THEN " + failure + " END)";
}

Result<std::string> lower_make_date(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts fields, call.all_arguments());
  return checked_fields(call, call.kernel("make_date_of_fields", fields), "date_error", fields);
}

// A time zone that is named by a constant.
class ZoneArgument {
 public:
  static Result<ZoneArgument> of(CallWriter& call, size_t index) {
    ZoneArgument zone;
    if (call.is_null_literal(index)) {
      zone.is_null_ = true;
      return zone;
    }
    const auto name = call.literal_text(index);
    if (!name) return unsupported(std::string(call.function) + " with a time zone that is not constant");
    zone.name_ = *name;
    return zone;
  }
  static ZoneArgument session(CallWriter& call) {
    ZoneArgument zone;
    zone.name_ = call.options().time_zone;
    return zone;
  }

  bool is_null() const { return is_null_; }
  // UTC ↔ the zone's clock.
  std::string to_local(const std::string& utc) const { return moved(utc, " + ", "'UTC'", quote_text(name_)); }
  std::string to_utc(const std::string& local) const {
    return moved(local, " - ", quote_text(name_), "'UTC'");
  }

 private:
  std::string moved(const std::string& value, const std::string& sign, const std::string& source,
                    const std::string& target) const {
    if (const auto offset = fixed_offset_seconds(name_)) {
      if (*offset == 0) return value;
      return "(" + value + sign + "to_seconds(" + std::to_string(*offset) + "))";
    }
    // DuckDB's error about a zone that it does not know is given Spark's name.
    return "timezone(" + target + ", timezone(" + source + ", " + value + "))";
  }

  std::string name_;
  bool is_null_ = false;
};

Result<std::string> lower_make_timestamp(CallWriter& call) {
  ASSIGN_OR_RETURN(Texts fields, call.all_arguments());
  ZoneArgument zone = ZoneArgument::session(call);
  if (fields.size() == 7) {
    ASSIGN_OR_RETURN(zone, ZoneArgument::of(call, 6));
    if (zone.is_null()) return std::string("CAST(NULL AS TIMESTAMP)");
    fields.pop_back();
  }
  const std::string seconds = fields[5];
  fields[5] = cast_to(seconds + " * 1000000", "BIGINT");
  const std::string made = call.kernel("make_local_timestamp", fields);
  std::string local = made;
  if (call.ansi && call.function == "make_timestamp") {
    local = checked_fields(call, made, "timestamp_error", fields);
    // Sixty whole seconds are the next minute, a fraction more is none.
    local = "CASE WHEN trunc(" + seconds + ") = 60 AND " + seconds + " > 60 THEN " +
            call.raise_without_context("INVALID_FRACTION_OF_SECOND", {{"secAndMicros", "{0}"}},
                                       {"regexp_replace(CAST(" + seconds + " AS VARCHAR), '0+$', '')"}) +
            " ELSE " + local + " END";
  }
  return call.result().is(TypeId::kTimestamp) ? zone.to_utc(local) : local;
}

Result<std::string> lower_zone_shift(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  ASSIGN_OR_RETURN(const ZoneArgument zone, ZoneArgument::of(call, 1));
  if (zone.is_null()) return std::string("CAST(NULL AS TIMESTAMP)");
  return call.function == "from_utc_timestamp" ? zone.to_local(value) : zone.to_utc(value);
}

Result<std::string> lower_convert_timezone(CallWriter& call) {
  ASSIGN_OR_RETURN(const ZoneArgument source, ZoneArgument::of(call, 0));
  ASSIGN_OR_RETURN(const ZoneArgument target, ZoneArgument::of(call, 1));
  ASSIGN_OR_RETURN(const std::string value, call.argument(2));
  if (source.is_null() || target.is_null()) return std::string("CAST(NULL AS TIMESTAMP)");
  return target.to_local(source.to_utc(value));
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
    {.function = "make_timestamp", .lower = lower_make_timestamp},
    {.function = "try_make_timestamp", .lower = lower_make_timestamp},
    {.function = "convert_timezone", .lower = lower_convert_timezone},
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
};

}  // namespace

RuleTable date_time_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
