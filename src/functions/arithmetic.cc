// + - * / % div pmod, their try_ forms, unary minus and plus, abs, bit operators. What they mean for dates
// and intervals is in date_time_arithmetic.cc.
#include <algorithm>
#include <iterator>

#include "functions/date_time_arithmetic.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

constexpr std::string_view kSum = "numeric|daytime|yearmonth|interval";

bool is_null(const DataType& type) { return type.is(TypeId::kNull); }

std::string_view base_operator(std::string_view name) {
  if (name == "try_add") return "+";
  if (name == "try_subtract") return "-";
  if (name == "try_multiply") return "*";
  if (name == "try_divide") return "/";
  if (name == "try_mod") return "%";
  return name;
}

DataType decimal_result(std::string_view symbol, const DataType& a, const DataType& b) {
  const int p1 = a.precision(), s1 = a.scale(), p2 = b.precision(), s2 = b.scale();
  if (symbol == "*") return adjust_precision_scale(p1 + p2 + 1, s1 + s2);
  if (symbol == "/") {
    const int scale = std::max(6, s1 + p2 + 1);
    return adjust_precision_scale(p1 - s1 + s2 + scale, scale);
  }
  const int scale = std::max(s1, s2);
  if (symbol == "%" || symbol == "pmod")
    return adjust_precision_scale(std::min(p1 - s1, p2 - s2) + scale, scale);
  return adjust_precision_scale(std::max(p1 - s1, p2 - s2) + scale + 1, scale);
}

DataType as_decimal(const Argument& argument) {
  if (argument.type.is_integral() && argument.literal != nullptr && !argument.literal->is_null()) {
    return decimal_for_literal(*argument.literal);
  }
  return decimal_for(argument.type);
}

Result<Call> resolve_binary(const Context& context) {
  const std::string_view symbol = base_operator(context.function.name);
  const bool tries = symbol != context.function.name;
  const bool sums = symbol == "+" || symbol == "-";
  const bool divides = symbol == "/" || symbol == "%" || symbol == "div" || symbol == "pmod";
  if (context.size() != 2) return context.wrong_number("2");
  if (sums) {
    if (auto call = resolve_date_time_sum(context, symbol)) return *std::move(call);
  } else if (auto call = resolve_interval_scaling(context, symbol)) {
    return *std::move(call);
  }
  DataType left = context.type(0), right = context.type(1);
  bool nullable = context.any_nullable();
  const auto promote = [&](DataType& text, const DataType& other) {
    if (!text.is(TypeId::kString)) return;
    if (!context.options.ansi && !is_any_interval(other)) {
      text = DataType(TypeId::kDouble);
      nullable = true;
      return;
    }
    if (other.is(TypeId::kString)) return;
    if (is_null(other) && symbol != "/") return;
    if (const auto type = widest_common_type(text, is_null(other) ? DataType(TypeId::kDouble) : other))
      text = *type;
    nullable = true;
  };
  const DataType given_left = left, given_right = right;
  promote(left, given_right);
  promote(right, given_left);
  if (is_null(left) && is_null(right)) left = right = DataType(TypeId::kDouble);
  if (is_null(left)) left = right;
  if (is_null(right)) right = left;
  if (symbol == "/" && left.is_numeric() && right.is_numeric() && !left.is(TypeId::kDecimal) &&
      !right.is(TypeId::kDecimal)) {
    left = right = DataType(TypeId::kDouble);
  }
  if (symbol == "div") {
    if (left.is_integral()) left = DataType(TypeId::kLong);
    if (right.is_integral()) right = DataType(TypeId::kLong);
  }
  if (left.is(TypeId::kDecimal) || right.is(TypeId::kDecimal)) {
    if (!left.is_numeric() || !right.is_numeric()) return context.binary_differing(left, right);
    if (left.is(TypeId::kDecimal) && right.is(TypeId::kDecimal)) {
    } else if (left.is(TypeId::kDouble) || left.is(TypeId::kFloat) || right.is(TypeId::kDouble) ||
               right.is(TypeId::kFloat)) {
      left = right = DataType(TypeId::kDouble);
    } else if (left.is(TypeId::kDecimal)) {
      right = right.same_type(context.type(1)) || symbol == "div" ? as_decimal(context.arguments[1])
                                                                  : decimal_for(right);
      if (!right.is(TypeId::kDecimal)) right = decimal_for(right);
    } else {
      left = left.same_type(context.type(0)) || symbol == "div" ? as_decimal(context.arguments[0])
                                                                : decimal_for(left);
      if (!left.is(TypeId::kDecimal)) left = decimal_for(left);
    }
  } else if (!left.same_type(right)) {
    const auto common =
        left.is_numeric() && right.is_numeric() ? widest_common_type(left, right) : std::nullopt;
    if (!common || symbol == "div") return context.binary_differing(left, right);
    left = right = *common;
  }
  if (!left.is_numeric())
    return context.binary_wrong(sums              ? kSum
                                : symbol == "div" ? "bigint|decimal|daytime|yearmonth"
                                : symbol == "/"   ? "double|decimal"
                                                  : "numeric",
                                left);
  if (symbol == "div" && !left.is_integral() && !left.is(TypeId::kDecimal)) {
    return context.binary_wrong("bigint|decimal|daytime|yearmonth", left);
  }
  const bool decimal = left.is(TypeId::kDecimal);
  DataType type = decimal ? decimal_result(symbol, left, right) : left;
  if (symbol == "div") type = DataType(TypeId::kLong);
  return context.call(context.function.name, {left, right}, type, nullable || decimal || divides || tries);
}

