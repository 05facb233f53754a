// Relations that choose, order, number or spread rows and keep columns.
#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/positions.h"
#include "analyzer/relations.h"
#include "functions/coercion.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

ColumnIds ids_below(const Input& input) {
  ColumnIds ids;
  for (const Below* below = input.below.get(); below != nullptr; below = below->below.get()) {
    for (const Column& column : below->columns) ids.insert(column.id);
    for (const Column& column : below->hidden) ids.insert(column.id);
  }
  return ids;
}

// Columns that `expressions` read and that only lie below the plan.
ColumnIds missing_columns(const Input& input, const resolved::Expressions& expressions) {
  ColumnIds missing;
  for (const ExpressionPtr& expression : expressions) missing.merge(references(expression));
  const ColumnIds given = output_ids(input.plan);
  const ColumnIds below = ids_below(input);
  std::erase_if(missing, [&](resolved::ColumnId id) { return given.contains(id) || !below.contains(id); });
  return missing;
}

// Makes the missing columns part of the plan.
Status reach(Input& input, const ColumnIds& missing, const unresolved::ExpressionPtr& expression) {
  if (missing.empty()) return Status();
  RelationPtr wider = expose(input.plan, missing);
  if (wider == nullptr) {
    return at(error("MISSING_ATTRIBUTES.RESOLVED_ATTRIBUTE_MISSING_FROM_INPUT",
                    {{"missingAttributes", ""}, {"input", ""}, {"operator", ""}}),
              expression == nullptr ? nullptr : expression->origin);
  }
  input.plan = std::move(wider);
  return Status();
}

// The position that ORDER BY 2 names, or -1.
int64_t ordinal_of(const unresolved::ExpressionPtr& order) {
  const auto* sort = unresolved::as<unresolved::SortOrder>(order);
  const auto* literal = unresolved::as<unresolved::Literal>(sort == nullptr ? order : sort->child);
  if (literal == nullptr || !literal->value.type.is(TypeId::kInteger) || literal->value.value.is_null())
    return -1;
  return std::get<int64_t>(literal->value.value.data);
}

bool is_order_by_all(const unresolved::Expressions& order) {
  if (order.size() != 1) return false;
  const auto* sort = unresolved::as<unresolved::SortOrder>(order[0]);
  const auto* attribute = unresolved::as<unresolved::Attribute>(sort == nullptr ? order[0] : sort->child);
  return attribute != nullptr && attribute->parts.size() == 1 && lower_case(attribute->parts[0]) == "all";
}

resolved::SortKey key_like(const unresolved::ExpressionPtr& order, const Column& column) {
  resolved::SortKey key{reference_to(column, order->origin), true, true};
  if (const auto* sort = unresolved::as<unresolved::SortOrder>(order)) {
    key.ascending = sort->ascending;
    key.nulls_first = sort->null_ordering == plan::NullOrdering::kDefault
                          ? sort->ascending
                          : sort->null_ordering == plan::NullOrdering::kNullsFirst;
  }
  return key;
}

}  // namespace

Result<Input> RelationResolver::filter(const unresolved::Filter& node, Input input,
                                       const plan::Origin& origin) {
  if (input.aggregate != nullptr && contains_aggregate_call(node.condition, analysis_.catalog)) {
    return having(node.condition, std::move(input), origin);
  }
  Scope scope = scope_of(input);
  scope.look_below = input.aggregate == nullptr && input.below != nullptr;
  ExpressionResolver resolver(analysis_, scope, {false, false, "WHERE", origin});
  if (contains_window(node.condition))
    return error("WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE", {{"clauseName", "WHERE"}});
  if (const auto calls = aggregate_calls(node.condition, analysis_.catalog); !calls.empty()) {
    std::string list;
    for (const auto& call : calls) list += (list.empty() ? "" : ", ") + resolver.qualified(call);
    return at(
        error("INVALID_WHERE_CONDITION",
              {{"condition", quoted_expression(resolver.pretty(node.condition))}, {"expressionList", list}}),
        origin);
  }
  ASSIGN_OR_RETURN(
      ExpressionPtr condition,
      resolver.resolve_condition(node.condition, "DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN", origin));
  RETURN_IF_ERROR(reach(input, missing_columns(input, {condition}), node.condition));
  return analyzer::filter(std::move(input), std::move(condition));
}

