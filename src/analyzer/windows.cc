// Window expressions: the function, its frame, and what Spark refuses.
#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "analyzer/errors.h"
#include "analyzer/expressions.h"
#include "analyzer/python_functions.h"
#include "analyzer/rewrite.h"

namespace deuteron::analyzer {

using plan::FrameBoundKind;
using plan::FrameUnit;
using resolved::ExpressionPtr;

namespace {

bool has_constant_frame(const std::string& name) {
  static const std::set<std::string> kNames = {"rank",         "dense_rank", "row_number", "ntile",
                                               "percent_rank", "cume_dist",  "lag",        "lead"};
  return kNames.contains(name);
}

std::string function_name(const ExpressionPtr& function) {
  if (const auto* call = resolved::as<resolved::Call>(function)) return call->function;
  if (const auto* aggregate = resolved::as<resolved::AggregateCall>(function)) return aggregate->function;
  return "";
}

resolved::WindowFrame default_frame(bool ordered) {
  resolved::WindowFrame frame;
  frame.unit = ordered ? FrameUnit::kRange : FrameUnit::kRows;
  frame.lower.kind = FrameBoundKind::kUnboundedPreceding;
  frame.upper.kind = ordered ? FrameBoundKind::kCurrentRow : FrameBoundKind::kUnboundedFollowing;
  return frame;
}

// The place of a bound on the axis of the frame, when it is known.
std::optional<double> place_of(const resolved::FrameBound& bound) {
  switch (bound.kind) {
    case FrameBoundKind::kUnboundedPreceding: return -std::numeric_limits<double>::infinity();
    case FrameBoundKind::kUnboundedFollowing: return std::numeric_limits<double>::infinity();
    case FrameBoundKind::kCurrentRow: return 0;
    case FrameBoundKind::kValue: break;
  }
  const types::Value* value = literal_value(bound.value);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<int64_t>(&value->data)) return static_cast<double>(*number);
  if (const auto* real = std::get_if<double>(&value->data)) return *real;
  return std::nullopt;
}

bool in_order(const resolved::WindowFrame& frame) {
  const auto lower = place_of(frame.lower);
  const auto upper = place_of(frame.upper);
  return !lower.has_value() || !upper.has_value() || *lower <= *upper;
}

}  // namespace

namespace {

unresolved::ExpressionPtr literal(types::DataType type, types::Value value, const plan::Origin& origin) {
  return unresolved::make_expression(unresolved::Literal{{std::move(type), std::move(value)}}, origin);
}

// lag(x) IGNORE NULLS is lag(x, 1, NULL, true), nth_value(x, n) IGNORE NULLS is nth_value(x, n, true).
unresolved::ExpressionPtr with_null_rule(const unresolved::ExpressionPtr& called) {
  using types::DataType, types::TypeId, types::Value;
  const auto* call = unresolved::as<unresolved::FunctionCall>(called);
  if (call == nullptr || !call->ignore_nulls) return called;
  const functions::Function* function = functions::find(lower_case(call->name.back()));
  if (function == nullptr || !functions::is_window_only(*function)) return called;
  const bool is_offset = functions::name_of(*function) == "lag" || functions::name_of(*function) == "lead";
  if (!is_offset && functions::name_of(*function) != "nth_value") return called;
  unresolved::FunctionCall next = *call;
  auto& arguments = next.arguments;
  if (is_offset && arguments.size() == 1)
    arguments.push_back(literal(DataType(TypeId::kInteger), Value(int64_t{1}), called->origin));
  if (is_offset && arguments.size() == 2) arguments.push_back(literal(DataType(), Value(), called->origin));
  arguments.push_back(literal(DataType(TypeId::kBoolean), Value(true), called->origin));
  return unresolved::make_expression(std::move(next), called->origin);
}

std::string frame_bound_text(const unresolved::FrameBound& bound, const std::string& value) {
  switch (bound.kind) {
    case FrameBoundKind::kUnboundedPreceding: return "unboundedpreceding$()";
    case FrameBoundKind::kUnboundedFollowing: return "unboundedfollowing$()";
    case FrameBoundKind::kCurrentRow: return "currentrow$()";
    case FrameBoundKind::kValue: break;
  }
  return value;
}

std::string frame_text(FrameUnit unit, const std::string& lower, const std::string& upper) {
  return std::string("specifiedwindowframe(") + (unit == FrameUnit::kRows ? "RowFrame" : "RangeFrame") +
         ", " + lower + ", " + upper + ")";
}

}  // namespace

