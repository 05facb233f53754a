// + - * / % div pmod and their try_ forms, unary minus, abs, bit operators.
#include <algorithm>
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

constexpr int kInt64Digits = 18;
constexpr int kInt128Digits = 38;

bool is_interval(const DataType& type) {
  return type.is(TypeId::kDayTimeInterval) || type.is(TypeId::kYearMonthInterval);
}
bool is_floating(const DataType& type) { return type.is(TypeId::kDouble) || type.is(TypeId::kFloat); }

struct Operation {
  char symbol;
  std::string_view word;         // in DuckDB's messages
  std::string_view alternative;  // the function that Spark recommends
};

Operation operation_of(std::string_view function) {
  if (function == "+" || function == "try_add") return {'+', "addition", "try_add"};
  if (function == "-" || function == "try_subtract") return {'-', "subtraction", "try_subtract"};
  return {'*', "multiplication", "try_multiply"};
}

std::map<std::string, std::string> overflow_parameters(const std::string& what,
                                                       const std::string& alternative) {
  return {
      {"message", what},
      {"alternative",
       alternative.empty() ? "" : " Use '" + alternative + "' to tolerate overflow and return NULL instead."},
      {"config", kAnsiSetting}};
}

// Whole numbers without ANSI: the low bits of the exact result.
std::string wrapped(const std::string& a, char symbol, const std::string& b, const DataType& type) {
  const std::string_view wide = type.is(TypeId::kLong) ? "HUGEINT" : "BIGINT";
  const char* half = type.is(TypeId::kByte)      ? "128"
                     : type.is(TypeId::kShort)   ? "32768"
                     : type.is(TypeId::kInteger) ? "2147483648"
                                                 : "9223372036854775808";
  const std::string exact = cast_to(a, wide) + " " + symbol + " " + cast_to(b, wide);
  const std::string modulus = "(" + cast_to(half, wide) + " * 2)";
  return cast_to(
      "((((" + exact + " + " + half + ") % " + modulus + ") + " + modulus + ") % " + modulus + ") - " + half,
      type);
}

Result<Written> integral(CallWriter& call, const Operation& operation, bool tries) {
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  const DataType& type = call.result();
  const std::string sql = "(" + a + " " + operation.symbol + " " + b + ")";
  if (tries) return Written{"TRY(" + sql + ")", type};
  if (type.is(TypeId::kCalendarInterval)) return Written{sql, type};
  if (!call.ansi && !is_interval(type)) return Written{wrapped(a, operation.symbol, b, type), type};
  const DataType carrier(type.is(TypeId::kDayTimeInterval)     ? TypeId::kLong
                         : type.is(TypeId::kYearMonthInterval) ? TypeId::kInteger
                                                               : type.id());
  const std::string native = std::string(operation.word) + " " + native_name(carrier);
  if (type.is(TypeId::kByte) || type.is(TypeId::kShort)) {
    const std::string mark = "S";
    return Written{call.natively_checked(sql, native, "BINARY_ARITHMETIC_OVERFLOW",
                                         {{"value1", "{0}" + mark},
                                          {"symbol", std::string(1, operation.symbol)},
                                          {"value2", "{1}" + mark},
                                          {"functionName", "`" + std::string(operation.alternative) + "`"}},
                                         {a, b}, false),
                   type};
  }
  const std::string condition =
      is_interval(type) ? "INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION" : "ARITHMETIC_OVERFLOW";
  const auto parameters = is_interval(type)
                              ? std::map<std::string, std::string>{}
                              : overflow_parameters("overflow", std::string(operation.alternative));
  return Written{call.natively_checked(sql, native, condition, parameters, {a, b}), type};
}

std::string decimal_kernel(std::string_view operation, const DataType& a, const DataType& b,
                           const DataType& result) {
  std::string name = "decimal_" + std::string(operation);
  for (const DataType* type : {&a, &b, &result}) {
    name += "_" + std::to_string(type->precision()) + "_" + std::to_string(type->scale());
  }
  return name;
}

