// Python table functions in FROM: a call becomes a projection of its arguments and MapPartitions above it. A
// table argument is the projection's input, divided and ordered as the call asks; in a lateral join the left
// side is.
#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/python_functions.h"
#include "analyzer/relations.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;

namespace {

constexpr int32_t kTableFunctions[] = {300, 301, 302};  // PySpark's PythonEvalType
constexpr int32_t kArrowTableFunction = 302;

const unresolved::TableArgument* table_argument(const unresolved::ExpressionPtr& argument) {
  const auto* named = unresolved::as<unresolved::NamedArgument>(argument);
  return unresolved::as<unresolved::TableArgument>(named == nullptr ? argument : named->value);
}

const unresolved::TableArgument* table_argument(const unresolved::Expressions& arguments) {
  for (const auto& argument : arguments) {
    if (const auto* table = table_argument(argument)) return table;
  }
  return nullptr;
}

Status check_table_arguments(const unresolved::Expressions& arguments) {
  const auto tables = std::count_if(arguments.begin(), arguments.end(),
                                    [](const auto& argument) { return table_argument(argument) != nullptr; });
  if (tables < 2) return Status();
  return error("TABLE_VALUED_FUNCTION_TOO_MANY_TABLE_ARGUMENTS", {{"num", std::to_string(tables)}});
}

bool is_true(const unresolved::ExpressionPtr& condition) {
  const auto* literal = unresolved::as<unresolved::Literal>(condition);
  const auto* value = literal == nullptr ? nullptr : std::get_if<bool>(&literal->value.value.data);
  return value != nullptr && *value;
}

}  // namespace

bool is_python_table(int32_t eval_type) {
  return std::find(std::begin(kTableFunctions), std::end(kTableFunctions), eval_type) !=
         std::end(kTableFunctions);
}

Status check_named_arguments(const plan::Names& function, const unresolved::Expressions& arguments) {
  plan::Names names;
  for (const auto& argument : arguments) {
    const auto* named = unresolved::as<unresolved::NamedArgument>(argument);
    if (named == nullptr) {
      if (names.empty()) continue;
      return error("UNEXPECTED_POSITIONAL_ARGUMENT",
                   {{"routineName", quoted_name(function)}, {"parameterName", quoted_name(names.back())}});
    }
    if (std::find(names.begin(), names.end(), named->key) != names.end()) {
      return error("DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT.DOUBLE_NAMED_ARGUMENT_REFERENCE",
                   {{"routineName", quoted_name(function)}, {"parameterName", quoted_name(named->key)}});
    }
    names.push_back(named->key);
  }
  return Status();
}

Status check_alias_count(const plan::Names& function, size_t given, size_t columns) {
  if (given == 0 || given == columns) return Status();
  return error("NUM_TABLE_VALUE_ALIASES_MISMATCH", {{"funcName", quoted_name(function)},
                                                    {"aliasesNum", std::to_string(given)},
                                                    {"outColsNum", std::to_string(columns)}});
}

std::optional<unresolved::PythonCall> RelationResolver::python_table(
    const unresolved::RelationPtr& relation) const {
  if (const auto* inlined = unresolved::as<unresolved::PythonTable>(relation))
    return *unresolved::as<unresolved::PythonCall>(inlined->function);
  const auto* call = unresolved::as<unresolved::TableFunction>(relation);
  if (call == nullptr) return std::nullopt;
  const unresolved::ExpressionPtr registered = analysis_.catalog.find_function(call->name.back());
  const auto* python = unresolved::as<unresolved::PythonCall>(registered);
  if (python == nullptr || !is_python_table(python->eval_type)) return std::nullopt;
  unresolved::PythonCall bound = *python;
  bound.name = call->name.back();
  bound.arguments = call->arguments;
  return bound;
}

