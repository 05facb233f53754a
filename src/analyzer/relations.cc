#include "analyzer/relations.h"

#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/node_name.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::RelationPtr;

namespace {

// The input on which a node is applied once that is resolved; null for leaves and for nodes that look after
// it themselves.
const unresolved::RelationPtr* main_input(const unresolved::RelationPtr& relation) {
  return std::visit(
      [](const auto& node) -> const unresolved::RelationPtr* {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, unresolved::WithCte> ||
                      std::is_same_v<Node, unresolved::WithRelations>) {
          return nullptr;
        } else if constexpr (requires { node.input; }) {
          return &node.input;
        } else if constexpr (requires { node.left; }) {
          return &node.left;
        } else {
          return nullptr;
        }
      },
      relation->node);
}

}  // namespace

Result<Input> RelationResolver::resolve(const unresolved::RelationPtr& relation) {
  const Analysis::Nesting nesting(analysis_);
  RETURN_IF_ERROR(nesting.check());
  std::vector<const unresolved::RelationPtr*> chain;
  const unresolved::RelationPtr* current = &relation;
  while (const unresolved::RelationPtr* input = main_input(*current)) {
    chain.push_back(current);
    current = input;
  }
  ASSIGN_OR_RETURN(Input result, resolve_leaf(*current));
  mark_data_frame(result, (*current)->plan_id);
  for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
    const auto* projection = unresolved::as<unresolved::Project>(**node);
    const bool is_grouped = projection != nullptr && std::next(node) != chain.rend() &&
                            unresolved::as<unresolved::Having>(**std::next(node)) != nullptr;
    auto next = is_grouped ? project(*projection, std::move(result), (**std::next(node))->origin, true)
                           : apply(**node, std::move(result));
    if (!next.ok()) return next.status();
    result = *std::move(next);
    mark_data_frame(result, (**node)->plan_id);
  }
  return result;
}

Result<Input> RelationResolver::resolve_settled(const unresolved::RelationPtr& relation) {
  ASSIGN_OR_RETURN(Input input, resolve(relation));
  return settle(std::move(input));
}

Result<Input> RelationResolver::resolve_leaf(const unresolved::RelationPtr& relation) {
  const plan::Origin& origin = relation->origin;
  if (const auto* node = unresolved::as<unresolved::NamedTable>(relation)) return named_table(*node, origin);
  if (const auto* node = unresolved::as<unresolved::DataSource>(relation)) return data_source(*node, origin);
  if (const auto* node = unresolved::as<unresolved::LocalRelation>(relation)) {
    return local_relation(node->data, node->schema_text);
  }
  if (const auto* node = unresolved::as<unresolved::CachedLocalRelation>(relation))
    return cached_local_relation(*node);
  if (const auto* node = unresolved::as<unresolved::Range>(relation)) return range(*node);
  if (const auto* node = unresolved::as<unresolved::Sql>(relation)) return sql_text(*node);
  if (const auto* node = unresolved::as<unresolved::Values>(relation)) return values(*node, origin);
  if (const auto python = python_table(relation)) return python_table_function(*python, origin);
  if (const auto* node = unresolved::as<unresolved::TableFunction>(relation))
    return table_function(*node, origin);
  if (unresolved::as<unresolved::OneRow>(relation) != nullptr) {
    return source(resolved::make_relation(resolved::OneRow{}, {}, 1));
  }
  if (const auto* node = unresolved::as<unresolved::WithCte>(relation)) return with_cte(*node, origin);
  if (const auto* node = unresolved::as<unresolved::WithRelations>(relation)) return with_relations(*node);
  if (const auto* node = unresolved::as<unresolved::UnsupportedRelation>(relation)) {
    return at(unsupported(node->feature), origin);
  }
  if (const auto* node = unresolved::as<unresolved::CatalogCall>(relation)) {
    return at(unsupported("spark.catalog." + node->function), origin);
  }
  return at(unsupported("the relation " + node_name_of(*relation)), origin);
}

