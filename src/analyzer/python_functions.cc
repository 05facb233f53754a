// Python functions: calls in expressions, functions over partitions and groups, and the pass that gives each
// call a node of its own (EvaluatePython), so that nothing else has to know of Python.
#include "analyzer/python_functions.h"

#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/relations.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;

namespace {

// PySpark's PythonEvalType: pandas, Arrow, and the same with iterators.
constexpr int32_t kGroupedAggregates[] = {202, 252, 217, 254};

resolved::PythonFunctionPtr function_of(const unresolved::PythonCall& python) {
  return std::make_shared<const resolved::PythonFunction>(
      resolved::PythonFunction{python.name, python.eval_type, python.command, python.python_version,
                               python.type, python.deterministic});
}

Result<Columns> output_of(Analysis& analysis, const unresolved::PythonCall& python) {
  if (!python.type.is(types::TypeId::kStruct)) return internal_error("a map function must give a struct");
  Columns columns;
  for (const types::StructField& field : python.type.fields()) {
    columns.push_back({analysis.next_id(), field.name, field.type, field.nullable, {}, field.metadata_json});
  }
  return columns;
}

bool is_python_aggregate_call(const ExpressionPtr& expression) {
  const auto* call = resolved::as<resolved::PythonCall>(expression);
  return call != nullptr && is_python_aggregate(call->function->eval_type);
}

}  // namespace

bool is_python_aggregate(int32_t eval_type) {
  return std::find(std::begin(kGroupedAggregates), std::end(kGroupedAggregates), eval_type) !=
         std::end(kGroupedAggregates);
}

bool takes_batches(int32_t eval_type) { return eval_type == 217 || eval_type == 254; }

Result<ExpressionPtr> ExpressionResolver::resolve_python(const unresolved::ExpressionPtr& expression,
                                                         const unresolved::PythonCall& python) {
  const bool is_aggregate = is_python_aggregate(python.eval_type) && !inside_window_function_;
  if (is_aggregate) RETURN_IF_ERROR(check_aggregate_place(expression));
  const bool was_inside = std::exchange(inside_aggregate_, inside_aggregate_ || is_aggregate);
  const bool was_window = std::exchange(inside_window_function_, false);
  auto call = bind_python(python, expression->origin);
  inside_aggregate_ = was_inside;
  inside_window_function_ = was_window;
  return call;
}

Result<ExpressionPtr> ExpressionResolver::bind_python(const unresolved::PythonCall& python,
                                                      const plan::Origin& origin) {
  resolved::PythonCall call;
  call.function = function_of(python);
  bool has_names = false;
  for (const auto& argument : python.arguments) {
    const auto* named = unresolved::as<unresolved::NamedArgument>(argument);
    call.argument_names.push_back(named == nullptr ? "" : named->key);
    has_names |= named != nullptr;
    const auto* star = unresolved::as<unresolved::Star>(argument);
    if (star != nullptr) {
      call.argument_names.pop_back();
      ASSIGN_OR_RETURN(const auto columns, expand_star(*star, argument->origin));
      for (const NamedExpression& column : columns) {
        call.arguments.push_back(column.expression);
        call.argument_names.emplace_back();
      }
      continue;
    }
    ASSIGN_OR_RETURN(ExpressionPtr value, resolve(argument));
    call.arguments.push_back(std::move(value));
  }
  if (!has_names) call.argument_names.clear();
  return resolved::make_expression(std::move(call), python.type, true, origin);
}

Result<Input> RelationResolver::map_partitions(const unresolved::MapPartitions& node, Input input) {
  const auto* python = unresolved::as<unresolved::PythonCall>(node.function);
  if (python == nullptr) return unsupported("map functions that are not Python");
  ASSIGN_OR_RETURN(Columns output, output_of(analysis_, *python));
  input = settle(std::move(input));
  const int32_t partitions = input.plan->partitions;
  Input result = source(resolved::make_relation(
      resolved::MapPartitions{input.plan, function_of(*python), node.is_barrier, node.resource_profile},
      std::move(output), partitions));
  result.data_frames = std::move(input.data_frames);
  return result;
}