Result<ExpressionPtr> ExpressionResolver::resolve_window(const unresolved::ExpressionPtr& expression,
                                                         const unresolved::Window& window) {
  if (!allowed_.windows) {
    return at(
        error("UNSUPPORTED_EXPR_FOR_OPERATOR", {{"invalidExprSqls", quoted_expression(pretty(expression))}}),
        expression->origin);
  }
  resolved::Window result;
  unresolved::ExpressionPtr called = window.function;
  if (const auto* text = unresolved::as<unresolved::SqlText>(called)) {
    ASSIGN_OR_RETURN(called, parse_text(*text));
  }
  called = with_null_rule(called);
  inside_window_function_ = true;
  auto function = resolve(called);
  inside_window_function_ = false;
  if (!function.ok()) return function.status();
  result.function = *std::move(function);
  const auto* python = resolved::as<resolved::PythonCall>(result.function);
  const bool is_python = python != nullptr && is_python_aggregate(python->function->eval_type);
  if (is_python && takes_batches(python->function->eval_type))
    return at(unsupported("Python functions of iterators over a window"), expression->origin);
  const auto* aggregate = resolved::as<resolved::AggregateCall>(result.function);
  const functions::Function* known = functions::find(function_name(result.function));
  const bool is_window = aggregate == nullptr && known != nullptr && functions::is_window_only(*known);
  if (aggregate == nullptr && !is_window && !is_python) {
    return at(error("UNSUPPORTED_EXPR_FOR_WINDOW", {{"sqlExpr", quoted_expression(pretty(called))}}),
              expression->origin);
  }
  if (aggregate != nullptr && aggregate->is_distinct) {
    return at(error("DISTINCT_WINDOW_FUNCTION_UNSUPPORTED",
                    {{"windowExpr", quoted_expression(pretty(expression))}}),
              expression->origin);
  }
  for (const auto& part : window.partition_by) {
    ASSIGN_OR_RETURN(ExpressionPtr key, resolve(part));
    result.partition_by.push_back(std::move(key));
  }
  for (const auto& order : window.order_by) {
    ASSIGN_OR_RETURN(resolved::SortKey key, resolve_sort_key(order));
    result.order_by.push_back(std::move(key));
  }
  const auto nests = [](const ExpressionPtr& part) { return contains<resolved::Window>(part); };
  const bool nested = std::any_of(result.partition_by.begin(), result.partition_by.end(), nests) ||
                      std::any_of(result.order_by.begin(), result.order_by.end(),
                                  [&](const resolved::SortKey& key) { return nests(key.expression); });
  if (nested) return at(unsupported("a window function in the definition of a window"), expression->origin);
  if (is_window && result.order_by.empty() && functions::needs_order(*known)) {
    return error("WINDOW_FUNCTION_FRAME_NOT_ORDERED",
                 {{"wf_name", std::string(functions::name_of(*known))}, {"wf_expr", pretty(called)}});
  }
  ASSIGN_OR_RETURN(result.frame, resolve_frame(expression, window, result.function, result.order_by));
  const types::DataType type = result.function->type;
  const bool nullable = result.function->nullable;
  return resolved::make_expression(std::move(result), type, nullable, expression->origin);
}