Result<Input> RelationResolver::python_table_function(const unresolved::PythonCall& python,
                                                      const plan::Origin& origin) {
  RETURN_IF_ERROR(at(check_table_arguments(python.arguments), origin));
  Input one = source(resolved::make_relation(resolved::OneRow{}, {}, 1));
  ASSIGN_OR_RETURN(TableCall call, table_call(python, outer_, origin));
  for (const ExpressionPtr& argument : call.arguments) {
    if (!references(argument).empty())
      return at(unsupported("a Python table function of outer columns inside a sub-query"), origin);
  }
  return source(call_table_function(python, std::move(call), one.plan));
}

// The function is called on each row of the left side; what it gives at the end of a partition stands beside
// the partition's last row.
Result<std::optional<Input>> RelationResolver::lateral_table_function(const unresolved::Join& node,
                                                                      const Input& left,
                                                                      const plan::Origin& origin) {
  const auto* alias = unresolved::as<unresolved::SubqueryAlias>(node.right);
  const unresolved::RelationPtr& function = alias == nullptr ? node.right : alias->input;
  const auto python = python_table(function);
  if (!python.has_value() || table_argument(python->arguments) != nullptr) return std::optional<Input>();
  if (python->eval_type == kArrowTableFunction)
    return at(error("LATERAL_JOIN_WITH_ARROW_UDTF_UNSUPPORTED", {}), origin);
  const bool is_plain = node.condition == nullptr || is_true(node.condition);
  const bool is_inner = node.type == plan::JoinType::kInner || node.type == plan::JoinType::kCross;
  if (node.is_natural || !node.using_columns.empty() || (!is_inner && !is_plain))
    return at(unsupported("a Python table function in a lateral join of this kind"), origin);
  const Scope left_scope = scope_of(left);
  ASSIGN_OR_RETURN(TableCall call, table_call(*python, &left_scope, function->origin));
  if (alias != nullptr) {
    RETURN_IF_ERROR(
        at(check_alias_count({python->name}, alias->column_aliases.size(), call.output.size()), origin));
    for (size_t i = 0; i < call.output.size(); ++i) {
      if (!alias->column_aliases.empty()) call.output[i].name = alias->column_aliases[i];
      call.output[i].qualifier = {alias->alias};
    }
  }
  call.how.kept = static_cast<int32_t>(left.plan->output.size());
  Input result = left;
  result.columns.insert(result.columns.end(), call.output.begin(), call.output.end());
  result.below = nullptr;
  result.aggregate = nullptr;
  result.plan = call_table_function(*python, std::move(call), left.plan);
  return std::optional<Input>(std::move(result));
}

Result<RelationResolver::TableCall> RelationResolver::table_call(const unresolved::PythonCall& python,
                                                                 const Scope* outer,
                                                                 const plan::Origin& origin) {
  RETURN_IF_ERROR(at(check_named_arguments({python.name}, python.arguments), origin));
  TableCall call;
  Scope scope;
  scope.outer = outer;
  ExpressionResolver resolver(analysis_, scope);
  for (const auto& argument : python.arguments) {
    const auto* named = unresolved::as<unresolved::NamedArgument>(argument);
    call.how.argument_names.push_back(named == nullptr ? "" : named->key);
    if (const auto* table = table_argument(argument)) {
      call.how.table_argument = static_cast<int32_t>(call.arguments.size());
      ASSIGN_OR_RETURN(call.table, resolve_table_argument(*table, call.how, origin));
      continue;
    }
    ASSIGN_OR_RETURN(ExpressionPtr value, resolver.resolve(named == nullptr ? argument : named->value));
    call.arguments.push_back(std::move(value));
  }
  if (!python.type.is(types::TypeId::kStruct))
    return at(unsupported("Python table functions that tell their columns themselves (analyze)"), origin);
  for (const types::StructField& field : python.type.fields())
    call.output.push_back({analysis_.next_id(), field.name, field.type, field.nullable, {}, ""});
  return call;
}