std::map<std::string, std::string> range_parameters(const DataType& type, const std::string& value) {
  return {{"value", value},
          {"precision", std::to_string(type.precision())},
          {"scale", std::to_string(type.scale())},
          {"config", kAnsiSetting}};
}

// The result that does not fit, for its error.
std::string exact_text(CallWriter& call, const std::string& a, char symbol, const std::string& b) {
  return call.kernel("exact_decimal_text",
                     {cast_to(a, "VARCHAR"), quote_text(std::string(1, symbol)), cast_to(b, "VARCHAR")});
}

// A kernel that answers null where the result does not fit (or the divisor is zero); `zero` is the condition
// for the latter.
Result<Written> by_kernel(CallWriter& call, std::string_view operation, std::string_view zero, bool tries) {
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  const DataType& type = call.result();
  const DataType shown = type.is(TypeId::kDecimal) ? type : DataType::decimal(38, 0);
  const std::string sql = call.kernel(decimal_kernel(operation, call.type(0), call.type(1), shown), {a, b});
  const std::string carried = type.is(TypeId::kDecimal) ? sql : cast_to(sql, type);
  if (tries || !call.ansi) return Written{carried, type};
  const char symbol = operation == "multiply" ? '*' : operation == "add" ? '+' : '-';
  const std::string value = operation == "multiply" || operation == "add" || operation == "subtract"
                                ? exact_text(call, a, symbol, b)
                                : "(" + cast_to(a, "DOUBLE") + " / " + cast_to(b, "DOUBLE") + ")";
  std::string failure =
      call.raise("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", range_parameters(shown, "{0}"), {value});
  if (!zero.empty()) {
    failure = "CASE WHEN " + b + " = 0 THEN " + call.raise(std::string(zero), {{"config", kAnsiSetting}}) +
              " ELSE " + failure + " END";
  }
  return Written{"coalesce(" + carried + ", CASE WHEN " + a + " IS NOT NULL AND " + b + " IS NOT NULL THEN " +
                     failure + " END)",
                 type};
}

// DuckDB's own decimal operators where they have Spark's result: the exact scale, and digits enough or a
// check.
Result<Written> decimal(CallWriter& call, const Operation& operation, bool tries) {
  const DataType& type = call.result();
  const DataType& spark_a = call.type(0);
  const DataType& spark_b = call.type(1);
  const bool multiplies = operation.symbol == '*';
  const int natural_scale =
      multiplies ? spark_a.scale() + spark_b.scale() : std::max(spark_a.scale(), spark_b.scale());
  if (natural_scale != type.scale()) {
    return by_kernel(call, multiplies ? "multiply" : operation.symbol == '+' ? "add" : "subtract", "", tries);
  }
  ASSIGN_OR_RETURN(Written a, call.loose(0));
  ASSIGN_OR_RETURN(Written b, call.loose(1));
  a = no_wider(std::move(a), spark_a);
  b = no_wider(std::move(b), spark_b);
  const auto width_of = [&] {
    const int wa = a.type.precision(), sa = a.type.scale(), wb = b.type.precision(), sb = b.type.scale();
    return multiplies ? wa + wb : std::max(wa - sa, wb - sb) + natural_scale + 1;
  };
  int width = width_of();
  const int widest = std::max(a.type.precision(), b.type.precision());
  const bool stays_narrow =
      width > kInt64Digits && widest <= kInt64Digits && (!multiplies || natural_scale < kInt64Digits);
  if (stays_narrow && call.narrow() && !tries) {
    call.set_narrow();
    width = kInt64Digits;
  } else if (stays_narrow) {
    a = {cast_to(a.sql, DataType::decimal(kInt64Digits + 1, a.type.scale())),
         DataType::decimal(kInt64Digits + 1, a.type.scale())};
    width = width_of();
  }
  const bool checked = width > kInt128Digits;
  std::string sql = "(" + a.sql + " " + operation.symbol + " " + b.sql + ")";
  const DataType held = DataType::decimal(std::min(width, kInt128Digits), natural_scale);
  if (tries || (!call.ansi && checked)) return Written{"TRY(" + sql + ")", held};
  if (checked) {
    sql = call.natively_checked(sql, std::string(operation.word) + " " + native_name(held),
                                "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", range_parameters(type, "{0}"),
                                {a.sql, b.sql}, true, {exact_text(call, a.sql, operation.symbol, b.sql)});
  }
  return Written{std::move(sql), held};
}

