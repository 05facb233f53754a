// Aggregate functions, as such and over a window, and the functions that only stand over a window.
#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "relational/kernels/registry.h"
#include "relational/lowering/call_writer.h"

namespace deuteron::relational {

using plan::FrameBoundKind;
using plan::resolved::AggregateCall;
using plan::resolved::Call;
using plan::resolved::ExpressionPtr;
using plan::resolved::Expressions;
using plan::resolved::Literal;
using plan::resolved::Window;
using types::DataType;
using types::TypeId;

namespace {

// For a frame that is the whole partition DuckDB 1.5 calls the update of a registered aggregate with one
// state for all rows, which its C API has no way to tell. A frame that is counted has a state for each row.
std::string with_counted_frame(std::string over) {
  for (const std::string unit : {"ROWS", "RANGE"}) {
    const std::string whole = unit + " BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
    const size_t place = over.find(whole);
    if (place == std::string::npos) continue;
    const std::string rows = std::to_string(int64_t{1} << 40);
    return over.replace(place, whole.size(),
                        "ROWS BETWEEN " + rows + " PRECEDING AND " + rows + " FOLLOWING");
  }
  return over;
}

// One aggregate under way: its arguments, and how each DuckDB aggregate inside it is closed: FILTER and OVER.
struct Aggregation {
  CallWriter& call;
  const AggregateCall& node;
  std::string filter;  // condition, or ""
  std::string over;    // "OVER (…)", or ""
  std::string order;   // " ORDER BY …" inside the parentheses, or ""

