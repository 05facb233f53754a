// CAST between all carried types, with Spark's rounding, parsing and errors.
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using plan::CastMode;
using types::DataType;
using types::TypeId;

bool is_floating(const DataType& type) { return type.is(TypeId::kDouble) || type.is(TypeId::kFloat); }
bool is_interval(const DataType& type) {
  return type.is(TypeId::kDayTimeInterval) || type.is(TypeId::kYearMonthInterval);
}

// One cast under way.
struct Conversion {
  CallWriter& call;
  const std::string& text;
  const DataType& from;
  const DataType& to;
  CastMode mode;

  bool raises() const { return mode == CastMode::kAnsi; }
  std::string named(const DataType& type) const { return "\"" + type.sql() + "\""; }
  // `converted` is null where it failed: then the error, or null when the cast does not raise.
  std::string checked(const std::string& converted, const std::string& failure) const {
    return "coalesce(" + converted + ", CASE WHEN " + text + " IS NOT NULL THEN " + failure + " END)";
  }
  std::string malformed(const std::string& shown) const {
    return call.raise("CAST_INVALID_INPUT",
                      {{"expression", shown},
                       {"sourceType", named(from)},
                       {"targetType", named(to)},
                       {"ansiConfig", kAnsiSetting}},
                      {text});
  }
  std::string malformed_value() const {
    const std::string kernel = from.is(TypeId::kFloat) ? "float_text" : "double_text";
    return call.raise("CAST_INVALID_INPUT",
                      {{"expression", "{0}"},
                       {"sourceType", named(from)},
                       {"targetType", named(to)},
                       {"ansiConfig", kAnsiSetting}},
                      {call.kernel(kernel, {text})});
  }
  std::string overflow(const std::string& shown, const std::string& value) const {
    return call.raise_without_context("CAST_OVERFLOW",
                                      {{"value", shown},
                                       {"sourceType", named(from)},
                                       {"targetType", named(to)},
                                       {"ansiConfig", kAnsiSetting}},
                                      {value});
  }
  std::string out_of_range(const std::string& value) const {
    return call.raise("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
                      {{"value", "{0}"},
                       {"precision", std::to_string(to.precision())},
                       {"scale", std::to_string(to.scale())},
                       {"config", kAnsiSetting}},
                      {value});
  }
  // A number in the decimal type that is wanted. Intervals raise without ANSI too.
  std::string in_range(const std::string& number) const {
    const std::string tried = "TRY_CAST(" + number + " AS " + duckdb_type(to) + ")";
    const bool lenient = mode == CastMode::kTry || (mode == CastMode::kLegacy && !is_interval(from));
    return lenient ? tried : checked(tried, out_of_range(number));
  }
};

// ---- from text
// --------------------------------------------------------------------------------------------------------

// '1-2' as INTERVAL YEAR TO MONTH, '1 02:03:04' as INTERVAL DAY TO SECOND; the fields are those of the type.
std::string interval_from_text(const Conversion& cast) {
  constexpr std::string_view kDayBodies[] = {"d", "h", "m", "s.n"}, kMonthBodies[] = {"y", "m"};
  CallWriter& call = cast.call;
  const bool months = cast.to.is(TypeId::kYearMonthInterval);
  const int start = cast.to.start_field(), end = cast.to.end_field();
  const Texts fields = {std::to_string(start), std::to_string(end)};
  const std::string parsed =
      call.kernel(months ? "parse_year_month" : "parse_day_time", {cast.text, fields[0], fields[1]});
  if (!cast.raises()) return parsed;
  std::string body = "[+|-]";
  for (int field = start; field <= end; ++field) {
    if (field > start) body += months ? "-" : field == 1 ? " " : ":";
    body += months ? kMonthBodies[field] : kDayBodies[field];
  }
  const std::string units = cast.to.sql().substr(std::string_view("INTERVAL ").size());
  const std::string kind = months ? "year-month" : "day-time";
  const std::string notice = months ? "" : "_WITH_NOTICE";
  const std::string malformed = call.raise_without_context(
      "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING" + notice,
      {{"input", "{0}"},
       {"intervalStr", kind},
       {"typeName", cast.to.simple_string()},
       {"supportedFormat", "`" + body + "`, `INTERVAL [+|-]'" + body + "' " + units + "`"}},
      {cast.text});
  const std::string out_of_range =
      months ? call.raise_without_context("INVALID_INTERVAL_FORMAT.INTERVAL_PARSING",
                                          {{"input", "{0}"}, {"interval", kind}}, {cast.text})
             : call.raise_without_context("INTERVAL_FIELD_OUT_OF_RANGE", {});
  const std::string has_form =
      call.kernel("has_interval_form", {cast.text, months ? "true" : "false", fields[0], fields[1]});
  return cast.checked(parsed,
                      "CASE WHEN " + has_form + " THEN " + out_of_range + " ELSE " + malformed + " END");
}

