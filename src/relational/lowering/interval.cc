// Arithmetic of dates, timestamps and intervals, and the making of intervals.
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

constexpr std::string_view kMicrosPerDay = "86400000000";

bool is_floating(const DataType& type) { return type.is(TypeId::kDouble) || type.is(TypeId::kFloat); }

// Days are counted in 32 bits that wrap; DuckDB checks them, which a small constant cannot make fail.
Result<std::string> lower_add_days(CallWriter& call) {
  constexpr int64_t kSurelyInRange = 1'000'000;
  ASSIGN_OR_RETURN(const std::string date, call.argument(0));
  ASSIGN_OR_RETURN(const std::string days, call.argument(1));
  const auto constant = call.literal_integer(1);
  if (constant && *constant > -kSurelyInRange && *constant < kSurelyInRange) {
    return "(" + date + (call.function == "date_add" ? " + " : " - ") + days + ")";
  }
  return call.kernel(call.function == "date_add" ? "add_days" : "subtract_days", {date, days});
}

Result<std::string> lower_add_interval_days(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string date, call.argument(0));
  ASSIGN_OR_RETURN(const std::string interval, call.argument(1));
  return "(" + date + (call.function == "date_add_interval_days" ? " + " : " - ") + "CAST(" + interval +
         " // " + std::string(kMicrosPerDay) + " AS INTEGER))";
}

// What of an interval is counted on the local calendar, and what is plain time.
struct IntervalParts {
  std::string calendar;
  std::string time;  // empty: nothing
};

IntervalParts parts_of(const std::string& interval, const DataType& type) {
  if (type.is(TypeId::kYearMonthInterval)) return {"to_months(" + interval + ")", ""};
  if (type.is(TypeId::kDayTimeInterval)) {
    const std::string day(kMicrosPerDay);
    return {"to_days(CAST(" + interval + " // " + day + " AS INTEGER))",
            "to_microseconds(" + interval + " % " + day + ")"};
  }
  const std::string calendar =
      "(to_months(CAST(datepart('year', " + interval + ") * 12 + datepart('month', " + interval +
      ") AS INTEGER)) + to_days(CAST(datepart('day', " + interval + ") AS INTEGER)))";
  return {calendar, "(" + interval + " - " + calendar + ")"};
}

std::string moved_date(CallWriter& call, const std::string& date, const std::string& sign,
                       const std::string& interval) {
  if (call.type(1).is(TypeId::kYearMonthInterval)) {
    return "CAST(" + date + sign + "to_months(" + interval + ") AS DATE)";
  }
  const std::string sum = "CAST(CAST(" + date + " AS TIMESTAMP)" + sign + interval + " AS DATE)";
  if (!call.ansi) return sum;
  return "CASE WHEN " + parts_of(interval, call.type(1)).time + " <> INTERVAL 0 SECOND THEN " +
         call.raise_without_context("INVALID_INTERVAL_WITH_MICROSECONDS_ADDITION", {}) + " ELSE " + sum +
         " END";
}

// In zones of a fixed offset a day has 24 hours, and a time that is added to UTC is added to the local clock.
std::string moved_timestamp(CallWriter& call, const std::string& base, const std::string& sign,
                            const std::string& interval) {
  const DataType& by = call.type(1);
  const bool zoned = call.type(0).is(TypeId::kTimestamp);
  if (by.is(TypeId::kDayTimeInterval) && (!zoned || fixed_offset_seconds(call.options().time_zone))) {
    return "(" + base + sign + "to_microseconds(" + interval + "))";
  }
  if (by.is(TypeId::kCalendarInterval) && (!zoned || is_utc(call.options().time_zone))) {
    return "(" + base + sign + interval + ")";
  }
  const IntervalParts parts = parts_of(interval, by);
  const std::string local = "(" + (zoned ? call.to_local(base) : base) + sign + parts.calendar + ")";
  const std::string moved = zoned ? call.to_utc(local) : local;
  return parts.time.empty() ? moved : "(" + moved + sign + parts.time + ")";
}

