// Walks and rewrites of resolved trees. All functions are pure: unchanged parts are shared with the result.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "plan/resolved.h"
#include "plan/unresolved.h"

namespace deuteron::analyzer {

namespace unresolved = plan::unresolved;
namespace resolved = plan::resolved;

using ColumnIds = std::set<resolved::ColumnId>;
using Substitution = std::map<resolved::ColumnId, resolved::ExpressionPtr>;
using ExpressionRewrite = std::function<resolved::ExpressionPtr(const resolved::ExpressionPtr&)>;
using RelationRewrite = std::function<resolved::RelationPtr(const resolved::RelationPtr&)>;

// `rewrite` applied to each direct child expression; plans of sub-queries are left alone.
resolved::ExpressionPtr map_children(const resolved::ExpressionPtr& expression,
                                     const ExpressionRewrite& rewrite);
// From the top: where `rewrite` gives an expression, it takes the node's place and its children are not
// visited.
resolved::ExpressionPtr transform_down(const resolved::ExpressionPtr& expression,
                                       const ExpressionRewrite& rewrite);
// `rewrite` applied to each expression of this node alone (not of its inputs).
resolved::RelationPtr map_expressions(const resolved::RelationPtr& relation,
                                      const ExpressionRewrite& rewrite);
// `rewrite` applied to each direct input.
resolved::RelationPtr map_inputs(const resolved::RelationPtr& relation, const RelationRewrite& rewrite);

// `changed`, which is `relation` with other expressions, over an input that gives more columns than its own;
// the output stays that of `relation`.
resolved::RelationPtr over_wider_input(const resolved::RelationPtr& relation,
                                       const resolved::RelationPtr& changed,
                                       const resolved::RelationPtr& input);

void for_each_child(const resolved::ExpressionPtr& expression,
                    const std::function<void(const resolved::ExpressionPtr&)>& visit);
void for_each_expression(const resolved::RelationPtr& relation,
                         const std::function<void(const resolved::ExpressionPtr&)>& visit);
void for_each_input(const resolved::RelationPtr& relation,
                    const std::function<void(const resolved::RelationPtr&)>& visit);
// The plan of a sub-query expression, else null.
resolved::RelationPtr subquery_plan(const resolved::ExpressionPtr& expression);
resolved::ExpressionPtr with_subquery_plan(const resolved::ExpressionPtr& expression,
                                           resolved::RelationPtr plan);

bool any_of(const resolved::ExpressionPtr& expression,
            const std::function<bool(const resolved::ExpressionPtr&)>& predicate);
template <typename Node>
bool contains(const resolved::ExpressionPtr& expression) {
  return any_of(expression, [](const auto& part) { return std::holds_alternative<Node>(part->node); });
}

// Ids of the columns that an expression reads, those that its sub-queries take from outside included.
ColumnIds references(const resolved::ExpressionPtr& expression);
// Ids that a plan reads and none of its own relations gives: references to an outer query.
ColumnIds outer_references(const resolved::RelationPtr& plan);

// Column references replaced, also inside the plans of sub-queries.
resolved::ExpressionPtr substitute(const resolved::ExpressionPtr& expression,
                                   const Substitution& substitution);
resolved::RelationPtr substitute(const resolved::RelationPtr& plan, const Substitution& substitution);

// Same meaning: equal but for origins and for the order of commutative operands.
bool same_expression(const resolved::ExpressionPtr& left, const resolved::ExpressionPtr& right);
// Same value each time: no random function, no non-deterministic Python function.
bool is_deterministic(const resolved::ExpressionPtr& expression);
// Can be computed before there are rows.
bool is_constant(const resolved::ExpressionPtr& expression);

resolved::ExpressionPtr reference_to(const resolved::Column& column, plan::Origin origin = nullptr);

}  // namespace deuteron::analyzer