// The functions for unary forms of operators.
const Function kNegative{
    .name = "negative", .signature = "(numeric|daytime|yearmonth|interval) -> 0", .display = "(- {0})"};
const Function kPositive{
    .name = "positive", .signature = "(numeric|daytime|yearmonth|interval) -> 0", .display = "(+ {0})"};

Result<Call> resolve_sum(const Context& context) {
  if (context.size() != 1) return resolve_binary(context);
  ResolveOptions options = context.options;
  options.called_as.clear();
  const Function& unary = context.function.name == "-" ? kNegative : kPositive;
  return resolve_by_signature(Context(unary, context.arguments, options));
}

Result<Call> resolve_bits(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  DataType left = context.type(0), right = context.type(1);
  bool nullable = context.any_nullable();
  if (left.is(TypeId::kString) || right.is(TypeId::kString)) nullable = true;
  if (is_null(left) && is_null(right)) left = right = DataType(TypeId::kInteger);
  const auto common = widest_common_type(left, right);
  if (!common) return context.binary_differing(left, right);
  if (!common->is_integral())
    return left.same_type(right) ? context.binary_wrong("integral", left)
                                 : context.binary_differing(left, right);
  return context.call(context.function.name, {*common, *common}, *common, nullable);
}

Result<Call> resolve_shift(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  DataType left = context.type(0);
  if (left.is(TypeId::kByte) || left.is(TypeId::kShort) || is_null(left)) left = DataType(TypeId::kInteger);
  if (!left.is(TypeId::kInteger) && !left.is(TypeId::kLong)) return context.unexpected_type(0, "int|bigint");
  ASSIGN_OR_RETURN(DataType right, context.coerce(1, "int"));
  return context.call(context.function.name, {left, right}, left, context.any_nullable());
}

const Function kArithmetic[] = {
    {.name = "+", .display = "(+ {0});({0} + {1})", .resolver = resolve_sum},
    {.name = "-", .display = "(- {0});({0} - {1})", .resolver = resolve_sum},
    {.name = "*", .display = "({0} * {1})", .resolver = resolve_binary},
    {.name = "/", .display = "({0} / {1})", .resolver = resolve_binary},
    {.name = "%", .aliases = "mod", .display = "({0} % {1})", .resolver = resolve_binary},
    {.name = "div", .display = "({0} div {1})", .resolver = resolve_binary},
    {.name = "pmod", .resolver = resolve_binary},
    {.name = "try_add", .resolver = resolve_binary},
    {.name = "try_subtract", .resolver = resolve_binary},
    {.name = "try_multiply", .resolver = resolve_binary},
    {.name = "try_divide", .resolver = resolve_binary},
    {.name = "try_mod", .resolver = resolve_binary},
    {.name = "negative", .signature = "(numeric|daytime|yearmonth|interval) -> 0"},
    {.name = "positive", .signature = "(numeric|daytime|yearmonth|interval) -> 0", .display = "(+ {0})"},
    {.name = "abs", .signature = "(numeric|daytime|yearmonth) -> 0"},
    {.name = "&", .display = "({0} & {1})", .resolver = resolve_bits},
    {.name = "|", .display = "({0} | {1})", .resolver = resolve_bits},
    {.name = "^", .display = "({0} ^ {1})", .resolver = resolve_bits},
    {.name = "~", .signature = "(integral) -> 0", .display = "~{0}"},
    {.name = "<<", .aliases = "shiftleft", .display = "({0} << {1})", .resolver = resolve_shift},
    {.name = ">>", .aliases = "shiftright", .display = "({0} >> {1})", .resolver = resolve_shift},
    {.name = ">>>", .aliases = "shiftrightunsigned", .display = "({0} >>> {1})", .resolver = resolve_shift},
};

}  // namespace

DEUTERON_FAMILY(arithmetic, kArithmetic)

}  // namespace deuteron::functions
