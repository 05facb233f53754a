// Aggregations while they are built: a select list is taken apart into grouping expressions, aggregate calls
// and what is computed from them, so that HAVING and ORDER BY can still add to it.
#pragma once

#include <vector>

#include "analyzer/expressions.h"

namespace deuteron::analyzer {

struct AggregateParts {
  Input input;
  resolved::Expressions grouping;
  resolved::Columns grouping_columns;               // outputs of the Aggregate node
  std::vector<std::vector<int32_t>> grouping_sets;  // indexes into grouping; empty: plain
  resolved::Column grouping_id;                     // id 0: there is none
  resolved::Expressions calls;                      // of aggregate functions, each once
  resolved::Columns call_columns;
  resolved::ExpressionPtr having;      // over the Aggregate's output
  std::vector<NamedExpression> items;  // the select list, over the Aggregate's output
};

// Is this the call of an aggregate function, Spark's or Python's; is there one in it?
bool is_aggregate(const resolved::ExpressionPtr& expression);
bool contains_aggregate(const resolved::ExpressionPtr& expression);

// `expression` over the Aggregate's output: grouping expressions and aggregate calls become its columns.
// When a column of the input remains: MISSING_AGGREGATION, or UNRESOLVED_COLUMN among `output` if that is
// given (ORDER BY, HAVING).
Result<resolved::ExpressionPtr> over_aggregate(Analysis& analysis, AggregateParts& parts,
                                               const resolved::ExpressionPtr& expression,
                                               const resolved::Columns* output = nullptr);
// Aggregate, then Filter (having), then Project (items).
resolved::RelationPtr build_aggregate_plan(Analysis& analysis, const AggregateParts& parts);
// Sort keys over an aggregation that name columns of its input or aggregates: `input` grows by what they
// need, the keys then read it.
Status extend_aggregate_for_sort(Analysis& analysis, Input& input, std::vector<resolved::SortKey>& keys);
// The parts as an input of the next node.
Input aggregate_input(Analysis& analysis, std::shared_ptr<AggregateParts> parts);

}  // namespace deuteron::analyzer
