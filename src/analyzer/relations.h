// Resolves relations: each unresolved node onto an already resolved input. Chains of nodes are walked in a
// loop, so that a thousand withColumn calls do not need a deep stack. One resolver serves one query level
// (sub-queries get their own).
#pragma once

#include <vector>

#include "analyzer/aggregates.h"
#include "analyzer/expressions.h"

namespace deuteron::analyzer {

// A table of a session that a table function gives.
using SessionTable = Result<resolved::RelationPtr> (catalog::CatalogView::*)() const;

class RelationResolver {
 public:
  RelationResolver(Analysis& analysis, const Scope* outer) : analysis_(analysis), outer_(outer) {}

  Result<Input> resolve(const unresolved::RelationPtr& relation);
  // As resolve, the plan giving exactly the visible columns.
  Result<Input> resolve_settled(const unresolved::RelationPtr& relation);

 private:
  // An input whose grouping expressions are columns.
  struct Grouped {
    resolved::RelationPtr plan;
    std::vector<resolved::ColumnId> grouping;
    std::vector<types::DataType> grouping_types;
    std::vector<resolved::ColumnId> arguments;  // what the function sees: the columns of the input
    decltype(Input::data_frames) data_frames;
  };

  using InputResult = Result<Input>;

  InputResult resolve_leaf(const unresolved::RelationPtr& relation);
  InputResult apply(const unresolved::RelationPtr& relation, Input input);
  Scope scope_of(const Input& input) const;
  Scope scope_of(const Input& left, const Input& right) const;

  // relations_sources.cc
  InputResult named_table(const unresolved::NamedTable& table, const plan::Origin& origin);
  // Puts the view's name on open_views. RECURSIVE_VIEW when it is there, VIEW_EXCEED_MAX_NESTED_DEPTH.
  Status open_view(const plan::Names& name, const plan::Origin& origin);
  InputResult view(const catalog::View& view, const plan::Names& name, const plan::Origin& origin);
  InputResult common_table(const CommonTable& table);
  InputResult data_source(const unresolved::DataSource& source, const plan::Origin& origin);
  // data_sources.cc
  InputResult python_data_source(const unresolved::DataSource& source, const unresolved::PythonCall& python,
                                 const types::Schema& schema, const plan::Origin& origin);
  InputResult local_relation(const plan::Bytes& data, const std::string& schema_text);
  InputResult cached_local_relation(const unresolved::CachedLocalRelation& relation);
  InputResult range(const unresolved::Range& range);
  InputResult sql_text(const unresolved::Sql& sql);
  InputResult values(const unresolved::Values& values, const plan::Origin& origin);
  InputResult table_function(const unresolved::TableFunction& function, const plan::Origin& origin);
  InputResult session_table(const unresolved::TableFunction& function, const std::string& name,
                            SessionTable give, const plan::Origin& origin);
  InputResult with_cte(const unresolved::WithCte& with, const plan::Origin& origin);
  InputResult with_relations(const unresolved::WithRelations& with);

  // relations_projections.cc
  // is_grouped: HAVING follows, which makes any select list a global aggregation.
  InputResult project(const unresolved::Project& node, Input input, const plan::Origin& origin,
                      bool is_grouped = false);
  Result<std::vector<NamedExpression>> select_list(const unresolved::Expressions& items, const Input& input,
                                                   const Allowed& allowed);
  InputResult filter(const unresolved::Filter& node, Input input, const plan::Origin& origin);
  InputResult with_columns(const unresolved::WithColumns& node, Input input);
  InputResult with_columns_renamed(const unresolved::WithColumnsRenamed& node, Input input);
  InputResult drop(const unresolved::Drop& node, Input input);
  InputResult to_data_frame(const unresolved::ToDataFrame& node, Input input, const plan::Origin& origin);
  InputResult to_schema(const unresolved::ToSchema& node, Input input);
  InputResult subquery_alias(const unresolved::SubqueryAlias& node, Input input, const plan::Origin& origin);

  // relations_rows.cc: which rows, in which order, on which partitions
  InputResult sort(const unresolved::Sort& node, Input input);
  InputResult limit(const unresolved::LimitExpression& node, Input input);
  InputResult deduplicate(const unresolved::Deduplicate& node, Input input);
  InputResult repartition_by(const unresolved::RepartitionByExpression& node, Input input);
  InputResult sample(const unresolved::Sample& node, Input input);
  InputResult hint(const unresolved::Hint& node, Input input);
  InputResult show_string(Input input, int32_t rows, int32_t truncate, bool vertical, bool html);

  // relations_statistics.cc: the verbs of DataFrame.na and DataFrame.stat
  InputResult fill_null(const unresolved::FillNull& node, Input input);
  InputResult drop_null(const unresolved::DropNull& node, Input input);
  InputResult replace(const unresolved::Replace& node, Input input);
  InputResult describe(const unresolved::Describe& node, Input input);
  InputResult unpivot(const unresolved::Unpivot& node, Input input);
  InputResult unpivot_others(const unresolved::UnpivotOthers& node, Input input);
  // One row for each of `values`, under the names of the two columns.
  InputResult unpivoted(Input input, std::vector<NamedExpression> ids,
                        const std::vector<NamedExpression>& values, const std::string& variable_column,
                        const std::string& value_column);
  Result<std::vector<size_t>> named_columns(const plan::Names& names, const Input& input);

