#include <algorithm>
#include <set>
#include <type_traits>

#include "relational/relation_writer.h"

namespace deuteron::relational {

using plan::resolved::CteDefinition;
using plan::resolved::Expression;
using plan::resolved::ExpressionPtr;
using plan::resolved::Expressions;
using plan::resolved::Relation;
using plan::resolved::RelationPtr;
using plan::resolved::SortKey;
using plan::resolved::WindowFrame;

namespace {

// Collects the expressions and relations among a node's fields.
struct FieldCollector {
  std::vector<ExpressionPtr> expressions;
  std::vector<RelationPtr> relations;

  void operator()(const char*, const ExpressionPtr& field) { add(field); }
  void operator()(const char*, const RelationPtr& field) {
    if (field != nullptr) relations.push_back(field);
  }
  void operator()(const char*, const Expressions& field) {
    for (const ExpressionPtr& expression : field) add(expression);
  }
  void operator()(const char*, const std::vector<Expressions>& field) {
    for (const Expressions& row : field) (*this)("", row);
  }
  void operator()(const char*, const std::vector<SortKey>& field) {
    for (const SortKey& key : field) add(key.expression);
  }
  void operator()(const char*, const std::shared_ptr<const WindowFrame>& field) {
    if (field == nullptr) return;
    add(field->lower.value);
    add(field->upper.value);
  }
  void operator()(const char*, const std::vector<CteDefinition>& field) {
    for (const CteDefinition& definition : field) relations.push_back(definition.relation);
  }
  template <typename Field>
  void operator()(const char*, const Field&) {}

  void add(const ExpressionPtr& expression) {
    if (expression != nullptr) expressions.push_back(expression);
  }
};

template <typename Variant>
FieldCollector collect(const Variant& variant) {
  FieldCollector collector;
  std::visit(
      [&](const auto& node) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(node)>, std::monostate>)
          visit_fields(node, collector);
      },
      variant);
  return collector;
}

using ColumnIds = std::set<plan::resolved::ColumnId>;

// The columns that a plan and its sub-queries read, and those that any relation of it gives.
void collect_columns(const RelationPtr& relation, ColumnIds& read, ColumnIds& given) {
  for (const auto& column : relation->output) given.insert(column.id);
  const auto visit = [&](const Expression& part) {
    if (const auto* column = std::get_if<plan::resolved::ColumnReference>(&part.node))
      read.insert(column->id);
    if (const auto* lambda = std::get_if<plan::resolved::Lambda>(&part.node)) {
      for (const auto& parameter : lambda->parameters) given.insert(parameter.id);
    }
    for (const RelationPtr& plan : collect(part.node).relations) collect_columns(plan, read, given);
  };
  for (const ExpressionPtr& expression : expressions_of(*relation)) for_each_expression(expression, visit);
  for (const RelationPtr& input : inputs_of(*relation)) collect_columns(input, read, given);
}

}  // namespace

bool is_correlated(const RelationPtr& plan) {
  ColumnIds read, given;
  collect_columns(plan, read, given);
  return !std::includes(given.begin(), given.end(), read.begin(), read.end());
}

void for_each_expression(const ExpressionPtr& expression,
                         const std::function<void(const Expression&)>& visit) {
  if (expression == nullptr) return;
  visit(*expression);
  for (const ExpressionPtr& child : collect(expression->node).expressions) for_each_expression(child, visit);
}

std::vector<RelationPtr> inputs_of(const Relation& relation) { return collect(relation.node).relations; }
std::vector<ExpressionPtr> expressions_of(const Relation& relation) {
  return collect(relation.node).expressions;
}

}  // namespace deuteron::relational