Result<std::string> from_text(const Conversion& cast) {
  CallWriter& call = cast.call;
  const auto parsed_by = [&](const std::string& kernel, const Texts& more = {}) {
    Texts arguments = {cast.text};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return call.kernel(kernel, arguments);
  };
  std::string parsed;
  switch (cast.to.id()) {
    case TypeId::kBinary: return "encode(" + cast.text + ")";
    case TypeId::kBoolean: parsed = parsed_by("parse_boolean"); break;
    case TypeId::kByte: parsed = parsed_by(cast.raises() ? "parse_byte" : "parse_byte_lenient"); break;
    case TypeId::kShort: parsed = parsed_by(cast.raises() ? "parse_short" : "parse_short_lenient"); break;
    case TypeId::kInteger:
      parsed = parsed_by(cast.mode == CastMode::kLegacy ? "parse_integer_lenient" : "parse_integer");
      break;
    case TypeId::kLong:
      parsed = parsed_by(cast.mode == CastMode::kLegacy ? "parse_long_lenient" : "parse_long");
      break;
    case TypeId::kFloat: parsed = parsed_by("parse_float"); break;
    case TypeId::kDouble: parsed = parsed_by("parse_double"); break;
    case TypeId::kDate: parsed = parsed_by("parse_date"); break;
    case TypeId::kTimestamp: {
      // A zone that the text itself names, else the session's.
      const std::string in_region = "TRY(timezone('UTC', timezone(" + parsed_by("parse_timestamp_region") +
                                    ", " + parsed_by("parse_timestamp_beside_region") + ")))";
      parsed = "coalesce(" + parsed_by("parse_timestamp_with_zone") + ", " +
               call.to_utc(parsed_by("parse_timestamp_without_zone")) + ", " + in_region + ")";
      break;
    }
    case TypeId::kTimestampNtz: parsed = parsed_by("parse_timestamp_ntz"); break;
    case TypeId::kDecimal: {
      parsed = parsed_by("parse_decimal_" + std::to_string(cast.to.precision()) + "_" +
                         std::to_string(cast.to.scale()));
      if (!cast.raises()) return parsed;
      const std::string is_number = "isfinite(" + parsed_by("parse_double") + ")";
      return cast.checked(parsed, "CASE WHEN " + is_number + " THEN " +
                                      cast.out_of_range("trim(" + cast.text + ")") + " ELSE " +
                                      cast.malformed("'{0}'") + " END");
    }
    case TypeId::kDayTimeInterval:
    case TypeId::kYearMonthInterval: return interval_from_text(cast);
    default: return unsupported("a cast from string to " + cast.to.simple_string());
  }
  return cast.raises() ? cast.checked(parsed, cast.malformed("'{0}'")) : parsed;
}

// ---- numbers
// ----------------------------------------------------------------------------------------------------------

std::string_view suffix_of(const DataType& type) {
  switch (type.id()) {
    case TypeId::kByte: return "Y";
    case TypeId::kShort: return "S";
    case TypeId::kLong: return "L";
    case TypeId::kDecimal: return "BD";
    default: return "";
  }
}

// Legacy narrowing keeps the low bits.
std::string low_bits(const std::string& text, const DataType& to) {
  const std::string half = to.is(TypeId::kByte) ? "128" : to.is(TypeId::kShort) ? "32768" : "2147483648";
  const std::string whole = to.is(TypeId::kByte) ? "256" : to.is(TypeId::kShort) ? "65536" : "4294967296";
  return cast_to("(((CAST(" + text + " AS HUGEINT) + " + half + ") % " + whole + " + " + whole + ") % " +
                     whole + ") - " + half,
                 to);
}

