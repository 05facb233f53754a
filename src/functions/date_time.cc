// Dates and timestamps.
#include <algorithm>
#include <iterator>
#include <map>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

const DataType kDate(TypeId::kDate), kTimestamp(TypeId::kTimestamp), kInteger(TypeId::kInteger),
    kText(TypeId::kString);

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}

// The fields of EXTRACT and date_part, each the function that answers it.
const std::map<std::string, std::string_view, std::less<>>& extract_fields() {
  static const std::map<std::string, std::string_view, std::less<>> kFields = {
      {"YEAR", "year"},
      {"Y", "year"},
      {"YEARS", "year"},
      {"YR", "year"},
      {"YRS", "year"},
      {"YEAROFWEEK", "yearofweek"},
      {"QUARTER", "quarter"},
      {"QTR", "quarter"},
      {"MONTH", "month"},
      {"MON", "month"},
      {"MONS", "month"},
      {"MONTHS", "month"},
      {"WEEK", "weekofyear"},
      {"W", "weekofyear"},
      {"WEEKS", "weekofyear"},
      {"DAY", "dayofmonth"},
      {"D", "dayofmonth"},
      {"DAYS", "dayofmonth"},
      {"DAYOFWEEK", "dayofweek"},
      {"DOW", "dayofweek"},
      {"DAYOFWEEK_ISO", "dayofweek_iso"},
      {"DOW_ISO", "dayofweek_iso"},
      {"DOY", "dayofyear"},
      {"HOUR", "hour"},
      {"H", "hour"},
      {"HOURS", "hour"},
      {"HR", "hour"},
      {"HRS", "hour"},
      {"MINUTE", "minute"},
      {"M", "minute"},
      {"MIN", "minute"},
      {"MINS", "minute"},
      {"MINUTES", "minute"},
      {"SECOND", "second_with_fraction"},
      {"S", "second_with_fraction"},
      {"SEC", "second_with_fraction"},
      {"SECONDS", "second_with_fraction"},
      {"SECS", "second_with_fraction"},
  };
  return kFields;
}

Result<Call> resolve_extract(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  const auto field = literal_text(context.arguments[0]);
  if (!field) return context.not_foldable(0, "field");
  const DataType& source = context.type(1);
  const auto found = extract_fields().find(upper(*field));
  const auto invalid = [&] {
    return error("INVALID_EXTRACT_FIELD",
                 {{"field", "`" + *field + "`"}, {"expr", "\"" + context.arguments[1].sql + "\""}});
  };
  if (found == extract_fields().end()) return invalid();
  Call call;
  const bool interval = source.is(TypeId::kDayTimeInterval) || source.is(TypeId::kYearMonthInterval);
  if (interval) {
    const std::string_view part = found->second;
    const bool months = part == "year" || part == "month";
    if (months != source.is(TypeId::kYearMonthInterval)) return invalid();
    if (part == "second_with_fraction") {
      call = context.call("extract_interval_second", {source}, DataType::decimal(8, 6),
                          context.arguments[1].nullable);
    } else if (part == "year" || part == "month" || part == "hour" || part == "minute") {
      const DataType type = part == "year" ? kInteger : DataType(TypeId::kByte);
      call = context.call("extract_interval_" + std::string(part), {source}, type,
                          context.arguments[1].nullable);
    } else if (part == "dayofmonth") {
      call = context.call("extract_interval_day", {source}, kInteger, context.arguments[1].nullable);
    } else {
      return invalid();
    }
  } else {
    const Function* function = find(found->second);
    ResolveOptions options = context.options;
    options.called_as.clear();
    options.sql = context.display();
    ASSIGN_OR_RETURN(call, resolve(*function, {context.arguments[1]}, options));
  }
  call.argument_order = {1};
  call.display = context.display();
  return call;
}

// timestampadd(unit, n, ts) and timestampdiff(unit, from, to); the unit is a literal.
Result<Call> resolve_timestamp_add(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  if (!literal_text(context.arguments[0])) return context.not_foldable(0, "unit");
  ASSIGN_OR_RETURN(DataType count, context.coerce(1, "bigint"));
  ASSIGN_OR_RETURN(DataType base, context.coerce(2, "timestamp|timestamp_ntz"));
  return context.call("timestampadd", {kText, count, base}, base, context.any_nullable());
}

Result<Call> resolve_timestamp_diff(const Context& context) {
  if (context.size() != 3) return context.wrong_number("3");
  if (!literal_text(context.arguments[0])) return context.not_foldable(0, "unit");
  return context.call("timestampdiff", {kText, kTimestamp, kTimestamp}, DataType(TypeId::kLong),
                      context.any_nullable());
}

bool string_like(const DataType& type) { return type.is(TypeId::kString) || type.is(TypeId::kNull); }

