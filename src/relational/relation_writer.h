// Resolved relations -> DuckDB SQL. A column is named by its id (c12) everywhere, which makes names unique
// within a plan; blocks of SELECT are merged where that keeps the text shallow. One writer per fragment and
// run; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "plan/resolved.h"
#include "relational/lowering/lowering.h"

namespace deuteron::relational {

// Text of a leaf's FROM clause: a table function or a sub-query in parentheses whose columns are the leaf's
// output, named c<id>.
using LeafWriter = std::function<Result<std::string>(const plan::resolved::Relation& leaf)>;

class RelationWriter : public RelationSide {
 public:
  // All outlive the writer. `leaves` writes LocalData, Range, FileScan and ExchangeScan.
  RelationWriter(Fragment& fragment, const WriterOptions& options, LeafWriter leaves);

  // A whole query; its columns are the relation's output, in order (a column without meaning when there is
  // none).
  Result<std::string> write(const plan::resolved::RelationPtr& relation);
  // One expression over the columns of a relation that is in the FROM clause.
  Result<std::string> write_key(const plan::resolved::ExpressionPtr& expression) {
    return expressions_.write_key(expression);
  }

  Result<std::string> name_of(plan::resolved::ColumnId id) override;
  Result<std::string> write_subquery(const plan::resolved::RelationPtr& relation) override {
    return write(relation);
  }
  types::DataType actual_type(plan::resolved::ColumnId id, const types::DataType& declared) override;

 private:
  struct Block;
  using Names = std::map<plan::resolved::ColumnId, std::string>;

  Result<Block> build(const plan::resolved::RelationPtr& relation);
  Result<Block> build_node(const plan::resolved::OneRow& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Values& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Project& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Filter& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Join& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Aggregate& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Sort& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Limit& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Tail& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Distinct& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::DistinctOn& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::SetOperation& node,
                           const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Repartition& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::Generate& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::WithCte& node, const plan::resolved::Relation& relation);
  Result<Block> build_node(const plan::resolved::CteScan& node, const plan::resolved::Relation& relation);
  Result<Block> build_leaf(const plan::resolved::Relation& relation);

  // A block whose columns are all plain and which has nothing but FROM and WHERE.
  Result<Block> build_source(const plan::resolved::RelationPtr& relation);
  Block wrap(const Block& block);
  std::string next_alias();
  // Casts what an inner projection left in a narrow decimal type to its carrier.
  void make_exact(Block& block, const plan::resolved::Columns& output);
  // The expression with `names` in place of some columns' own names.
  Result<std::string> write_with(const plan::resolved::ExpressionPtr& expression, const Names* names);
  // The same for column `id` of an inner projection: a decimal may stay narrow.
  Result<std::string> write_column(const plan::resolved::ExpressionPtr& expression, const Names* names,
                                   plan::resolved::ColumnId id);

  ExpressionWriter expressions_;
  LeafWriter leaves_;
  std::vector<const Names*> names_;  // innermost last
  std::map<int64_t, int> cte_uses_;
  const bool narrow_decimals_;
  std::map<plan::resolved::ColumnId, types::DataType>
      actual_types_;  // of columns held narrower than declared
  int next_alias_ = 0;
  int depth_ = 0;
};

// Visits the expression and all below it; sub-queries' plans are not entered.
void for_each_expression(const plan::resolved::ExpressionPtr& expression,
                         const std::function<void(const plan::resolved::Expression&)>& visit);
// Does the plan of a sub-query read columns that only the query around it gives?
bool is_correlated(const plan::resolved::RelationPtr& plan);
// The inputs of a relation.
std::vector<plan::resolved::RelationPtr> inputs_of(const plan::resolved::Relation& relation);
// The expressions of a relation's own node.
std::vector<plan::resolved::ExpressionPtr> expressions_of(const plan::resolved::Relation& relation);

}  // namespace deuteron::relational