// What the last field of an interval counts, in microseconds or months.
int64_t unit_of(const DataType& interval) {
  constexpr int64_t kMonths[] = {12, 1};
  constexpr int64_t kMicroseconds[] = {86'400'000'000, 3'600'000'000, 60'000'000, 1'000'000};
  return interval.is(TypeId::kYearMonthInterval) ? kMonths[interval.end_field()]
                                                 : kMicroseconds[interval.end_field()];
}

Result<std::string> to_integral(const Conversion& cast) {
  CallWriter& call = cast.call;
  const DataType& from = cast.from;
  const DataType& to = cast.to;
  if (from.is(TypeId::kBoolean)) return cast_to(cast.text, to);
  if (from.is(TypeId::kTimestamp)) {
    const std::string micros = "epoch_us(" + cast.text + ")";
    const std::string seconds = "(" + micros + " // 1000000 - CAST(" + micros + " % 1000000 < 0 AS BIGINT))";
    if (to.is(TypeId::kLong)) return seconds;
    const std::string tried = "TRY_CAST(" + seconds + " AS " + duckdb_type(to) + ")";
    return cast.raises() ? cast.checked(tried, cast.overflow("TIMESTAMP '{0}'", call.to_local(cast.text)))
                         : tried;
  }
  if (is_interval(from)) {
    const std::string tried =
        "TRY_CAST((" + cast.text + " // " + std::to_string(unit_of(from)) + ") AS " + duckdb_type(to) + ")";
    if (cast.mode == CastMode::kTry) return tried;
    ASSIGN_OR_RETURN(const std::string shown, write_as_text(call, cast.text, from));
    return cast.checked(tried, cast.overflow("{0}", shown));
  }
  if (from.is_integral()) {
    if (from.id() <= to.id()) return cast_to(cast.text, to);
    if (cast.mode == CastMode::kLegacy) return low_bits(cast.text, to);
    const std::string tried = "TRY_CAST(" + cast.text + " AS " + duckdb_type(to) + ")";
    if (cast.mode == CastMode::kTry) return tried;
    return cast.checked(tried, cast.overflow("{0}" + std::string(suffix_of(from)), cast.text));
  }
  if (from.is(TypeId::kDecimal)) {
    const std::string whole = from.scale() == 0 ? cast.text : "trunc(" + cast.text + ")";
    const int digits = from.precision() - from.scale();
    const int holds = to.is(TypeId::kByte) ? 2 : to.is(TypeId::kShort) ? 4 : to.is(TypeId::kInteger) ? 9 : 18;
    if (digits <= holds) return cast_to(whole, to);
    const std::string tried = "TRY_CAST(" + whole + " AS " + duckdb_type(to) + ")";
    if (cast.mode == CastMode::kLegacy) return low_bits(whole, to);
    if (cast.mode == CastMode::kTry) return tried;
    return cast.checked(tried, cast.overflow("{0}BD", cast.text));
  }
  if (cast.mode == CastMode::kLegacy) {
    const std::string saturated =
        call.kernel(to.is(TypeId::kLong) ? "double_to_long_saturating" : "double_to_integer_saturating",
                    {cast_to("trunc(" + cast.text + ")", "DOUBLE")});
    return to.is(TypeId::kByte) || to.is(TypeId::kShort) ? low_bits(saturated, to) : saturated;
  }
  const std::string tried = "TRY_CAST(trunc(" + cast.text + ") AS " + duckdb_type(to) + ")";
  if (cast.mode == CastMode::kTry) return tried;
  ASSIGN_OR_RETURN(const std::string shown, write_as_text(call, cast.text, from));
  const std::string mark = from.is(TypeId::kDouble) ? "D" : "";
  return cast.checked(tried, cast.overflow("{0}", shown + " || CASE WHEN isfinite(" + cast.text + ") THEN " +
                                                      quote_text(mark) + " ELSE '' END"));
}

