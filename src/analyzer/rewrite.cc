#include "analyzer/rewrite.h"

#include <algorithm>

#include "functions/registry.h"
#include "plan/unresolved.h"

namespace deuteron::analyzer {

using resolved::ExpressionPtr;
using resolved::RelationPtr;

namespace {

// Calls on_expression / on_relation for each such pointer within one field of a node, in a copy that may be
// changed.
template <typename OnExpression, typename OnRelation>
struct FieldEditor {
  const OnExpression& on_expression;
  const OnRelation& on_relation;

  void edit(ExpressionPtr& field) const {
    if (field != nullptr) on_expression(field);
  }
  void edit(RelationPtr& field) const {
    if (field != nullptr) on_relation(field);
  }
  void edit(resolved::SortKey& field) const { edit(field.expression); }
  void edit(resolved::CteDefinition& field) const { edit(field.relation); }
  void edit(std::shared_ptr<const resolved::WindowFrame>& field) const {
    if (field == nullptr || (field->lower.value == nullptr && field->upper.value == nullptr)) return;
    auto frame = std::make_shared<resolved::WindowFrame>(*field);
    edit(frame->lower.value);
    edit(frame->upper.value);
    // A visit that changes nothing must not touch the shared node.
    if (frame->lower.value != field->lower.value || frame->upper.value != field->upper.value) field = frame;
  }
  template <typename Element>
  void edit(std::vector<Element>& field) const {
    if constexpr (requires(Element& element) { edit(element); }) {
      for (Element& element : field) edit(element);
    }
  }
  template <typename Other>
  void edit(Other&) const
    requires(!requires(Other& other) { other.begin(); })
  {}
  void edit(std::string&) const {}
  void edit(plan::Options&) const {}
};

template <typename Owner, typename OnExpression, typename OnRelation>
void edit_fields(Owner& owner, const OnExpression& on_expression, const OnRelation& on_relation) {
  const FieldEditor<OnExpression, OnRelation> editor{on_expression, on_relation};
  std::visit(
      [&](auto& node) {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (!std::is_same_v<Node, std::monostate>) {
          visit_fields(node, [&](const char*, const auto& field) {
            // The node belongs to a copy that is not const.
            editor.edit(const_cast<std::decay_t<decltype(field)>&>(field));
          });
        }
      },
      owner.node);
}

constexpr auto kIgnoreExpression = [](ExpressionPtr&) {};
constexpr auto kIgnoreRelation = [](RelationPtr&) {};

// Visits without copying: the editor never changes anything then.
template <typename Owner, typename OnExpression, typename OnRelation>
void visit_parts(const Owner& owner, const OnExpression& on_expression, const OnRelation& on_relation) {
  edit_fields(const_cast<Owner&>(owner), on_expression, on_relation);
}

}  // namespace

void for_each_child(const ExpressionPtr& expression, const std::function<void(const ExpressionPtr&)>& visit) {
  visit_parts(
      *expression, [&](ExpressionPtr& child) { visit(child); }, kIgnoreRelation);
}

void for_each_expression(const RelationPtr& relation,
                         const std::function<void(const ExpressionPtr&)>& visit) {
  visit_parts(
      *relation, [&](ExpressionPtr& child) { visit(child); }, kIgnoreRelation);
}

void for_each_input(const RelationPtr& relation, const std::function<void(const RelationPtr&)>& visit) {
  visit_parts(*relation, kIgnoreExpression, [&](RelationPtr& input) { visit(input); });
}

ExpressionPtr map_children(const ExpressionPtr& expression, const ExpressionRewrite& rewrite) {
  bool has_child = false;
  for_each_child(expression, [&](const ExpressionPtr&) { has_child = true; });
  if (!has_child) return expression;
  auto copy = std::make_shared<resolved::Expression>(*expression);
  bool changed = false;
  edit_fields(
      *copy,
      [&](ExpressionPtr& child) {
        ExpressionPtr next = rewrite(child);
        changed |= next != child;
        child = std::move(next);
      },
      kIgnoreRelation);
  if (!changed) return expression;
  return copy;
}

ExpressionPtr transform_down(const ExpressionPtr& expression, const ExpressionRewrite& rewrite) {
  if (ExpressionPtr replaced = rewrite(expression)) return replaced;
  return map_children(expression, [&](const ExpressionPtr& child) { return transform_down(child, rewrite); });
}

RelationPtr map_expressions(const RelationPtr& relation, const ExpressionRewrite& rewrite) {
  auto copy = std::make_shared<resolved::Relation>(*relation);
  bool changed = false;
  edit_fields(
      *copy,
      [&](ExpressionPtr& child) {
        ExpressionPtr next = rewrite(child);
        changed |= next != child;
        child = std::move(next);
      },
      kIgnoreRelation);
  if (!changed) return relation;
  return copy;
}

RelationPtr map_inputs(const RelationPtr& relation, const RelationRewrite& rewrite) {
  auto copy = std::make_shared<resolved::Relation>(*relation);
  bool changed = false;
  edit_fields(*copy, kIgnoreExpression, [&](RelationPtr& input) {
    RelationPtr next = rewrite(input);
    changed |= next != input;
    input = std::move(next);
  });
  if (!changed) return relation;
  return copy;
}

namespace {

RelationPtr narrow(const RelationPtr& plan, const resolved::Columns& output) {
  if (plan->output.size() == output.size()) return plan;
  resolved::Expressions expressions;
  for (const resolved::Column& column : output) expressions.push_back(reference_to(column));
  const int32_t partitions = plan->partitions;
  return resolved::make_relation(resolved::Project{plan, std::move(expressions)}, output, partitions);
}

}  // namespace

RelationPtr over_wider_input(const RelationPtr& relation, const RelationPtr& changed,
                             const RelationPtr& input) {
  size_t given = 0;
  for_each_input(relation, [&](const RelationPtr& only) { given = only->output.size(); });
  const RelationPtr over = map_inputs(changed, [&](const RelationPtr&) { return input; });
  if (resolved::as<resolved::Project>(over) != nullptr || resolved::as<resolved::Aggregate>(over) != nullptr)
    return over;
  // Nodes that hand their input's columns on must not hand on the results too.
  auto wider = std::make_shared<resolved::Relation>(*over);
  const bool passes = resolved::as<resolved::Filter>(over) != nullptr ||
                      resolved::as<resolved::Sort>(over) != nullptr ||
                      resolved::as<resolved::Repartition>(over) != nullptr;
  if (passes) wider->output = input->output;
  if (resolved::as<resolved::Generate>(over) != nullptr) {
    resolved::Columns output = input->output;
    output.insert(output.end(), relation->output.begin() + static_cast<long>(given), relation->output.end());
    wider->output = std::move(output);
  }
  return narrow(wider, relation->output);
}

RelationPtr subquery_plan(const ExpressionPtr& expression) {
  RelationPtr plan;
  visit_parts(*expression, kIgnoreExpression, [&](RelationPtr& found) { plan = found; });
  return plan;
}

ExpressionPtr with_subquery_plan(const ExpressionPtr& expression, RelationPtr plan) {
  auto copy = std::make_shared<resolved::Expression>(*expression);
  edit_fields(*copy, kIgnoreExpression, [&](RelationPtr& found) { found = plan; });
  return copy;
}

bool any_of(const ExpressionPtr& expression, const std::function<bool(const ExpressionPtr&)>& predicate) {
  if (predicate(expression)) return true;
  bool found = false;
  for_each_child(expression, [&](const ExpressionPtr& child) { found = found || any_of(child, predicate); });
  return found;
}

namespace {

void collect_references(const ExpressionPtr& expression, ColumnIds& ids) {
  if (const auto* column = resolved::as<resolved::ColumnReference>(expression)) ids.insert(column->id);
  if (const RelationPtr plan = subquery_plan(expression)) ids.merge(outer_references(plan));
  for_each_child(expression, [&](const ExpressionPtr& child) { collect_references(child, ids); });
  if (const auto* lambda = resolved::as<resolved::Lambda>(expression)) {
    for (const resolved::Column& parameter : lambda->parameters) ids.erase(parameter.id);
  }
}

void collect_plan(const RelationPtr& plan, ColumnIds& used, ColumnIds& given) {
  for (const resolved::Column& column : plan->output) given.insert(column.id);
  for_each_expression(plan, [&](const ExpressionPtr& expression) { collect_references(expression, used); });
  for_each_input(plan, [&](const RelationPtr& input) { collect_plan(input, used, given); });
}

}  // namespace

ColumnIds references(const ExpressionPtr& expression) {
  ColumnIds ids;
  collect_references(expression, ids);
  return ids;
}

ColumnIds outer_references(const RelationPtr& plan) {
  ColumnIds used;
  ColumnIds given;
  collect_plan(plan, used, given);
  std::erase_if(used, [&](resolved::ColumnId id) { return given.contains(id); });
  return used;
}

ExpressionPtr substitute(const ExpressionPtr& expression, const Substitution& substitution) {
  if (substitution.empty()) return expression;
  return transform_down(expression, [&](const ExpressionPtr& part) -> ExpressionPtr {
    if (const auto* column = resolved::as<resolved::ColumnReference>(part)) {
      const auto found = substitution.find(column->id);
      return found == substitution.end() ? part : found->second;
    }
    if (const RelationPtr plan = subquery_plan(part)) {
      const RelationPtr changed = substitute(plan, substitution);
      const ExpressionPtr outer = changed == plan ? part : with_subquery_plan(part, changed);
      return map_children(outer, [&](const ExpressionPtr& child) { return substitute(child, substitution); });
    }
    return nullptr;
  });
}

RelationPtr substitute(const RelationPtr& plan, const Substitution& substitution) {
  const RelationPtr inputs =
      map_inputs(plan, [&](const RelationPtr& input) { return substitute(input, substitution); });
  return map_expressions(inputs, [&](const ExpressionPtr& part) { return substitute(part, substitution); });
}

namespace {

bool is_commutative(const std::string& function) {
  static const std::set<std::string> kNames = {"+", "*", "and", "or", "==", "=", "<=>", "&", "|", "^"};
  return kNames.contains(function);
}

bool same_list(const resolved::Expressions& left, const resolved::Expressions& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), same_expression);
}