Result<Written> lower_sum(CallWriter& call) {
  const Operation operation = operation_of(call.function);
  const bool tries = call.function.starts_with("try_");
  if (call.result().is(TypeId::kDecimal)) return decimal(call, operation, tries);
  if (!is_floating(call.result())) return integral(call, operation, tries);
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  return Written{"(" + a + " " + operation.symbol + " " + b + ")", call.result()};
}

// `sql` where the divisor is not zero; otherwise null or the error.
std::string guarded(CallWriter& call, const std::string& a, const std::string& b, const std::string& sql,
                    bool tries, std::string_view condition) {
  if (call.is_nonzero_constant(1)) return sql;
  if (tries || !call.ansi) return "CASE WHEN " + b + " = 0 THEN NULL ELSE " + sql + " END";
  const std::string present = call.nullable(0) ? " AND " + a + " IS NOT NULL" : "";
  return "CASE WHEN " + b + " = 0" + present + " THEN " +
         call.raise(std::string(condition), {{"config", kAnsiSetting}}) + " ELSE " + sql + " END";
}

Result<Written> lower_divide(CallWriter& call) {
  const bool tries = call.function == "try_divide";
  if (call.result().is(TypeId::kDecimal)) return by_kernel(call, "divide", "DIVIDE_BY_ZERO", tries);
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  return Written{guarded(call, a, b, "(" + a + " / " + b + ")", tries, "DIVIDE_BY_ZERO"), call.result()};
}

bool is_minus_one_possible(CallWriter& call) {
  return !call.literal_integer(1).has_value() || call.literal_integer(1) == -1;
}

Result<Written> lower_remainder(CallWriter& call) {
  const bool tries = call.function == "try_mod";
  const DataType& type = call.result();
  if (type.is(TypeId::kDecimal)) return by_kernel(call, "remainder", "REMAINDER_BY_ZERO", tries);
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  std::string sql = "(" + a + " % " + b + ")";
  // DuckDB refuses MIN % -1, which is 0.
  if (type.is_integral() && is_minus_one_possible(call))
    sql = "CASE WHEN " + b + " = -1 THEN CAST(0 AS " + duckdb_type(type) + ") ELSE " + sql + " END";
  return Written{guarded(call, a, b, sql, tries, "REMAINDER_BY_ZERO"), type};
}

Result<Written> lower_positive_modulo(CallWriter& call) {
  const DataType& type = call.result();
  if (type.is(TypeId::kDecimal)) return by_kernel(call, "pmod", "REMAINDER_BY_ZERO", false);
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  const std::string remainder = "(" + a + " % " + b + ")";
  std::string sql = "CASE WHEN " + remainder + " < 0 THEN ((" + remainder + " + " + b + ") % " + b +
                    ") ELSE " + remainder + " END";
  if (type.is_integral() && is_minus_one_possible(call))
    sql = "CASE WHEN " + b + " = -1 THEN CAST(0 AS " + duckdb_type(type) + ") ELSE " + sql + " END";
  return Written{guarded(call, a, b, sql, false, "REMAINDER_BY_ZERO"), type};
}

