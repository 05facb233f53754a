#include "analyzer/renumbering.h"

namespace deuteron::analyzer {

using resolved::ExpressionPtr;
using resolved::RelationPtr;

namespace {

class Renumbering {
 public:
  explicit Renumbering(Analysis& analysis) : analysis_(analysis) {}

  RelationPtr run(const RelationPtr& relation) {
    RelationPtr next = map_inputs(relation, [&](const RelationPtr& input) { return run(input); });
    next = map_expressions(next, [&](const ExpressionPtr& part) { return run(part); });
    auto copy = std::make_shared<resolved::Relation>(*next);
    renumber(copy->output);
    std::visit([&](auto& node) { renumber_node(node); }, copy->node);
    return copy;
  }

 private:
  ExpressionPtr run(const ExpressionPtr& expression) {
    if (const auto* column = resolved::as<resolved::ColumnReference>(expression)) {
      return resolved::make_expression(resolved::ColumnReference{column_id(column->id)}, expression->type,
                                       expression->nullable, expression->origin);
    }
    ExpressionPtr next = map_children(expression, [&](const ExpressionPtr& child) { return run(child); });
    if (const RelationPtr plan = subquery_plan(next)) next = with_subquery_plan(next, run(plan));
    if (const auto* lambda = resolved::as<resolved::Lambda>(next)) {
      resolved::Lambda copy = *lambda;
      renumber(copy.parameters);
      next = resolved::make_expression(std::move(copy), next->type, next->nullable, next->origin);
    }
    return next;
  }

  void renumber(resolved::Columns& columns) {
    for (resolved::Column& column : columns) column.id = column_id(column.id);
  }
  void renumber(std::vector<resolved::ColumnId>& ids) {
    for (resolved::ColumnId& id : ids) id = column_id(id);
  }
  void renumber_node(resolved::DistinctOn& node) { renumber(node.keys); }
  void renumber_node(resolved::GroupMap& node) {
    renumber(node.grouping);
    renumber(node.argument_columns);
  }
  void renumber_node(resolved::CoGroupMap& node) {
    for (auto* ids : {&node.left_grouping, &node.left_arguments, &node.right_grouping, &node.right_arguments})
      renumber(*ids);
  }
  void renumber_node(resolved::PythonWindow& node) {
    renumber(node.partition_by);
    renumber(node.order);
  }
  void renumber_node(resolved::CteScan& node) {
    node.cte_id = definition_id(node.cte_id);
    renumber(node.definition_columns);
  }
  void renumber_node(resolved::WithCte& node) {
    for (resolved::CteDefinition& definition : node.definitions) definition.id = definition_id(definition.id);
  }
  template <typename Node>
  void renumber_node(Node&) {}

  resolved::ColumnId column_id(resolved::ColumnId old) {
    resolved::ColumnId& id = columns_[old];
    if (id == 0) id = analysis_.next_id();
    return id;
  }
  int64_t definition_id(int64_t old) {
    int64_t& id = definitions_[old];
    if (id == 0) id = analysis_.next_cte_id();
    return id;
  }

  Analysis& analysis_;
  std::map<resolved::ColumnId, resolved::ColumnId> columns_;
  std::map<int64_t, int64_t> definitions_;
};

}  // namespace

RelationPtr renumbered(Analysis& analysis, const RelationPtr& plan) {
  return Renumbering(analysis).run(plan);
}

}  // namespace deuteron::analyzer
