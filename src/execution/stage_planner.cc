#include "execution/stage_planner.h"

#include <algorithm>
#include <optional>

#include "execution/outer_references.h"
#include "execution/pickled_call.h"
#include "execution/plan_rewrite.h"

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT: nearly every name here is a node's
using worker_pool::EvaluationType;

ExpressionPtr reference(const Column& column) {
  return make_expression(ColumnReference{column.id}, column.type, column.nullable);
}

std::vector<int32_t> first_columns(size_t count) {
  std::vector<int32_t> columns(count);
  for (size_t index = 0; index < count; ++index) columns[index] = static_cast<int32_t>(index);
  return columns;
}

RelationPtr scan(const Exchange& exchange, std::vector<int32_t> columns, Columns output) {
  return make_relation(ExchangeScan{exchange.id, std::move(columns)}, std::move(output), exchange.partitions);
}

RelationPtr project(const RelationPtr& input, Expressions expressions, Columns output) {
  return make_relation(Project{input, std::move(expressions)}, std::move(output), input->partitions);
}

Result<int32_t> position_of(const Columns& columns, ColumnId id) {
  for (size_t index = 0; index < columns.size(); ++index) {
    if (columns[index].id == id) return static_cast<int32_t>(index);
  }
  return internal_error("column " + std::to_string(id) + " is not in the input of a Python function");
}

// The columns that travel to a function of groups, each once.
class Travelling {
 public:
  // What PySpark's worker is told: how many numbers follow, the number of keys, the keys, the values; as
  // positions among the columns that travel.
  std::vector<int32_t> offsets(const std::vector<ColumnId>& keys, const std::vector<ColumnId>& values) {
    std::vector<int32_t> offsets = {0, static_cast<int32_t>(keys.size())};
    for (const ColumnId id : keys) offsets.push_back(add(id));
    for (const ColumnId id : values) offsets.push_back(add(id));
    offsets[0] = static_cast<int32_t>(offsets.size()) - 1;
    return offsets;
  }
  const std::vector<ColumnId>& ids() const { return ids_; }
  Result<std::vector<int32_t>> positions(const Columns& columns) const {
    std::vector<int32_t> positions;
    for (const ColumnId id : ids_) {
      ASSIGN_OR_RETURN(positions.emplace_back(), position_of(columns, id));
    }
    return positions;
  }

 private:
  int32_t add(ColumnId id) {
    const auto found = std::find(ids_.begin(), ids_.end(), id);
    if (found != ids_.end()) return static_cast<int32_t>(found - ids_.begin());
    ids_.push_back(id);
    return static_cast<int32_t>(ids_.size()) - 1;
  }

  std::vector<ColumnId> ids_;
};

bool takes_only_one_function(EvaluationType type) {
  return type == EvaluationType::kScalarPandasIterator || type == EvaluationType::kScalarArrowIterator;
}

bool is_scalar(int32_t type) {
  switch (static_cast<EvaluationType>(type)) {
    case EvaluationType::kPickled:
    case EvaluationType::kArrowBatched:
    case EvaluationType::kScalarPandas:
    case EvaluationType::kScalarPandasIterator:
    case EvaluationType::kScalarArrow:
    case EvaluationType::kScalarArrowIterator: return true;
    default: return false;
  }
}

std::string map_name(int32_t type) {
  return static_cast<EvaluationType>(type) == EvaluationType::kMapPandasIterator ? "mapInPandas"
                                                                                 : "mapInArrow";
}

// Functions that take and give pickled rows run inside one mapInArrow function of ours.
void run_by_rows(PythonStage& stage, const types::Schema& input, relational::ColumnGroupRequest& sent) {
  std::vector<RowFunction> functions;
  for (const worker_pool::PythonFunction& function : stage.functions) {
    RowFunction by_row;
    by_row.command = function.commands.front();
    for (const worker_pool::FunctionArgument& argument : function.arguments) {
      by_row.columns.push_back(argument.column);
      by_row.names.push_back(argument.name.value_or(""));
    }
    functions.push_back(std::move(by_row));
  }
  const std::string command = pickle_row_functions(functions, types::DataType::structure(input).json(),
                                                   types::DataType::structure(stage.output.schema).json());
  stage.is_by_rows = true;
  stage.evaluation_type = EvaluationType::kMapArrowIterator;
  stage.functions = {{{{0, std::nullopt}}, {command}, 0}};
  stage.output.layout = exchange::Layout::kStructColumn;
  sent.layout = exchange::Layout::kStructColumn;
}