Result<Input> RelationResolver::apply(const unresolved::RelationPtr& relation, Input input) {
  const plan::Origin& origin = relation->origin;
  return std::visit(
      [&](const auto& node) -> Result<Input> {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, unresolved::Project>) {
          return project(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::Filter>) {
          return filter(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::Join>) {
          return join(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::SetOperation>) {
          return set_operation(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::Sort>) {
          return sort(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Limit>) {
          RelationPtr plan =
              resolved::make_relation(resolved::Limit{input.plan, node.count, 0}, input.plan->output, 1);
          return with_plan(std::move(input), std::move(plan));
        } else if constexpr (std::is_same_v<Node, unresolved::Offset>) {
          RelationPtr plan =
              resolved::make_relation(resolved::Limit{input.plan, -1, node.count}, input.plan->output, 1);
          return with_plan(std::move(input), std::move(plan));
        } else if constexpr (std::is_same_v<Node, unresolved::Tail>) {
          RelationPtr plan =
              resolved::make_relation(resolved::Tail{input.plan, node.count}, input.plan->output, 1);
          return with_plan(std::move(input), std::move(plan));
        } else if constexpr (std::is_same_v<Node, unresolved::LimitExpression>) {
          return limit(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Aggregate>) {
          return aggregate(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::Having>) {
          return having(node.condition, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::SubqueryAlias>) {
          return subquery_alias(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::LateralView>) {
          return lateral_view(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Deduplicate>) {
          return deduplicate(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Repartition>) {
          const int32_t partitions = node.shuffle || input.plan->partitions == 0
                                         ? node.partitions
                                         : std::min(node.partitions, input.plan->partitions);
          RelationPtr plan = resolved::make_relation(resolved::Repartition{input.plan, {}, node.shuffle},
                                                     input.plan->output, partitions);
          return with_plan(std::move(input), std::move(plan));
        } else if constexpr (std::is_same_v<Node, unresolved::RepartitionByExpression>) {
          return repartition_by(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::WithColumns>) {
          return with_columns(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::WithColumnsRenamed>) {
          return with_columns_renamed(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Drop>) {
          return drop(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::ToDataFrame>) {
          return to_data_frame(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::ToSchema>) {
          return to_schema(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Hint>) {
          return hint(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Sample>) {
          return sample(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::FillNull>) {
          return fill_null(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::DropNull>) {
          return drop_null(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Replace>) {
          return replace(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::ShowString>) {
          return show_string(std::move(input), node.rows, node.truncate, node.vertical, false);
        } else if constexpr (std::is_same_v<Node, unresolved::HtmlString>) {
          return show_string(std::move(input), node.rows, node.truncate, false, true);
        } else if constexpr (std::is_same_v<Node, unresolved::Describe>) {
          return describe(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Unpivot>) {
          return unpivot(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::UnpivotOthers>) {
          return unpivot_others(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::Pivot>) {
          return pivot_sql(node, std::move(input), origin);
        } else if constexpr (std::is_same_v<Node, unresolved::MapPartitions>) {
          return map_partitions(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::GroupMap>) {
          return group_map(node, std::move(input));
        } else if constexpr (std::is_same_v<Node, unresolved::CoGroupMap>) {
          return co_group_map(node, std::move(input), origin);
        } else {
          return at(unsupported("the relation " + node_name_of(*relation)), origin);
        }
      },
      relation->node);
}

Scope RelationResolver::scope_of(const Input& input) const {
  Scope scope;
  scope.inputs = {&input};
  scope.outer = outer_;
  scope.case_sensitive = analysis_.settings.case_sensitive;
  scope.duplicates = &analysis_.duplicates;
  return scope;
}

Scope RelationResolver::scope_of(const Input& left, const Input& right) const {
  Scope scope = scope_of(left);
  scope.inputs.push_back(&right);
  return scope;
}

// ---- building inputs
// -------------------------------------------------------------------------------------------

Input with_plan(Input input, RelationPtr plan) {
  input.plan = std::move(plan);
  input.aggregate = nullptr;
  return input;
}

Input source(RelationPtr plan) {
  Input input;
  input.columns = plan->output;
  input.plan = std::move(plan);
  return input;
}

Input project(Analysis& analysis, Input input, const std::vector<NamedExpression>& items) {
  resolved::Expressions expressions;
  Columns output;
  ColumnIds used;
  for (const NamedExpression& item : items) {
    Column column = item.column;
    column.type = item.expression->type;
    column.nullable = item.expression->nullable;
    if (column.id == 0 || !used.insert(column.id).second) {
      const resolved::ColumnId first = column.id;
      column.id = analysis.next_id();
      used.insert(column.id);
      const auto known = analysis.duplicates.find(first);
      if (first != 0)
        analysis.duplicates[column.id] = known == analysis.duplicates.end() ? first : known->second;
    }
    expressions.push_back(item.expression);
    output.push_back(std::move(column));
  }
  Input next;
  next.below = std::make_shared<const Below>(
      Below{std::move(input.columns), std::move(input.hidden), std::move(input.below)});
  next.data_frames = std::move(input.data_frames);
  next.columns = output;
  const int32_t partitions = input.plan->partitions;
  next.plan = resolved::make_relation(resolved::Project{std::move(input.plan), std::move(expressions)},
                                      std::move(output), partitions);
  return next;
}

Input filter(Input input, resolved::ExpressionPtr condition) {
  const int32_t partitions = input.plan->partitions;
  RelationPtr plan = resolved::make_relation(resolved::Filter{input.plan, std::move(condition)},
                                             input.plan->output, partitions);
  return with_plan(std::move(input), std::move(plan));
}

Input settle(Input input) {
  const Columns& output = input.plan->output;
  const bool same =
      output.size() == input.columns.size() &&
      std::equal(output.begin(), output.end(), input.columns.begin(),
                 [](const Column& a, const Column& b) { return a.id == b.id && a.name == b.name; });
  if (same) return input;
  resolved::Expressions expressions;
  for (const Column& column : input.columns) expressions.push_back(reference_to(column));
  const int32_t partitions = input.plan->partitions;
  RelationPtr plan = resolved::make_relation(resolved::Project{input.plan, std::move(expressions)},
                                             input.columns, partitions);
  input.hidden.clear();
  input.plan = std::move(plan);
  return input;
}

ColumnIds output_ids(const RelationPtr& plan) {
  ColumnIds ids;
  for (const Column& column : plan->output) ids.insert(column.id);
  return ids;
}

RelationPtr expose(const RelationPtr& plan, const ColumnIds& ids) {
  ColumnIds missing = ids;
  for (const Column& column : plan->output) missing.erase(column.id);
  if (missing.empty()) return plan;
  const bool passes =
      resolved::as<resolved::Project>(plan) != nullptr || resolved::as<resolved::Filter>(plan) != nullptr ||
      resolved::as<resolved::Sort>(plan) != nullptr || resolved::as<resolved::Limit>(plan) != nullptr ||
      resolved::as<resolved::Repartition>(plan) != nullptr || resolved::as<resolved::Tail>(plan) != nullptr;
  if (!passes) return nullptr;
  RelationPtr input;
  for_each_input(plan, [&](const RelationPtr& only) { input = only; });
  const RelationPtr wider = expose(input, missing);
  if (wider == nullptr) return nullptr;
  auto copy =
      std::make_shared<resolved::Relation>(*map_inputs(plan, [&](const RelationPtr&) { return wider; }));
  auto* projection = std::get_if<resolved::Project>(&copy->node);
  if (projection == nullptr) {
    copy->output = wider->output;
    return copy;
  }
  for (const Column& column : wider->output) {
    if (!missing.contains(column.id)) continue;
    projection->expressions.push_back(reference_to(column));
    copy->output.push_back(column);
  }
  return copy;
}

void mark_data_frame(Input& input, int64_t plan_id) {
  for (DataFrame& frame : input.data_frames) ++frame.depth;
  if (plan_id < 0) return;
  input.data_frames.push_back({plan_id, std::make_shared<const Columns>(input.columns), 0});
}

}  // namespace deuteron::analyzer