Result<Written> lower_integral_divide(CallWriter& call) {
  if (call.type(0).is(TypeId::kDecimal)) return by_kernel(call, "quotient", "DIVIDE_BY_ZERO", false);
  ASSIGN_OR_RETURN(const std::string a, call.argument(0));
  ASSIGN_OR_RETURN(const std::string b, call.argument(1));
  std::string sql = "(" + a + " // " + b + ")";
  if (is_interval(call.type(0))) sql = cast_to(sql, call.result());
  if (call.type(0).is(TypeId::kLong) && is_minus_one_possible(call)) {
    const std::string negated =
        call.ansi ? call.raise("ARITHMETIC_OVERFLOW",
                               overflow_parameters("Overflow in integral divide", "try_divide"))
                  : "CAST('-9223372036854775808' AS BIGINT)";
    sql = "CASE WHEN " + b + " = -1 THEN CASE WHEN " + a + " = CAST('-9223372036854775808' AS BIGINT) THEN " +
          negated + " ELSE -" + a + " END ELSE " + sql + " END";
  }
  return Written{guarded(call, a, b, sql, false, "DIVIDE_BY_ZERO"), call.result()};
}

std::string_view smallest(const DataType& type) {
  switch (type.id()) {
    case TypeId::kByte: return "-128";
    case TypeId::kShort: return "-32768";
    case TypeId::kInteger:
    case TypeId::kYearMonthInterval: return "-2147483648";
    default: return "-9223372036854775808";
  }
}

Result<Written> lower_negative(CallWriter& call) {
  ASSIGN_OR_RETURN(const Written a, call.loose(0));
  const DataType& type = call.result();
  const bool absolute = call.function == "abs";
  const std::string sql = absolute ? "abs(" + a.sql + ")" : "(-" + a.sql + ")";
  if (type.is(TypeId::kDecimal) || is_floating(type) || type.is(TypeId::kCalendarInterval))
    return Written{sql, a.type};
  const std::string least = "CAST('" + std::string(smallest(type)) + "' AS " + duckdb_type(type) + ")";
  const std::string overflow =
      !call.ansi ? least
      : type.is(TypeId::kByte) || type.is(TypeId::kShort)
          ? call.raise_without_context("ARITHMETIC_OVERFLOW", overflow_parameters("overflow", ""))
          : call.raise_without_context("ARITHMETIC_OVERFLOW", overflow_parameters("overflow", ""));
  return Written{"CASE WHEN " + a.sql + " = " + least + " THEN " + overflow + " ELSE " + sql + " END", type};
}

Result<Written> lower_positive(CallWriter& call) { return call.loose(0); }

Result<std::string> lower_shift(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string_view name = call.function == "<<"   ? "shift_left"
                                : call.function == ">>" ? "shift_right"
                                                        : "shift_right_unsigned";
  return call.kernel(std::string(name) + (call.result().is(TypeId::kLong) ? "_long" : "_integer"), texts);
}

const CallRule kRules[] = {
    {.function = "+", .lower_loose = lower_sum},
    {.function = "-", .lower_loose = lower_sum},
    {.function = "*", .lower_loose = lower_sum},
    {.function = "try_add", .lower_loose = lower_sum},
    {.function = "try_subtract", .lower_loose = lower_sum},
    {.function = "try_multiply", .lower_loose = lower_sum},
    {.function = "/", .lower_loose = lower_divide},
    {.function = "try_divide", .lower_loose = lower_divide},
    {.function = "%", .lower_loose = lower_remainder},
    {.function = "try_mod", .lower_loose = lower_remainder},
    {.function = "pmod", .lower_loose = lower_positive_modulo},
    {.function = "div", .lower_loose = lower_integral_divide},
    {.function = "negative", .lower_loose = lower_negative},
    {.function = "positive", .lower_loose = lower_positive},
    {.function = "abs", .lower_loose = lower_negative},
    {.function = "&", .text = "({0} & {1})"},
    {.function = "|", .text = "({0} | {1})"},
    {.function = "^", .text = "xor({0}, {1})"},
    {.function = "~", .text = "(~{0})"},
    {.function = "<<", .lower = lower_shift},
    {.function = ">>", .lower = lower_shift},
    {.function = "shiftright", .lower = lower_shift},
    {.function = ">>>", .lower = lower_shift},
};

}  // namespace

RuleTable arithmetic_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
