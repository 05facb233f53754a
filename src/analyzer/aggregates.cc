#include "analyzer/aggregates.h"

#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/python_functions.h"
#include "analyzer/relations.h"
#include "analyzer/simplification.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

bool is_literal(const ExpressionPtr& expression) {
  return resolved::as<resolved::Literal>(expression) != nullptr;
}

// Replaces parts of one expression by columns of the Aggregate node; remembers the first error.
class Extraction {
 public:
  Extraction(Analysis& analysis, AggregateParts& parts, const Columns* output)
      : analysis_(analysis), parts_(parts), output_(output) {
    for (const Column& column : parts.input.plan->output) input_ids_.insert(column.id);
  }

  ExpressionPtr run(const ExpressionPtr& expression) {
    return transform_down(expression, [&](const ExpressionPtr& part) { return replace(part); });
  }
  const Status& status() const { return status_; }

 private:
  ExpressionPtr replace(const ExpressionPtr& part) {
    if (const auto* call = resolved::as<resolved::Call>(part);
        call != nullptr && call->function == "grouping") {
      return grouping_bit(part, *call);
    }
    if (const auto* call = resolved::as<resolved::Call>(part);
        call != nullptr && call->function == "grouping_id") {
      if (parts_.grouping_id.id != 0) return reference_to(parts_.grouping_id, part->origin);
      return fail(at(error("UNSUPPORTED_GROUPING_EXPRESSION"), part->origin), part);
    }
    for (size_t i = 0; i < parts_.grouping.size(); ++i) {
      if (!is_literal(part) && same_expression(part, parts_.grouping[i])) {
        return reference_to(parts_.grouping_columns[i], part->origin);
      }
    }
    if (is_aggregate(part)) return call_column(part);
    if (const auto* column = resolved::as<resolved::ColumnReference>(part)) {
      if (!input_ids_.contains(column->id)) return part;
      return fail(missing(*column, part->origin), part);
    }
    if (const RelationPtr plan = subquery_plan(part)) return subquery(part, plan);
    if (const auto* window = resolved::as<resolved::Window>(part)) return over_window(part, *window);
    return nullptr;
  }

  // The function of a window is computed after the aggregation: only its arguments are taken apart.
  ExpressionPtr over_window(const ExpressionPtr& part, const resolved::Window& window) {
    const ExpressionPtr function =
        map_children(window.function, [&](const ExpressionPtr& child) { return run(child); });
    const ExpressionPtr original = window.function;
    return map_children(
        part, [&](const ExpressionPtr& child) { return child == original ? function : run(child); });
  }

  ExpressionPtr call_column(const ExpressionPtr& call) {
    for (size_t i = 0; i < parts_.calls.size(); ++i) {
      if (same_expression(call, parts_.calls[i])) return reference_to(parts_.call_columns[i], call->origin);
    }
    parts_.calls.push_back(call);
    const auto* python = resolved::as<resolved::PythonCall>(call);
    const std::string& name =
        python != nullptr ? python->function->name : resolved::as<resolved::AggregateCall>(call)->function;
    parts_.call_columns.push_back({analysis_.next_id(), name, call->type, call->nullable, {}, ""});
    return reference_to(parts_.call_columns.back(), call->origin);
  }

  // A sub-query may read grouping columns of the query around it.
  ExpressionPtr subquery(const ExpressionPtr& part, const RelationPtr& plan) {
    Substitution substitution;
    for (const resolved::ColumnId id : outer_references(plan)) {
      if (!input_ids_.contains(id)) continue;
      bool found = false;
      for (size_t i = 0; i < parts_.grouping.size(); ++i) {
        const auto* column = resolved::as<resolved::ColumnReference>(parts_.grouping[i]);
        if (column == nullptr || column->id != id) continue;
        substitution[id] = reference_to(parts_.grouping_columns[i]);
        found = true;
      }
      if (!found) return fail(missing({id}, part->origin), part);
    }
    const ExpressionPtr inside = with_subquery_plan(part, substitute(plan, substitution));
    return map_children(inside, [&](const ExpressionPtr& child) { return run(child); });
  }