// to_date(x) is a cast; with a format it parses text.
Result<Call> resolve_to_date(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  const bool tries = context.function.name == "try_to_date";
  const std::string_view name = tries ? "try_to_date" : "to_date";
  const DataType& from = context.type(0);
  if (!string_like(from) && !from.is(kDate.id()) && !from.is(kTimestamp.id()) &&
      !from.is(TypeId::kTimestampNtz)) {
    return context.unexpected_type(0, "date");
  }
  const bool nullable = context.any_nullable() || string_like(from) || tries;
  if (context.size() == 1) return context.call(name, {from}, kDate, nullable);
  return context.call(name, {from, kText}, kDate, true);
}

Result<Call> resolve_to_timestamp(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  const DataType& from = context.type(0);
  const std::string_view name = context.function.name;
  const bool ntz = name.find("ntz") != std::string_view::npos;
  const DataType type = ntz ? DataType(TypeId::kTimestampNtz) : kTimestamp;
  if (!string_like(from) && !from.is(kDate.id()) && !from.is(kTimestamp.id()) &&
      !from.is(TypeId::kTimestampNtz) && !(from.is_numeric() && !ntz && context.size() == 1)) {
    return context.unexpected_type(0, "string|date|timestamp|timestamp_ntz");
  }
  const bool tries = name == "try_to_timestamp";
  const bool nullable = context.any_nullable() || string_like(from) || from.is(TypeId::kDouble) || tries;
  const std::string_view lowered = tries ? "try_to_timestamp" : "to_timestamp";
  if (context.size() == 1) return context.call(lowered, {from}, type, nullable);
  return context.call(lowered, {from, kText}, type, true);
}

Result<Call> resolve_unix_timestamp(const Context& context) {
  if (context.size() > 2) return context.wrong_number("[0, 1, 2]");
  const DataType result(TypeId::kLong);
  if (context.size() == 0) {
    Call call = context.call("unix_timestamp", {}, result, false);
    if (context.options.sql.empty())
      call.display = "unix_timestamp(current_timestamp(), yyyy-MM-dd HH:mm:ss)";
    return call;
  }
  ASSIGN_OR_RETURN(DataType from, context.coerce(0, "string|date|timestamp|timestamp_ntz"));
  std::vector<DataType> types = {from};
  if (context.size() == 2) types.push_back(kText);
  return context.call("unix_timestamp", std::move(types), result, context.any_nullable());
}

Result<Call> resolve_timestamp_seconds(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "numeric"));
  const bool floating = type.is(TypeId::kDouble) || type.is(TypeId::kFloat);
  return context.call("timestamp_seconds", {type}, kTimestamp, context.any_nullable() || floating);
}

// make_timestamp(year, month, day, hour, minute, second[, zone]), and its forms of one result type.
Result<Call> resolve_make_timestamp(const Context& context) {
  const std::string_view name = context.function.name;
  const bool tries = name.starts_with("try_");
  const bool ntz = name.ends_with("_ntz");
  const size_t most = ntz ? 6 : 7;
  if (context.size() == 2 || (context.size() == 3 && !ntz)) {
    if (!context.type(0).is(TypeId::kDate)) return context.unexpected_type(0, "date");
    return context.unexpected_type(1, "\"TIME\"");
  }
  if (context.size() < 6 || context.size() > most)
    return context.wrong_number(ntz ? "[2, 6]" : "[2, 3, 6, 7]");
  std::vector<DataType> types;
  bool nullable = context.any_nullable() || tries;
  for (size_t i = 0; i < context.size(); ++i) {
    DataType type = i == 6 ? kText : DataType::decimal(16, 6);
    if (i < 5) {
      ASSIGN_OR_RETURN(type, context.coerce(i, "int"));
    }
    nullable |= context.type(i).is(TypeId::kString) && i < 6;
    types.push_back(std::move(type));
  }
  return context.call(tries ? "try_make_timestamp" : "make_timestamp", std::move(types),
                      ntz ? DataType(TypeId::kTimestampNtz) : kTimestamp, nullable);
}

// convert_timezone(from, to, timestamp_ntz)
Result<Call> resolve_convert_timezone(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  if (context.size() == 2) return unsupported("convert_timezone from the time zone of the session");
  const DataType local(TypeId::kTimestampNtz);
  std::vector<DataType> types;
  for (size_t i = 0; i < context.size(); ++i) {
    ASSIGN_OR_RETURN(DataType type, context.coerce(i, i + 1 < context.size() ? "string" : "timestamp_ntz"));
    types.push_back(std::move(type));
  }
  const bool nullable = context.any_nullable() || context.type(context.size() - 1).is(TypeId::kString);
  return context.call("convert_timezone", std::move(types), local, nullable);
}

Result<Call> resolve_date_part(const Context& context) { return resolve_extract(context); }