bool is_aggregate(int32_t type) {
  switch (static_cast<EvaluationType>(type)) {
    case EvaluationType::kGroupedAggregatePandas:
    case EvaluationType::kGroupedAggregatePandasIterator:
    case EvaluationType::kGroupedAggregateArrow:
    case EvaluationType::kGroupedAggregateArrowIterator: return true;
    default: return false;
  }
}

bool takes_iterator(int32_t type) {
  return static_cast<EvaluationType>(type) == EvaluationType::kGroupedAggregatePandasIterator ||
         static_cast<EvaluationType>(type) == EvaluationType::kGroupedAggregateArrowIterator;
}

// Of Python functions: the analyzer lets no others beside them.
bool is_python_aggregate(const Relation& relation) {
  const auto* aggregate = std::get_if<Aggregate>(&relation.node);
  return aggregate != nullptr && !aggregate->aggregates.empty() &&
         as<PythonCall>(aggregate->aggregates[0]) != nullptr;
}

bool is_local_sort(const Relation& relation) {
  const auto* sort = std::get_if<Sort>(&relation.node);
  return sort != nullptr && !sort->is_global && sort->input->partitions != 1;
}

bool needs_stage(const Relation& relation) {
  return std::holds_alternative<MapPartitions>(relation.node) ||
         std::holds_alternative<GroupMap>(relation.node) ||
         std::holds_alternative<CoGroupMap>(relation.node) ||
         std::holds_alternative<PythonWindow>(relation.node) ||
         std::holds_alternative<EvaluatePython>(relation.node) ||
         std::holds_alternative<EvaluatePosition>(relation.node) || is_python_aggregate(relation) ||
         is_local_sort(relation);
}

const PythonCall* python_call(const ExpressionPtr& expression) { return as<PythonCall>(expression); }

// Finds the outermost PythonCalls below the call itself, wherever they are in its arguments.
template <typename Visit>
ExpressionPtr replace_calls(const ExpressionPtr& expression, const Visit& visit) {
  if (expression == nullptr) return expression;
  if (python_call(expression) != nullptr) return visit(expression);
  Expression copy = *expression;
  bool changed = false;
  const auto replace = [&](ExpressionPtr& child) {
    ExpressionPtr mapped = replace_calls(child, visit);
    changed |= mapped != child;
    child = std::move(mapped);
  };
  if (auto* call = std::get_if<Call>(&copy.node)) {
    for (ExpressionPtr& argument : call->arguments) replace(argument);
  } else if (auto* cast = std::get_if<Cast>(&copy.node)) {
    replace(cast->child);
  } else if (auto* field = std::get_if<GetField>(&copy.node)) {
    replace(field->child);
  }
  return changed ? std::make_shared<const Expression>(std::move(copy)) : expression;
}

// The rows once for each grouping set: keys outside the set are null, and the last key tells the set.
RelationPtr expand(const RelationPtr& input, const Aggregate& node, const Expressions& expressions,
                   const Columns& columns) {
  RelationPtr all;
  const auto keys = static_cast<int32_t>(node.grouping.size());
  for (const std::vector<int32_t>& set : node.grouping_sets) {
    Expressions chosen = expressions;
    int64_t left_out = 0;
    for (int32_t key = 0; key < keys; ++key) {
      left_out *= 2;
      if (std::find(set.begin(), set.end(), key) != set.end()) continue;
      ++left_out;
      chosen[static_cast<size_t>(key)] =
          make_expression(Literal{types::Value()}, expressions[static_cast<size_t>(key)]->type, true);
    }
    chosen[static_cast<size_t>(keys)] =
        make_expression(Literal{types::Value(left_out)}, types::DataType(types::TypeId::kLong), false);
    RelationPtr one = project(input, std::move(chosen), columns);
    all = all == nullptr
              ? one
              : make_relation(SetOperation{all, one, plan::SetOperationType::kUnion, true}, columns);
  }
  return all;
}

}  // namespace

RelationPtr scan_all(const Exchange& exchange, const Columns& output) {
  return scan(exchange, first_columns(output.size()), output);
}

