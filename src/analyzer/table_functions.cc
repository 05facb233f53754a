// Python table functions in FROM: a call becomes a projection of its arguments and MapPartitions above it. A
// table argument is the projection's input, divided and ordered as the call asks; in a lateral join the left
// side is.
#include <algorithm>

#include "analyzer/answer_reader.h"
#include "analyzer/errors.h"
#include "analyzer/python_functions.h"
#include "analyzer/relations.h"
#include "analyzer/renumbering.h"
#include "analyzer/simplification.h"
#include "sql/parser.h"

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

// An inner join calls the function on each row of the left side; what it gives at the end of a partition
// stands beside the partition's last row. An outer join calls it once on what the arguments are in all rows.
Result<std::optional<RelationResolver::LateralFunction>> RelationResolver::lateral_table_function(
    const unresolved::Join& node, const Input& left, const plan::Origin& origin) {
  const auto* alias = unresolved::as<unresolved::SubqueryAlias>(node.right);
  const unresolved::RelationPtr& function = alias == nullptr ? node.right : alias->input;
  const auto python = python_table(function);
  if (!python.has_value()) return std::optional<LateralFunction>();
  if (table_argument(python->arguments) != nullptr)
    return at(unsupported("a table argument in a lateral join"), origin);
  if (python->eval_type == kArrowTableFunction)
    return at(error("LATERAL_JOIN_WITH_ARROW_UDTF_UNSUPPORTED", {}), origin);
  const bool is_inner = node.type == plan::JoinType::kInner || node.type == plan::JoinType::kCross;
  const bool is_left = node.type == plan::JoinType::kLeftOuter;
  if (node.is_natural || !node.using_columns.empty() || !(is_inner || is_left))
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
  LateralFunction result;
  // As in Spark, an outer join without a condition leaves the rows out for which the function gives none.
  result.is_joined = is_inner || node.condition == nullptr;
  if (!result.is_joined) {
    result.input.columns = call.output;
    ASSIGN_OR_RETURN(result.input.plan, call_on_domain(*python, std::move(call), left, result.keys));
    return std::optional<LateralFunction>(std::move(result));
  }
  call.how.kept = static_cast<int32_t>(left.plan->output.size());
  result.input = left;
  result.input.columns.insert(result.input.columns.end(), call.output.begin(), call.output.end());
  result.input.below = nullptr;
  result.input.aggregate = nullptr;
  result.input.plan = call_table_function(*python, std::move(call), left.plan);
  return std::optional<LateralFunction>(std::move(result));
}

// keys: which rows of the plan belong to a row of `left`.
Result<RelationPtr> RelationResolver::call_on_domain(const unresolved::PythonCall& python, TableCall call,
                                                     const Input& left, ExpressionPtr& keys) {
  ColumnIds read;
  for (const ExpressionPtr& argument : call.arguments) read.merge(references(argument));
  if (read.empty())
    return call_table_function(python, std::move(call), resolved::make_relation(resolved::OneRow{}, {}, 1));
  const RelationPtr copy = renumbered(analysis_, left.plan);
  const Scope scope = scope_of(left);
  ExpressionResolver resolver(analysis_, scope);
  Substitution to_copy;
  Columns domain;
  resolved::Expressions expressions;
  for (size_t i = 0; i < copy->output.size(); ++i) {
    const Column& column = left.plan->output[i];
    if (!read.contains(column.id)) continue;
    domain.push_back(copy->output[i]);
    expressions.push_back(reference_to(domain.back()));
    to_copy[column.id] = expressions.back();
    ASSIGN_OR_RETURN(ExpressionPtr equal, resolver.call("<=>", {reference_to(column), expressions.back()}));
    keys = both(std::move(keys), std::move(equal));
  }
  for (ExpressionPtr& argument : call.arguments) argument = substitute(argument, to_copy);
  call.how.kept = static_cast<int32_t>(domain.size());
  RelationPtr plan = resolved::make_relation(resolved::Project{copy, std::move(expressions)}, domain);
  plan = resolved::make_relation(resolved::Distinct{plan}, domain, 1);
  return call_table_function(python, std::move(call), std::move(plan));
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
      ASSIGN_OR_RETURN(call.table, resolve_table_argument(*table));
      continue;
    }
    ASSIGN_OR_RETURN(ExpressionPtr value, resolver.resolve(named == nullptr ? argument : named->value));
    call.arguments.push_back(std::move(value));
  }
  call.type = python.type;
  const unresolved::TableArgument* table = table_argument(python.arguments);
  TableDivision division;
  if (table != nullptr) division = {table->partition_by, table->order_by, table->is_single_partition, {}};
  if (!call.type.is(types::TypeId::kStruct)) {
    ASSIGN_OR_RETURN(const TableDivision wanted, analyze_table_function(python, call, origin));
    RETURN_IF_ERROR(at(merge(division, wanted, python.name), origin));
  }
  if (table != nullptr) RETURN_IF_ERROR(divide(call, division));
  for (const types::StructField& field : call.type.fields())
    call.output.push_back({analysis_.next_id(), field.name, field.type, field.nullable, {}, ""});
  return call;
}