Result<RelationPtr> RelationResolver::resolve_table_argument(const unresolved::TableArgument& table,
                                                             resolved::TableFunctionCall& how,
                                                             const plan::Origin& origin) {
  unresolved::RelationPtr relation = table.plan;
  if (relation == nullptr) {
    const auto found = analysis_.references.find(table.plan_id);
    if (found == analysis_.references.end())
      return internal_error("a table argument names an unknown DataFrame");
    relation = found->second;
  }
  ASSIGN_OR_RETURN(Input input, RelationResolver(analysis_, outer_).resolve_settled(relation));
  if (!outer_references(input.plan).empty())
    return at(unsupported("a table argument of outer columns"), origin);
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> items;
  for (const Column& column : input.columns) items.push_back({reference_to(column), column});
  std::vector<resolved::SortKey> order;
  resolved::Expressions keys;
  for (const auto& expression : table.partition_by) {
    ASSIGN_OR_RETURN(ExpressionPtr key, resolver.resolve(expression));
    const Column column{
        analysis_.next_id(), "partition_by_" + std::to_string(keys.size()), key->type, key->nullable, {}, ""};
    how.partition_columns.push_back(static_cast<int32_t>(items.size()));
    items.push_back({std::move(key), column});
    keys.push_back(reference_to(column));
    order.push_back({keys.back(), true, true});
  }
  for (const auto& expression : table.order_by) {
    ASSIGN_OR_RETURN(resolved::SortKey key, resolver.resolve_sort_key(expression));
    order.push_back(std::move(key));
  }
  const bool is_single = table.is_single_partition;
  RelationPtr plan = input.plan;
  if (!keys.empty()) plan = analyzer::project(analysis_, std::move(input), items).plan;
  if (!keys.empty() || is_single) {
    const int32_t partitions = is_single ? 1 : analysis_.settings.shuffle_partitions;
    const Columns output = plan->output;
    plan = resolved::make_relation(resolved::Repartition{plan, std::move(keys), true, !is_single}, output,
                                   partitions);
    if (!order.empty())
      plan = resolved::make_relation(resolved::Sort{plan, std::move(order), false}, output, partitions);
  }
  for (const Column& column : plan->output) how.table_columns.push_back(column.name);
  return plan;
}

// `input`: what the arguments are computed on, unless there is a table argument.
RelationPtr RelationResolver::call_table_function(const unresolved::PythonCall& python, TableCall call,
                                                  RelationPtr input) {
  if (call.table != nullptr) input = call.table;
  resolved::Expressions expressions;
  Columns columns;
  const auto keep = [&] {
    for (const Column& column : input->output) {
      expressions.push_back(reference_to(column));
      columns.push_back(column);
    }
  };
  if (call.how.kept > 0) keep();
  Columns output = columns;
  for (size_t index = 0; index <= call.arguments.size(); ++index) {
    if (call.how.table_argument == static_cast<int32_t>(index)) keep();
    if (index == call.arguments.size()) break;
    const ExpressionPtr& value = call.arguments[index];
    columns.push_back({analysis_.next_id(), "argument", value->type, value->nullable, {}, ""});
    expressions.push_back(value);
  }
  // A function without arguments still has to see how many rows there are.
  if (columns.empty()) {
    expressions.push_back(make_integer(1));
    columns.push_back({analysis_.next_id(), "argument", expressions[0]->type, false, {}, ""});
  }
  output.insert(output.end(), call.output.begin(), call.output.end());
  const int32_t partitions = input->partitions;
  const RelationPtr arguments = resolved::make_relation(
      resolved::Project{std::move(input), std::move(expressions)}, std::move(columns), partitions);
  resolved::PythonFunction function{python.name,           python.eval_type, python.command,
                                    python.python_version, python.type,      python.deterministic};
  function.table_call = std::make_shared<const resolved::TableFunctionCall>(std::move(call.how));
  return resolved::make_relation(
      resolved::MapPartitions{arguments,
                              std::make_shared<const resolved::PythonFunction>(std::move(function)), false},
      std::move(output), partitions);
}

}  // namespace deuteron::analyzer