Result<RelationPtr> StagePlanner::cut(const RelationPtr& relation) {
  if (!any_relation(relation, needs_stage)) return relation;
  if (as<WithCte>(relation) != nullptr) return cut_with_cte(relation);
  if (needs_stage(*relation) && refers_outside(relation)) return cut_correlated(relation);
  if (as<MapPartitions>(relation) != nullptr) return cut_map(relation);
  if (as<GroupMap>(relation) != nullptr) return cut_group_map(relation);
  if (as<CoGroupMap>(relation) != nullptr) return cut_co_group_map(relation);
  if (as<PythonWindow>(relation) != nullptr) return cut_window(relation);
  if (is_python_aggregate(*relation)) return cut_aggregate(relation);
  if (as<EvaluatePython>(relation) != nullptr) return cut_evaluate(relation);
  if (as<EvaluatePosition>(relation) != nullptr) return cut_position(relation);
  if (is_local_sort(*relation)) return cut_local_sort(relation);
  return map_children(relation, [this](const RelationPtr& child) { return cut(child); });
}

Result<RelationPtr> StagePlanner::cut_with_cte(const RelationPtr& relation) {
  Relation copy = *relation;
  WithCte& with = std::get<WithCte>(copy.node);
  const size_t outer = cte_scope_.size();
  for (CteDefinition& definition : with.definitions) {
    ASSIGN_OR_RETURN(definition.relation, cut(definition.relation));
    cte_scope_.push_back(definition);
  }
  ASSIGN_OR_RETURN(with.body, cut(with.body));
  cte_scope_.resize(outer);
  return RelationPtr(std::make_shared<const Relation>(std::move(copy)));
}

// The functions run on all rows, whatever the outer query asks for, as on Spark.
Result<RelationPtr> StagePlanner::cut_correlated(const RelationPtr& relation) {
  const bool is_scalar = as<EvaluatePython>(relation) != nullptr;
  const std::optional<LiftedFilters> lifted = is_scalar ? lift_outer_filters(relation) : std::nullopt;
  if (!lifted.has_value()) return unsupported("Python functions that depend on an outer query's rows");
  ASSIGN_OR_RETURN(RelationPtr current, cut(lifted->relation));
  for (const ExpressionPtr& condition : lifted->conditions)
    current = make_relation(Filter{current, condition}, current->output, current->partitions);
  Expressions order;
  for (const Column& column : relation->output) order.push_back(reference(column));
  return project(current, std::move(order), relation->output);
}

Result<RelationPtr> StagePlanner::cut_position(const RelationPtr& relation) {
  const EvaluatePosition& node = *as<EvaluatePosition>(relation);
  ASSIGN_OR_RETURN(const RelationPtr input, cut(node.input));
  PositionStage stage{complete(input), {}, node.calls};
  stage.request.keeps_order = true;
  stage.request.merges_shuffles = true;
  if (node.is_single) stage.request.distribution = relational::Distribution::kSingle;
  ASSIGN_OR_RETURN(const Exchange exchange, run_position_(stage));
  return scan_all(exchange, relation->output);
}

// The engine orders all rows or none.
Result<RelationPtr> StagePlanner::cut_local_sort(const RelationPtr& relation) {
  Sort sort = *as<Sort>(relation);
  ASSIGN_OR_RETURN(sort.input, cut(sort.input));
  PositionStage stage{complete(make_relation(sort, relation->output, relation->partitions)), {}, {}};
  stage.request.merges_shuffles = true;
  ASSIGN_OR_RETURN(const Exchange exchange, run_position_(stage));
  return scan_all(exchange, relation->output);
}

RelationPtr StagePlanner::complete(const RelationPtr& fragment) const {
  if (cte_scope_.empty()) return fragment;
  const bool reads_definition =
      any_relation(fragment, [](const Relation& one) { return std::holds_alternative<CteScan>(one.node); });
  if (!reads_definition) return fragment;
  return make_relation(WithCte{fragment, cte_scope_}, fragment->output, fragment->partitions);
}

Result<RelationPtr> StagePlanner::cut_map(const RelationPtr& relation) {
  const MapPartitions& map = *as<MapPartitions>(relation);
  ASSIGN_OR_RETURN(RelationPtr input, cut(map.input));
  PythonStage stage;
  stage.name = map_name(map.function->eval_type) + "(" + map.function->name + ")";
  stage.input = complete(input);
  stage.request.groups = {{first_columns(input->output.size()), exchange::Layout::kStructColumn, {}}};
  stage.is_gang = map.is_barrier;
  stage.resource_profile = map.resource_profile;
  stage.evaluation_type = static_cast<EvaluationType>(map.function->eval_type);
  stage.functions = {{{{0, std::nullopt}}, {map.function->command}, 0}};
  stage.python_version = map.function->python_version;
  stage.output = {to_schema(relation->output), exchange::Layout::kStructColumn, true};
  if (map.function->table_call != nullptr) {
    stage.name = map.function->name;
    stage.evaluation_type = EvaluationType::kMapArrowIterator;
    stage.table_function = TableFunctionOfStage{map.function, to_schema(input->output)};
    stage.skips_empty = true;
  }
  ASSIGN_OR_RETURN(const Exchange exchange, run_stage_(stage));
  return scan_all(exchange, relation->output);
}

