#include "execution/outer_references.h"

#include <algorithm>
#include <set>

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT: nearly every name here is a node's

// The columns that a plan reads and those that it makes. Fields of other types pass unseen.
class ColumnCollector {
 public:
  template <typename Field>
  void operator()(const char*, const Field& field) {
    collect(field);
  }
  void collect(const RelationPtr& relation) {
    if (relation == nullptr) return;
    add_made(relation->output);
    collect_node(relation->node);
  }
  void collect(const ExpressionPtr& expression) {
    if (expression == nullptr) return;
    if (const auto* column = as<ColumnReference>(expression)) read_.insert(column->id);
    collect_node(expression->node);
  }

  std::set<ColumnId> outside() const {
    std::set<ColumnId> ids;
    std::set_difference(read_.begin(), read_.end(), made_.begin(), made_.end(),
                        std::inserter(ids, ids.end()));
    return ids;
  }

 private:
  template <typename Other>
  void collect(const Other&) {}
  template <typename Item>
  void collect(const std::vector<Item>& items) {
    for (const Item& item : items) collect(item);
  }
  void collect(const SortKey& key) { collect(key.expression); }
  void collect(const CteDefinition& definition) { collect(definition.relation); }
  void collect(const Column& column) { made_.insert(column.id); }  // of a lambda

  void add_made(const Columns& columns) {
    for (const Column& column : columns) made_.insert(column.id);
  }
  template <typename Variant>
  void collect_node(const Variant& node) {
    std::visit(
        [this](const auto& what) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(what)>, std::monostate>)
            visit_fields(what, *this);
        },
        node);
  }

  std::set<ColumnId> read_, made_;
};

// What the expressions read that is none of these columns.
std::set<ColumnId> read_beside(const Expressions& expressions, const Columns& columns) {
  ColumnCollector collector;
  for (const ExpressionPtr& expression : expressions) collector.collect(expression);
  std::set<ColumnId> ids = collector.outside();
  for (const Column& column : columns) ids.erase(column.id);
  return ids;
}

std::optional<LiftedFilters> lift_over_filter(const Relation& relation, const Filter& filter) {
  std::optional<LiftedFilters> lifted = lift_outer_filters(filter.input);
  if (!lifted.has_value()) return std::nullopt;
  if (read_beside({filter.condition}, filter.input->output).empty()) {
    const Columns output = lifted->relation->output;
    lifted->relation = make_relation(Filter{lifted->relation, filter.condition}, output, relation.partitions);
  } else {
    lifted->conditions.push_back(filter.condition);
  }
  return lifted;
}

std::optional<LiftedFilters> lift_over_project(const Relation& relation, const Project& project) {
  if (!read_beside(project.expressions, project.input->output).empty()) return std::nullopt;
  std::optional<LiftedFilters> lifted = lift_outer_filters(project.input);
  if (!lifted.has_value()) return std::nullopt;
  Expressions expressions = project.expressions;
  Columns output = relation.output;
  const std::set<ColumnId> wanted = read_beside(lifted->conditions, output);
  for (const Column& column : lifted->relation->output) {
    if (!wanted.contains(column.id)) continue;
    expressions.push_back(make_expression(ColumnReference{column.id}, column.type, column.nullable));
    output.push_back(column);
  }
  lifted->relation = make_relation(Project{lifted->relation, std::move(expressions)}, std::move(output),
                                   relation.partitions);
  return lifted;
}

std::optional<LiftedFilters> lift_over_evaluate(const Relation& relation, const EvaluatePython& node) {
  if (!read_beside(node.calls, node.input->output).empty()) return std::nullopt;
  std::optional<LiftedFilters> lifted = lift_outer_filters(node.input);
  if (!lifted.has_value()) return std::nullopt;
  Columns output = lifted->relation->output;
  output.insert(output.end(), relation.output.begin() + static_cast<long>(node.input->output.size()),
                relation.output.end());
  lifted->relation =
      make_relation(EvaluatePython{lifted->relation, node.calls}, std::move(output), relation.partitions);
  return lifted;
}

}  // namespace

bool refers_outside(const RelationPtr& relation) {
  ColumnCollector collector;
  collector.collect(relation);
  return !collector.outside().empty();
}

std::optional<LiftedFilters> lift_outer_filters(const RelationPtr& relation) {
  if (!refers_outside(relation)) return LiftedFilters{relation, {}};
  if (const auto* filter = as<Filter>(relation)) return lift_over_filter(*relation, *filter);
  if (const auto* project = as<Project>(relation)) return lift_over_project(*relation, *project);
  if (const auto* node = as<EvaluatePython>(relation)) return lift_over_evaluate(*relation, *node);
  return std::nullopt;
}

}  // namespace deuteron::execution