Result<std::string> to_decimal(const Conversion& cast) {
  CallWriter& call = cast.call;
  const DataType& from = cast.from;
  const DataType& to = cast.to;
  const std::string name = duckdb_type(to);
  if (from.is(TypeId::kBoolean)) return cast_to(cast_to(cast.text, "INTEGER"), to);
  if (is_floating(from)) {
    const std::string converted =
        call.kernel(std::string(from.is(TypeId::kDouble) ? "double" : "float") + "_to_decimal_" +
                        std::to_string(to.precision()) + "_" + std::to_string(to.scale()),
                    {cast.text});
    if (!cast.raises()) return converted;
    const std::string shown =
        call.kernel(from.is(TypeId::kDouble) ? "double_plain_text" : "float_plain_text", {cast.text});
    return cast.checked(converted,
                        "CASE WHEN isfinite(" + cast.text + ") THEN " + cast.out_of_range(shown) + " END");
  }
  if (from.is(TypeId::kTimestamp)) {
    const std::string seconds =
        "(CAST(epoch_us(" + cast.text + ") AS DECIMAL(19,0)) * CAST('0.000001' AS DECIMAL(6,6)))";
    return cast.in_range(cast_to(seconds, "DECIMAL(38,6)"));
  }
  if (is_interval(from)) {
    const bool seconds = from.is(TypeId::kDayTimeInterval) && from.end_field() == 3;
    return cast.in_range(
        seconds ? cast_to("(CAST(" + cast.text + " AS DECIMAL(19,0)) * CAST('0.000001' AS DECIMAL(6,6)))",
                          "DECIMAL(38,6)")
                : "(" + cast.text + " // " + std::to_string(unit_of(from)) + ")");
  }
  if (!from.is_numeric()) return unsupported("a cast from " + from.simple_string() + " to decimal");
  const int from_scale = from.is(TypeId::kDecimal) ? from.scale() : 0;
  const int from_digits = from.is(TypeId::kDecimal)   ? from.precision() - from.scale()
                          : from.is(TypeId::kByte)    ? 3
                          : from.is(TypeId::kShort)   ? 5
                          : from.is(TypeId::kInteger) ? 10
                                                      : 19;
  // Rounding may carry into one digit more.
  const int needed = from_digits + (from_scale > to.scale() ? 1 : 0);
  if (needed <= to.precision() - to.scale()) return cast_to(cast.text, to);
  const std::string tried = "TRY_CAST(" + cast.text + " AS " + name + ")";
  return cast.raises() ? cast.checked(tried, cast.out_of_range(cast.text)) : tried;
}

Result<std::string> to_floating(const Conversion& cast) {
  const DataType& from = cast.from;
  if (from.is(TypeId::kTimestamp))
    return cast_to("epoch_us(" + cast.text + ") / CAST(1000000 AS DOUBLE)", cast.to);
  if (from.is(TypeId::kDouble) && cast.to.is(TypeId::kFloat))
    return cast.call.kernel("double_to_float", {cast.text});
  if (!from.is_numeric() && !from.is(TypeId::kBoolean)) {
    return unsupported("a cast from " + from.simple_string() + " to " + cast.to.simple_string());
  }
  return cast_to(cast.text, cast.to);
}

// ---- dates and times
// --------------------------------------------------------------------------------------------------

