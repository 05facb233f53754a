// Rounding, roots, logarithms and trigonometry.
#include <algorithm>
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

constexpr int kMostDigits = 38;  // of a decimal

std::string integral_limit_check(CallWriter& call, const std::string& text, const DataType& type) {
  return call.natively_checked(cast_to(text, type), "cast INT128 " + native_name(type), "ARITHMETIC_OVERFLOW",
                               {{"message", "Overflow"}, {"alternative", ""}, {"config", kAnsiSetting}}, {});
}

// The cast of a constant scale to int fails: it raises, or gives null.
Result<std::string> unfit_scale(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string scale, call.argument(1));
  const std::string failure = call.raise("UNSUPPORTED_FEATURE", {{"feature", "a scale that is no number"}});
  return "CASE WHEN " + scale + " IS NOT NULL THEN " + cast_to(failure, call.result()) + " END";
}

// round (HALF_UP) and bround (HALF_EVEN) to a literal scale.
Result<std::string> lower_round(CallWriter& call) {
  const DataType& type = call.result();
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  if (call.size() > 1 && call.is_null_literal(1)) return "CAST(NULL AS " + duckdb_type(type) + ")";
  int64_t scale = 0;
  if (call.size() > 1) {
    const auto literal = call.literal_integer(1);
    if (!literal || *literal != static_cast<int32_t>(*literal)) return unfit_scale(call);
    scale = std::clamp<int64_t>(*literal, -400, 400);
  }
  const bool half_even = call.function == "bround";
  const std::string mode = half_even ? "even" : "up";
  if (type.is(TypeId::kDecimal)) {
    const DataType& from = call.type(0);
    if (!half_even && scale >= 0) return cast_to(value, type);
    const std::string rounded =
        call.kernel("decimal_round_" + mode + "_" + std::to_string(from.precision()) + "_" +
                        std::to_string(from.scale()) + "_" + std::to_string(type.precision()) + "_" +
                        std::to_string(type.scale()),
                    {value, std::to_string(scale)});
    const bool fits = from.precision() - from.scale() < kMostDigits || scale >= 0;
    if (fits || !call.ansi) return rounded;
    const std::string failure =
        call.raise("UNSUPPORTED_FEATURE", {{"feature", "rounding to more than 38 digits"}});
    return "coalesce(" + rounded + ", CASE WHEN " + value + " IS NOT NULL THEN " + failure + " END)";
  }
  if (type.is(TypeId::kDouble) || type.is(TypeId::kFloat)) {
    return call.kernel(std::string(type.is(TypeId::kDouble) ? "double" : "float") + "_round_" + mode,
                       {value, std::to_string(scale)});
  }
  if (scale >= 0) return value;
  return integral_limit_check(
      call, call.kernel("integer_round_" + mode, {cast_to(value, "HUGEINT"), std::to_string(scale)}), type);
}

Result<std::string> lower_ceil(CallWriter& call) {
  const bool up = call.function == "ceil";
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  const DataType& from = call.type(0);
  const DataType& type = call.result();
  if (call.size() == 2) {
    const auto scale = call.literal_integer(1);
    if (call.is_null_literal(1)) return "CAST(NULL AS " + duckdb_type(type) + ")";
    if (!scale) return unsupported("ceil and floor with a scale that is not a constant number");
    return call.kernel(std::string("decimal_round_") + (up ? "ceiling" : "floor") + "_" +
                           std::to_string(from.precision()) + "_" + std::to_string(from.scale()) + "_" +
                           std::to_string(type.precision()) + "_" + std::to_string(type.scale()),
                       {value, std::to_string(*scale)});
  }
  if (from.is(TypeId::kLong)) return value;
  if (from.is(TypeId::kDecimal)) {
    return cast_to((up ? "ceil(" : "floor(") +
                       cast_to(value, DataType::decimal(std::min(38, from.precision() + 1), from.scale())) +
                       ")",
                   type);
  }
  // Spark's double to bigint: NaN is 0, what is too large is cut off.
  const std::string rounded = (up ? "ceil(" : "floor(") + value + ")";
  return call.kernel("double_to_long_saturating", {rounded});
}