  // function(arguments) FILTER (…) OVER (…); `condition` is one more filter.
  std::string aggregate(std::string_view function, const std::string& arguments,
                        const std::string& condition = "", std::string_view nulls = "") const {
    std::string text = std::string(function) + "(" + (node.is_distinct ? "DISTINCT " : "") + arguments +
                       order + std::string(nulls) + ")";
    const std::string both = filter.empty()      ? condition
                             : condition.empty() ? filter
                                                 : "(" + filter + ") AND (" + condition + ")";
    if (!both.empty()) text += " FILTER (WHERE " + both + ")";
    if (over.empty()) return text;
    return text + " " + (kernels::is_aggregate_kernel(function) ? with_counted_frame(over) : over);
  }
};

using Lowering = std::function<Result<Written>(Aggregation&)>;

bool is_floating(const DataType& type) { return type.is(TypeId::kDouble) || type.is(TypeId::kFloat); }

Result<Written> count(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  const DataType type(TypeId::kLong);
  if (call.size() == 1) {
    if (const auto* literal = call.literal(0);
        literal != nullptr && !literal->is_null() && !aggregation.node.is_distinct) {
      return Written{aggregation.aggregate("count", "*"), type};
    }
    ASSIGN_OR_RETURN(const Written value, call.loose(0));
    return Written{aggregation.aggregate("count", value.sql), type};
  }
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  std::string present, list;
  for (const std::string& text : texts) {
    present += (present.empty() ? "" : " AND ") + text + " IS NOT NULL";
    list += (list.empty() ? "" : ", ") + text;
  }
  const std::string value = aggregation.node.is_distinct ? "row(" + list + ")" : "1";
  return Written{aggregation.aggregate("count", "CASE WHEN " + present + " THEN " + value + " END"), type};
}

// A sum that may have more than 38 digits. DuckDB's own, in 128 bits, is tried first: it fails beyond them.
Result<Written> wide_sum(Aggregation& aggregation, const std::string& total, const std::string& value,
                         const DataType& held, bool tries) {
  CallWriter& call = aggregation.call;
  const auto scale = static_cast<size_t>(held.scale());
  std::string sum = total, text = total, too_large;
  if (call.narrow()) {
    call.set_narrow();
    const std::string limit =
        cast_to(std::string(38 - scale, '9') + (scale > 0 ? "." : "") + std::string(scale, '9'), held);
    too_large = "abs(" + total + ") > " + limit;
  } else {
    const std::string kernel = "decimal_sum_text_" + std::to_string(scale);
    call.add_kernel(kernel);
    text = aggregation.aggregate(kernel, cast_to(value, held));
    sum = "TRY_CAST(" + text + " AS " + duckdb_type(held) + ")";
    too_large = text + " IS NOT NULL AND " + sum + " IS NULL";
  }
  const std::string failure = tries ? "NULL"
                                    : call.raise("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
                                                 {{"value", "{0}"},
                                                  {"precision", std::to_string(held.precision())},
                                                  {"scale", std::to_string(held.scale())},
                                                  {"config", kAnsiSetting}},
                                                 {text});
  return Written{"CASE WHEN " + too_large + " THEN " + failure + " ELSE " + sum + " END", held};
}

Result<Written> sum(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  const DataType& type = call.result();
  ASSIGN_OR_RETURN(const Written value, call.loose(0));
  const bool tries = aggregation.node.function == "try_sum" || !aggregation.node.ansi;
  if (type.is(TypeId::kDecimal)) {
    const DataType held = DataType::decimal(38, type.scale());
    const std::string total = aggregation.aggregate("sum", value.sql);
    if (std::min(value.type.precision(), call.type(0).precision()) <= 28)
      return Written{total, held};  // 10^10 rows cannot pass 38 digits
    return wide_sum(aggregation, total, value.sql, held, tries);
  }
  if (is_floating(type)) {
    const std::string operand =
        is_floating(value.type) && !value.type.is(TypeId::kFloat) ? value.sql : cast_to(value.sql, "DOUBLE");
    return Written{aggregation.aggregate("sum", operand), type};
  }
  const std::string total = aggregation.aggregate("sum", value.sql);
  if (tries) return Written{"TRY_CAST(" + total + " AS " + duckdb_type(type) + ")", type};
  const std::string native = type.is(TypeId::kYearMonthInterval) ? "INT32" : "INT64";
  return Written{
      call.natively_checked(cast_to(total, type), "cast INT128 " + native, "ARITHMETIC_OVERFLOW",
                            {{"message", "overflow"},
                             {"alternative", " Use 'try_add' to tolerate overflow and return NULL instead."},
                             {"config", kAnsiSetting}},
                            {}, false),
      type};
}

Result<Written> average(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  const DataType& type = call.result();
  ASSIGN_OR_RETURN(const Written value, call.loose(0));
  if (type.is(TypeId::kDecimal)) {
    const int scale = call.type(0).scale();
    const std::string kernel = "decimal_divide_38_" + std::to_string(scale) + "_20_0_" +
                               std::to_string(type.precision()) + "_" + std::to_string(type.scale());
    const DataType held = DataType::decimal(38, scale);
    const bool tries = aggregation.node.function == "try_avg" || !aggregation.node.ansi;
    Written total{cast_to(aggregation.aggregate("sum", value.sql), held), held};
    if (std::min(value.type.precision(), call.type(0).precision()) > 28) {
      ASSIGN_OR_RETURN(total, wide_sum(aggregation, total.sql, value.sql, held, tries));
    }
    const std::string count = cast_to(aggregation.aggregate("count", value.sql), DataType::decimal(20, 0));
    const std::string quotient = call.kernel(kernel, {total.sql, count});
    if (tries || type.precision() < 38) return Written{quotient, type};
    // The kernel gives null for what does not fit.
    const std::string whole = "decimal_divide_38_" + std::to_string(scale) + "_20_0_38_0";
    const std::string failure = call.raise("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
                                           {{"value", "{0}"},
                                            {"precision", std::to_string(type.precision())},
                                            {"scale", std::to_string(type.scale())},
                                            {"config", kAnsiSetting}},
                                           {call.kernel(whole, {total.sql, count})});
    return Written{"CASE WHEN " + quotient + " IS NULL AND " + count + " > 0 THEN " + failure + " ELSE " +
                       quotient + " END",
                   type};
  }
  if (type.is(TypeId::kDayTimeInterval) || type.is(TypeId::kYearMonthInterval)) {
    return Written{cast_to("round(" + aggregation.aggregate("avg", value.sql) + ")", type), type};
  }
  return Written{aggregation.aggregate("avg", is_floating(value.type) && !value.type.is(TypeId::kFloat)
                                                  ? value.sql
                                                  : cast_to(value.sql, "DOUBLE")),
                 type};
}

Result<Written> extremum(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  const std::string_view function = aggregation.node.function;
  ASSIGN_OR_RETURN(const Written value, call.loose(0));
  if (!is_nested(value.type)) return Written{aggregation.aggregate(function, value.sql), value.type};
  return Written{aggregation.aggregate(function == "max" ? "arg_max" : "arg_min",
                                       value.sql + ", " + call.order_key(value.sql, value.type)),
                 value.type};
}

bool ignores_nulls(const Aggregation& aggregation) {
  if (aggregation.node.ignore_nulls) return true;
  if (aggregation.call.size() < 2) return false;
  const types::Value* flag = aggregation.call.literal(1);
  const bool* value = flag == nullptr ? nullptr : std::get_if<bool>(&flag->data);
  return value != nullptr && *value;
}

Result<Written> first(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const std::string value, aggregation.call.argument(0));
  const bool last = aggregation.node.function == "last";
  const bool ignore = ignores_nulls(aggregation);
  if (aggregation.over.empty()) {
    return Written{
        aggregation.aggregate(last ? "last" : "first", value, ignore ? value + " IS NOT NULL" : ""),
        aggregation.call.result()};
  }
  return Written{
      aggregation.aggregate(last ? "last_value" : "first_value", value, "", ignore ? " IGNORE NULLS" : ""),
      aggregation.call.result()};
}

Result<Written> collect(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(std::string value, aggregation.call.argument(0));
  const bool set = aggregation.node.function == "collect_set";
  if (set) value = aggregation.call.without_negative_zero(value, aggregation.call.type(0));
  const std::string list = aggregation.aggregate(
      "list", (set && !aggregation.node.is_distinct ? "DISTINCT " : "") + value, value + " IS NOT NULL");
  return Written{"coalesce(" + list + ", " + cast_to("[]", aggregation.call.result()) + ")",
                 aggregation.call.result()};
}

// DuckDB refuses NaN and infinities in moments; Spark answers NaN. One value has no sample deviation.
Result<Written> moment(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const std::string value, aggregation.call.argument(0));
  const std::string finite = aggregation.aggregate(
      aggregation.node.function, "CASE WHEN isfinite(" + value + ") THEN " + value + " END");
  const std::string odd = aggregation.aggregate("bool_or", "NOT isfinite(" + value + ")");
  std::string result = "CASE WHEN " + odd + " THEN CAST('NaN' AS DOUBLE) ELSE " + finite + " END";
  // One value has no deviation from others, whatever it is.
  if (aggregation.node.function.ends_with("_samp"))
    result = "CASE WHEN " + aggregation.aggregate("count", value) + " > 1 THEN " + result + " END";
  return Written{std::move(result), aggregation.call.result()};
}