Result<Input> RelationResolver::sort(const unresolved::Sort& node, Input input) {
  Scope scope = scope_of(input);
  scope.look_below = true;
  ExpressionResolver resolver(analysis_, scope, {input.aggregate != nullptr, true, ""});
  std::vector<resolved::SortKey> keys;
  if (is_order_by_all(node.order)) {
    for (const Column& column : input.columns) keys.push_back(key_like(node.order[0], column));
  } else {
    for (const auto& order : node.order) {
      const int64_t ordinal = analysis_.settings.order_by_ordinal ? ordinal_of(order) : -1;
      if (ordinal >= 0) {
        if (ordinal < 1 || ordinal > static_cast<int64_t>(input.columns.size())) {
          return at(error("ORDER_BY_POS_OUT_OF_RANGE", {{"index", std::to_string(ordinal)},
                                                        {"size", std::to_string(input.columns.size())}}),
                    order->origin);
        }
        keys.push_back(key_like(order, input.columns[static_cast<size_t>(ordinal - 1)]));
        continue;
      }
      ASSIGN_OR_RETURN(auto key, resolver.resolve_sort_key(order));
      keys.push_back(std::move(key));
    }
  }
  resolved::Expressions expressions;
  for (const auto& key : keys) expressions.push_back(key.expression);
  ColumnIds missing = missing_columns(input, expressions);
  const bool aggregates = std::any_of(expressions.begin(), expressions.end(), contains_aggregate);
  const bool windows = std::any_of(expressions.begin(), expressions.end(), contains<resolved::Window>);
  if (input.aggregate != nullptr && (aggregates || !missing.empty())) {
    RETURN_IF_ERROR(extend_aggregate_for_sort(analysis_, input, keys));
  } else {
    RETURN_IF_ERROR(reach(input, missing, node.order.empty() ? nullptr : node.order[0]));
    if (windows) {
      // Computed below, so that a sort key never holds a window.
      resolved::Expressions computed;
      Columns output = input.plan->output;
      for (const Column& column : output) computed.push_back(reference_to(column));
      for (resolved::SortKey& key : keys) {
        if (!contains<resolved::Window>(key.expression)) continue;
        output.push_back(
            {analysis_.next_id(), "sort_key", key.expression->type, key.expression->nullable, {}, ""});
        computed.push_back(key.expression);
        key.expression = reference_to(output.back());
      }
      const int32_t partitions = input.plan->partitions;
      input.plan = resolved::make_relation(resolved::Project{input.plan, std::move(computed)},
                                           std::move(output), partitions);
    }
  }
  const int32_t partitions = node.is_global ? analysis_.settings.shuffle_partitions : input.plan->partitions;
  RelationPtr plan = resolved::make_relation(resolved::Sort{input.plan, std::move(keys), node.is_global},
                                             input.plan->output, partitions);
  return with_plan(std::move(input), std::move(plan));
}

