// Aggregate functions; each may also stand in an OVER clause.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

const DataType kLong(TypeId::kLong), kDouble(TypeId::kDouble), kBoolean(TypeId::kBoolean);

bool is_interval(const DataType& type) {
  return type.is(TypeId::kDayTimeInterval) || type.is(TypeId::kYearMonthInterval);
}

Result<Call> resolve_count(const Context& context) {
  if (context.size() == 0) {
    return error("WRONG_NUM_ARGS.WITH_SUGGESTION",
                 {{"functionName", "`count`"},
                  {"expectedNum", " >= 1"},
                  {"actualNum", "0"},
                  {"legacyNum", "0"},
                  {"legacyConfKey", "\"spark.sql.legacy.allowParameterlessCount\""},
                  {"legacyConfValue", "\"true\""}})
        .with_context(QueryContext());
  }
  return context.call(kLong, false);
}

Result<DataType> summand(const Context& context) {
  auto type = context.coerce(0, "numeric|daytime|yearmonth");
  if (type.ok()) return type;
  return context.unexpected_type(0, "\"NUMERIC\" or \"ANSI INTERVAL\"");
}

Result<Call> resolve_sum(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, summand(context));
  DataType result = kDouble;
  if (type.is(TypeId::kDecimal))
    result = bounded_decimal(type.precision() + 10, type.scale());
  else if (type.is_integral())
    result = kLong;
  else if (is_interval(type))
    result = type;
  return context.call(context.function.name, {type}, result, true);
}

Result<Call> resolve_average(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, summand(context));
  DataType result = kDouble;
  if (type.is(TypeId::kDecimal))
    result = bounded_decimal(type.precision() + 4, type.scale() + 4);
  else if (type.is(TypeId::kDayTimeInterval))
    result = DataType::day_time_interval();
  else if (type.is(TypeId::kYearMonthInterval))
    result = DataType::year_month_interval();
  return context.call(context.function.name, {type}, result, true);
}

Result<Call> resolve_extremum(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  if (!is_orderable(context.type(0))) {
    return context.mismatch("INVALID_ORDERING_TYPE",
                            {{"functionName", "`" + std::string(context.function.name) + "`"},
                             {"dataType", quoted_type(context.type(0))}});
  }
  return context.call(context.type(0), true);
}

// first(x, ignore nulls): the flag is a literal and becomes the call's ignore_nulls.
Result<Call> resolve_first(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  std::vector<DataType> types = {context.type(0)};
  if (context.size() == 2) {
    const types::Value* flag = context.arguments[1].literal;
    if (flag == nullptr || !std::holds_alternative<bool>(flag->data))
      return error("_LEGACY_ERROR_TEMP_1210", {{"funcName", std::string(context.function.name)}});
    types.push_back(kBoolean);
  }
  return context.call(context.function.name, std::move(types), context.type(0), true);
}

Result<Call> resolve_collect(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const DataType& type = context.type(0);
  if (context.function.name == "collect_set" && !is_comparable(type)) {
    return context.mismatch("UNSUPPORTED_INPUT_TYPE",
                            {{"functionName", "`collect_set`"}, {"dataType", "\"MAP\""}});
  }
  return context.call(context.function.name, {type}, DataType::array(type, false), false);
}

Result<Call> resolve_by(const Context& context) {
  if (context.size() != 2) return context.wrong_number("2");
  if (!is_orderable(context.type(1))) {
    return context.mismatch("INVALID_ORDERING_TYPE",
                            {{"functionName", "`" + std::string(context.function.name) + "`"},
                             {"dataType", quoted_type(context.type(1))}});
  }
  return context.call(context.type(0), true);
}

std::optional<double> literal_number(const Argument& argument) {
  if (argument.literal == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(&argument.literal->data)) return *number;
  if (const auto* integer = std::get_if<int64_t>(&argument.literal->data))
    return static_cast<double>(*integer);
  if (const auto* decimal = std::get_if<types::Int128>(&argument.literal->data)) {
    return static_cast<double>(*decimal) / std::pow(10.0, argument.type.scale());
  }
  return std::nullopt;
}

// A constant share of the rows, or an array of such. `shown`: the call as Spark prints it, when that differs.
Status check_percentage(const Context& context, const std::string& shown = "") {
  const Argument& percentage = context.arguments[1];
  const auto out_of_range = [&](const std::string& value) {
    std::map<std::string, std::string> parameters = {
        {"exprName", "percentage"}, {"valueRange", "[0.0, 1.0]"}, {"currentValue", value}};
    if (!shown.empty()) parameters["sqlExpr"] = "\"" + shown + "\"";
    return context.mismatch("VALUE_OUT_OF_RANGE", std::move(parameters));
  };
  const auto is_out = [](double share) { return share < 0 || share > 1; };
  if (context.type(1).is(TypeId::kArray)) {
    std::string values;
    bool fails = false;
    for (const Argument& element : percentage.elements) {
      const double share = literal_number(element).value_or(0);
      values += (values.empty() ? "" : ",") + types::floating_text(share) + "D";
      fails = fails || is_out(share);
    }
    return fails ? out_of_range(values) : Status();
  }
  if (percentage.literal == nullptr) {
    return context.mismatch("NON_FOLDABLE_INPUT", {{"inputName", "`percentage`"},
                                                   {"inputType", "\"DOUBLE\""},
                                                   {"inputExpr", "\"" + percentage.sql + "\""}});
  }
  if (percentage.type.is(TypeId::kString)) return unsupported("a percentage that is a text");
  if (percentage.literal->is_null()) return context.mismatch("UNEXPECTED_NULL", {{"exprName", "percentage"}});
  const auto share = literal_number(percentage);
  return share && is_out(*share) ? out_of_range(types::floating_text(*share) + "D") : Status();
}

