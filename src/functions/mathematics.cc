// Rounding, roots, logarithms, trigonometry and what lies beside them.
#include <algorithm>
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

// The scale of round, ceil and floor: a literal, 0 when it is not given; null makes the result null.
struct Scale {
  int value = 0;
  bool is_null = false;
};

constexpr const char* kComputedScale = "a scale that is an expression and no literal";

Result<Scale> scale_of(const Context& context) {
  if (context.size() < 2) return Scale{};
  const Argument& argument = context.arguments[1];
  if (argument.literal == nullptr && argument.is_constant) return unsupported(kComputedScale);
  if (argument.literal == nullptr) return context.not_foldable(1, "scale");
  if (argument.literal->is_null()) return Scale{0, true};
  const auto folded = fold_cast(*argument.literal, argument.type, DataType(TypeId::kInteger));
  if (!folded) return Scale{};  // the cast raises when the query runs
  return Scale{static_cast<int>(std::clamp<int64_t>(std::get<int64_t>(folded->data), -1000, 1000))};
}

DataType rounded_decimal(const DataType& type, int scale) {
  const int integral = type.precision() - type.scale() + 1;
  if (scale < 0) return DataType::decimal(std::min(std::max(integral, -scale + 1), 38), 0);
  const int kept = std::min(type.scale(), scale);
  return bounded_decimal(integral + kept, kept);
}

Result<Call> resolve_round(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "numeric"));
  if (context.size() == 2) {
    ASSIGN_OR_RETURN([[maybe_unused]] DataType integer, context.coerce(1, "int"));
  }
  ASSIGN_OR_RETURN(const Scale scale, scale_of(context));
  const DataType result = type.is(TypeId::kDecimal) ? rounded_decimal(type, scale.value) : type;
  std::vector<DataType> types = {type};
  if (context.size() == 2) types.emplace_back(TypeId::kInteger);
  return context.call(context.function.name, std::move(types), result, true);
}

// With one argument bigint or decimal(p - s + 1, 0); with a scale it works on decimals alone.
Result<Call> resolve_ceil(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("2");
  if (context.size() == 2) {
    const Argument& places = context.arguments[1];
    if (places.literal == nullptr && places.is_constant) return unsupported(kComputedScale);
    if (places.literal == nullptr || places.literal->is_null() || !places.type.is(TypeId::kInteger)) {
      return error("NON_FOLDABLE_ARGUMENT", {{"funcName", "`" + context.called_name() + "`"},
                                             {"paramName", "`scale`"},
                                             {"paramType", "\"INT\""}});
    }
    const DataType& given = context.type(0);
    const bool floating = given.is(TypeId::kDouble) || given.is(TypeId::kFloat);
    DataType type = decimal_for(given);
    if (!floating) {
      ASSIGN_OR_RETURN(type, context.coerce(0, "decimal"));
    }
    ASSIGN_OR_RETURN(const Scale scale, scale_of(context));
    return context.call(context.function.name, {type, DataType(TypeId::kInteger)},
                        rounded_decimal(type, scale.value), true);
  }
  DataType type = context.type(0);
  if (type.is_integral()) type = DataType(TypeId::kLong);
  if (!type.is(TypeId::kDecimal) && !type.is(TypeId::kLong)) {
    const auto accepted = accept(type, "double");
    if (!accepted) return context.unexpected_type(0, "double|decimal|bigint");
    type = *accepted;
  }
  const DataType result =
      type.is(TypeId::kDecimal)
          ? (type.scale() == 0 ? type : bounded_decimal(type.precision() - type.scale() + 1, 0))
          : DataType(TypeId::kLong);
  return context.call(context.function.name, {type}, result, true);
}

