#include "analyzer/positions.h"

#include <algorithm>
#include <set>

#include "analyzer/errors.h"
#include "analyzer/expressions.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

constexpr const char* kPartition = "spark_partition_id";

const resolved::Call* position_call(const ExpressionPtr& expression) {
  static const std::set<std::string> kNames = {kPartition, "monotonically_increasing_id", "rand", "randn"};
  const auto* call = resolved::as<resolved::Call>(expression);
  return call != nullptr && kNames.contains(call->function) ? call : nullptr;
}

bool contains_position(const ExpressionPtr& expression) {
  return any_of(expression, [](const ExpressionPtr& part) { return position_call(part) != nullptr; });
}

// Evaluated for some rows only, so that the numbers of the others are not used up.
bool is_conditional(const std::string& function) {
  static const std::set<std::string> kNames = {"when", "if",  "coalesce", "ifnull", "nvl",
                                               "nvl2", "and", "or",       "in",     "nullif"};
  return kNames.contains(function);
}

// Spark computes projections and filters of local rows before it cuts them into partitions.
bool is_local(const RelationPtr& relation) {
  RelationPtr current = relation;
  while (true) {
    if (const auto* project = resolved::as<resolved::Project>(current)) {
      current = project->input;
    } else if (const auto* filter = resolved::as<resolved::Filter>(current)) {
      current = filter->input;
    } else if (const auto* positions = resolved::as<resolved::EvaluatePosition>(current)) {
      if (!positions->is_single) return false;
      current = positions->input;
    } else {
      return resolved::as<resolved::LocalData>(current) != nullptr ||
             resolved::as<resolved::Values>(current) != nullptr ||
             resolved::as<resolved::OneRow>(current) != nullptr;
    }
  }
}

class PositionExtraction {
 public:
  explicit PositionExtraction(Analysis& analysis) : analysis_(analysis) {}

  ExpressionPtr run(const ExpressionPtr& expression, bool is_always_evaluated) {
    if (!contains_position(expression)) return expression;
    if (const auto* call = position_call(expression)) {
      if (!is_always_evaluated && call->function != kPartition) {
        fail(unsupported(call->function +
                         "() in a part of an expression that is not evaluated for every row"));
      }
      return reference_to(result_of(expression, *call));
    }
    const auto* call = resolved::as<resolved::Call>(expression);
    const bool conditional = call != nullptr && is_conditional(call->function);
    if (resolved::as<resolved::Lambda>(expression) != nullptr)
      fail(unsupported("a function of the row's position inside a lambda"));
    bool is_first = true;
    return map_children(expression, [&](const ExpressionPtr& child) {
      const bool always = is_always_evaluated && (!conditional || is_first);
      is_first = false;
      return run(child, always);
    });
  }

  const Status& status() const { return status_; }
  RelationPtr evaluate(const RelationPtr& input) const {
    Columns output = input->output;
    output.insert(output.end(), results_.begin(), results_.end());
    return resolved::make_relation(resolved::EvaluatePosition{input, calls_, is_local(input)},
                                   std::move(output), input->partitions);
  }
  bool empty() const { return calls_.empty(); }

 private:
  void fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  // The seed as one literal; null counts as 0.
  static ExpressionPtr with_plain_seed(const ExpressionPtr& expression, const resolved::Call& call) {
    if (call.arguments.empty()) return expression;
    const types::Value* literal = literal_value(call.arguments[0]);
    const auto* seed = literal == nullptr ? nullptr : std::get_if<int64_t>(&literal->data);
    return resolved::make_expression(
        resolved::Call{call.function, {make_long(seed == nullptr ? 0 : *seed)}, call.ansi}, expression->type,
        false, expression->origin);
  }
  // Calls with one seed are one sequence; without a seed each is its own.
  const Column& result_of(const ExpressionPtr& expression, const resolved::Call& call) {
    const bool has_own_seed = call.arguments.empty() && (call.function == "rand" || call.function == "randn");
    const ExpressionPtr plain = with_plain_seed(expression, call);
    for (size_t i = 0; i < calls_.size() && !has_own_seed; ++i) {
      if (same_expression(calls_[i], plain)) return results_[i];
    }
    calls_.push_back(plain);
    results_.push_back({analysis_.next_id(), call.function, expression->type, false, {}, ""});
    return results_.back();
  }

  Analysis& analysis_;
  resolved::Expressions calls_;
  Columns results_;
  Status status_;
};

}  // namespace

Result<RelationPtr> extract_positions(Analysis& analysis, const RelationPtr& relation) {
  if (resolved::as<resolved::EvaluatePosition>(relation) != nullptr) return relation;
  PositionExtraction extraction(analysis);
  const RelationPtr changed =
      map_expressions(relation, [&](const ExpressionPtr& part) { return extraction.run(part, true); });
  RETURN_IF_ERROR(extraction.status());
  if (extraction.empty()) return relation;
  RelationPtr input;
  int inputs = 0;
  for_each_input(relation, [&](const RelationPtr& only) {
    input = only;
    ++inputs;
  });
  if (inputs != 1) return unsupported("functions of the row's position at this place of a query");
  return over_wider_input(relation, changed, extraction.evaluate(input));
}

RelationPtr sampled(Analysis& analysis, const RelationPtr& input, double lower, double upper, int64_t seed) {
  const DataType type(TypeId::kDouble);
  const DataType boolean(TypeId::kBoolean);
  const Column number{analysis.next_id(), "rand", type, false, {}, ""};
  Columns output = input->output;
  output.push_back(number);
  const ExpressionPtr call =
      resolved::make_expression(resolved::Call{"rand", {make_long(seed)}, false}, type, false);
  const RelationPtr numbered =
      resolved::make_relation(resolved::EvaluatePosition{input, {call}, false}, output, input->partitions);
  const auto compare = [&](const char* function, double bound) {
    return resolved::make_expression(
        resolved::Call{function, {reference_to(number), make_literal({type, types::Value(bound)})}, false},
        boolean, false);
  };
  const RelationPtr filtered =
      resolved::make_relation(resolved::Filter{numbered, both(compare(">=", lower), compare("<", upper))},
                              std::move(output), input->partitions);
  resolved::Expressions kept;
  for (const Column& column : input->output) kept.push_back(reference_to(column));
  return resolved::make_relation(resolved::Project{filtered, std::move(kept)}, input->output,
                                 input->partitions);
}

}  // namespace deuteron::analyzer