  // grouping(a): the bit of `a` in the grouping id.
  ExpressionPtr grouping_bit(const ExpressionPtr& part, const resolved::Call& call) {
    if (parts_.grouping_id.id == 0)
      return fail(at(error("UNSUPPORTED_GROUPING_EXPRESSION"), part->origin), part);
    const size_t count = parts_.grouping.size();
    for (size_t i = 0; i < count; ++i) {
      if (!same_expression(call.arguments[0], parts_.grouping[i])) continue;
      const DataType type(TypeId::kLong);
      const auto shift = make_integer(static_cast<int32_t>(count - 1 - i));
      const ExpressionPtr shifted = resolved::make_expression(
          resolved::Call{"shiftright", {reference_to(parts_.grouping_id), shift}, call.ansi}, type, false);
      const ExpressionPtr bit =
          resolved::make_expression(resolved::Call{"&", {shifted, make_long(1)}, call.ansi}, type, false);
      return cast_implicitly(bit, DataType(TypeId::kByte));
    }
    return fail(error("GROUPING_COLUMN_MISMATCH", {{"grouping", "grouping"}, {"groupingColumns", ""}}), part);
  }

  Status missing(const resolved::ColumnReference& reference, const plan::Origin& origin) const {
    std::string name;
    const AggregateParts& parts = parts_;
    for (const Columns* columns : {&parts.input.columns, &parts.input.hidden, &parts.input.plan->output}) {
      for (const Column& column : *columns) {
        if (column.id == reference.id && name.empty()) name = column.name;
      }
    }
    if (output_ != nullptr) return unresolved_column({name}, {output_}, origin);
    if (parts_.grouping.empty() && parts_.grouping_sets.empty()) return error("MISSING_GROUP_BY");
    return error("MISSING_AGGREGATION",
                 {{"expression", quoted_expression(name)},
                  {"expressionAnyValue", quoted_expression("any_value(" + name + ")")}});
  }

  ExpressionPtr fail(Status status, const ExpressionPtr& part) {
    if (status_.ok()) status_ = std::move(status);
    return part;
  }

  Analysis& analysis_;
  AggregateParts& parts_;
  const Columns* output_;
  ColumnIds input_ids_;
  Status status_;
};

// One node makes all groups: Spark's functions and Python's cannot share it.
Status check_python_calls(const AggregateParts& parts) {
  std::string names;
  for (const ExpressionPtr& call : parts.calls) {
    if (const auto* python = resolved::as<resolved::PythonCall>(call))
      names += (names.empty() ? "" : ", ") + quoted_name(python->function->name);
  }
  if (names.empty()) return Status();
  const bool only_python = std::all_of(parts.calls.begin(), parts.calls.end(), [](const auto& call) {
    return resolved::as<resolved::PythonCall>(call) != nullptr;
  });
  return only_python ? Status() : error("INVALID_PANDAS_UDF_PLACEMENT", {{"functionList", names}});
}

bool has_python_calls(const AggregateParts& parts) {
  return std::any_of(parts.calls.begin(), parts.calls.end(),
                     [](const auto& call) { return resolved::as<resolved::PythonCall>(call) != nullptr; });
}

Substitution item_expressions(const AggregateParts& parts) {
  Substitution substitution;
  for (const NamedExpression& item : parts.items) substitution[item.column.id] = item.expression;
  return substitution;
}

}  // namespace

bool is_aggregate(const ExpressionPtr& expression) {
  if (const auto* python = resolved::as<resolved::PythonCall>(expression))
    return is_python_aggregate(python->function->eval_type);
  return resolved::as<resolved::AggregateCall>(expression) != nullptr;
}

bool contains_aggregate(const ExpressionPtr& expression) { return any_of(expression, is_aggregate); }

Result<ExpressionPtr> over_aggregate(Analysis& analysis, AggregateParts& parts,
                                     const ExpressionPtr& expression, const Columns* output) {
  Extraction extraction(analysis, parts, output);
  ExpressionPtr result = extraction.run(expression);
  RETURN_IF_ERROR(extraction.status());
  RETURN_IF_ERROR(check_python_calls(parts));
  return result;
}

RelationPtr build_aggregate_plan(Analysis& analysis, const AggregateParts& parts) {
  Columns output = parts.grouping_columns;
  output.insert(output.end(), parts.call_columns.begin(), parts.call_columns.end());
  if (parts.grouping_id.id != 0) output.push_back(parts.grouping_id);
  const int32_t partitions = parts.grouping.empty() ? 1 : analysis.settings.shuffle_partitions;
  // Without keys and calls there is one row, whatever the input.
  RelationPtr plan = output.empty()
                         ? resolved::make_relation(resolved::OneRow{}, {}, 1)
                         : resolved::make_relation(resolved::Aggregate{parts.input.plan, parts.grouping,
                                                                       parts.calls, parts.grouping_sets},
                                                   std::move(output), partitions);
  if (parts.having != nullptr) {
    Columns kept = plan->output;
    plan = resolved::make_relation(resolved::Filter{plan, parts.having}, std::move(kept), partitions);
  }
  return project(analysis, source(plan), parts.items).plan;
}