// An aggregate of kernels/aggregate_kernels.cc.
Result<Written> moments(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string kernel = "moments_" + aggregation.node.function;
  call.add_kernel(kernel);
  const std::string arguments = texts.size() > 1 ? texts[0] + ", " + texts[1] : texts[0];
  const std::string value = aggregation.aggregate(kernel, arguments);
  if (aggregation.node.function != "corr" || !aggregation.node.ansi) return Written{value, call.result()};
  const std::string pairs = aggregation.aggregate(
      "count", "CASE WHEN " + texts[0] + " IS NOT NULL AND " + texts[1] + " IS NOT NULL THEN 1 END");
  return Written{"coalesce(" + value + ", CASE WHEN " + pairs + " > 1 THEN " +
                     call.raise("DIVIDE_BY_ZERO", {{"config", kAnsiSetting}}) + " END)",
                 call.result()};
}

Result<Written> count_pairs(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const Texts texts, aggregation.call.all_arguments());
  return Written{aggregation.aggregate("count", "CASE WHEN " + texts[0] + " IS NOT NULL AND " + texts[1] +
                                                    " IS NOT NULL THEN 1 END"),
                 aggregation.call.result()};
}

Result<Written> pair(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const Texts texts, aggregation.call.all_arguments());
  return Written{aggregation.aggregate(aggregation.node.function, texts[0] + ", " + texts[1]),
                 aggregation.call.result()};
}

Result<Written> count_if(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const std::string condition, aggregation.call.argument(0));
  return Written{aggregation.aggregate("count", "CASE WHEN " + condition + " THEN 1 END"),
                 aggregation.call.result()};
}

Result<Written> by_name(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const std::string value, aggregation.call.argument(0));
  return Written{cast_to(aggregation.aggregate(aggregation.node.function, value), aggregation.call.result()),
                 aggregation.call.result()};
}

