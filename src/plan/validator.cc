#include "plan/validator.h"

#include <map>
#include <set>

namespace deuteron::plan {

using resolved::as;
using resolved::Column;
using resolved::Columns;
using resolved::Expression;
using resolved::ExpressionPtr;
using resolved::Expressions;
using resolved::RelationPtr;

namespace {

using Scope = std::map<resolved::ColumnId, types::DataType>;

void add(Scope& scope, const Columns& columns) {
  for (const Column& column : columns) scope[column.id] = column.type;
}

class Validator {
 public:
  Status check(const RelationPtr& relation, const Scope& outer) {
    if (relation == nullptr) return fail("a relation", "is missing");
    // Chains of single-input nodes are walked in a loop: they may be thousands long.
    std::vector<RelationPtr> chain{relation};
    while (const RelationPtr* only = single_input(*chain.back())) chain.push_back(*only);
    for (auto node = chain.rbegin(); node != chain.rend(); ++node) {
      const bool inputs_done = node != chain.rbegin();
      RETURN_IF_ERROR(check_node(*node, outer, inputs_done));
    }
    return Status();
  }

 private:
  static const RelationPtr* single_input(const resolved::Relation& relation) {
    return std::visit(
        [](const auto& node) -> const RelationPtr* {
          if constexpr (requires { node.input; }) {
            return &node.input;
          } else {
            return nullptr;
          }
        },
        relation.node);
  }

  static Status fail(const std::string& place, const std::string& what) {
    return internal_error("invalid plan: " + place + " " + what);
  }

  Status check_node(const RelationPtr& relation, const Scope& outer, bool inputs_done) {
    const std::string place = std::visit(
        [](const auto& node) -> std::string {
          if constexpr (std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
            return "an empty node";
          } else {
            return node_name(node);
          }
        },
        relation->node);
    std::set<resolved::ColumnId> ids;
    for (const Column& column : relation->output) {
      if (!ids.insert(column.id).second)
        return fail(place, "gives column " + column.name + "#" + std::to_string(column.id) + " twice");
    }
    Scope scope = outer;
    if (const auto* join = as<resolved::Join>(relation)) {
      RETURN_IF_ERROR(check(join->left, outer));
      add(scope, join->left->output);
      RETURN_IF_ERROR(check(join->right, join->is_lateral ? scope : outer));
      add(scope, join->right->output);
    } else if (const auto* both = as<resolved::CoGroupMap>(relation)) {
      for (const RelationPtr& side : {both->left, both->right}) {
        RETURN_IF_ERROR(check(side, outer));
        add(scope, side->output);
      }
    } else if (const auto* set = as<resolved::SetOperation>(relation)) {
      RETURN_IF_ERROR(check(set->left, outer));
      RETURN_IF_ERROR(check(set->right, outer));
    } else if (const auto* with = as<resolved::WithCte>(relation)) {
      for (const auto& definition : with->definitions) {
        RETURN_IF_ERROR(check(definition.relation, outer));
        ctes_[definition.id] = definition.relation->output.size();
      }
      RETURN_IF_ERROR(check(with->body, outer));
    } else if (const RelationPtr* input = single_input(*relation)) {
      if (!inputs_done) RETURN_IF_ERROR(check(*input, outer));
      add(scope, (*input)->output);
    }
    if (as<resolved::Aggregate>(relation) != nullptr) add(scope, relation->output);
    RETURN_IF_ERROR(check_expressions(relation, scope, place));
    return check_output(relation, place);
  }

  Status check_expressions(const RelationPtr& relation, const Scope& scope, const std::string& place) {
    Status status;
    std::visit(
        [&](const auto& node) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
            visit_fields(node,
                         [&](const char*, const auto& field) { check_field(field, scope, place, status); });
          }
        },
        relation->node);
    return status;
  }