bool same_field(const ExpressionPtr& left, const ExpressionPtr& right) {
  return same_expression(left, right);
}
bool same_field(const resolved::Expressions& left, const resolved::Expressions& right) {
  return same_list(left, right);
}
bool same_field(const RelationPtr& left, const RelationPtr& right) { return left == right; }
bool same_field(const std::vector<resolved::SortKey>& left, const std::vector<resolved::SortKey>& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& a, const auto& b) {
    return a.ascending == b.ascending && a.nulls_first == b.nulls_first &&
           same_expression(a.expression, b.expression);
  });
}
bool same_bound(const resolved::FrameBound& left, const resolved::FrameBound& right) {
  return left.kind == right.kind && same_expression(left.value, right.value);
}
bool same_field(const std::shared_ptr<const resolved::WindowFrame>& left,
                const std::shared_ptr<const resolved::WindowFrame>& right) {
  if (left == nullptr || right == nullptr) return left == right;
  return left->unit == right->unit && same_bound(left->lower, right->lower) &&
         same_bound(left->upper, right->upper);
}
bool same_field(const resolved::PythonFunctionPtr& left, const resolved::PythonFunctionPtr& right) {
  return left == right || (left->command == right->command && left->eval_type == right->eval_type);
}
template <typename Field>
bool same_field(const Field& left, const Field& right) {
  return left == right;
}