// max_by(x, y): x may be null where y is greatest; rows whose y is null do not count.
Result<Written> extremum_by(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const Texts texts, aggregation.call.all_arguments());
  const std::string_view function = aggregation.node.function == "max_by" ? "arg_max_null" : "arg_min_null";
  return Written{
      aggregation.aggregate(function,
                            texts[0] + ", " + aggregation.call.order_key(texts[1], aggregation.call.type(1)),
                            texts[1] + " IS NOT NULL"),
      aggregation.call.result()};
}

// The estimate is a number that Spark's own sketch gives; the exact count is within its error bound.
Result<Written> approximate_count(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const std::string value, aggregation.call.argument(0));
  if (aggregation.node.is_distinct) return count(aggregation);
  return Written{aggregation.aggregate("count", "DISTINCT " + value), aggregation.call.result()};
}

// Spark reads a null among the shares as 0.
std::string shares(CallWriter& call, const std::string& list) {
  const std::string name = call.fresh_name();
  return "list_transform(" + list + ", lambda " + name + ": coalesce(" + name + ", 0))";
}

Result<Written> percentile(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  std::string share = "0.5";
  if (call.size() > 1) {
    ASSIGN_OR_RETURN(share, call.argument(1));
    if (call.type(1).is(TypeId::kArray)) {
      share = shares(call, share);
      const std::string found =
          aggregation.aggregate("quantile_cont", cast_to(value, "DOUBLE") + ", " + share);
      return Written{"CASE WHEN len(" + share + ") > 0 THEN " + found + " END", call.result()};
    }
  }
  return Written{aggregation.aggregate("quantile_cont", cast_to(value, "DOUBLE") + ", " + share),
                 call.result()};
}

// percentile_cont and percentile_disc (x, share, whether counted from the greatest value): DuckDB counts a
// negative share from there.
Result<Written> inverse_distribution(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  ASSIGN_OR_RETURN(std::string share, call.argument(1));
  const types::Value* flag = call.literal(2);
  if (flag != nullptr && std::get<bool>(flag->data)) {
    if (call.type(1).is(TypeId::kArray))
      return unsupported("percentiles of an array from the greatest value");
    share = "CASE WHEN " + share + " = 0 THEN 1 ELSE -" + share + " END";
  }
  const std::string_view function =
      aggregation.node.function == "percentile_cont" ? "quantile_cont" : "quantile_disc";
  return Written{aggregation.aggregate(function, cast_to(value, "DOUBLE") + ", " + share), call.result()};
}

// The exact answer is within the error that Spark promises. Spark's sketch keeps longs as doubles.
Result<Written> approximate_percentile(Aggregation& aggregation) {
  CallWriter& call = aggregation.call;
  ASSIGN_OR_RETURN(std::string value, call.argument(0));
  ASSIGN_OR_RETURN(std::string share, call.argument(1));
  if (call.type(0).is(TypeId::kDouble) || call.type(0).is(TypeId::kFloat)) {
    // Where NaN comes among the numbers depends on the order in which Spark's summary saw them.
    value = "CASE WHEN isnan(" + value + ") THEN " +
            call.raise("UNSUPPORTED_FEATURE", {{"feature", "percentile_approx of NaN"}}) + " ELSE " + value +
            " END";
  }
  const bool as_double = call.result().is(TypeId::kLong);
  // An array of no percentages: there is nothing to give.
  if (call.type(1).is(TypeId::kArray)) {
    share = shares(call, share);
    const std::string found = aggregation.aggregate("quantile_disc", value + ", " + share);
    return Written{"CASE WHEN len(" + share + ") > 0 THEN " + found + " END", call.result()};
  }
  const std::string found =
      aggregation.aggregate("quantile_disc", (as_double ? cast_to(value, "DOUBLE") : value) + ", " + share);
  return Written{as_double ? call.kernel("double_to_long_saturating", {found}) : found, call.result()};
}

Result<Written> join_texts(Aggregation& aggregation) {
  ASSIGN_OR_RETURN(const Texts texts, aggregation.call.all_arguments());
  const std::string separator = texts.size() > 1 ? "coalesce(" + texts[1] + ", '')" : "''";
  return Written{aggregation.aggregate("string_agg", texts[0] + ", " + separator), aggregation.call.result()};
}