// percentile(x, p or array of p)
Result<Call> resolve_percentile(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  if (context.size() == 3) return unsupported("percentile with a frequency");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "numeric|daytime|yearmonth"));
  RETURN_IF_ERROR(check_percentage(context));
  if (context.type(1).is(TypeId::kArray)) {
    const DataType many = DataType::array(kDouble, false);
    return context.call("percentile", {type, many}, many, true);
  }
  return context.call("percentile", {type, kDouble}, kDouble, true);
}

// percentile_cont(p) WITHIN GROUP (ORDER BY x), given as (x, p, descending).
Result<Call> resolve_inverse_distribution(const Context& context) {
  if (context.size() != 3) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "numeric"));
  RETURN_IF_ERROR(check_percentage(context, std::string(context.function.name) + "(" +
                                                context.arguments[0].sql + ", " + context.arguments[1].sql +
                                                ")"));
  const DataType share = context.type(1).is(TypeId::kArray) ? DataType::array(kDouble, false) : kDouble;
  return context.call(context.function.name, {type, share, kBoolean}, share, true);
}

// percentile_approx(x, p or array of p, accuracy)
Result<Call> resolve_approximate_percentile(const Context& context) {
  if (context.size() != 2 && context.size() != 3) return context.wrong_number("[2, 3]");
  ASSIGN_OR_RETURN(DataType type,
                   context.coerce(0, "numeric|date|timestamp|timestamp_ntz|daytime|yearmonth"));
  RETURN_IF_ERROR(check_percentage(context));
  const bool many = context.type(1).is(TypeId::kArray);
  for (const Argument& element : context.arguments[1].elements) {
    if (element.literal->is_null()) return context.unexpected_type(1, "(\"DOUBLE\" or \"ARRAY<DOUBLE>\")");
  }
  std::vector<DataType> types = {type, many ? DataType::array(kDouble, false) : kDouble};
  if (context.size() == 3) {
    const Argument& accuracy = context.arguments[2];
    ASSIGN_OR_RETURN(DataType integral, context.coerce(2, "integral"));
    if (accuracy.literal == nullptr) return context.not_foldable(2, "accuracy");
    if (accuracy.literal->is_null()) return context.mismatch("UNEXPECTED_NULL", {{"exprName", "accuracy"}});
    if (literal_integer(accuracy).value_or(1) <= 0) {
      return context.mismatch("VALUE_OUT_OF_RANGE",
                              {{"exprName", "accuracy"},
                               {"valueRange", "(0, 2147483647]"},
                               {"currentValue", std::to_string(*literal_integer(accuracy)) + "L"}});
    }
    types.push_back(integral);
  }
  return context.call("percentile_approx", std::move(types), many ? DataType::array(type, false) : type,
                      true);
}

// approx_count_distinct(x, relative error): the error decides how many registers Spark's sketch has.
Result<Call> resolve_approximate_count(const Context& context) {
  if (context.size() != 1 && context.size() != 2) return context.wrong_number("[1, 2]");
  if (context.size() == 2) {
    const DataType& type = context.type(1);
    const bool fractional = type.is(TypeId::kDecimal) || type.is(TypeId::kDouble) || type.is(TypeId::kFloat);
    const auto deviation = literal_number(context.arguments[1]);
    if (!fractional || !deviation) return error("_LEGACY_ERROR_TEMP_1104");
    if (std::ceil(2 * std::log2(1.106 / *deviation)) < 4)
      return error("FAILED_FUNCTION_CALL", {{"funcName", "`approx_count_distinct`"}});
  }
  return context.call(kLong, false);
}

// listagg(x, delimiter): bytes are not joined yet.
Result<Call> resolve_listagg(const Context& context) {
  if (context.size() > 0 && context.type(0).is(TypeId::kBinary))
    return unsupported("listagg of binary values");
  if (context.size() == 2 && context.arguments[1].literal == nullptr)
    return context.not_foldable(1, "delimiter");
  return resolve_by_signature(context);
}

Result<Call> resolve_median(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "numeric"));
  return context.call("median", {type}, kDouble, true);
}

#define MOMENT(lower, others)                                                                            \
  {                                                                                                      \
    .name = lower, .signature = "(double) -> double", .nulls = Nulls::kAlways, .kind = Kind::kAggregate, \
    .aliases = others                                                                                    \
  }