Result<RelationResolver::Grouped> RelationResolver::grouped(const unresolved::Expressions& grouping,
                                                            Input input) {
  input = settle(std::move(input));
  Grouped result;
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> items;
  for (const Column& column : input.columns) {
    items.push_back({reference_to(column), column});
    result.arguments.push_back(column.id);
  }
  bool computed = false;
  for (const auto& expression : grouping) {
    ASSIGN_OR_RETURN(auto keys, resolver.resolve_item(expression));
    for (NamedExpression& key : keys) {
      const auto* reference = resolved::as<resolved::ColumnReference>(key.expression);
      const bool plain = reference != nullptr && reference->id == key.column.id;
      result.grouping.push_back(key.column.id);
      result.grouping_types.push_back(key.column.type);
      if (plain) continue;
      computed = true;
      items.push_back(std::move(key));
    }
  }
  result.data_frames = input.data_frames;
  result.plan = computed ? analyzer::project(analysis_, std::move(input), items).plan : input.plan;
  return result;
}

Result<Input> RelationResolver::group_map(const unresolved::GroupMap& node, Input input) {
  const auto* python = unresolved::as<unresolved::PythonCall>(node.function);
  if (python == nullptr) return unsupported("map functions that are not Python");
  ASSIGN_OR_RETURN(Columns output, output_of(analysis_, *python));
  ASSIGN_OR_RETURN(Grouped of, grouped(node.grouping, std::move(input)));
  Input result = source(resolved::make_relation(
      resolved::GroupMap{of.plan, std::move(of.grouping), std::move(of.arguments), function_of(*python)},
      std::move(output), analysis_.settings.shuffle_partitions));
  result.data_frames = std::move(of.data_frames);
  return result;
}

Result<Input> RelationResolver::co_group_map(const unresolved::CoGroupMap& node, Input left,
                                             const plan::Origin& origin) {
  const auto* python = unresolved::as<unresolved::PythonCall>(node.function);
  if (python == nullptr) return unsupported("map functions that are not Python");
  ASSIGN_OR_RETURN(Columns output, output_of(analysis_, *python));
  ASSIGN_OR_RETURN(Input right, resolve(node.right));
  ASSIGN_OR_RETURN(Grouped of_left, grouped(node.left_grouping, std::move(left)));
  ASSIGN_OR_RETURN(Grouped of_right, grouped(node.right_grouping, std::move(right)));
  const size_t keys = of_left.grouping.size();
  if (keys != of_right.grouping.size()) {
    return error("COGROUP_KEYS_MISMATCH",
                 {{"left", std::to_string(keys)}, {"right", std::to_string(of_right.grouping.size())}});
  }
  for (size_t key = 0; key < keys; ++key) {
    if (!of_left.grouping_types[key].same_type(of_right.grouping_types[key]))
      return at(unsupported("cogroup by keys of different types"), origin);
  }
  Input result = source(resolved::make_relation(
      resolved::CoGroupMap{of_left.plan, std::move(of_left.grouping), std::move(of_left.arguments),
                           of_right.plan, std::move(of_right.grouping), std::move(of_right.arguments),
                           function_of(*python)},
      std::move(output), analysis_.settings.shuffle_partitions));
  result.data_frames = std::move(of_left.data_frames);
  result.data_frames.insert(result.data_frames.end(), of_right.data_frames.begin(),
                            of_right.data_frames.end());
  return result;
}

// ---- the pass
// --------------------------------------------------------------------------------------------------