Result<Input> RelationResolver::resolve_table_argument(const unresolved::TableArgument& table) {
  unresolved::RelationPtr relation = table.plan;
  if (relation == nullptr) {
    const auto found = analysis_.references.find(table.plan_id);
    if (found == analysis_.references.end())
      return internal_error("a table argument names an unknown DataFrame");
    relation = found->second;
  }
  return RelationResolver(analysis_, nullptr).resolve_settled(relation);
}

// What the function's own method wants may not be asked for by the call too.
Status RelationResolver::merge(TableDivision& division, const TableDivision& wanted,
                               const std::string& function) {
  if (wanted.is_single || !wanted.partition_by.empty()) {
    if (division.is_single || !division.partition_by.empty()) {
      return error(
          "TABLE_VALUED_FUNCTION_REQUIRED_METADATA_INCOMPATIBLE_WITH_CALL",
          {{"functionName", function},
           {"requestedMetadata", "specified its own required partitioning of the input table"},
           {"invalidFunctionCallProperty",
            "specified the WITH SINGLE PARTITION or PARTITION BY clause; please remove these clauses and "
            "retry the query again."}});
    }
    division.is_single = wanted.is_single;
    division.partition_by = wanted.partition_by;
  }
  if (!wanted.order_by.empty()) division.order_by = wanted.order_by;
  division.select = wanted.select;
  return Status();
}

// Rows of one partition come one after the other; the expressions that they are divided by are the table's
// last columns.
Status RelationResolver::divide(TableCall& call, const TableDivision& division) {
  Input& table = call.table;
  const Scope scope = scope_of(table);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> items;
  for (const Column& column : table.columns) items.push_back({reference_to(column), column});
  std::vector<NamedExpression> selected = items;
  if (!division.select.empty()) {
    selected.clear();
    for (const auto& expression : division.select) {
      ASSIGN_OR_RETURN(const auto columns, resolver.resolve_item(expression));
      selected.insert(selected.end(), columns.begin(), columns.end());
    }
  }
  std::vector<resolved::SortKey> order;
  resolved::Expressions keys;
  for (const auto& expression : division.partition_by) {
    ASSIGN_OR_RETURN(ExpressionPtr key, resolver.resolve(expression));
    const std::string name = "partition_by_" + std::to_string(keys.size());
    const Column column{analysis_.next_id(), name, key->type, key->nullable, {}, ""};
    items.push_back({std::move(key), column});
    keys.push_back(reference_to(column));
    order.push_back({keys.back(), true, true});
    call.how.partition_columns.push_back(static_cast<int32_t>(selected.size()));
    selected.push_back({keys.back(), column});
  }
  for (const auto& expression : division.order_by) {
    ASSIGN_OR_RETURN(resolved::SortKey key, resolver.resolve_sort_key(expression));
    order.push_back(std::move(key));
  }
  if (!keys.empty()) table = analyzer::project(analysis_, std::move(table), items);
  if (!keys.empty() || division.is_single) {
    const int32_t partitions = division.is_single ? 1 : analysis_.settings.shuffle_partitions;
    const Columns output = table.plan->output;
    RelationPtr plan = resolved::make_relation(
        resolved::Repartition{table.plan, std::move(keys), true, !division.is_single}, output, partitions);
    if (!order.empty())
      plan = resolved::make_relation(resolved::Sort{plan, std::move(order), false}, output, partitions);
    table = with_plan(std::move(table), std::move(plan));
  }
  if (!division.select.empty()) table = analyzer::project(analysis_, std::move(table), selected);
  return Status();
}

namespace {

unresolved::ExpressionPtr parsed_later(std::string text) {
  return unresolved::make_expression(unresolved::SqlText{std::move(text)}, nullptr);
}

plan::NullOrdering null_ordering(const std::string& text) {
  if (text == "first") return plan::NullOrdering::kNullsFirst;
  return text == "last" ? plan::NullOrdering::kNullsLast : plan::NullOrdering::kDefault;
}

}  // namespace