namespace {

// The value of + - * over whole numbers.
std::optional<types::Value> constant_value(const ExpressionPtr& expression) {
  if (const types::Value* value = literal_value(expression)) return *value;
  const auto* call = resolved::as<resolved::Call>(expression);
  if (call == nullptr || call->arguments.size() != 2 || !expression->type.is(TypeId::kInteger))
    return std::nullopt;
  const auto left = constant_value(call->arguments[0]), right = constant_value(call->arguments[1]);
  if (!left.has_value() || !right.has_value()) return std::nullopt;
  const auto* a = std::get_if<int64_t>(&left->data);
  const auto* b = std::get_if<int64_t>(&right->data);
  if (a == nullptr || b == nullptr) return std::nullopt;
  const int64_t result = call->function == "+"   ? *a + *b
                         : call->function == "-" ? *a - *b
                         : call->function == "*" ? *a * *b
                                                 : INT64_MIN;
  return result == static_cast<int32_t>(result) ? std::optional(types::Value(result)) : std::nullopt;
}

// Of a bare column the item that gives it: the place that Spark's error shows.
plan::Origin place_of_column(const unresolved::RelationPtr& relation, const unresolved::ExpressionPtr& name) {
  const auto* wanted = unresolved::as<unresolved::Attribute>(name);
  const auto* sort = unresolved::as<unresolved::Sort>(relation);
  const auto* project = unresolved::as<unresolved::Project>(sort == nullptr ? relation : sort->input);
  if (wanted == nullptr || project == nullptr) return name->origin;
  for (const unresolved::ExpressionPtr& item : project->expressions) {
    const auto* column = unresolved::as<unresolved::Attribute>(item);
    if (column != nullptr && same_name(column->parts.back(), wanted->parts.back(), false))
      return item->origin;
  }
  return name->origin;
}

}  // namespace

Result<Input> RelationResolver::limit(const unresolved::LimitExpression& node, Input input) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  const auto number = [&](const unresolved::ExpressionPtr& expression,
                          const std::string& name) -> Result<int64_t> {
    ASSIGN_OR_RETURN(const ExpressionPtr value, resolver.resolve(expression));
    const std::optional<types::Value> literal = constant_value(value);
    const std::map<std::string, std::string> parameters = {
        {"name", name}, {"expr", quoted_expression(resolver.pretty(expression))}};
    if (!literal.has_value()) {
      if (contains<resolved::PythonCall>(value))
        return at(error("INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE", parameters), expression->origin);
      if (references(value).empty()) return at(unsupported(name + " by this expression"), expression->origin);
      return at(error("INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE", parameters),
                place_of_column(node.input, expression));
    }
    if (literal->is_null())
      return at(error("INVALID_LIMIT_LIKE_EXPRESSION.IS_NULL", parameters), expression->origin);
    const auto* count = std::get_if<int64_t>(&literal->data);
    if (count == nullptr || !value->type.is(TypeId::kInteger)) {
      auto with_type = parameters;
      with_type["dataType"] = quoted_type(value->type);
      return at(error("INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE", with_type), expression->origin);
    }
    if (*count < 0) {
      auto with_value = parameters;
      with_value["v"] = std::to_string(*count);
      return at(error("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", with_value), expression->origin);
    }
    return *count;
  };
  resolved::Limit limit{input.plan, -1, 0};
  if (node.offset != nullptr) {
    ASSIGN_OR_RETURN(limit.offset, number(node.offset, "offset"));
  }
  if (node.count != nullptr) {
    ASSIGN_OR_RETURN(limit.count, number(node.count, "limit"));
  }
  RelationPtr plan = resolved::make_relation(std::move(limit), input.plan->output, 1);
  return with_plan(std::move(input), std::move(plan));
}

Result<Input> RelationResolver::deduplicate(const unresolved::Deduplicate& node, Input input) {
  if (node.within_watermark) return unsupported("dropDuplicatesWithinWatermark");
  input = settle(std::move(input));
  const int32_t partitions = analysis_.settings.shuffle_partitions;
  RelationPtr plan;
  if (node.columns.empty()) {
    plan = resolved::make_relation(resolved::Distinct{input.plan}, input.columns, partitions);
  } else {
    ASSIGN_OR_RETURN(const auto positions, named_columns(node.columns, input));
    std::vector<resolved::ColumnId> keys;
    for (const size_t position : positions) keys.push_back(input.columns[position].id);
    plan =
        resolved::make_relation(resolved::DistinctOn{input.plan, std::move(keys)}, input.columns, partitions);
  }
  input.below = nullptr;
  return with_plan(std::move(input), std::move(plan));
}