Result<std::string> lower_log(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string base, call.argument(0));
  ASSIGN_OR_RETURN(const std::string value, call.argument(1));
  return "CASE WHEN " + base + " > 0 AND " + value + " > 0 THEN ln(" + value + ") / ln(" + base + ") END";
}

// The text is null where the number does not fit into 64 bits; without ANSI it is then the largest one.
Result<std::string> lower_conv(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string lenient = call.kernel("convert_base_lenient", texts);
  if (!call.ansi) return lenient;
  return "coalesce(" + call.kernel("convert_base", texts) + ", CASE WHEN " + lenient + " IS NOT NULL THEN " +
         call.raise(
             "ARITHMETIC_OVERFLOW",
             {{"message", "Overflow in function conv()"}, {"alternative", ""}, {"config", kAnsiSetting}}) +
         " END)";
}

Result<std::string> lower_width_bucket(CallWriter& call) {
  ASSIGN_OR_RETURN(Texts texts, call.all_arguments());
  for (size_t i = 0; i < 3; ++i) texts[i] = cast_to(texts[i], "DOUBLE");
  return call.kernel("width_bucket", texts);
}

#define POSITIVE(name, sql) \
  { .function = name, .text = "CASE WHEN {0} > 0 THEN " sql " END" }
#define UNIT(name)                                                                        \
  {                                                                                       \
    .function = name, .text = "CASE WHEN {0} BETWEEN -1 AND 1 THEN " name                 \
                              "({0}) WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END" \
  }
// DuckDB refuses infinities here; Java answers NaN.
#define FINITE(name)                                                                                         \
  {                                                                                                          \
    .function = name,                                                                                        \
    .text = "CASE WHEN isfinite({0}) THEN " name "({0}) WHEN {0} IS NOT NULL THEN CAST('NaN' AS DOUBLE) END" \
  }

const CallRule kRules[] = {
    {.function = "round", .lower = lower_round},
    {.function = "bround", .lower = lower_round},
    {.function = "ceil", .lower = lower_ceil},
    {.function = "floor", .lower = lower_ceil},
    {.function = "rint", .text = "round_even({0}, 0)", .cast = true},
    {.function = "sqrt", .text = "CASE WHEN {0} < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt({0}) END"},
    {.function = "cbrt", .text = "double_cbrt({0})", .kernel = "double_cbrt"},
    {.function = "exp", .text = "exp({0})"},
    {.function = "expm1", .text = "double_expm1({0})", .kernel = "double_expm1"},
    POSITIVE("ln", "ln({0})"),
    {.function = "log", .lower = lower_log},
    POSITIVE("log10", "log10({0})"),
    POSITIVE("log2", "log2({0})"),
    {.function = "log1p", .text = "double_log1p({0})", .kernel = "double_log1p"},
    {.function = "power", .text = "double_power({0}, {1})", .kernel = "double_power"},
    {.function = "signum", .text = "double_signum({0})", .kernel = "double_signum"},
    FINITE("sin"),
    FINITE("cos"),
    FINITE("tan"),
    UNIT("asin"),
    UNIT("acos"),
    {.function = "atan", .text = "atan({0})"},
    {.function = "atan2", .text = "atan2({0}, {1})"},
    {.function = "sinh", .text = "sinh({0})"},
    {.function = "cosh", .text = "cosh({0})"},
    {.function = "tanh", .text = "tanh({0})"},
    {.function = "degrees", .text = "degrees({0})"},
    {.function = "radians", .text = "radians({0})"},
    {.function = "hypot", .text = "double_hypot({0}, {1})", .kernel = "double_hypot"},
    {.function = "e", .text = "CAST('2.718281828459045' AS DOUBLE)"},
    {.function = "pi", .text = "CAST('3.141592653589793' AS DOUBLE)"},
    {.function = "width_bucket", .lower = lower_width_bucket},
    {.function = "conv", .lower = lower_conv},
    {.function = "factorial",
     .text = "CASE WHEN {0} BETWEEN 0 AND 20 THEN CAST(factorial({0}) AS BIGINT) END"},
};

#undef POSITIVE
#undef UNIT
#undef FINITE

}  // namespace

RuleTable mathematics_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