namespace {

bool is_whole_partition(const resolved::WindowFrame& frame) {
  return frame.lower.kind == plan::FrameBoundKind::kUnboundedPreceding &&
         frame.upper.kind == plan::FrameBoundKind::kUnboundedFollowing;
}

ExpressionPtr over(const resolved::Window& window, ExpressionPtr function, resolved::WindowFrame frame) {
  const types::DataType type = function->type;
  return resolved::make_expression(
      resolved::Window{std::move(function), window.partition_by, window.order_by,
                       std::make_shared<const resolved::WindowFrame>(std::move(frame))},
      type, false);
}

ExpressionPtr row_number(const resolved::Window& window) {
  resolved::WindowFrame frame;
  frame.unit = plan::FrameUnit::kRows;
  frame.upper.kind = plan::FrameBoundKind::kCurrentRow;
  return over(window,
              resolved::make_expression(resolved::Call{"row_number", {}, true},
                                        types::DataType(types::TypeId::kInteger), false),
              std::move(frame));
}

// The rows of the frame, as positions in the partition. Its end is the number of rows up to it; an empty
// frame begins where it ends.
std::pair<ExpressionPtr, ExpressionPtr> frame_positions(const resolved::Window& window) {
  const types::DataType type(types::TypeId::kLong);
  resolved::AggregateCall count;
  count.function = "count";
  count.arguments.push_back(make_integer(1));
  count.ansi = true;
  const ExpressionPtr rows = resolved::make_expression(std::move(count), type, false);
  resolved::WindowFrame up_to_end = *window.frame;
  up_to_end.lower = {plan::FrameBoundKind::kUnboundedPreceding, nullptr};
  const ExpressionPtr end = over(window, rows, std::move(up_to_end));
  const ExpressionPtr begin = resolved::make_expression(
      resolved::Call{"-", {end, over(window, rows, *window.frame)}, true}, type, false);
  const types::DataType position(types::TypeId::kInteger);
  return {cast_implicitly(begin, position), cast_implicitly(end, position)};
}

// Takes the Python calls out of one node's expressions, innermost first, and puts them below its input.
class PythonExtraction {
 public:
  PythonExtraction(Analysis& analysis, RelationPtr input) : analysis_(analysis), input_(std::move(input)) {}

  ExpressionPtr run(const ExpressionPtr& expression) {
    if (!contains<resolved::PythonCall>(expression)) return expression;
    const ExpressionPtr inner =
        map_children(expression, [&](const ExpressionPtr& child) { return run(child); });
    const auto* call = resolved::as<resolved::PythonCall>(inner);
    const auto* window = resolved::as<resolved::Window>(inner);
    const bool is_window = window != nullptr && is_python_aggregate_call(window->function);
    if (!is_window && (call == nullptr || is_python_aggregate_call(inner))) return inner;
    for (const auto& [known, column] : results_) {
      if (is_deterministic(known) && same_expression(known, inner)) return reference_to(column);
    }
    return is_window ? evaluate_window(inner, *window) : evaluate(inner, *call);
  }
  const RelationPtr& input() const { return input_; }

 private:
  // Arguments that are not columns are computed below; a call joins the node above its input when it can.
  ExpressionPtr evaluate(const ExpressionPtr& expression, const resolved::PythonCall& call) {
    resolved::Expressions computed;
    Columns output = input_->output;
    for (const Column& column : output) computed.push_back(reference_to(column));
    const size_t given = output.size();
    resolved::PythonCall plain = call;
    for (ExpressionPtr& argument : plain.arguments) {
      if (resolved::as<resolved::ColumnReference>(argument) != nullptr) continue;
      output.push_back({analysis_.next_id(), "argument", argument->type, argument->nullable, {}, ""});
      computed.push_back(argument);
      argument = reference_to(output.back());
    }
    const bool needs_projection = output.size() > given;
    const Column result{
        analysis_.next_id(), call.function->name, expression->type, expression->nullable, {}, ""};
    const ExpressionPtr next = resolved::make_expression(std::move(plain), expression->type,
                                                         expression->nullable, expression->origin);
    results_.emplace_back(expression, result);
    if (!needs_projection && join_last(next, result)) return reference_to(result);
    const int32_t partitions = input_->partitions;
    if (needs_projection) {
      input_ = resolved::make_relation(resolved::Project{input_, std::move(computed)}, output, partitions);
    }
    output = input_->output;
    output.push_back(result);
    input_ = resolved::make_relation(resolved::EvaluatePython{input_, {next}}, std::move(output), partitions);
    own_ = true;
    return reference_to(result);
  }