Result<RelationPtr> StagePlanner::cut_group_map(const RelationPtr& relation) {
  const GroupMap& map = *as<GroupMap>(relation);
  ASSIGN_OR_RETURN(RelationPtr input, cut(map.input));
  const auto type = static_cast<EvaluationType>(map.function->eval_type);
  const bool is_arrow =
      type == EvaluationType::kGroupedMapArrow || type == EvaluationType::kGroupedMapArrowIterator;
  const bool is_pandas =
      type == EvaluationType::kGroupedMapPandas || type == EvaluationType::kGroupedMapPandasIterator;
  if (!is_arrow && !is_pandas) {
    return unsupported("grouped Python functions of evaluation type " +
                       std::to_string(map.function->eval_type));
  }
  Travelling travelling;
  const std::vector<int32_t> offsets = travelling.offsets(map.grouping, map.argument_columns);
  PythonStage stage;
  stage.name = "applyInPandas(" + map.function->name + ")";
  stage.input = complete(input);
  ASSIGN_OR_RETURN(const std::vector<int32_t> columns, travelling.positions(input->output));
  stage.request.groups = {
      {columns, is_arrow ? exchange::Layout::kStructColumn : exchange::Layout::kFlat, {}}};
  stage.request.distribution = relational::Distribution::kHash;
  stage.request.partitions = relation->partitions;
  stage.request.keys = map.grouping;
  stage.request.stream_per_key = true;
  if (map.grouping.empty()) stage.request.partitions = 1;
  stage.tables_per_group = 1;
  stage.skips_empty = true;
  stage.evaluation_type = type;
  worker_pool::PythonFunction function;
  for (const int32_t offset : offsets) function.arguments.push_back({offset, std::nullopt});
  function.commands = {map.function->command};
  stage.functions = {std::move(function)};
  stage.python_version = map.function->python_version;
  stage.output = {to_schema(relation->output), exchange::Layout::kStructColumn, true};
  ASSIGN_OR_RETURN(const Exchange exchange, run_stage_(stage));
  return scan_all(exchange, relation->output);
}