const std::unordered_map<std::string_view, Lowering>& lowerings() {
  static const std::unordered_map<std::string_view, Lowering> kLowerings = {
      {"count", count},
      {"sum", sum},
      {"try_sum", sum},
      {"avg", average},
      {"min", extremum},
      {"max", extremum},
      {"first", first},
      {"last", first},
      {"any_value", first},
      {"collect_list", collect},
      {"collect_set", collect},
      {"stddev_samp", moment},
      {"stddev_pop", moment},
      {"var_samp", moment},
      {"var_pop", moment},
      {"corr", moments},
      {"skewness", moments},
      {"kurtosis", moments},
      {"regr_slope", moments},
      {"regr_intercept", moments},
      {"regr_r2", moments},
      {"regr_avgx", moments},
      {"regr_avgy", moments},
      {"regr_sxx", moments},
      {"regr_syy", moments},
      {"regr_sxy", moments},
      {"regr_count", count_pairs},
      {"percentile_approx", approximate_percentile},
      {"try_avg", average},
      {"covar_pop", pair},
      {"covar_samp", pair},
      {"bool_and", by_name},
      {"bool_or", by_name},
      {"bit_and", by_name},
      {"bit_or", by_name},
      {"bit_xor", by_name},
      {"count_if", count_if},
      {"max_by", extremum_by},
      {"min_by", extremum_by},
      {"approx_count_distinct", approximate_count},
      {"mode", by_name},
      {"listagg", join_texts},
      {"percentile", percentile},
      {"percentile_cont", inverse_distribution},
      {"percentile_disc", inverse_distribution},
      {"median", percentile},
  };
  return kLowerings;
}

// A frame's bound: rows are counted, ranges are values of the order key's type.
Result<std::string> bound_text(ExpressionWriter& writer, const plan::resolved::FrameBound& bound, bool rows,
                               const DataType* key) {
  switch (bound.kind) {
    case FrameBoundKind::kUnboundedPreceding: return std::string("UNBOUNDED PRECEDING");
    case FrameBoundKind::kUnboundedFollowing: return std::string("UNBOUNDED FOLLOWING");
    case FrameBoundKind::kCurrentRow: return std::string("CURRENT ROW");
    case FrameBoundKind::kValue: break;
  }
  const plan::resolved::Expression* expression = bound.value.get();
  while (const auto* cast = std::get_if<plan::resolved::Cast>(&expression->node))
    expression = cast->child.get();
  const auto* literal = std::get_if<Literal>(&expression->node);
  if (literal == nullptr || literal->value.is_null())
    return unsupported("a window frame whose bound is not a constant");
  const DataType& type = expression->type;
  types::Value magnitude = literal->value;
  bool negative = false;
  if (auto* integer = std::get_if<int64_t>(&magnitude.data)) {
    negative = *integer < 0;
    *integer = std::abs(*integer);
  } else if (auto* number = std::get_if<double>(&magnitude.data)) {
    negative = *number < 0;
    *number = std::abs(*number);
  } else if (auto* decimal = std::get_if<types::Int128>(&magnitude.data)) {
    negative = *decimal < 0;
    if (negative) *decimal = -*decimal;
  } else {
    return unsupported("a window frame with a bound of type " + type.simple_string());
  }
  const std::string side = negative ? " PRECEDING" : " FOLLOWING";
  if (rows && !std::holds_alternative<int64_t>(magnitude.data))
    return unsupported("a frame of rows with a bound of type " + type.simple_string());
  if (rows) return std::to_string(std::get<int64_t>(magnitude.data)) + side;
  static_cast<void>(writer);
  ASSIGN_OR_RETURN(std::string text, write_literal(magnitude, type));
  if (type.is(TypeId::kDayTimeInterval)) text = "to_microseconds(" + text + ")";
  if (type.is(TypeId::kYearMonthInterval)) text = "to_months(" + text + ")";
  if (key != nullptr && key->is(TypeId::kDate) && type.is_integral())
    text = "to_days(CAST(" + text + " AS INTEGER))";
  return text + side;
}