Result<std::string> to_time(const Conversion& cast) {
  CallWriter& call = cast.call;
  const TypeId from = cast.from.id(), to = cast.to.id();
  if (to == TypeId::kDate) {
    if (from == TypeId::kTimestamp) return cast_to(call.to_local(cast.text), "DATE");
    if (from == TypeId::kTimestampNtz) return cast_to(cast.text, "DATE");
  }
  if (to == TypeId::kTimestampNtz) {
    if (from == TypeId::kTimestamp) return call.to_local(cast.text);
    if (from == TypeId::kDate) return cast_to(cast.text, "TIMESTAMP");
  }
  if (to == TypeId::kTimestamp) {
    if (from == TypeId::kTimestampNtz) return call.to_utc(cast.text);
    if (from == TypeId::kDate) return call.to_utc(cast_to(cast.text, "TIMESTAMP"));
    if (from == TypeId::kBoolean) return "make_timestamp(CAST(" + cast.text + " AS BIGINT))";
    if (cast.from.is_integral()) {
      return cast.checked(
          call.kernel("seconds_to_timestamp", {cast_to(cast.text, "BIGINT")}),
          call.raise("UNSUPPORTED_FEATURE", {{"feature", "the timestamp +294247-01-10 04:00:54.775807"}}));
    }
    if (from == TypeId::kDecimal) {
      // Spark takes the low 64 bits of the microseconds.
      const std::string kernel = "decimal_low_bits_" + std::to_string(cast.from.precision()) + "_" +
                                 std::to_string(cast.from.scale()) + "_19_0";
      return "make_timestamp(" + cast_to(call.kernel(kernel, {cast.text, "6"}), "BIGINT") + ")";
    }
    if (is_floating(cast.from)) {
      const std::string micros = "(" + cast_to(cast.text, "DOUBLE") + " * 1000000)";
      const std::string converted = "make_timestamp(TRY_CAST(trunc(" + micros + ") AS BIGINT))";
      if (!cast.raises()) return converted;
      const std::string overflow = call.raise_without_context("CAST_OVERFLOW",
                                                              {{"value", "{0}D"},
                                                               {"sourceType", "\"DOUBLE\""},
                                                               {"targetType", "\"BIGINT\""},
                                                               {"ansiConfig", kAnsiSetting}},
                                                              {call.kernel("double_text", {micros})});
      return "CASE WHEN NOT isfinite(" + cast.text + ") THEN " + cast.malformed_value() + " ELSE " +
             cast.checked(converted, overflow) + " END";
    }
  }
  return unsupported("a cast from " + cast.from.simple_string() + " to " + cast.to.simple_string());
}

// ---- intervals, bytes
// ------------------------------------------------------------------------------------------------------

Result<std::string> to_interval(const Conversion& cast) {
  CallWriter& call = cast.call;
  const DataType& from = cast.from;
  const std::string unit = std::to_string(unit_of(cast.to));
  if (from.id() == cast.to.id()) {
    const bool keeps = from.end_field() <= cast.to.end_field();
    return keeps ? cast.text : "(" + cast.text + " - " + cast.text + " % " + unit + ")";
  }
  std::string product;
  if (from.is_integral()) {
    product = "TRY(" + cast_to(cast.text, "HUGEINT") + " * " + unit + ")";
  } else if (from.is(TypeId::kDecimal)) {
    const std::string kernel = "decimal_multiply_" + std::to_string(from.precision()) + "_" +
                               std::to_string(from.scale()) + "_12_0_19_0";
    product = call.kernel(kernel, {cast.text, cast_to(unit, "DECIMAL(12,0)")});
  } else {
    return unsupported("a cast from " + from.simple_string() + " to " + cast.to.simple_string());
  }
  const std::string tried = "TRY_CAST(" + product + " AS " + duckdb_type(cast.to) + ")";
  if (cast.mode == CastMode::kTry) return tried;
  return cast.checked(tried, cast.overflow("{0}" + std::string(suffix_of(from)), cast.text));
}

// A whole number's bytes, the highest first.
std::string bytes_of(const Conversion& cast) {
  const int digits = cast.from.is(TypeId::kByte)      ? 2
                     : cast.from.is(TypeId::kShort)   ? 4
                     : cast.from.is(TypeId::kInteger) ? 8
                                                      : 16;
  return "unhex(right(lpad(hex(" + cast_to(cast.text, "BIGINT") + "), 16, '0'), " + std::to_string(digits) +
         "))";
}

// ---- nested
// -----------------------------------------------------------------------------------------------------------