Input aggregate_input(Analysis& analysis, std::shared_ptr<AggregateParts> parts) {
  Input input = source(build_aggregate_plan(analysis, *parts));
  // Items keep the ids that the projection gave them, also where two had the same.
  for (size_t i = 0; i < parts->items.size(); ++i) parts->items[i].column = input.columns[i];
  input.data_frames = parts->input.data_frames;
  input.below =
      std::make_shared<const Below>(Below{parts->input.columns, parts->input.hidden, parts->input.below});
  input.aggregate = std::move(parts);
  return input;
}

Status extend_aggregate_for_sort(Analysis& analysis, Input& input, std::vector<resolved::SortKey>& keys) {
  auto parts = std::make_shared<AggregateParts>(*input.aggregate);
  const Substitution items = item_expressions(*parts);
  const ColumnIds visible = output_ids(input.plan);
  for (resolved::SortKey& key : keys) {
    const ColumnIds read = references(key.expression);
    const bool direct =
        !contains_aggregate(key.expression) &&
        std::all_of(read.begin(), read.end(), [&](resolved::ColumnId id) { return visible.contains(id); });
    if (direct) continue;
    ASSIGN_OR_RETURN(const ExpressionPtr expression,
                     over_aggregate(analysis, *parts, substitute(key.expression, items), &input.columns));
    const Column column{analysis.next_id(), "sort_key", expression->type, expression->nullable, {}, ""};
    parts->items.push_back({expression, column});
    key.expression = reference_to(column);
  }
  input.plan = build_aggregate_plan(analysis, *parts);
  return Status();
}

// ---- the nodes
// -------------------------------------------------------------------------------------------------