const Function kDates[] = {
    {.name = "year", .signature = "(date) -> int"},
    {.name = "quarter", .signature = "(date) -> int"},
    {.name = "month", .signature = "(date) -> int"},
    {.name = "dayofmonth", .signature = "(date) -> int", .aliases = "day"},
    {.name = "dayofweek", .signature = "(date) -> int"},
    {.name = "dayofweek_iso", .signature = "(date) -> int"},
    {.name = "weekday", .signature = "(date) -> int"},
    {.name = "dayofyear", .signature = "(date) -> int"},
    {.name = "weekofyear", .signature = "(date) -> int"},
    {.name = "yearofweek", .signature = "(date) -> int"},
    {.name = "dayname", .signature = "(date) -> string"},
    {.name = "monthname", .signature = "(date) -> string"},
    {.name = "hour", .signature = "(timestamp) -> int"},
    {.name = "minute", .signature = "(timestamp) -> int"},
    {.name = "second", .signature = "(timestamp) -> int"},
    {.name = "second_with_fraction",
     .signature = "(timestamp) -> int",
     .resolver = [](const Context& context) -> Result<Call> {
       ASSIGN_OR_RETURN(DataType type, context.coerce(0, "timestamp"));
       return context.call("second_with_fraction", {type}, DataType::decimal(8, 6), context.any_nullable());
     }},
    {.name = "extract", .display = "extract({0} FROM {1})", .resolver = resolve_extract},
    {.name = "date_part", .resolver = resolve_date_part},
    {.name = "datepart", .display = "datepart({0} FROM {1})", .resolver = resolve_date_part},
    {.name = "date_add", .signature = "(date, int|smallint|tinyint) -> date"},
    {.name = "date_sub", .signature = "(date, int|smallint|tinyint) -> date"},
    {.name = "datediff", .signature = "(date, date) -> int", .aliases = "date_diff"},
    {.name = "add_months", .signature = "(date, int) -> date"},
    {.name = "months_between",
     .signature = "(timestamp, timestamp, boolean?) -> double",
     .defaults = "3:true"},
    {.name = "last_day", .signature = "(date) -> date"},
    {.name = "next_day", .signature = "(date, string) -> date", .nulls = Nulls::kAny},
    {.name = "trunc", .signature = "(date, string) -> date", .nulls = Nulls::kAlways},
    {.name = "date_trunc", .signature = "(string, timestamp) -> timestamp", .nulls = Nulls::kAlways},
    {.name = "timestampadd", .aliases = ":dateadd", .resolver = resolve_timestamp_add},
    {.name = "timestampdiff", .resolver = resolve_timestamp_diff},
    {.name = "to_date", .resolver = resolve_to_date},
    {.name = "try_to_date", .resolver = resolve_to_date},
    {.name = "to_timestamp", .resolver = resolve_to_timestamp},
    {.name = "to_timestamp_ltz", .resolver = resolve_to_timestamp},
    {.name = "to_timestamp_ntz", .resolver = resolve_to_timestamp},
    {.name = "try_to_timestamp", .resolver = resolve_to_timestamp},
    {.name = "date_format", .signature = "(timestamp, string) -> string"},
    {.name = "unix_timestamp", .defaults = "2:yyyy-MM-dd HH:mm:ss", .resolver = resolve_unix_timestamp},
    {.name = "to_unix_timestamp", .defaults = "2:yyyy-MM-dd HH:mm:ss", .resolver = resolve_unix_timestamp},
    {.name = "from_unixtime",
     .signature = "(bigint, string?) -> string",
     .nulls = Nulls::kAlways,
     .defaults = "2:yyyy-MM-dd HH:mm:ss"},
    {.name = "timestamp_seconds", .resolver = resolve_timestamp_seconds},
    {.name = "timestamp_millis", .signature = "(integral) -> timestamp"},
    {.name = "timestamp_micros", .signature = "(integral) -> timestamp"},
    {.name = "unix_seconds", .signature = "(timestamp) -> bigint"},
    {.name = "unix_millis", .signature = "(timestamp) -> bigint"},
    {.name = "unix_micros", .signature = "(timestamp) -> bigint"},
    {.name = "unix_date", .signature = "(date) -> int"},
    {.name = "date_from_unix_date", .signature = "(int) -> date"},
    {.name = "make_date", .signature = "(int, int, int) -> date"},
    {.name = "make_timestamp", .resolver = resolve_make_timestamp},
    {.name = "make_timestamp_ltz", .resolver = resolve_make_timestamp},
    {.name = "make_timestamp_ntz", .resolver = resolve_make_timestamp},
    {.name = "try_make_timestamp", .resolver = resolve_make_timestamp},
    {.name = "try_make_timestamp_ltz", .resolver = resolve_make_timestamp},
    {.name = "try_make_timestamp_ntz", .resolver = resolve_make_timestamp},
    {.name = "convert_timezone", .resolver = resolve_convert_timezone},
    {.name = "from_utc_timestamp", .signature = "(timestamp, string) -> timestamp"},
    {.name = "to_utc_timestamp", .signature = "(timestamp, string) -> timestamp"},
    {.name = "current_date", .signature = "() -> date"},
    {.name = "current_timestamp", .signature = "() -> timestamp"},
    {.name = "now", .signature = "() -> timestamp"},
    {.name = "localtimestamp", .signature = "() -> timestamp_ntz"},
    {.name = "current_timezone", .signature = "() -> string"},
};

}  // namespace

DEUTERON_FAMILY(date_time, kDates)

}  // namespace deuteron::functions