// Both sides are one input, which is shuffled and ordered once: keys, the number of the side, and the columns
// of either side, null in the rows of the other. Each side travels in streams of its own.
Result<RelationPtr> StagePlanner::cut_co_group_map(const RelationPtr& relation) {
  const CoGroupMap& map = *as<CoGroupMap>(relation);
  const auto type = static_cast<EvaluationType>(map.function->eval_type);
  if (type != EvaluationType::kCogroupedMapPandas && type != EvaluationType::kCogroupedMapArrow)
    return unsupported("cogrouped Python functions of evaluation type " +
                       std::to_string(map.function->eval_type));
  ASSIGN_OR_RETURN(const RelationPtr left, cut(map.left));
  ASSIGN_OR_RETURN(const RelationPtr right, cut(map.right));
  const struct {
    const RelationPtr& input;
    const std::vector<ColumnId>& grouping;
    const std::vector<ColumnId>& arguments;
  } sides[] = {{left, map.left_grouping, map.left_arguments},
               {right, map.right_grouping, map.right_arguments}};

  PythonStage stage;
  stage.name = "cogroup(" + map.function->name + ")";
  worker_pool::PythonFunction function;
  function.commands = {map.function->command};
  Columns columns;
  for (const ColumnId id : map.left_grouping) {
    ASSIGN_OR_RETURN(const int32_t position, position_of(left->output, id));
    Column key = left->output[static_cast<size_t>(position)];
    key.id = new_column();
    key.nullable = true;
    stage.request.keys.push_back(key.id);
    columns.push_back(std::move(key));
  }
  const types::DataType number(types::TypeId::kInteger);
  stage.request.side_column = static_cast<int32_t>(columns.size());
  columns.push_back({new_column(), "side", number, false, {}, ""});
  Expressions rows[2];
  for (int32_t side = 0; side < 2; ++side) {
    Travelling travelling;
    for (const int32_t offset : travelling.offsets(sides[side].grouping, sides[side].arguments))
      function.arguments.push_back({offset, std::nullopt});
    const Columns& output = sides[side].input->output;
    for (const ColumnId id : sides[side].grouping) {
      ASSIGN_OR_RETURN(const int32_t position, position_of(output, id));
      rows[side].push_back(reference(output[static_cast<size_t>(position)]));
    }
    rows[side].push_back(make_expression(Literal{types::Value(int64_t{side})}, number, false));
    relational::ColumnGroupRequest sent;
    sent.side = side;
    ASSIGN_OR_RETURN(const std::vector<int32_t> positions, travelling.positions(output));
    for (const int32_t position : positions) {
      const Column& column = output[static_cast<size_t>(position)];
      sent.columns.push_back(static_cast<int32_t>(columns.size()));
      columns.push_back({new_column(), column.name, column.type, true, {}, column.metadata_json});
    }
    stage.request.groups.push_back(std::move(sent));
  }
  for (int32_t side = 0; side < 2; ++side) {
    const Columns& output = sides[side].input->output;
    size_t next = map.left_grouping.size() + 1;
    for (int32_t other = 0; other < 2; ++other) {
      Travelling travelling;
      travelling.offsets(sides[other].grouping, sides[other].arguments);
      for (const ColumnId id : travelling.ids()) {
        const types::DataType& column_type = columns[next++].type;
        if (side != other) {
          rows[side].push_back(make_expression(Literal{types::Value()}, column_type, true));
          continue;
        }
        ASSIGN_OR_RETURN(const int32_t position, position_of(output, id));
        rows[side].push_back(reference(output[static_cast<size_t>(position)]));
      }
    }
  }
  stage.input = complete(make_relation(
      SetOperation{project(left, std::move(rows[0]), columns), project(right, std::move(rows[1]), columns),
                   plan::SetOperationType::kUnion, true},
      columns));
  stage.request.distribution = relational::Distribution::kHash;
  stage.request.partitions = map.left_grouping.empty() ? 1 : relation->partitions;
  stage.request.stream_per_key = true;
  stage.tables_per_group = 2;
  stage.skips_empty = true;
  stage.evaluation_type = type;
  stage.functions = {std::move(function)};
  stage.python_version = map.function->python_version;
  stage.output = {to_schema(relation->output), exchange::Layout::kStructColumn, true};
  ASSIGN_OR_RETURN(const Exchange exchange, run_stage_(stage));
  return scan_all(exchange, relation->output);
}

// Each partition of the window is a stream; the other columns wait in streams of the same rows.
Result<RelationPtr> StagePlanner::cut_window(const RelationPtr& relation) {
  const PythonWindow& node = *as<PythonWindow>(relation);
  const PythonFunction& first = *python_call(node.calls[0])->function;
  ASSIGN_OR_RETURN(const RelationPtr input, cut(node.input));
  PythonStage stage;
  stage.name = first.name;
  relational::ColumnGroupRequest sent;
  for (const ExpressionPtr& expression : node.calls) {
    const PythonCall& call = *python_call(expression);
    worker_pool::PythonFunction function;
    for (size_t index = 0; index < call.arguments.size(); ++index) {
      ASSIGN_OR_RETURN(const int32_t position,
                       position_of(input->output, as<ColumnReference>(call.arguments[index])->id));
      const auto known = std::find(sent.columns.begin(), sent.columns.end(), position);
      const bool is_named = index < call.argument_names.size() && !call.argument_names[index].empty();
      function.arguments.push_back({static_cast<int32_t>(known - sent.columns.begin()),
                                    is_named ? std::optional(call.argument_names[index]) : std::nullopt});
      if (known != sent.columns.end()) continue;
      sent.columns.push_back(position);
      sent.names.push_back("_" + std::to_string(sent.names.size()));
    }
    function.commands = {call.function->command};
    function.result_id = static_cast<int64_t>(stage.functions.size());
    stage.output.schema.push_back(
        {"_" + std::to_string(stage.functions.size()), call.function->type, true, ""});
    stage.functions.push_back(std::move(function));
    std::string& bounds = stage.runner_conf["window_bound_types"];
    bounds += (bounds.empty() ? "" : ",") + std::string(node.is_bounded ? "bounded" : "unbounded");
  }
  // A function without arguments still has to see how many rows there are.
  if (sent.columns.empty()) {
    ASSIGN_OR_RETURN(sent.columns.emplace_back(), position_of(input->output, node.order[0]));
    sent.names.emplace_back("_0");
  }
  relational::ColumnGroupRequest waiting;
  std::vector<int32_t> where;
  for (size_t index = 0; index < input->output.size(); ++index) {
    const auto position = static_cast<int32_t>(index);
    const auto found = std::find(sent.columns.begin(), sent.columns.end(), position);
    if (found != sent.columns.end()) {
      where.push_back(static_cast<int32_t>(found - sent.columns.begin()));
    } else {
      where.push_back(static_cast<int32_t>(sent.columns.size() + waiting.columns.size()));
      waiting.columns.push_back(position);
    }
  }
  for (size_t index = 0; index < node.calls.size(); ++index)
    where.push_back(static_cast<int32_t>(input->output.size() + index));
  stage.request.groups = {std::move(sent)};
  if (!waiting.columns.empty()) stage.request.groups.push_back(std::move(waiting));
  stage.first_kept_group = 0;
  stage.request.keys = node.partition_by;
  stage.request.order = node.order;
  stage.request.distribution = relational::Distribution::kHash;
  stage.request.partitions = node.partition_by.empty() ? 1 : relation->partitions;
  stage.request.stream_per_key = true;
  stage.input = complete(input);
  stage.tables_per_group = 1;
  stage.skips_empty = true;
  stage.evaluation_type =
      static_cast<EvaluationType>(first.eval_type) == EvaluationType::kGroupedAggregateArrow
          ? EvaluationType::kWindowAggregateArrow
          : EvaluationType::kWindowAggregatePandas;
  stage.python_version = first.python_version;
  ASSIGN_OR_RETURN(const Exchange exchange, run_stage_(stage));
  return scan(exchange, std::move(where), relation->output);
}