Result<std::string> to_nested(const Conversion& cast) {
  CallWriter& call = cast.call;
  const DataType& from = cast.from;
  const DataType& to = cast.to;
  if (from.id() != to.id())
    return unsupported("a cast from " + from.simple_string() + " to " + to.simple_string());
  const std::string name = call.fresh_name();
  if (to.is(TypeId::kArray)) {
    ASSIGN_OR_RETURN(const std::string element,
                     write_cast(call, name, from.element(), to.element(), cast.mode));
    return cast_to("list_transform(" + cast.text + ", lambda " + name + ": " + element + ")", to);
  }
  if (to.is(TypeId::kMap)) {
    ASSIGN_OR_RETURN(const std::string key, write_cast(call, name, from.key(), to.key(), cast.mode));
    ASSIGN_OR_RETURN(const std::string value, write_cast(call, name, from.value(), to.value(), cast.mode));
    const auto mapped = [&](const std::string& part, const std::string& body) {
      return "list_transform(" + part + "(" + cast.text + "), lambda " + name + ": " + body + ")";
    };
    return "CASE WHEN " + cast.text + " IS NOT NULL THEN " +
           cast_to("map(" + mapped("map_keys", key) + ", " + mapped("map_values", value) + ")", to) + " END";
  }
  if (to.fields().empty()) return cast.text;
  std::string fields;
  for (size_t i = 0; i < to.fields().size(); ++i) {
    const auto& source = from.fields()[i];
    const auto& target = to.fields()[i];
    const std::string value = "struct_extract(" + cast.text + ", " + quote_text(source.name) + ")";
    ASSIGN_OR_RETURN(const std::string field, write_cast(call, value, source.type, target.type, cast.mode));
    fields += (fields.empty() ? "" : ", ") + quote_name(target.name) + " := " + field;
  }
  return "CASE WHEN " + cast.text + " IS NOT NULL THEN struct_pack(" + fields + ") END";
}

bool same_carrier(const DataType& from, const DataType& to) { return from.same_type(to); }

}  // namespace

Result<std::string> write_cast(CallWriter& call, const std::string& text, const DataType& from,
                               const DataType& to, CastMode mode) {
  ASSIGN_OR_RETURN([[maybe_unused]] const std::string carrier, carrier_of(to));
  if (same_carrier(from, to)) return text;
  if (from.is(TypeId::kNull)) return cast_to("NULL", to);
  if (to.is(TypeId::kNull)) return std::string("CAST(NULL AS INTEGER)");
  if (mode == CastMode::kDefault) mode = call.options().ansi ? CastMode::kAnsi : CastMode::kLegacy;
  const Conversion cast{call, text, from, to, mode};
  if (to.is(TypeId::kString)) return write_as_text(call, text, from);
  if (from.is(TypeId::kString)) return from_text(cast);
  if (to.is_nested()) return to_nested(cast);
  // Without ANSI a day is no number.
  if (from.is(TypeId::kDate) && (to.is_numeric() || to.is(TypeId::kBoolean))) return cast_to("NULL", to);
  if (is_interval(to)) return to_interval(cast);
  if (to.is(TypeId::kBinary) && from.is_integral()) return bytes_of(cast);
  if (to.is_integral()) return to_integral(cast);
  if (to.is(TypeId::kDecimal)) return to_decimal(cast);
  if (is_floating(to)) return to_floating(cast);
  if (to.is(TypeId::kBoolean) && from.is_numeric()) return "(" + text + " <> 0)";
  if (to.is(TypeId::kBoolean) && from.is(TypeId::kTimestamp)) return "(epoch_us(" + text + ") <> 0)";
  return to_time(cast);
}

static std::string plain_decimal_text(const std::string& text, const DataType& type) {
  // DuckDB leaves out the zero before the point when there is no room for it.
  if (type.precision() > type.scale()) return cast_to(text, "VARCHAR");
  if (type.precision() < 38)
    return cast_to(cast_to(text, DataType::decimal(type.precision() + 1, type.scale())), "VARCHAR");
  return "regexp_replace(CAST(" + text + " AS VARCHAR), '^(-?)\\.', '\\10.')";
}