// Runs the function's static method `analyze` in a worker; sets what it tells of the function's columns.
Result<RelationResolver::TableDivision> RelationResolver::analyze_table_function(
    const unresolved::PythonCall& python, TableCall& call, const plan::Origin& origin) {
  constexpr int64_t kMostTexts = 1000000;
  TableCall analysis;
  analysis.how = call.how;
  analysis.how.is_analysis = true;
  const Column text{analysis_.next_id(), "text", types::DataType(types::TypeId::kString), true, {}, ""};
  analysis.output = {text};
  analysis.type = types::DataType::structure({{text.name, text.type, true, ""}});
  const auto unknown = [](const types::DataType& type) {
    return resolved::make_expression(resolved::Literal{types::Value()}, type, true);
  };
  size_t next = 0;
  for (size_t index = 0; index < call.how.argument_names.size(); ++index) {
    if (call.how.table_argument == static_cast<int32_t>(index)) {
      for (const Column& column : call.table.columns) {
        analysis.how.table_columns.push_back(column.name);
        analysis.arguments.push_back(unknown(column.type));
      }
      analysis.how.constants.push_back(false);
      continue;
    }
    const ExpressionPtr& argument = call.arguments[next++];
    analysis.how.constants.push_back(is_constant(argument));
    analysis.arguments.push_back(is_constant(argument) ? argument : unknown(argument->type));
  }
  RelationPtr plan =
      call_table_function(python, std::move(analysis), resolved::make_relation(resolved::OneRow{}, {}, 1));
  ASSIGN_OR_RETURN(plan, simplify(analysis_, plan));
  ASSIGN_OR_RETURN(auto texts, analysis_.catalog.run(plan, kMostTexts));
  AnswerReader reader(std::move(texts));
  if (const std::string failure = reader.text(); !failure.empty())
    return at(error("TABLE_VALUED_FUNCTION_FAILED_TO_ANALYZE_IN_PYTHON", {{"msg", failure}}), origin);
  ASSIGN_OR_RETURN(call.type, sql::parse_data_type(reader.text()));
  call.how.analyzed = reader.text();
  TableDivision wanted;
  wanted.is_single = reader.flag();
  for (size_t left = reader.count(); left > 0; --left)
    wanted.partition_by.push_back(parsed_later(reader.text()));
  for (size_t left = reader.count(); left > 0; --left) {
    unresolved::SortOrder order;
    order.child = parsed_later(reader.text());
    order.ascending = reader.flag();
    order.null_ordering = null_ordering(reader.text());
    wanted.order_by.push_back(unresolved::make_expression(std::move(order), nullptr));
  }
  for (size_t left = reader.count(); left > 0; --left) {
    unresolved::ExpressionPtr expression = parsed_later(reader.text());
    const std::string alias = reader.text();
    if (!alias.empty())
      expression =
          unresolved::make_expression(unresolved::Alias{std::move(expression), {alias}, ""}, nullptr);
    wanted.select.push_back(std::move(expression));
  }
  return wanted;
}

// `input`: what the arguments are computed on, unless there is a table argument.
RelationPtr RelationResolver::call_table_function(const unresolved::PythonCall& python, TableCall call,
                                                  RelationPtr input) {
  const bool has_table = call.table.plan != nullptr;
  if (has_table) input = call.table.plan;
  resolved::Expressions expressions;
  Columns columns;
  const auto keep = [&](const Columns& kept) {
    for (const Column& column : kept) {
      expressions.push_back(reference_to(column));
      columns.push_back(column);
    }
  };
  if (call.how.kept > 0) keep(input->output);
  Columns output = columns;
  for (size_t index = 0; index <= call.arguments.size(); ++index) {
    if (has_table && call.how.table_argument == static_cast<int32_t>(index)) {
      keep(call.table.columns);
      for (const Column& column : call.table.columns) call.how.table_columns.push_back(column.name);
    }
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
                                    python.python_version, call.type,        python.deterministic};
  function.table_call = std::make_shared<const resolved::TableFunctionCall>(std::move(call.how));
  return resolved::make_relation(
      resolved::MapPartitions{arguments,
                              std::make_shared<const resolved::PythonFunction>(std::move(function)), false},
      std::move(output), partitions);
}

}  // namespace deuteron::analyzer