  // relations_joins.cc
  InputResult join(const unresolved::Join& node, Input left, const plan::Origin& origin);
  InputResult join_using(const unresolved::Join& node, Input left, Input right, const plan::Origin& origin);
  InputResult set_operation(const unresolved::SetOperation& node, Input left, const plan::Origin& origin);

  // generators.cc
  InputResult lateral_view(const unresolved::LateralView& node, Input input);
  Result<Input> generate(const unresolved::ExpressionPtr& generator, bool is_outer, const plan::Names& names,
                         const std::string& table_alias, Input input, resolved::Columns& generated);

  // aggregates.cc
  InputResult aggregate(const unresolved::Aggregate& node, Input input, const plan::Origin& origin);
  InputResult pivot(const unresolved::Aggregate& node, Input input, const plan::Origin& origin);
  InputResult pivot_sql(const unresolved::Pivot& node, Input input, const plan::Origin& origin);
  InputResult having(const unresolved::ExpressionPtr& condition, Input input, const plan::Origin& origin);
  Result<resolved::Expressions> resolve_grouping_list(const unresolved::Expressions& grouping, bool by_alias,
                                                      const Input& input,
                                                      const std::vector<NamedExpression>& items);

  // table_functions.cc
  // The call of a Python table function.
  struct TableCall {
    resolved::TableFunctionCall how;
    resolved::Expressions arguments;  // without the table argument
    Input table;                      // the table argument; no plan: none
    types::DataType type;             // of the function's rows
    resolved::Columns output;         // of the function
  };
  // How the rows of a table argument come to the function.
  struct TableDivision {
    unresolved::Expressions partition_by;
    unresolved::Expressions order_by;
    bool is_single = false;
    unresolved::Expressions select;  // empty: all columns
  };
  // The Python table function that `relation` calls, bound to its arguments.
  std::optional<unresolved::PythonCall> python_table(const unresolved::RelationPtr& relation) const;
  InputResult python_table_function(const unresolved::PythonCall& python, const plan::Origin& origin);
  // The right side of a lateral join, where it is a Python table function.
  struct LateralFunction {
    Input input;
    bool is_joined = false;        // `input` is the join already
    resolved::ExpressionPtr keys;  // else: the condition under which a row belongs to one of the left side
  };
  Result<std::optional<LateralFunction>> lateral_table_function(const unresolved::Join& node,
                                                                const Input& left,
                                                                const plan::Origin& origin);
  Result<resolved::RelationPtr> call_on_domain(const unresolved::PythonCall& python, TableCall call,
                                               const Input& left, resolved::ExpressionPtr& keys);
  Result<TableCall> table_call(const unresolved::PythonCall& python, const Scope* outer,
                               const plan::Origin& origin);
  InputResult resolve_table_argument(const unresolved::TableArgument& table);
  static Status merge(TableDivision& division, const TableDivision& wanted, const std::string& function);
  Status divide(TableCall& call, const TableDivision& division);
  Result<TableDivision> analyze_table_function(const unresolved::PythonCall& python, TableCall& call,
                                               const plan::Origin& origin);
  resolved::RelationPtr call_table_function(const unresolved::PythonCall& python, TableCall call,
                                            resolved::RelationPtr input);

  // python_functions.cc
  InputResult map_partitions(const unresolved::MapPartitions& node, Input input);
  InputResult group_map(const unresolved::GroupMap& node, Input input);
  InputResult co_group_map(const unresolved::CoGroupMap& node, Input left, const plan::Origin& origin);
  // `input` with the grouping expressions as columns of its plan, and what is called: its columns so far.
  Result<Grouped> grouped(const unresolved::Expressions& grouping, Input input);

  Analysis& analysis_;
  const Scope* outer_;
};

// ---- building inputs
// ------------------------------------------------------------------------------------------- A new plan with
// the same columns (in the plan's own order) as `input`.
Input with_plan(Input input, resolved::RelationPtr plan);
// A plan whose output is `columns`; nothing below may be named, DataFrames stay.
Input source(resolved::RelationPtr plan);
// Project; ids that occur twice get a new one. What was in `input` may still be named by ORDER BY.
Input project(Analysis& analysis, Input input, const std::vector<NamedExpression>& items);
Input filter(Input input, resolved::ExpressionPtr condition);
// A Project that leaves exactly `input.columns`, when the plan gives more or another order.
Input settle(Input input);
// A plan that also gives the columns `ids`, found below projections; null when they cannot be reached.
resolved::RelationPtr expose(const resolved::RelationPtr& plan, const ColumnIds& ids);
ColumnIds output_ids(const resolved::RelationPtr& plan);
// After the node of DataFrame `plan_id` was resolved.
void mark_data_frame(Input& input, int64_t plan_id);

}  // namespace deuteron::analyzer