// Each group is a stream of argument columns that travels; its key waits in one row of a group of columns of
// its own, beside which the group's row of results then stands.
Result<RelationPtr> StagePlanner::cut_aggregate(const RelationPtr& relation) {
  const Aggregate& node = *as<Aggregate>(relation);
  const PythonFunction& first = *python_call(node.aggregates[0])->function;
  if (!is_aggregate(first.eval_type)) {
    return unsupported("Python aggregate functions of evaluation type " + std::to_string(first.eval_type));
  }
  if (takes_iterator(first.eval_type) && node.aggregates.size() > 1)
    return unsupported("an aggregate function of iterators beside others");
  ASSIGN_OR_RETURN(const RelationPtr input, cut(node.input));
  // With grouping sets the id of the set is a key like the others; it comes last in the output.
  const bool has_sets = !node.grouping_sets.empty();
  Columns columns(relation->output.begin(),
                  relation->output.begin() + static_cast<long>(node.grouping.size()));
  Expressions expressions = node.grouping;
  if (has_sets) {
    columns.push_back(relation->output.back());
    expressions.push_back(make_expression(Literal{types::Value()}, columns.back().type, true));
  }
  const size_t keys = columns.size();
  for (Column& key : columns) key.id = new_column();

  PythonStage stage;
  stage.name = first.name;
  relational::ColumnGroupRequest sent;
  const auto send = [&](const ExpressionPtr& argument) {
    const auto known = std::find(expressions.begin() + static_cast<long>(keys), expressions.end(), argument);
    if (known == expressions.end()) {
      sent.columns.push_back(static_cast<int32_t>(expressions.size()));
      sent.names.push_back("_" + std::to_string(sent.names.size()));
      expressions.push_back(argument);
      columns.push_back({new_column(), sent.names.back(), argument->type, argument->nullable, {}, ""});
      return static_cast<int32_t>(sent.columns.size()) - 1;
    }
    return static_cast<int32_t>(known - expressions.begin()) - static_cast<int32_t>(keys);
  };
  for (const ExpressionPtr& aggregate : node.aggregates) {
    const PythonCall& call = *python_call(aggregate);
    if (call.function->eval_type != first.eval_type)
      return unsupported("Python aggregate functions of different kinds in one aggregation");
    worker_pool::PythonFunction function;
    for (size_t index = 0; index < call.arguments.size(); ++index) {
      const bool is_named = index < call.argument_names.size() && !call.argument_names[index].empty();
      function.arguments.push_back(
          {send(call.arguments[index]), is_named ? std::optional(call.argument_names[index]) : std::nullopt});
    }
    function.commands = {call.function->command};
    function.result_id = static_cast<int64_t>(stage.functions.size());
    stage.output.schema.push_back(
        {"_" + std::to_string(stage.functions.size()), call.function->type, true, ""});
    stage.functions.push_back(std::move(function));
  }
  // A function without arguments still has to be called once for each group.
  if (sent.columns.empty())
    send(make_expression(Literal{types::Value()}, types::DataType(types::TypeId::kInteger), true));

  stage.request.groups = {std::move(sent)};
  if (keys > 0) {
    stage.request.groups.push_back({first_columns(keys), exchange::Layout::kFlat, {}, true});
    stage.first_kept_group = 1;
  }
  for (size_t key = 0; key < keys; ++key) stage.request.keys.push_back(columns[key].id);
  stage.request.distribution = relational::Distribution::kHash;
  stage.request.partitions = keys > 0 ? relation->partitions : 1;
  stage.request.stream_per_key = true;
  stage.input = complete(has_sets ? expand(input, node, expressions, columns)
                                  : project(input, std::move(expressions), std::move(columns)));
  stage.tables_per_group = 1;
  stage.skips_empty = true;
  stage.evaluation_type = static_cast<EvaluationType>(first.eval_type);
  stage.python_version = first.python_version;
  ASSIGN_OR_RETURN(const Exchange exchange, run_stage_(stage));
  std::vector<int32_t> where = first_columns(relation->output.size());
  if (has_sets) {
    const auto set_id = where.begin() + static_cast<long>(keys) - 1;
    where.erase(set_id), where.push_back(static_cast<int32_t>(keys) - 1);
  }
  return scan(exchange, std::move(where), relation->output);
}