// date, timestamp or text ± interval
Result<std::string> lower_add_interval(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string base, call.argument(0));
  ASSIGN_OR_RETURN(const std::string interval, call.argument(1));
  const std::string sign = call.function == "add_interval" ? " + " : " - ";
  if (call.type(0).is(TypeId::kDate)) return moved_date(call, base, sign, interval);
  const std::string moved = moved_timestamp(call, base, sign, interval);
  return call.result().is(TypeId::kString) ? write_as_text(call, moved, call.type(0)) : moved;
}

Result<std::string> lower_subtract_dates(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  return "((" + a + " - " + b + ") * 86400000000)";
}

Result<std::string> lower_subtract_timestamps(CallWriter& call) {
  ASSIGN_OR_RETURN(std::string a, call.argument(0));
  ASSIGN_OR_RETURN(std::string b, call.argument(1));
  if (call.type(0).is(TypeId::kTimestamp)) {
    a = call.to_local(a);
    b = call.to_local(b);
  }
  return "(epoch_us(" + a + ") - epoch_us(" + b + "))";
}

// Half a unit is rounded away from zero.
std::string rounded_quotient(const std::string& value, const std::string& divisor) {
  const std::string a = cast_to(value, "HUGEINT"), b = cast_to(divisor, "HUGEINT");
  return "(sign(" + a + ") * sign(" + b + ") * ((2 * abs(" + a + ") + abs(" + b + ")) // (2 * abs(" + b +
         "))))";
}

// interval * number, interval / number: rounded to a whole microsecond or month.
Result<std::string> lower_scale_interval(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string interval, call.argument(0));
  ASSIGN_OR_RETURN(const std::string number, call.argument(1));
  const DataType& factor = call.type(1);
  const std::string in_double = cast_to(interval, "DOUBLE");
  if (call.function == "divide_interval") {
    const std::string quotient = factor.is_integral()
                                     ? rounded_quotient(interval, number)
                                     : "round(" + in_double + " / " + cast_to(number, "DOUBLE") + ")";
    const std::string divided = cast_to(quotient, call.result());
    if (call.is_nonzero_constant(1)) return divided;
    return "CASE WHEN " + number + " = 0 AND " + interval + " IS NOT NULL THEN " +
           call.raise("INTERVAL_DIVIDED_BY_ZERO", {}) + " ELSE " + divided + " END";
  }
  if (factor.is_integral()) {
    return call.natively_checked(
        "(" + interval + " * " + cast_to(number, call.result()) + ")",
        std::string("multiplication ") + (call.result().is(TypeId::kDayTimeInterval) ? "INT64" : "INT32"),
        "INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION", {}, {});
  }
  const std::string product = is_floating(factor)
                                  ? "round(" + in_double + " * " + cast_to(number, "DOUBLE") + ")"
                                  : "round(" + cast_to(interval, "DECIMAL(19,0)") + " * " + number + ")";
  return cast_to(product, call.result());
}

// make_dt_interval, make_ym_interval
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

// years, months, weeks, days, hours, minutes, seconds; those that are missing are 0.
Result<std::string> lower_make_calendar_interval(CallWriter& call) {
  ASSIGN_OR_RETURN(Texts parts, call.all_arguments());
  while (parts.size() < 6) parts.emplace_back("CAST(0 AS INTEGER)");
  if (parts.size() < 7) parts.emplace_back("CAST(0 AS DECIMAL(18,6))");
  parts[6] = cast_to(parts[6] + " * 1000000", "BIGINT");
  const std::string made = call.kernel("make_calendar_interval", parts);
  if (!call.ansi || call.function == "try_make_interval") return made;
  std::string present;
  for (const std::string& part : parts) present += (present.empty() ? "" : " AND ") + part + " IS NOT NULL";
  return "coalesce(" + made + ", CASE WHEN " + present + " THEN " +
         call.raise_without_context(
             "ARITHMETIC_OVERFLOW",
             {{"message", "overflow"}, {"alternative", ""}, {"config", kAnsiSetting}}) +
         " END)";
}