  // What the frame, the keys and the arguments are is computed below, by the engine's own windows.
  ExpressionPtr evaluate_window(const ExpressionPtr& expression, const resolved::Window& window) {
    resolved::Expressions computed;
    Columns output = input_->output;
    for (const Column& column : output) computed.push_back(reference_to(column));
    const auto compute = [&](const char* name, const ExpressionPtr& value) {
      if (const auto* column = resolved::as<resolved::ColumnReference>(value)) return column->id;
      output.push_back({analysis_.next_id(), name, value->type, value->nullable, {}, ""});
      computed.push_back(value);
      return output.back().id;
    };
    resolved::PythonWindow node;
    for (const ExpressionPtr& key : window.partition_by) node.partition_by.push_back(compute("key", key));
    node.order.push_back(compute("position", row_number(window)));
    const auto* call = resolved::as<resolved::PythonCall>(window.function);
    resolved::PythonCall plain = *call;
    node.is_bounded = !is_whole_partition(*window.frame);
    if (node.is_bounded) {
      const auto [begin, end] = frame_positions(window);
      plain.arguments.insert(plain.arguments.begin(), {begin, end});
      if (!plain.argument_names.empty()) plain.argument_names.insert(plain.argument_names.begin(), 2, "");
    }
    for (ExpressionPtr& argument : plain.arguments) {
      const types::DataType type = argument->type;
      argument = resolved::make_expression(resolved::ColumnReference{compute("argument", argument)}, type,
                                           argument->nullable);
    }
    const Column result{
        analysis_.next_id(), call->function->name, expression->type, expression->nullable, {}, ""};
    node.calls.push_back(resolved::make_expression(std::move(plain), expression->type, expression->nullable,
                                                   expression->origin));
    results_.emplace_back(expression, result);
    node.input =
        resolved::make_relation(resolved::Project{input_, std::move(computed)}, output, input_->partitions);
    output.push_back(result);
    const int32_t partitions = window.partition_by.empty() ? 1 : analysis_.settings.shuffle_partitions;
    input_ = resolved::make_relation(std::move(node), std::move(output), partitions);
    own_ = false;
    return reference_to(result);
  }

  // Adds the call to the EvaluatePython on top, when that one has the same kind and does not give what the
  // call reads.
  bool join_last(const ExpressionPtr& call, const Column& result) {
    const auto* last = resolved::as<resolved::EvaluatePython>(input_);
    if (!own_ || last == nullptr) return false;
    const auto* other = resolved::as<resolved::PythonCall>(last->calls[0]);
    if (other->function->eval_type != resolved::as<resolved::PythonCall>(call)->function->eval_type)
      return false;
    const ColumnIds below = output_ids(last->input);
    const ColumnIds read = references(call);
    if (!std::all_of(read.begin(), read.end(), [&](resolved::ColumnId id) { return below.contains(id); }))
      return false;
    resolved::EvaluatePython wider = *last;
    wider.calls.push_back(call);
    Columns output = input_->output;
    output.push_back(result);
    input_ = resolved::make_relation(std::move(wider), std::move(output), input_->partitions);
    return true;
  }