Result<RelationPtr> StagePlanner::cut_evaluate(const RelationPtr& relation) {
  const EvaluatePython& node = *as<EvaluatePython>(relation);
  ASSIGN_OR_RETURN(RelationPtr current, cut(node.input));
  Expressions calls = node.calls;
  ASSIGN_OR_RETURN(current, evaluate_inner(current, calls));
  const size_t inputs = node.input->output.size();

  // Calls of one kind share a stage; each kind is a pass of its own over the rows.
  std::vector<bool> done(calls.size(), false);
  for (size_t first = 0; first < calls.size(); ++first) {
    if (done[first]) continue;
    const int32_t type = python_call(calls[first])->function->eval_type;
    std::vector<const PythonCall*> together;
    Columns results;
    for (size_t index = first; index < calls.size(); ++index) {
      const PythonCall* call = python_call(calls[index]);
      if (done[index] || call->function->eval_type != type) continue;
      if (!together.empty() && takes_only_one_function(static_cast<EvaluationType>(type))) break;
      done[index] = true;
      together.push_back(call);
      results.push_back(relation->output[inputs + index]);
    }
    ASSIGN_OR_RETURN(current, evaluate(current, together, results));
  }
  Expressions order;
  for (const Column& column : relation->output) order.push_back(reference(column));
  return project(current, std::move(order), relation->output);
}

Result<RelationPtr> StagePlanner::evaluate_inner(RelationPtr input, Expressions& calls) {
  Expressions inner;
  Columns columns;
  for (ExpressionPtr& expression : calls) {
    Expression copy = *expression;
    PythonCall& call = std::get<PythonCall>(copy.node);
    bool changed = false;
    for (ExpressionPtr& argument : call.arguments) {
      ExpressionPtr replaced = replace_calls(argument, [&](const ExpressionPtr& nested) {
        inner.push_back(nested);
        columns.push_back({new_column(), "_inner", nested->type, true, {}, ""});
        return reference(columns.back());
      });
      changed |= replaced != argument;
      argument = std::move(replaced);
    }
    if (changed) expression = std::make_shared<const Expression>(std::move(copy));
  }
  if (inner.empty()) return input;
  Columns output = input->output;
  output.insert(output.end(), columns.begin(), columns.end());
  const int32_t partitions = input->partitions;
  return cut_evaluate(
      make_relation(EvaluatePython{std::move(input), std::move(inner)}, std::move(output), partitions));
}