Result<Input> RelationResolver::repartition_by(const unresolved::RepartitionByExpression& node, Input input) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  resolved::Expressions keys;
  for (const auto& expression : node.expressions) {
    const auto* sort = unresolved::as<unresolved::SortOrder>(expression);
    ASSIGN_OR_RETURN(auto key, resolver.resolve(sort == nullptr ? expression : sort->child));
    keys.push_back(std::move(key));
  }
  const int32_t partitions = node.partitions > 0 ? node.partitions : analysis_.settings.shuffle_partitions;
  RelationPtr plan =
      resolved::make_relation(resolved::Repartition{input.plan, std::move(keys), true, node.partitions <= 0},
                              input.plan->output, partitions);
  return with_plan(std::move(input), std::move(plan));
}

Result<Input> RelationResolver::sample(const unresolved::Sample& node, Input input) {
  if (node.with_replacement) return unsupported("sample with replacement");
  RelationPtr plan = input.plan;
  if (node.deterministic_order) {
    std::vector<resolved::SortKey> keys;
    for (const Column& column : input.columns) {
      if (!column.type.is(TypeId::kMap)) keys.push_back({reference_to(column), true, true});
    }
    plan =
        resolved::make_relation(resolved::Sort{plan, std::move(keys), false}, plan->output, plan->partitions);
  }
  return with_plan(std::move(input), sampled(analysis_, plan, node.lower_bound, node.upper_bound, node.seed));
}

// Hints tell how to run; only those that fix the number of partitions change the plan.
Result<Input> RelationResolver::hint(const unresolved::Hint& node, Input input) {
  const std::string name = lower_case(node.name);
  if (name != "repartition" && name != "coalesce") return input;
  const auto* literal =
      node.parameters.empty() ? nullptr : unresolved::as<unresolved::Literal>(node.parameters[0]);
  const auto* count = literal == nullptr ? nullptr : std::get_if<int64_t>(&literal->value.value.data);
  if (count == nullptr) return input;
  const auto partitions = static_cast<int32_t>(*count);
  RelationPtr plan = resolved::make_relation(resolved::Repartition{input.plan, {}, name == "repartition"},
                                             input.plan->output, partitions);
  return with_plan(std::move(input), std::move(plan));
}

Result<Input> RelationResolver::show_string(Input input, int32_t rows, int32_t truncate, bool vertical,
                                            bool html) {
  input = settle(std::move(input));
  const DataType string(TypeId::kString);
  std::vector<NamedExpression> items;
  plan::Names headings;
  for (const Column& column : input.columns) {
    headings.push_back(column.name);
    ExpressionPtr text = reference_to(column);
    if (column.type.is(TypeId::kBinary) || column.type.is_nested()) {
      // Nulls inside are shown as NULL, bytes as [61 62]: a cast does neither.
      text = resolved::make_expression(resolved::Call{"to_pretty_string", {std::move(text)}, true}, string,
                                       false);
    } else {
      text = cast_implicitly(std::move(text), string);
      const bool nullable = text->nullable;
      if (nullable) {
        text = resolved::make_expression(
            resolved::Call{"coalesce", {std::move(text), make_string("NULL")}, true}, string, false);
      }
    }
    items.push_back({std::move(text), {analysis_.next_id(), column.name, string, false, {}, ""}});
  }
  // One row more tells whether there are more.
  const int64_t wanted = std::max<int64_t>(rows, 0) + 1;
  RelationPtr limited =
      resolved::make_relation(resolved::Limit{input.plan, wanted, 0}, input.plan->output, 1);
  Input texts = analyzer::project(analysis_, with_plan(std::move(input), std::move(limited)), items);
  Columns output = {{analysis_.next_id(), html ? "html_string" : "show_string", string, false, {}, ""}};
  return source(resolved::make_relation(
      resolved::ShowString{texts.plan, std::move(headings), rows, truncate, vertical, html},
      std::move(output), 1));
}

}  // namespace deuteron::analyzer