  template <typename Field>
  void check_field(const Field& field, const Scope& scope, const std::string& place, Status& status) {
    if (!status.ok()) return;
    if constexpr (std::is_same_v<Field, ExpressionPtr>) {
      if (field != nullptr) status = check_expression(field, scope, place);
    } else if constexpr (std::is_same_v<Field, resolved::SortKey>) {
      check_field(field.expression, scope, place, status);
    } else if constexpr (std::is_same_v<Field, std::vector<resolved::ColumnId>>) {
      for (const resolved::ColumnId id : field) {
        if (place != "CteScan" && !scope.contains(id))
          status = fail(place, "names column #" + std::to_string(id) + ", which its input does not give");
      }
    } else if constexpr (std::is_same_v<Field, Expressions> ||
                         std::is_same_v<Field, std::vector<resolved::SortKey>> ||
                         std::is_same_v<Field, std::vector<Expressions>>) {
      for (const auto& element : field) check_field(element, scope, place, status);
    }
  }

  Status check_expression(const ExpressionPtr& expression, const Scope& scope, const std::string& place) {
    if (const auto* column = as<resolved::ColumnReference>(expression)) {
      const auto found = scope.find(column->id);
      if (found == scope.end())
        return fail(place, "reads column #" + std::to_string(column->id) + ", which is not in scope");
      if (!found->second.same_type(expression->type)) {
        return fail(place, "reads column #" + std::to_string(column->id) + " as " +
                               expression->type.simple_string() + ", it is " + found->second.simple_string());
      }
      return Status();
    }
    Scope inner = scope;
    if (const auto* lambda = as<resolved::Lambda>(expression)) add(inner, lambda->parameters);
    Status status;
    std::visit(
        [&](const auto& node) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
            visit_fields(node, [&](const char*, const auto& field) {
              if constexpr (std::is_same_v<std::decay_t<decltype(field)>, RelationPtr>) {
                if (status.ok()) status = check(field, scope);
              } else {
                check_field(field, inner, place, status);
              }
            });
          }
        },
        expression->node);
    return status;
  }

  static Status check_values(const Columns& output, const Expressions& values, const std::string& place) {
    if (output.size() != values.size())
      return fail(place, "has another number of outputs than of expressions");
    for (size_t i = 0; i < values.size(); ++i) {
      if (!values[i]->type.same_type(output[i].type))
        return fail(place, "gives " + output[i].name + " with another type than its expression");
    }
    return Status();
  }

  static Status check_same(const Columns& output, const Columns& input, const std::string& place) {
    if (output.size() != input.size()) return fail(place, "has another number of outputs than its input");
    for (size_t i = 0; i < input.size(); ++i) {
      if (output[i].id != input[i].id || !output[i].type.same_type(input[i].type))
        return fail(place, "changes column " + input[i].name);
    }
    return Status();
  }

  Status check_output(const RelationPtr& relation, const std::string& place) {
    const Columns& output = relation->output;
    if (const auto* node = as<resolved::Project>(relation))
      return check_values(output, node->expressions, place);
    if (const auto* node = as<resolved::Values>(relation)) {
      for (const Expressions& row : node->rows) RETURN_IF_ERROR(check_values(output, row, place));
    }
    if (const auto* node = as<resolved::Filter>(relation))
      return check_same(output, node->input->output, place);
    if (const auto* node = as<resolved::Sort>(relation))
      return check_same(output, node->input->output, place);
    if (const auto* node = as<resolved::Limit>(relation))
      return check_same(output, node->input->output, place);
    if (const auto* node = as<resolved::Aggregate>(relation)) {
      const size_t extra = node->grouping_sets.empty() ? 0 : 1;
      if (output.size() != node->grouping.size() + node->aggregates.size() + extra)
        return fail(place, "has a wrong number of outputs");
    }
    if (const auto* node = as<resolved::SetOperation>(relation)) {
      for (const RelationPtr& side : {node->left, node->right}) {
        if (side->output.size() != output.size()) return fail(place, "has inputs of different width");
        for (size_t i = 0; i < output.size(); ++i) {
          if (!side->output[i].type.same_type(output[i].type))
            return fail(place, "has inputs of different types");
        }
      }
    }
    if (const auto* node = as<resolved::CteScan>(relation)) {
      if (!ctes_.contains(node->cte_id)) return fail(place, "reads a definition that is not in scope");
      if (node->definition_columns.size() != output.size())
        return fail(place, "has a wrong number of outputs");
    }
    return Status();
  }

  std::map<int64_t, size_t> ctes_;
};

}  // namespace

Status validate(const RelationPtr& relation) { return Validator().check(relation, {}); }

}  // namespace deuteron::plan