template <typename Node>
bool same_node(const Node& left, const Node& right) {
  std::vector<const void*> fields;
  visit_fields(right, [&](const char*, const auto& field) { fields.push_back(&field); });
  bool same = true;
  size_t index = 0;
  visit_fields(left, [&](const char*, const auto& field) {
    const auto* other = static_cast<const std::decay_t<decltype(field)>*>(fields[index++]);
    same = same && same_field(field, *other);
  });
  return same;
}

}  // namespace

bool same_expression(const ExpressionPtr& left, const ExpressionPtr& right) {
  if (left == right) return true;
  if (left == nullptr || right == nullptr || left->node.index() != right->node.index() ||
      !left->type.same_type(right->type)) {
    return false;
  }
  if (const auto* call = resolved::as<resolved::Call>(left);
      call != nullptr && is_commutative(call->function)) {
    const auto* other = resolved::as<resolved::Call>(right);
    if (call->function == other->function && call->arguments.size() == 2 && other->arguments.size() == 2 &&
        same_expression(call->arguments[0], other->arguments[1]) &&
        same_expression(call->arguments[1], other->arguments[0])) {
      return true;
    }
  }
  return std::visit(
      [&](const auto& node) {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, std::monostate>) {
          return true;
        } else {
          return same_node(node, std::get<Node>(right->node));
        }
      },
      left->node);
}

bool is_constant(const ExpressionPtr& expression) {
  return is_deterministic(expression) && !any_of(expression, [](const ExpressionPtr& part) {
           return resolved::as<resolved::ColumnReference>(part) != nullptr ||
                  subquery_plan(part) != nullptr || resolved::as<resolved::PythonCall>(part) != nullptr;
         });
}

bool is_deterministic(const ExpressionPtr& expression) {
  return !any_of(expression, [](const ExpressionPtr& part) {
    if (const auto* python = resolved::as<resolved::PythonCall>(part))
      return !python->function->deterministic;
    if (const auto* call = resolved::as<resolved::Call>(part)) {
      const functions::Function* function = functions::find(call->function);
      return function != nullptr && !functions::is_deterministic(*function);
    }
    return false;
  });
}

ExpressionPtr reference_to(const resolved::Column& column, plan::Origin origin) {
  return resolved::make_expression(resolved::ColumnReference{column.id}, column.type, column.nullable,
                                   std::move(origin));
}

}  // namespace deuteron::analyzer
