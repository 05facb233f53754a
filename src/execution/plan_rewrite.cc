#include "execution/plan_rewrite.h"

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT: nearly every name here is a node's

// Replaces the relations among a node's fields, in place; `status` is the first failure. Fields of other
// types pass unseen.
class FieldMapper {
 public:
  explicit FieldMapper(const RelationMapper& mapper) : mapper_(mapper) {}

  template <typename Field>
  void operator()(const char*, const Field& field) {
    map(const_cast<Field&>(field));  // NOLINT: the node is the caller's own copy
  }

  Status status;
  bool changed = false;

 private:
  template <typename Other>
  void map(Other&) {}

  void map(RelationPtr& relation) {
    if (relation == nullptr || !status.ok()) return;
    auto mapped = mapper_(relation);
    if (!mapped.ok()) {
      status = mapped.status();
      return;
    }
    changed |= *mapped != relation;
    relation = *std::move(mapped);
  }
  void map(ExpressionPtr& expression) {
    if (expression == nullptr || !status.ok()) return;
    Expression copy = *expression;
    FieldMapper inner(mapper_);
    map_node(copy.node, inner);
    status = inner.status;
    if (!inner.changed) return;
    changed = true;
    expression = std::make_shared<const Expression>(std::move(copy));
  }
  void map(Expressions& expressions) {
    for (ExpressionPtr& expression : expressions) map(expression);
  }
  void map(std::vector<Expressions>& rows) {
    for (Expressions& row : rows) map(row);
  }
  void map(std::vector<SortKey>& keys) {
    for (SortKey& key : keys) map(key.expression);
  }
  void map(std::vector<CteDefinition>& definitions) {
    for (CteDefinition& definition : definitions) map(definition.relation);
  }

 public:
  template <typename Variant>
  static void map_node(Variant& node, FieldMapper& mapper) {
    std::visit(
        [&mapper](auto& what) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(what)>, std::monostate>)
            visit_fields(what, mapper);
        },
        node);
  }

 private:
  const RelationMapper& mapper_;
};

}  // namespace

Result<RelationPtr> map_children(const RelationPtr& relation, const RelationMapper& mapper) {
  if (as<LocalData>(relation) != nullptr || as<Values>(relation) != nullptr) return relation;
  Relation copy = *relation;
  FieldMapper fields(mapper);
  FieldMapper::map_node(copy.node, fields);
  RETURN_IF_ERROR(fields.status);
  if (!fields.changed) return relation;
  return RelationPtr(std::make_shared<const Relation>(std::move(copy)));
}

bool any_relation(const RelationPtr& relation, const std::function<bool(const Relation&)>& predicate) {
  if (predicate(*relation)) return true;
  bool found = false;
  const RelationMapper visit = [&](const RelationPtr& child) -> Result<RelationPtr> {
    found = found || any_relation(child, predicate);
    return child;
  };
  static_cast<void>(map_children(relation, visit).ok());
  return found;
}

}  // namespace deuteron::execution