// log(x) is log(e(), x).
Result<Call> resolve_log(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  std::vector<Argument> arguments = context.arguments;
  if (context.size() == 1) {
    Argument base;
    base.type = DataType(TypeId::kDouble);
    base.sql = "E()";
    arguments.insert(arguments.begin(), std::move(base));
  }
  const Context full(context.function, arguments, context.options);
  std::vector<DataType> types;
  for (size_t i = 0; i < full.size(); ++i) {
    ASSIGN_OR_RETURN(DataType type, full.coerce(i, "double"));
    types.push_back(std::move(type));
  }
  if (context.size() == 2) return context.call("log", std::move(types), DataType(TypeId::kDouble), true);
  return context.call("ln", {types[1]}, DataType(TypeId::kDouble), true);
}

// Numbers are compared as doubles, intervals among their kind.
Result<Call> resolve_width_bucket(const Context& context) {
  if (context.size() != 4) return context.wrong_number("4");
  std::vector<DataType> types;
  for (size_t i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(DataType type, context.coerce(i, "double|yearmonth|daytime"));
    types.push_back(std::move(type));
  }
  if (types[0].id() != types[1].id() || types[0].id() != types[2].id()) {
    return context.differing_types("width_bucket", types, false);
  }
  ASSIGN_OR_RETURN(DataType count, context.coerce(3, "bigint"));
  types.push_back(std::move(count));
  return context.call("width_bucket", std::move(types), DataType(TypeId::kLong), true);
}

#define UNARY(lower, upper) \
  { .name = lower, .signature = "(double) -> double", .nulls = Nulls::kAlways, .display = upper "({*})" }
#define BINARY(lower, upper) \
  { .name = lower, .signature = "(double, double) -> double", .display = upper "({*})" }

const Function kMathematics[] = {
    {.name = "round", .defaults = "2:0", .resolver = resolve_round},
    {.name = "bround", .defaults = "2:0", .resolver = resolve_round},
    {.name = "ceil", .aliases = "ceiling", .display = "CEIL({0});ceil({*})", .resolver = resolve_ceil},
    {.name = "floor", .display = "FLOOR({0});floor({*})", .resolver = resolve_ceil},
    {.name = "rint", .signature = "(double) -> double", .nulls = Nulls::kAlways},
    UNARY("sqrt", "SQRT"),
    UNARY("cbrt", "CBRT"),
    UNARY("exp", "EXP"),
    UNARY("expm1", "EXPM1"),
    {.name = "ln", .signature = "(double) -> double", .nulls = Nulls::kAlways},
    {.name = "log", .display = "LOG(E(), {0});LOG({*})", .resolver = resolve_log},
    UNARY("log10", "LOG10"),
    UNARY("log2", "LOG2"),
    UNARY("log1p", "LOG1P"),
    {.name = "power", .signature = "(double, double) -> double", .aliases = "pow", .display = "POWER({*})"},
    {.name = "signum",
     .signature = "(double) -> double",
     .nulls = Nulls::kAlways,
     .aliases = "sign",
     .display = "SIGNUM({*})"},
    UNARY("sin", "SIN"),
    UNARY("cos", "COS"),
    UNARY("tan", "TAN"),
    UNARY("asin", "ASIN"),
    UNARY("acos", "ACOS"),
    UNARY("atan", "ATAN"),
    BINARY("atan2", "ATAN2"),
    UNARY("sinh", "SINH"),
    UNARY("cosh", "COSH"),
    UNARY("tanh", "TANH"),
    UNARY("degrees", "DEGREES"),
    UNARY("radians", "RADIANS"),
    BINARY("hypot", "HYPOT"),
    {.name = "e", .signature = "() -> double", .display = "E()"},
    {.name = "pi", .signature = "() -> double", .display = "PI()"},
    {.name = "width_bucket", .resolver = resolve_width_bucket},
    {.name = "conv", .signature = "(string, int, int) -> string", .nulls = Nulls::kAlways},
    {.name = "factorial", .signature = "(int) -> bigint", .nulls = Nulls::kAlways},
};

#undef UNARY
#undef BINARY

}  // namespace

DEUTERON_FAMILY(mathematics, kMathematics)

}  // namespace deuteron::functions