#define PAIR(lower)                                                                    \
  {                                                                                    \
    .name = lower, .signature = "(double, double) -> double", .nulls = Nulls::kAlways, \
    .kind = Kind::kAggregate                                                           \
  }

const Function kAggregates[] = {
    {.name = "count", .kind = Kind::kAggregate, .resolver = resolve_count},
    {.name = "sum", .kind = Kind::kAggregate, .resolver = resolve_sum},
    {.name = "try_sum", .kind = Kind::kAggregate, .resolver = resolve_sum},
    {.name = "avg", .kind = Kind::kAggregate, .aliases = "mean", .resolver = resolve_average},
    {.name = "try_avg", .kind = Kind::kAggregate, .resolver = resolve_average},
    {.name = "min", .kind = Kind::kAggregate, .resolver = resolve_extremum},
    {.name = "max", .kind = Kind::kAggregate, .resolver = resolve_extremum},
    {.name = "first",
     .kind = Kind::kAggregate,
     .aliases = "first_value",
     .resolver = resolve_first,
     .shown_arguments = 1},
    {.name = "last",
     .kind = Kind::kAggregate,
     .aliases = "last_value",
     .resolver = resolve_first,
     .shown_arguments = 1},
    {.name = "any_value", .kind = Kind::kAggregate, .resolver = resolve_first, .shown_arguments = 1},
    {.name = "collect_list", .kind = Kind::kAggregate, .aliases = ":array_agg", .resolver = resolve_collect},
    {.name = "collect_set", .kind = Kind::kAggregate, .resolver = resolve_collect},
    MOMENT("stddev_samp", "stddev std"),
    MOMENT("stddev_pop", ""),
    MOMENT("var_samp", "variance"),
    MOMENT("var_pop", ""),
    PAIR("corr"),
    PAIR("covar_pop"),
    PAIR("covar_samp"),
    MOMENT("skewness", ""),
    MOMENT("kurtosis", ""),
    PAIR("regr_slope"),
    PAIR("regr_intercept"),
    PAIR("regr_r2"),
    PAIR("regr_avgx"),
    PAIR("regr_avgy"),
    PAIR("regr_sxx"),
    PAIR("regr_syy"),
    PAIR("regr_sxy"),
    {.name = "regr_count",
     .signature = "(double, double) -> bigint",
     .nulls = Nulls::kNever,
     .kind = Kind::kAggregate},
    {.name = "bool_and",
     .signature = "(boolean) -> boolean",
     .nulls = Nulls::kAlways,
     .kind = Kind::kAggregate,
     .aliases = "every"},
    {.name = "bool_or",
     .signature = "(boolean) -> boolean",
     .nulls = Nulls::kAlways,
     .kind = Kind::kAggregate,
     .aliases = "some any"},
    {.name = "count_if",
     .signature = "(boolean) -> bigint",
     .nulls = Nulls::kNever,
     .kind = Kind::kAggregate},
    {.name = "bit_and", .signature = "(integral) -> 0", .nulls = Nulls::kAlways, .kind = Kind::kAggregate},
    {.name = "bit_or", .signature = "(integral) -> 0", .nulls = Nulls::kAlways, .kind = Kind::kAggregate},
    {.name = "bit_xor", .signature = "(integral) -> 0", .nulls = Nulls::kAlways, .kind = Kind::kAggregate},
    {.name = "max_by", .kind = Kind::kAggregate, .resolver = resolve_by},
    {.name = "min_by", .kind = Kind::kAggregate, .resolver = resolve_by},
    {.name = "approx_count_distinct",
     .kind = Kind::kAggregate,
     .resolver = resolve_approximate_count,
     .shown_arguments = 1},
    {.name = "percentile_approx",
     .kind = Kind::kAggregate,
     .aliases = "approx_percentile",
     .defaults = "3:10000",
     .resolver = resolve_approximate_percentile},
    {.name = "percentile", .kind = Kind::kAggregate, .defaults = "3:1", .resolver = resolve_percentile},
    {.name = "percentile_cont",
     .kind = Kind::kAggregate,
     .resolver = resolve_inverse_distribution,
     .orderings = Orderings::kOne},
    {.name = "percentile_disc",
     .kind = Kind::kAggregate,
     .resolver = resolve_inverse_distribution,
     .orderings = Orderings::kOne},
    {.name = "mode",
     .kind = Kind::kAggregate,
     .resolver = resolve_extremum,
     .orderings = Orderings::kUnsupported},
    {.name = "listagg",
     .signature = "(string, string?) -> string",
     .nulls = Nulls::kAlways,
     .kind = Kind::kAggregate,
     .aliases = "string_agg",
     .defaults = "2:NULL",
     .resolver = resolve_listagg,
     .orderings = Orderings::kAny},
    {.name = "median", .kind = Kind::kAggregate, .resolver = resolve_median},
};

#undef MOMENT
#undef PAIR

}  // namespace

DEUTERON_FAMILY(aggregate, kAggregates)

}  // namespace deuteron::functions
