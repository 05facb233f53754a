#include "analyzer/simplification.h"

#include <algorithm>
#include <optional>
#include <string>

#include "analyzer/expressions.h"
#include "analyzer/positions.h"
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

// The days that a word lies after today; nullopt when it is another word.
std::optional<int64_t> days_after_today(const std::string& word) {
  if (word == "today") return 0;
  if (word == "tomorrow") return 1;
  if (word == "yesterday") return -1;
  return std::nullopt;
}

// A constant 'epoch', 'now', 'today', 'tomorrow' or 'yesterday' that is cast to a date or time; null when it
// is none.
ExpressionPtr special_time(const Analysis& analysis, const ExpressionPtr& expression) {
  const auto* cast = resolved::as<resolved::Cast>(expression);
  const auto* literal = cast == nullptr ? nullptr : resolved::as<resolved::Literal>(cast->child);
  const auto* text = literal == nullptr ? nullptr : std::get_if<std::string>(&literal->value.data);
  const types::DataType& type = expression->type;
  const bool is_time = type.is(types::TypeId::kDate) || type.is(types::TypeId::kTimestamp) ||
                       type.is(types::TypeId::kTimestampNtz);
  if (text == nullptr || !is_time || !cast->child->type.is(types::TypeId::kString)) return nullptr;
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  const auto first = std::find_if_not(text->begin(), text->end(), is_blank);
  const auto last = std::find_if_not(text->rbegin(), std::make_reverse_iterator(first), is_blank).base();
  const std::string word = lower_case(std::string(first, last));
  const auto& origin = expression->origin;
  if (word == "epoch") return make_literal({type, types::Value(int64_t{0})}, origin);
  const auto cast_to = [&](const ExpressionPtr& value, const types::DataType& to) {
    if (value->type == to) return value;
    return resolved::make_expression(resolved::Cast{value, plan::CastMode::kDefault}, to, false, origin);
  };
  // The session's time zone decides what day it is: a cast knows it.
  const ExpressionPtr now =
      resolved::make_expression(resolved::Call{"current_timestamp", {}, false},
                                types::DataType(types::TypeId::kTimestamp), false, origin);
  if (word == "now") return cast_to(now, type);
  const auto days = days_after_today(word);
  if (!days.has_value()) return nullptr;
  const types::DataType date(types::TypeId::kDate);
  const ExpressionPtr shift =
      make_literal({types::DataType(types::TypeId::kInteger), types::Value(*days)}, origin);
  const ExpressionPtr day = resolved::make_expression(
      resolved::Call{"date_add", {cast_to(now, date), shift}, analysis.settings.ansi}, date, false, origin);
  return cast_to(day, type);
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
    auto positioned = extract_positions(analysis_, next);
    if (!positioned.ok()) {
      if (status_.ok()) status_ = positioned.status();
      return next;
    }
    auto extracted = extract_python(analysis_, *positioned);
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
      if (ExpressionPtr time = special_time(analysis_, part)) return time;
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