Result<RelationPtr> StagePlanner::evaluate(const RelationPtr& input,
                                           const std::vector<const PythonCall*>& calls,
                                           const Columns& results) {
  const PythonFunction& first = *calls[0]->function;
  if (!is_scalar(first.eval_type)) {
    return unsupported("Python functions of evaluation type " + std::to_string(first.eval_type));
  }
  PythonStage stage;
  stage.name = first.name;
  stage.first_kept_group = 0;
  stage.skips_empty = true;
  stage.evaluation_type = static_cast<EvaluationType>(first.eval_type);
  stage.python_version = first.python_version;

  // Arguments are columns: of the input where they are one already, else computed beside it.
  Columns columns = input->output;
  Expressions expressions;
  for (const Column& column : columns) expressions.push_back(reference(column));
  std::vector<int32_t> travelling;  // positions in `columns`
  std::map<ColumnId, int32_t> argument_of_column;
  const auto argument_position = [&](const ExpressionPtr& expression) -> Result<int32_t> {
    const ColumnReference* column = as<ColumnReference>(expression);
    if (column != nullptr) {
      const auto known = argument_of_column.find(column->id);
      if (known != argument_of_column.end()) return known->second;
      ASSIGN_OR_RETURN(const int32_t position, position_of(input->output, column->id));
      travelling.push_back(position);
      argument_of_column[column->id] = static_cast<int32_t>(travelling.size()) - 1;
    } else {
      travelling.push_back(static_cast<int32_t>(columns.size()));
      columns.push_back({new_column(), "_argument", expression->type, expression->nullable, {}, ""});
      expressions.push_back(expression);
    }
    return static_cast<int32_t>(travelling.size()) - 1;
  };
  for (const PythonCall* call : calls) {
    worker_pool::PythonFunction function;
    for (size_t index = 0; index < call->arguments.size(); ++index) {
      ASSIGN_OR_RETURN(const int32_t position, argument_position(call->arguments[index]));
      const bool is_named = index < call->argument_names.size() && !call->argument_names[index].empty();
      function.arguments.push_back(
          {position, is_named ? std::optional(call->argument_names[index]) : std::nullopt});
    }
    function.commands = {call->function->command};
    function.result_id = static_cast<int64_t>(stage.functions.size());
    stage.output.schema.push_back(
        {"_" + std::to_string(stage.functions.size()), call->function->type, true, ""});
    stage.functions.push_back(std::move(function));
  }
  // A function without arguments still has to see how many rows there are.
  if (travelling.empty()) {
    types::Value nothing;
    static_cast<void>(
        argument_position(make_expression(Literal{nothing}, types::DataType(types::TypeId::kInteger), true)));
  }

  relational::ColumnGroupRequest sent{travelling, exchange::Layout::kFlat, {}};
  types::Schema sent_schema;
  for (size_t index = 0; index < travelling.size(); ++index) {
    const Column& column = columns[static_cast<size_t>(travelling[index])];
    sent.names.push_back("_" + std::to_string(index));
    sent_schema.push_back({sent.names.back(), column.type, column.nullable, ""});
  }
  relational::ColumnGroupRequest waiting;
  for (size_t index = 0; index < input->output.size(); ++index) {
    const auto position = static_cast<int32_t>(index);
    if (std::find(travelling.begin(), travelling.end(), position) == travelling.end())
      waiting.columns.push_back(position);
  }
  if (stage.evaluation_type == EvaluationType::kPickled) run_by_rows(stage, sent_schema, sent);
  const bool computes = columns.size() > input->output.size();
  stage.input = complete(computes ? project(input, std::move(expressions), columns) : input);
  stage.request.groups = {sent};
  if (!waiting.columns.empty()) stage.request.groups.push_back(waiting);
  if (stage.evaluation_type == EvaluationType::kArrowBatched) {
    stage.evaluation_conf["input_type"] = types::DataType::structure(sent_schema).json();
  }
  ASSIGN_OR_RETURN(const Exchange exchange, run_stage_(stage));

  // Where each column lies now, counted over the groups: sent, waiting, results.
  std::vector<int32_t> where;
  for (size_t index = 0; index < input->output.size(); ++index) {
    const auto position = static_cast<int32_t>(index);
    const auto found = std::find(travelling.begin(), travelling.end(), position);
    if (found != travelling.end()) {
      where.push_back(static_cast<int32_t>(found - travelling.begin()));
    } else {
      const auto rest = std::find(waiting.columns.begin(), waiting.columns.end(), position);
      where.push_back(
          static_cast<int32_t>(travelling.size() + static_cast<size_t>(rest - waiting.columns.begin())));
    }
  }
  Columns output = input->output;
  for (size_t index = 0; index < results.size(); ++index) {
    where.push_back(static_cast<int32_t>(travelling.size() + waiting.columns.size() + index));
    output.push_back(results[index]);
  }
  return scan(exchange, std::move(where), std::move(output));
}

}  // namespace deuteron::execution