// "1 PRECEDING" counts from the current row with its sign in the value; zero stands for the current row
// either way.
Result<std::string> over_text(ExpressionWriter& writer, const Window& window) {
  std::string text;
  for (const ExpressionPtr& key : window.partition_by) {
    ASSIGN_OR_RETURN(const std::string sql, writer.write_key(key));
    text += (text.empty() ? "PARTITION BY " : ", ") + sql;
  }
  std::string order;
  for (const plan::resolved::SortKey& key : window.order_by) {
    ASSIGN_OR_RETURN(const std::string sql, writer.write_sort_key(key));
    order += (order.empty() ? "ORDER BY " : ", ") + sql;
  }
  if (!order.empty()) text += (text.empty() ? "" : " ") + order;
  if (window.frame != nullptr) {
    const bool rows = window.frame->unit == plan::FrameUnit::kRows;
    const DataType* key = window.order_by.empty() ? nullptr : &window.order_by.front().expression->type;
    ASSIGN_OR_RETURN(const std::string lower, bound_text(writer, window.frame->lower, rows, key));
    ASSIGN_OR_RETURN(const std::string upper, bound_text(writer, window.frame->upper, rows, key));
    text += (text.empty() ? "" : " ") + std::string(rows ? "ROWS" : "RANGE") + " BETWEEN " + lower + " AND " +
            upper;
  }
  return "OVER (" + text + ")";
}

std::string frameless(const std::string& over) {
  const size_t rows = over.find("ROWS BETWEEN "), range = over.find("RANGE BETWEEN ");
  const size_t at = std::min(rows, range);
  return at == std::string::npos ? over : over.substr(0, at) + ")";
}

Result<Written> window_function(CallWriter& call, const std::string& over) {
  const std::string_view name = call.function;
  const DataType& type = call.result();
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const size_t flag_at = name == "nth_value" ? 2 : 3;  // the last argument: whether nulls are ignored
  const types::Value* flag = texts.size() > flag_at ? call.literal(flag_at) : nullptr;
  const bool* ignores = flag == nullptr ? nullptr : std::get_if<bool>(&flag->data);
  const std::string nulls = ignores != nullptr && *ignores ? " IGNORE NULLS) " : ") ";
  if (name == "nth_value") return Written{"nth_value(" + texts[0] + ", " + texts[1] + nulls + over, type};
  if (name == "lag" || name == "lead") {
    std::string arguments = texts[0];
    for (size_t i = 1; i < std::min<size_t>(texts.size(), 3); ++i) arguments += ", " + texts[i];
    return Written{cast_to(std::string(name) + "(" + arguments + nulls + frameless(over), type), type};
  }
  const std::string argument = texts.empty() ? "" : texts[0];
  return Written{cast_to(std::string(name) + "(" + argument + ") " + frameless(over), type), type};
}

}  // namespace

Result<Written> ExpressionWriter::write_aggregate(const ExpressionPtr& expression, const AggregateCall& node,
                                                  const std::string& over) {
  const auto found = lowerings().find(node.function);
  if (found == lowerings().end()) return unsupported("the aggregate function " + node.function);
  ASSIGN_OR_RETURN([[maybe_unused]] const std::string carrier, carrier_of(expression->type));
  CallWriter call(*this, *expression, node.arguments, node.function, node.ansi);
  Aggregation aggregation{call, node, "", over, ""};
  if (node.filter != nullptr) {
    ASSIGN_OR_RETURN(aggregation.filter, write(node.filter));
  }
  for (const plan::resolved::SortKey& key : node.order_by) {
    ASSIGN_OR_RETURN(const std::string sql, write_sort_key(key));
    aggregation.order += (aggregation.order.empty() ? " ORDER BY " : ", ") + sql;
  }
  return found->second(aggregation);
}

Result<Written> ExpressionWriter::write_window(const ExpressionPtr& expression, const Window& window) {
  ASSIGN_OR_RETURN(const std::string over, over_text(*this, window));
  if (const auto* aggregate = std::get_if<AggregateCall>(&window.function->node)) {
    if (aggregate->is_distinct) return unsupported("a DISTINCT aggregate over a window");
    return write_aggregate(window.function, *aggregate, over);
  }
  const auto* node = std::get_if<Call>(&window.function->node);
  if (node == nullptr) return internal_error("a window over something that is no function");
  CallWriter call(*this, *expression, node->arguments, node->function, node->ansi);
  return window_function(call, over);
}

}  // namespace deuteron::relational