Result<std::string> write_as_text(CallWriter& call, const std::string& text, const DataType& from,
                                  bool pretty) {
  const std::string null_text = pretty ? "'NULL'" : "'null'";
  switch (from.id()) {
    case TypeId::kNull: return std::string("CAST(NULL AS VARCHAR)");
    case TypeId::kString: return text;
    case TypeId::kBoolean:
    case TypeId::kByte:
    case TypeId::kShort:
    case TypeId::kInteger:
    case TypeId::kLong: return cast_to(text, "VARCHAR");
    case TypeId::kDecimal: {
      const std::string plain = plain_decimal_text(text, from);
      constexpr int kPlainPlaces = 6;  // BigDecimal writes no exponent up to here
      const bool java = !call.options().ansi && from.scale() > kPlainPlaces;
      return java ? call.kernel("decimal_java_text", {plain}) : plain;
    }
    case TypeId::kFloat: return call.kernel("float_text", {text});
    case TypeId::kDouble: return call.kernel("double_text", {text});
    case TypeId::kBinary:
      if (pretty) return "'[' || rtrim(regexp_replace(hex(" + text + "), '(..)', '\\1 ', 'g')) || ']'";
      // DuckDB's text functions rely on UTF-8.
      return "coalesce(TRY(decode(" + text + ")), CASE WHEN " + text + " IS NOT NULL THEN " +
             call.raise("UNSUPPORTED_FEATURE", {{"feature", "a string that is not UTF-8"}}) + " END)";
    case TypeId::kDate: return call.kernel("date_text", {text});
    case TypeId::kTimestamp: return call.kernel("timestamp_text", {call.to_local(text)});
    case TypeId::kTimestampNtz: return call.kernel("timestamp_text", {text});
    case TypeId::kDayTimeInterval:
      return call.kernel("day_time_text",
                         {text, std::to_string(from.start_field()), std::to_string(from.end_field())});
    case TypeId::kYearMonthInterval:
      return call.kernel("year_month_text",
                         {text, std::to_string(from.start_field()), std::to_string(from.end_field())});
    case TypeId::kArray: {
      const std::string name = call.fresh_name();
      ASSIGN_OR_RETURN(const std::string element, write_as_text(call, name, from.element(), pretty));
      return "'[' || coalesce(array_to_string(list_transform(" + text + ", lambda " + name + ": coalesce(" +
             element + ", " + null_text + ")), ', '), CASE WHEN " + text + " IS NOT NULL THEN '' END) || ']'";
    }
    case TypeId::kMap: {
      const std::string name = call.fresh_name();
      ASSIGN_OR_RETURN(const std::string key, write_as_text(call, name + ".key", from.key(), pretty));
      ASSIGN_OR_RETURN(const std::string value, write_as_text(call, name + ".value", from.value(), pretty));
      return "'{' || coalesce(array_to_string(list_transform(map_entries(" + text + "), lambda " + name +
             ": " + key + " || ' -> ' || coalesce(" + value + ", " + null_text + ")), ', '), CASE WHEN " +
             text + " IS NOT NULL THEN '' END) || '}'";
    }
    case TypeId::kStruct: {
      if (from.fields().empty()) return "CASE WHEN " + text + " IS NOT NULL THEN '{}' END";
      std::string fields;
      for (const auto& field : from.fields()) {
        ASSIGN_OR_RETURN(const std::string shown,
                         write_as_text(call, "struct_extract(" + text + ", " + quote_text(field.name) + ")",
                                       field.type, pretty));
        fields += (fields.empty() ? "" : " || ', ' || ") + std::string("coalesce(") + shown + ", " +
                  null_text + ")";
      }
      return "CASE WHEN " + text + " IS NOT NULL THEN '{' || " + fields + " || '}' END";
    }
    case TypeId::kCalendarInterval: return call.kernel("calendar_text", {text});
  }
  return unsupported("a cast from " + from.simple_string() + " to string");
}

namespace {

// int(x), string(x) …
Result<std::string> lower_cast(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  return write_cast(call, value, call.type(0), call.result(),
                    call.ansi ? CastMode::kAnsi : CastMode::kLegacy);
}

// What DataFrame.show prints of one value.
Result<std::string> lower_pretty_string(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  ASSIGN_OR_RETURN(const std::string shown, write_as_text(call, value, call.type(0), true));
  return "coalesce(" + shown + ", 'NULL')";
}

#define CAST(type) \
  { .function = type, .lower = lower_cast }
const CallRule kRules[] = {
    {.function = "to_pretty_string", .lower = lower_pretty_string},
    CAST("boolean"),
    CAST("tinyint"),
    CAST("smallint"),
    CAST("int"),
    CAST("bigint"),
    CAST("float"),
    CAST("double"),
    CAST("decimal"),
    CAST("date"),
    CAST("timestamp"),
    CAST("binary"),
    CAST("string"),
};
#undef CAST

}  // namespace

RuleTable cast_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