  Analysis& analysis_;
  RelationPtr input_;
  bool own_ = false;  // input_ is an EvaluatePython made here
  std::vector<std::pair<ExpressionPtr, Column>> results_;
};

bool holds_python(const RelationPtr& relation) {
  if (resolved::as<resolved::EvaluatePython>(relation) != nullptr) return false;
  bool found = false;
  // An Aggregate node keeps calls of its own kind.
  const auto is_to_be_taken_out = [](const ExpressionPtr& part) {
    const auto* window = resolved::as<resolved::Window>(part);
    if (window != nullptr) return is_python_aggregate_call(window->function);
    return resolved::as<resolved::PythonCall>(part) != nullptr && !is_python_aggregate_call(part);
  };
  for_each_expression(relation,
                      [&](const ExpressionPtr& part) { found = found || any_of(part, is_to_be_taken_out); });
  return found;
}

const char* join_name(plan::JoinType type) {
  switch (type) {
    case plan::JoinType::kLeftOuter: return "LEFT OUTER";
    case plan::JoinType::kRightOuter: return "RIGHT OUTER";
    case plan::JoinType::kFullOuter: return "FULL OUTER";
    case plan::JoinType::kLeftSemi: return "LEFT SEMI";
    case plan::JoinType::kLeftAnti: return "LEFT ANTI";
    default: return "INNER";
  }
}

bool holds_python_call(const ExpressionPtr& condition) { return contains<resolved::PythonCall>(condition); }

// A join condition with Python: calls on columns of one side go below that side; with one on both sides the
// condition becomes a filter above an inner join.
Result<RelationPtr> extract_from_join(Analysis& analysis, const RelationPtr& relation) {
  resolved::Join join = *resolved::as<resolved::Join>(relation);
  PythonExtraction sides[] = {PythonExtraction(analysis, join.left), PythonExtraction(analysis, join.right)};
  const ColumnIds given[] = {output_ids(join.left), output_ids(join.right)};
  join.condition = transform_down(join.condition, [&](const ExpressionPtr& part) -> ExpressionPtr {
    if (resolved::as<resolved::PythonCall>(part) == nullptr) return nullptr;
    const ColumnIds read = references(part);
    for (size_t side = 0; side < 2; ++side) {
      if (std::includes(given[side].begin(), given[side].end(), read.begin(), read.end()))
        return sides[side].run(part);
    }
    return nullptr;
  });
  join.left = sides[0].input();
  join.right = sides[1].input();
  if (!holds_python_call(join.condition)) {
    const bool is_left_only =
        join.type == plan::JoinType::kLeftSemi || join.type == plan::JoinType::kLeftAnti;
    Columns output = join.left->output;
    if (!is_left_only) output.insert(output.end(), join.right->output.begin(), join.right->output.end());
    resolved::Expressions kept;
    for (const Column& column : relation->output) kept.push_back(reference_to(column));
    const RelationPtr wide =
        resolved::make_relation(std::move(join), std::move(output), relation->partitions);
    return resolved::make_relation(resolved::Project{wide, std::move(kept)}, relation->output,
                                   relation->partitions);
  }
  join = *resolved::as<resolved::Join>(relation);
  if (join.type != plan::JoinType::kInner && join.type != plan::JoinType::kCross) {
    return error("UNSUPPORTED_FEATURE.PYTHON_UDF_IN_ON_CLAUSE", {{"joinType", join_name(join.type)}});
  }
  const ExpressionPtr condition = join.condition;
  join.condition = nullptr;
  join.type = plan::JoinType::kCross;
  const RelationPtr product =
      resolved::make_relation(std::move(join), relation->output, relation->partitions);
  const RelationPtr filtered =
      resolved::make_relation(resolved::Filter{product, condition}, relation->output, relation->partitions);
  return extract_python(analysis, filtered);
}

}  // namespace

Result<RelationPtr> extract_python(Analysis& analysis, const RelationPtr& relation) {
  if (!holds_python(relation)) return relation;
  if (resolved::as<resolved::Join>(relation) != nullptr) return extract_from_join(analysis, relation);
  RelationPtr input;
  int inputs = 0;
  for_each_input(relation, [&](const RelationPtr& only) {
    input = only;
    ++inputs;
  });
  if (inputs != 1) return unsupported("Python functions at this place of a query");
  PythonExtraction extraction(analysis, input);
  const RelationPtr changed =
      map_expressions(relation, [&](const ExpressionPtr& part) { return extraction.run(part); });
  return over_wider_input(relation, changed, extraction.input());
}

}  // namespace deuteron::analyzer