// sequence(from, to[, step]): each element is `from` moved by a multiple of the step, so that the last days
// of months do not move the days after them.
Result<std::string> lower_date_time_sequence(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const DataType& type = call.type(0);
  const bool zoned = type.is(TypeId::kTimestamp);
  const auto local = [&](const std::string& text) {
    return zoned ? call.to_local(text) : cast_to(text, "TIMESTAMP");
  };
  const std::string from = local(texts[0]), to = local(texts[1]);
  const std::string day(kMicrosPerDay);
  const std::string step =
      texts.size() > 2 ? texts[2]
                       : "CASE WHEN " + to + " >= " + from + " THEN " + day + " ELSE -" + day + " END";
  const bool by_months = texts.size() > 2 && call.type(2).is(TypeId::kYearMonthInterval);
  const bool fixed = !zoned || fixed_offset_seconds(call.options().time_zone);
  if (!fixed && texts.size() > 2 && !by_months) {
    return unsupported("sequence by days or less in a time zone whose days differ in length");
  }
  const std::string count = by_months ? "datediff('month', " + from + ", " + to + ")"
                                      : "(epoch_us(" + to + ") - epoch_us(" + from + "))";
  const std::string index = call.fresh_name(), element = call.fresh_name();
  const std::string moved = by_months ? from + " + to_months(CAST(" + index + " * " + step + " AS INTEGER))"
                                      : from + " + to_microseconds(" + index + " * " + step + ")";
  const std::string all = "list_transform(generate_series(0, " + count + " // " + step + "), lambda " +
                          index + ": " + moved + ")";
  const std::string kept = "list_filter(" + all + ", lambda " + element + ": CASE WHEN " + step +
                           " > 0 THEN " + element + " <= " + to + " ELSE " + element + " >= " + to + " END)";
  const std::string value = call.fresh_name();
  const std::string back = type.is(TypeId::kDate) ? cast_to(value, "DATE")
                           : zoned                ? call.to_utc(value)
                                                  : value;
  const std::string list =
      cast_to("list_transform(" + kept + ", lambda " + value + ": " + back + ")", call.result());
  std::string cases;
  if (type.is(TypeId::kDate) && texts.size() > 2 && !by_months) {
    cases +=
        " WHEN " + step + " % " + day + " <> 0 OR " + step + " = 0 THEN " +
        call.raise_without_context("_LEGACY_ERROR_TEMP_3242", {{"intervalType", "interval day to second"}});
  }
  const std::string against = "(" + step + " > 0 AND " + from + " > " + to + ") OR (" + step + " < 0 AND " +
                              from + " < " + to + ") OR (" + step + " = 0 AND " + from + " <> " + to + ")";
  cases += " WHEN " + against + " THEN " + call.raise_without_context("SEQUENCE_AGAINST_STEP", {});
  return "CASE WHEN " + from + " IS NULL OR " + to + " IS NULL OR " + step + " IS NULL THEN NULL" + cases +
         " ELSE " + list + " END";
}

const CallRule kRules[] = {
    {.function = "date_time_sequence", .lower = lower_date_time_sequence},
    {.function = "date_add", .lower = lower_add_days},
    {.function = "date_sub", .lower = lower_add_days},
    {.function = "date_add_interval_days", .lower = lower_add_interval_days},
    {.function = "date_sub_interval_days", .lower = lower_add_interval_days},
    {.function = "add_interval", .lower = lower_add_interval},
    {.function = "subtract_interval", .lower = lower_add_interval},
    {.function = "subtract_dates", .lower = lower_subtract_dates},
    {.function = "subtract_timestamps", .lower = lower_subtract_timestamps},
    {.function = "multiply_interval", .lower = lower_scale_interval},
    {.function = "divide_interval", .lower = lower_scale_interval},
    {.function = "make_dt_interval", .lower = lower_make_interval},
    {.function = "make_ym_interval", .lower = lower_make_interval},
    {.function = "make_interval", .lower = lower_make_calendar_interval},
    {.function = "try_make_interval", .lower = lower_make_calendar_interval},
};

}  // namespace

RuleTable interval_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