namespace {

bool is_group_by_all(const unresolved::Expressions& grouping) {
  if (grouping.size() != 1) return false;
  const auto* attribute = unresolved::as<unresolved::Attribute>(grouping[0]);
  return attribute != nullptr && attribute->parts.size() == 1 && lower_case(attribute->parts[0]) == "all";
}

int64_t ordinal_of(const unresolved::ExpressionPtr& expression) {
  const auto* literal = unresolved::as<unresolved::Literal>(expression);
  if (literal == nullptr || !literal->value.type.is(TypeId::kInteger) || literal->value.value.is_null())
    return -1;
  return std::get<int64_t>(literal->value.value.data);
}

// Every way of leaving out grouping expressions: rollup drops from the right, cube drops any.
std::vector<std::vector<int32_t>> grouping_sets_of(plan::GroupType type, int32_t count) {
  std::vector<std::vector<int32_t>> sets;
  if (type == plan::GroupType::kRollup) {
    for (int32_t length = count; length >= 0; --length) {
      std::vector<int32_t> set;
      for (int32_t i = 0; i < length; ++i) set.push_back(i);
      sets.push_back(std::move(set));
    }
    return sets;
  }
  for (int32_t left_out = 0; left_out < (1 << count); ++left_out) {
    std::vector<int32_t> set;
    for (int32_t i = 0; i < count; ++i) {
      if ((left_out & (1 << (count - 1 - i))) == 0) set.push_back(i);
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

// The outputs for the grouping expressions: a bare column keeps its id unless sets may null it out.
void add_grouping(Analysis& analysis, AggregateParts& parts, const resolved::Expressions& grouping,
                  bool has_sets) {
  for (const ExpressionPtr& expression : grouping) {
    const bool known =
        !has_sets && std::any_of(parts.grouping.begin(), parts.grouping.end(),
                                 [&](const auto& other) { return same_expression(other, expression); });
    if (known) continue;
    Column column{analysis.next_id(), "group", expression->type, expression->nullable || has_sets, {}, ""};
    if (const auto* reference = resolved::as<resolved::ColumnReference>(expression)) {
      for (const Column& source : parts.input.plan->output) {
        if (source.id != reference->id) continue;
        column.name = source.name;
        if (!has_sets) column.id = source.id;
      }
    }
    parts.grouping.push_back(expression);
    parts.grouping_columns.push_back(std::move(column));
  }
}

// GROUPING SETS: each grouping expression once, and the sets as indexes of these.
void add_explicit_sets(const unresolved::Aggregate& node, AggregateParts& parts,
                       resolved::Expressions& grouping) {
  resolved::Expressions unique;
  std::vector<int32_t> position;
  for (const ExpressionPtr& expression : grouping) {
    size_t found = 0;
    while (found < unique.size() && !same_expression(unique[found], expression)) ++found;
    if (found == unique.size()) unique.push_back(expression);
    position.push_back(static_cast<int32_t>(found));
  }
  size_t next = node.grouping.size();
  for (const auto& set : node.grouping_sets) {
    std::vector<int32_t> indexes;
    for (size_t i = 0; i < set.size(); ++i) indexes.push_back(position[next++]);
    parts.grouping_sets.push_back(std::move(indexes));
  }
  grouping = std::move(unique);
}

}  // namespace

Result<resolved::Expressions> RelationResolver::resolve_grouping_list(
    const unresolved::Expressions& grouping, bool by_alias, const Input& input,
    const std::vector<NamedExpression>& items) {
  Scope scope = scope_of(input);
  // GROUP BY may name an alias of the select list.
  std::vector<LateralAlias> aliases;
  if (by_alias) {
    for (const NamedExpression& item : items) aliases.push_back({item.column.name, item.expression});
  }
  scope.aliases = &aliases;
  ExpressionResolver resolver(analysis_, scope, {false, false, "GROUP BY"});
  resolved::Expressions result;
  if (by_alias && is_group_by_all(grouping)) {
    ASSIGN_OR_RETURN(const auto column, find_in_inputs(scope, {"all"}, nullptr));
    if (!column.has_value()) {
      for (const NamedExpression& item : items) {
        if (!contains_aggregate(item.expression)) result.push_back(item.expression);
      }
      return result;
    }
  }
  for (const auto& expression : grouping) {
    const int64_t ordinal = analysis_.settings.group_by_ordinal ? ordinal_of(expression) : -1;
    if (ordinal < 0 || !by_alias) {
      ASSIGN_OR_RETURN(auto value, resolver.resolve(expression));
      if (contains_aggregate(value)) {
        return at(error("GROUP_BY_AGGREGATE", {{"sqlExpr", resolver.qualified(expression)}}),
                  expression->origin);
      }
      result.push_back(std::move(value));
      continue;
    }
    if (ordinal < 1 || ordinal > static_cast<int64_t>(items.size())) {
      return at(error("GROUP_BY_POS_OUT_OF_RANGE",
                      {{"index", std::to_string(ordinal)}, {"size", std::to_string(items.size())}}),
                expression->origin);
    }
    const NamedExpression& item = items[static_cast<size_t>(ordinal - 1)];
    if (contains_aggregate(item.expression)) {
      return at(error("GROUP_BY_POS_AGGREGATE",
                      {{"index", std::to_string(ordinal)},
                       {"aggExpr", item.column.name + " AS " + quoted_name(item.column.name)}}),
                expression->origin);
    }
    result.push_back(item.expression);
  }
  return result;
}

Result<Input> RelationResolver::aggregate(const unresolved::Aggregate& node, Input input,
                                          const plan::Origin& origin) {
  if (node.group_type == plan::GroupType::kPivot) return pivot(node, std::move(input), origin);
  ASSIGN_OR_RETURN(std::vector<NamedExpression> items,
                   select_list(node.aggregates, input, {true, true, "", origin}));
  unresolved::Expressions grouping_texts = node.grouping;
  if (node.group_type == plan::GroupType::kGroupingSets) {
    for (const auto& set : node.grouping_sets)
      grouping_texts.insert(grouping_texts.end(), set.begin(), set.end());
  }
  ASSIGN_OR_RETURN(resolved::Expressions grouping,
                   resolve_grouping_list(grouping_texts, node.output_is_select_list, input, items));
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  if (!node.output_is_select_list) {
    std::vector<NamedExpression> all;
    for (const auto& expression : node.grouping) {
      ASSIGN_OR_RETURN(auto named, resolver.resolve_item(expression));
      if (const size_t index = all.size(); named.size() == 1 && index < grouping.size())
        named[0].expression = grouping[index];
      std::move(named.begin(), named.end(), std::back_inserter(all));
    }
    std::move(items.begin(), items.end(), std::back_inserter(all));
    items = std::move(all);
  }
  auto parts = std::make_shared<AggregateParts>();
  parts->input = std::move(input);
  const bool has_sets = node.group_type == plan::GroupType::kRollup ||
                        node.group_type == plan::GroupType::kCube ||
                        node.group_type == plan::GroupType::kGroupingSets;
  if (node.group_type == plan::GroupType::kGroupingSets) {
    add_explicit_sets(node, *parts, grouping);
  } else if (has_sets) {
    constexpr size_t kMostColumns = 12;
    if (node.group_type == plan::GroupType::kCube && grouping.size() > kMostColumns) {
      return at(unsupported("CUBE of more than 12 expressions"), origin);
    }
    parts->grouping_sets = grouping_sets_of(node.group_type, static_cast<int32_t>(grouping.size()));
  }
  add_grouping(analysis_, *parts, grouping, has_sets);
  if (has_sets)
    parts->grouping_id = {analysis_.next_id(), "spark_grouping_id", DataType(TypeId::kLong), false, {}, ""};
  for (NamedExpression& item : items) {
    const auto* before = resolved::as<resolved::ColumnReference>(item.expression);
    const bool bare = before != nullptr && before->id == item.column.id;
    auto computed = over_aggregate(analysis_, *parts, item.expression);
    if (!computed.ok()) {
      return computed.status().condition() == "MISSING_GROUP_BY" ? at(computed.status(), origin)
                                                                 : computed.status();
    }
    item.expression = *std::move(computed);
    // With grouping sets a bare grouping column is another column than the input's.
    const auto* after = resolved::as<resolved::ColumnReference>(item.expression);
    if (bare && after != nullptr) item.column.id = after->id;
  }
  parts->items = std::move(items);
  return aggregate_input(analysis_, std::move(parts));
}

Result<Input> RelationResolver::having(const unresolved::ExpressionPtr& condition, Input input,
                                       const plan::Origin& origin) {
  Scope scope = scope_of(input);
  scope.look_below = true;
  ExpressionResolver resolver(analysis_, scope, {true, false, "HAVING", origin});
  ASSIGN_OR_RETURN(ExpressionPtr value,
                   resolver.resolve_condition(condition, "DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN", origin));
  if (input.aggregate == nullptr) return analyzer::filter(std::move(input), std::move(value));
  auto parts = std::make_shared<AggregateParts>(*input.aggregate);
  ASSIGN_OR_RETURN(
      value, over_aggregate(analysis_, *parts, substitute(value, item_expressions(*parts)), &input.columns));
  parts->having = both(parts->having, std::move(value));
  Input result = aggregate_input(analysis_, std::move(parts));
  result.columns = input.columns;
  result.data_frames = std::move(input.data_frames);
  return result;
}

// SQL's PIVOT groups by the columns that neither the aggregates nor FOR name.
Result<Input> RelationResolver::pivot_sql(const unresolved::Pivot& node, Input input,
                                          const plan::Origin& origin) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope, {true, false, ""});
  ASSIGN_OR_RETURN(const ExpressionPtr column, resolver.resolve(node.column));
  ColumnIds used;
  const auto use = [&](const ExpressionPtr& value) {
    for (const resolved::ColumnId id : references(value)) used.insert(id);
  };
  use(column);
  for (const auto& aggregate : node.aggregates) {
    ASSIGN_OR_RETURN(const ExpressionPtr value, resolver.resolve(aggregate));
    use(value);
  }
  unresolved::Aggregate grouped;
  grouped.group_type = plan::GroupType::kPivot;
  grouped.aggregates = node.aggregates;
  grouped.pivot_column = node.column;
  grouped.pivot_values = node.values;
  for (const Column& other : input.columns) {
    if (used.contains(other.id)) continue;
    plan::Names name = other.qualifier;
    name.push_back(other.name);
    grouped.grouping.push_back(unresolved::make_expression(unresolved::Attribute{name, -1, false}));
  }
  return pivot(grouped, std::move(input), origin);
}

// Two aggregations: by group and pivot column first, then one row per group that picks the value of each
// pivot value.
namespace {

// Without a list the values are all that there are, in their order: the analysis has to look.
Result<std::vector<std::pair<ExpressionPtr, std::string>>> pivot_values(Analysis& analysis,
                                                                        const ExpressionPtr& pivot,
                                                                        const Input& input) {
  constexpr int64_t kMostValues = 10000;  // spark.sql.pivotMaxValues
  const Column column{analysis.next_id(), "value", pivot->type, true, {}, ""};
  RelationPtr plan =
      resolved::make_relation(resolved::Project{input.plan, {pivot}}, {column}, input.plan->partitions);
  plan = resolved::make_relation(resolved::Distinct{plan}, {column}, 1);
  plan =
      resolved::make_relation(resolved::Sort{plan, {{reference_to(column), true, true}}, true}, {column}, 1);
  const DataType text(TypeId::kString);
  const Column shown{analysis.next_id(), "text", text, true, {}, ""};
  plan = resolved::make_relation(resolved::Project{plan, {cast_implicitly(reference_to(column), text)}},
                                 {shown}, 1);
  ASSIGN_OR_RETURN(plan, simplify(analysis, plan));
  ASSIGN_OR_RETURN(const auto texts, analysis.catalog.run(plan, kMostValues + 1));
  if (static_cast<int64_t>(texts.size()) > kMostValues) {
    return error("_LEGACY_ERROR_TEMP_1324", {{"pivotColumn", "the pivot column"},
                                             {"config", "spark.sql.pivotMaxValues"},
                                             {"maxValues", std::to_string(kMostValues)}});
  }
  std::vector<std::pair<ExpressionPtr, std::string>> values;
  for (const auto& value : texts) {
    if (!value.has_value()) {
      values.emplace_back(make_literal({pivot->type, {}}), "null");
      continue;
    }
    ExpressionPtr literal = make_string(*value);
    if (!pivot->type.is(TypeId::kString))
      literal = resolved::make_expression(resolved::Cast{literal, plan::CastMode::kAnsi}, pivot->type, true);
    values.emplace_back(std::move(literal), *value);
  }
  return values;
}

}  // namespace

Result<Input> RelationResolver::pivot(const unresolved::Aggregate& node, Input input,
                                      const plan::Origin& origin) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope, {true, false, ""});
  ASSIGN_OR_RETURN(const ExpressionPtr pivot_column, resolver.resolve(node.pivot_column));
  ASSIGN_OR_RETURN(const auto aggregates, select_list(node.aggregates, input, {true, false, ""}));
  unresolved::Aggregate first;
  first.grouping = node.grouping;
  first.grouping.push_back(node.pivot_column);
  first.aggregates = node.aggregates;
  std::vector<std::pair<ExpressionPtr, std::string>> values;
  for (const auto& value : node.pivot_values) {
    const auto* alias = unresolved::as<unresolved::Alias>(value);
    ASSIGN_OR_RETURN(ExpressionPtr literal, resolver.resolve(value));
    const std::string name = alias != nullptr ? alias->names[0] : resolver.pretty(value);
    values.emplace_back(cast_implicitly(std::move(literal), pivot_column->type),
                        name == "NULL" ? "null" : name);
  }
  if (node.pivot_values.empty()) {
    ASSIGN_OR_RETURN(values, pivot_values(analysis_, pivot_column, input));
  }
  ASSIGN_OR_RETURN(Input grouped, aggregate(first, Input(input), origin));
  if (grouped.aggregate != nullptr && has_python_calls(*grouped.aggregate))
    return error("UNSUPPORTED_FEATURE.PANDAS_UDAF_IN_PIVOT");
  const size_t keys = node.grouping.size();
  auto parts = std::make_shared<AggregateParts>();
  const Columns columns = grouped.columns;
  resolved::Expressions group_columns;
  for (size_t i = 0; i < keys; ++i) group_columns.push_back(reference_to(columns[i]));
  parts->input = std::move(grouped);
  add_grouping(analysis_, *parts, group_columns, false);
  for (size_t i = 0; i < keys; ++i) parts->items.push_back({reference_to(columns[i]), columns[i]});
  for (const auto& [value, name] : values) {
    for (size_t i = 0; i < aggregates.size(); ++i) {
      const Column& measured = columns[keys + 1 + i];
      ASSIGN_OR_RETURN(ExpressionPtr match, resolver.call("<=>", {reference_to(columns[keys]), value}));
      ASSIGN_OR_RETURN(ExpressionPtr picked, resolver.call("first", {reference_to(measured)}));
      resolved::AggregateCall call = *resolved::as<resolved::AggregateCall>(picked);
      call.filter = std::move(match);
      picked = resolved::make_expression(std::move(call), measured.type, true);
      ASSIGN_OR_RETURN(picked, over_aggregate(analysis_, *parts, picked));
      const std::string title = aggregates.size() == 1 ? name : name + "_" + aggregates[i].column.name;
      parts->items.push_back({picked, {analysis_.next_id(), title, picked->type, true, {}, ""}});
    }
  }
  Input result = source(build_aggregate_plan(analysis_, *parts));
  result.data_frames = std::move(input.data_frames);
  return result;
}

}  // namespace deuteron::analyzer