Result<std::shared_ptr<const resolved::WindowFrame>> ExpressionResolver::resolve_frame(
    const unresolved::ExpressionPtr& expression, const unresolved::Window& window,
    const ExpressionPtr& function, const std::vector<resolved::SortKey>& order) {
  const std::string name = function_name(function);
  auto frame = std::make_shared<resolved::WindowFrame>(default_frame(!order.empty()));
  const bool fixed = has_constant_frame(name);
  if (fixed) {
    frame->unit = name == "cume_dist" ? FrameUnit::kRange : FrameUnit::kRows;
    frame->upper.kind = FrameBoundKind::kCurrentRow;
  }
  if (window.frame == nullptr) return std::shared_ptr<const resolved::WindowFrame>(std::move(frame));
  if (fixed) {
    const bool same = window.frame->unit == frame->unit && window.frame->lower.kind == frame->lower.kind &&
                      window.frame->upper.kind == frame->upper.kind;
    if (name == "lag" || name == "lead") return error("_LEGACY_ERROR_TEMP_1035", {{"prettyName", name}});
    if (same) return std::shared_ptr<const resolved::WindowFrame>(std::move(frame));
    const auto& given = *window.frame;
    return error("_LEGACY_ERROR_TEMP_1036",
                 {{"wf", frame_text(given.unit, frame_bound_text(given.lower, pretty(given.lower.value)),
                                    frame_bound_text(given.upper, pretty(given.upper.value)))},
                  {"required", frame_text(frame->unit, "unboundedpreceding$()", "currentrow$()")}});
  }
  frame->unit = window.frame->unit;
  ASSIGN_OR_RETURN(frame->lower, resolve_bound(window.frame->lower, frame->unit, order));
  ASSIGN_OR_RETURN(frame->upper, resolve_bound(window.frame->upper, frame->unit, order));
  if (!in_order(*frame)) {
    const std::string specification = pretty_window_specification(window);
    const size_t start =
        specification.find(frame->unit == FrameUnit::kRows ? "ROWS BETWEEN" : "RANGE BETWEEN");
    return at(error("DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_WRONG_COMPARISON",
                    {{"comparison", "less than or equal"},
                     {"sqlExpr",
                      quoted_expression(specification.substr(start, specification.size() - start - 1))}}),
              expression->origin);
  }
  const bool has_value = frame->lower.value != nullptr || frame->upper.value != nullptr;
  const bool has_current =
      frame->lower.kind == FrameBoundKind::kCurrentRow || frame->upper.kind == FrameBoundKind::kCurrentRow;
  if (frame->unit == FrameUnit::kRange && order.empty() && (has_value || has_current)) {
    return at(error("DATATYPE_MISMATCH.RANGE_FRAME_WITHOUT_ORDER",
                    {{"sqlExpr", quoted_expression(pretty_window_specification(window))}}),
              expression->origin);
  }
  if (frame->unit == FrameUnit::kRange && has_value && order.size() > 1) {
    return at(error("DATATYPE_MISMATCH.RANGE_FRAME_MULTI_ORDER",
                    {{"sqlExpr", quoted_expression(pretty_window_specification(window))}, {"orderSpec", ""}}),
              expression->origin);
  }
  return std::shared_ptr<const resolved::WindowFrame>(std::move(frame));
}

Result<resolved::FrameBound> ExpressionResolver::resolve_bound(const unresolved::FrameBound& bound,
                                                               FrameUnit unit,
                                                               const std::vector<resolved::SortKey>& order) {
  resolved::FrameBound result;
  result.kind = bound.kind;
  if (bound.value == nullptr) return result;
  ASSIGN_OR_RETURN(result.value, resolve(bound.value));
  if (unit == FrameUnit::kRange && order.size() == 1) {
    const types::DataType& key = order[0].expression->type;
    if (key.is(types::TypeId::kString) || key.is(types::TypeId::kBoolean) || key.is(types::TypeId::kBinary))
      return at(unsupported("a range of values of the type " + key.simple_string()), bound.value->origin);
    if (key.is_numeric()) result.value = cast_implicitly(result.value, key);
  }
  return result;
}

}  // namespace deuteron::analyzer
