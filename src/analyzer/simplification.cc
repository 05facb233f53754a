#include "analyzer/simplification.h"

#include <algorithm>

#include "analyzer/python_functions.h"

namespace deuteron::analyzer {

using resolved::ExpressionPtr;
using resolved::RelationPtr;

namespace {

int depth_of(const ExpressionPtr& expression) {
  int deepest = 0;
  for_each_child(expression,
                 [&](const ExpressionPtr& child) { deepest = std::max(deepest, depth_of(child)); });
  return deepest + 1;
}

bool is_trivial(const ExpressionPtr& expression) {
  return resolved::as<resolved::ColumnReference>(expression) != nullptr ||
         resolved::as<resolved::Literal>(expression) != nullptr;
}

void count_references(const ExpressionPtr& expression, std::map<resolved::ColumnId, int>& counts) {
  if (const auto* column = resolved::as<resolved::ColumnReference>(expression)) ++counts[column->id];
  if (const RelationPtr plan = subquery_plan(expression)) {
    // Several rows of a sub-query may read it: never copy an expression into one.
    for (const resolved::ColumnId id : outer_references(plan)) counts[id] += 2;
  }
  for_each_child(expression, [&](const ExpressionPtr& child) { count_references(child, counts); });
}

// May `below` take the place of references to it within the projection above?
bool can_move(const ExpressionPtr& below, int references, bool only_bare) {
  if (is_trivial(below) || references == 0) return true;
  if (references > 1 || !is_deterministic(below)) return false;
  const bool bound = any_of(below, [](const ExpressionPtr& part) {
    return resolved::as<resolved::Window>(part) != nullptr || subquery_plan(part) != nullptr ||
           resolved::as<resolved::PythonCall>(part) != nullptr;
  });
  return !bound || only_bare;
}

// Project over Project as one, or null when their order matters or the expressions would grow too deep.
RelationPtr merged(const RelationPtr& relation) {
  constexpr int kDeepestMerged = 50;
  const auto* upper = resolved::as<resolved::Project>(relation);
  const auto* lower = upper == nullptr ? nullptr : resolved::as<resolved::Project>(upper->input);
  if (lower == nullptr) return nullptr;
  std::map<resolved::ColumnId, int> counts;
  std::map<resolved::ColumnId, int> bare;
  for (const ExpressionPtr& expression : upper->expressions) {
    count_references(expression, counts);
    if (const auto* column = resolved::as<resolved::ColumnReference>(expression)) ++bare[column->id];
  }
  Substitution substitution;
  for (size_t i = 0; i < lower->expressions.size(); ++i) {
    const resolved::ColumnId id = upper->input->output[i].id;
    const int references = counts[id];
    if (!can_move(lower->expressions[i], references, references == bare[id])) return nullptr;
    substitution[id] = lower->expressions[i];
  }
  resolved::Expressions expressions;
  for (const ExpressionPtr& expression : upper->expressions) {
    ExpressionPtr next = substitute(expression, substitution);
    if (next != expression && !is_trivial(expression) && depth_of(next) > kDeepestMerged) return nullptr;
    expressions.push_back(std::move(next));
  }
  return resolved::make_relation(resolved::Project{lower->input, std::move(expressions)}, relation->output,
                                 relation->partitions);
}

// A projection that gives its input as it is.
bool is_identity(const RelationPtr& relation) {
  const auto* project = resolved::as<resolved::Project>(relation);
  if (project == nullptr || project->expressions.size() != project->input->output.size()) return false;
  for (size_t i = 0; i < project->expressions.size(); ++i) {
    const auto* column = resolved::as<resolved::ColumnReference>(project->expressions[i]);
    const resolved::Column& given = project->input->output[i];
    if (column == nullptr || column->id != given.id || relation->output[i].id != given.id) return false;
  }
  return true;
}

// The same relation under the names that the projection gives.
RelationPtr renamed(const RelationPtr& relation) {
  const RelationPtr& input = resolved::as<resolved::Project>(relation)->input;
  if (input->output == relation->output) return input;
  auto copy = std::make_shared<resolved::Relation>(*input);
  copy->output = relation->output;
  return copy;
}

class Simplification {
 public:
  explicit Simplification(Analysis& analysis) : analysis_(analysis) {}

  // Chains of single-input nodes are walked in a loop: they may be thousands long.
  RelationPtr run(const RelationPtr& plan) {
    std::vector<RelationPtr> chain;
    RelationPtr current = plan;
    while (true) {
      chain.push_back(current);
      RelationPtr only;
      int inputs = 0;
      for_each_input(current, [&](const RelationPtr& input) {
        only = input;
        ++inputs;
      });
      if (inputs != 1) break;
      current = only;
    }
    RelationPtr result =
        finish(map_inputs(chain.back(), [&](const RelationPtr& input) { return run(input); }));
    for (size_t i = chain.size() - 1; i-- > 0;) {
      result = finish(map_inputs(chain[i], [&](const RelationPtr&) { return result; }));
    }
    return result;
  }
  const Status& status() const { return status_; }

 private:
  RelationPtr finish(const RelationPtr& relation) {
    RelationPtr next = map_expressions(relation, [&](const ExpressionPtr& part) { return inside(part); });
    auto extracted = extract_python(analysis_, next);
    if (!extracted.ok()) {
      if (status_.ok()) status_ = extracted.status();
      return next;
    }
    next = *std::move(extracted);
    while (const RelationPtr one = merged(next)) next = one;
    return is_identity(next) ? renamed(next) : next;
  }

  ExpressionPtr inside(const ExpressionPtr& expression) {
    return transform_down(expression, [&](const ExpressionPtr& part) -> ExpressionPtr {
      const RelationPtr plan = subquery_plan(part);
      if (plan == nullptr) return nullptr;
      const ExpressionPtr next = with_subquery_plan(part, run(plan));
      return map_children(next, [&](const ExpressionPtr& child) { return inside(child); });
    });
  }

  Analysis& analysis_;
  Status status_;
};

}  // namespace

Result<RelationPtr> simplify(Analysis& analysis, const RelationPtr& plan) {
  Simplification simplification(analysis);
  RelationPtr result = simplification.run(plan);
  RETURN_IF_ERROR(simplification.status());
  return result;
}

}  // namespace deuteron::analyzer
