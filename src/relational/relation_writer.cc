#include "relational/relation_writer.h"

#include <algorithm>
#include <type_traits>

namespace deuteron::relational {

using namespace plan::resolved;  // the nodes that this file is about
using plan::JoinType;
using plan::SetOperationType;

namespace {

// Inlined expressions grow no deeper than this; DuckDB slows down long before its limit of 1,000.
constexpr int kDeepestMerge = 60;
constexpr int kDeepestPlan = 900;

std::string column_name(ColumnId id) { return "c" + std::to_string(id); }

std::string join_text(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

struct Shape {
  bool has_window = false;
  bool has_subquery = false;
  std::map<ColumnId, int> uses;
};

Shape shape_of(const Expressions& expressions) {
  Shape shape;
  for (const ExpressionPtr& expression : expressions) {
    for_each_expression(expression, [&](const Expression& part) {
      if (std::holds_alternative<Window>(part.node)) shape.has_window = true;
      if (std::holds_alternative<ScalarSubquery>(part.node) ||
          std::holds_alternative<ExistsSubquery>(part.node) ||
          std::holds_alternative<InSubquery>(part.node)) {
        shape.has_subquery = true;
      }
      if (const auto* reference = std::get_if<ColumnReference>(&part.node)) ++shape.uses[reference->id];
    });
  }
  return shape;
}

// How many levels of parentheses SQL text has.
int nesting_of(const std::string& sql) {
  int depth = 0;
  int deepest = 0;
  for (const char c : sql) {
    if (c == '(') deepest = std::max(deepest, ++depth);
    if (c == ')') --depth;
  }
  return deepest;
}

const char* join_words(JoinType type) {
  switch (type) {
    case JoinType::kInner: return " JOIN ";
    case JoinType::kLeftOuter: return " LEFT JOIN ";
    case JoinType::kRightOuter: return " RIGHT JOIN ";
    case JoinType::kFullOuter: return " FULL JOIN ";
    case JoinType::kLeftSemi: return " SEMI JOIN ";
    case JoinType::kLeftAnti: return " ANTI JOIN ";
    case JoinType::kCross: return " CROSS JOIN ";
  }
  return "";
}

const char* set_words(SetOperationType type, bool is_all) {
  switch (type) {
    case SetOperationType::kUnion: return is_all ? " UNION ALL " : " UNION ";
    case SetOperationType::kIntersect: return is_all ? " INTERSECT ALL " : " INTERSECT ";
    case SetOperationType::kExcept: return is_all ? " EXCEPT ALL " : " EXCEPT ";
  }
  return "";
}

void count_cte_uses(const RelationPtr& relation, std::map<int64_t, int>& uses) {
  if (relation == nullptr) return;
  if (const auto* scan = as<CteScan>(relation)) ++uses[scan->cte_id];
  for (const RelationPtr& input : inputs_of(*relation)) count_cte_uses(input, uses);
  for (const ExpressionPtr& expression : expressions_of(*relation)) {
    for_each_expression(expression, [&](const Expression& part) {
      if (const auto* scalar = std::get_if<ScalarSubquery>(&part.node)) count_cte_uses(scalar->plan, uses);
      if (const auto* exists = std::get_if<ExistsSubquery>(&part.node)) count_cte_uses(exists->plan, uses);
      if (const auto* in = std::get_if<InSubquery>(&part.node)) count_cte_uses(in->plan, uses);
    });
  }
}

std::string list_columns(const Columns& columns) {
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(column_name(column.id));
  return join_text(names, ", ");
}

}  // namespace

// One SELECT in the making.
struct RelationWriter::Block {
  struct Item {
    ColumnId id = 0;
    std::string sql;  // empty: the column as it comes from FROM
  };
  std::string with;  // WITH … in front
  std::string distinct;
  std::vector<Item> columns;
  std::string from;  // empty: none
  std::vector<std::string> where;
  std::string group_by;
  std::string order_by;
  std::string limit;
  bool has_window = false;

  bool is_plain() const {
    return distinct.empty() &&
           std::all_of(columns.begin(), columns.end(), [](const Item& item) { return item.sql.empty(); });
  }
  // Nothing but FROM and WHERE.
  bool is_source() const {
    return is_plain() && with.empty() && group_by.empty() && order_by.empty() && limit.empty() &&
           !from.empty();
  }
  std::string text() const {
    std::string sql = with + "SELECT " + distinct;
    std::vector<std::string> items;
    for (const Item& item : columns) {
      items.push_back(item.sql.empty() ? column_name(item.id) : item.sql + " AS " + column_name(item.id));
    }
    sql += items.empty() ? "NULL AS no_column" : join_text(items, ", ");
    if (!from.empty()) sql += " FROM " + from;
    if (!where.empty())
      sql += " WHERE " + (where.size() == 1 ? where[0] : "(" + join_text(where, ") AND (") + ")");
    return sql + group_by + order_by + limit;
  }
  static std::vector<Item> plain_columns(const Columns& output) {
    std::vector<Item> items;
    for (const Column& column : output) items.push_back({column.id, ""});
    return items;
  }
};

RelationWriter::RelationWriter(Fragment& fragment, const WriterOptions& options, LeafWriter leaves)
    : expressions_(*this, fragment, options),
      leaves_(std::move(leaves)),
      narrow_decimals_(options.narrow_decimals) {}

Result<std::string> RelationWriter::name_of(ColumnId id) {
  for (auto names = names_.rbegin(); names != names_.rend(); ++names) {
    const auto name = (*names)->find(id);
    if (name != (*names)->end()) return name->second;
  }
  return column_name(id);
}

Result<std::string> RelationWriter::write_with(const ExpressionPtr& expression, const Names* names) {
  names_.push_back(names);
  Result<std::string> sql = expressions_.write(expression);
  names_.pop_back();
  return sql;
}

Result<std::string> RelationWriter::write_column(const ExpressionPtr& expression, const Names* names,
                                                 ColumnId id) {
  if (!narrow_decimals_ || !expression->type.is(types::TypeId::kDecimal))
    return write_with(expression, names);
  names_.push_back(names);
  Result<Written> written = expressions_.write_loose(expression);
  names_.pop_back();
  if (!written.ok()) return written.status();
  actual_types_.erase(id);
  if (!written->type.same_type(expression->type)) actual_types_[id] = written->type;
  return std::move(written->sql);
}

types::DataType RelationWriter::actual_type(ColumnId id, const types::DataType& declared) {
  const auto found = actual_types_.find(id);
  return found == actual_types_.end() ? declared : found->second;
}

void RelationWriter::make_exact(Block& block, const Columns& output) {
  if (actual_types_.empty()) return;
  for (Block::Item& item : block.columns) {
    if (actual_types_.erase(item.id) == 0) continue;
    const auto column = std::find_if(output.begin(), output.end(),
                                     [&](const Column& candidate) { return candidate.id == item.id; });
    if (column == output.end()) continue;
    item.sql = "CAST(" + (item.sql.empty() ? column_name(item.id) : item.sql) + " AS " +
               duckdb_type(column->type) + ")";
  }
}

std::string RelationWriter::next_alias() { return "t" + std::to_string(next_alias_++); }

Result<std::string> RelationWriter::write(const RelationPtr& relation) {
  if (depth_ == 0) count_cte_uses(relation, cte_uses_);
  ASSIGN_OR_RETURN(Block block, build(relation));
  make_exact(block, relation->output);
  return block.text();
}

Result<RelationWriter::Block> RelationWriter::build(const RelationPtr& relation) {
  if (relation == nullptr) return internal_error("a relation is missing");
  if (++depth_ > kDeepestPlan) return unsupported("plans of more than 900 levels");
  Result<Block> block = std::visit(
      [&](const auto& node) -> Result<Block> {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, LocalData> || std::is_same_v<Node, Range> ||
                      std::is_same_v<Node, FileScan> || std::is_same_v<Node, ExchangeScan>) {
          return build_leaf(*relation);
        } else if constexpr (std::is_same_v<Node, std::monostate> || std::is_same_v<Node, EvaluatePython> ||
                             std::is_same_v<Node, MapPartitions> || std::is_same_v<Node, EvaluatePosition> ||
                             std::is_same_v<Node, GroupMap> || std::is_same_v<Node, CoGroupMap> ||
                             std::is_same_v<Node, PythonWindow> || std::is_same_v<Node, ShowString>) {
          return internal_error("a fragment holds a node that DuckDB does not run");
        } else {
          return build_node(node, *relation);
        }
      },
      relation->node);
  --depth_;
  return block;
}

RelationWriter::Block RelationWriter::wrap(const Block& block) {
  Block outer;
  for (const Block::Item& item : block.columns) outer.columns.push_back({item.id, ""});
  outer.from = "(" + block.text() + ") AS " + next_alias();
  return outer;
}

Result<RelationWriter::Block> RelationWriter::build_source(const RelationPtr& relation) {
  ASSIGN_OR_RETURN(Block block, build(relation));
  return block.is_source() ? std::move(block) : wrap(block);
}

Result<RelationWriter::Block> RelationWriter::build_leaf(const Relation& relation) {
  Block block;
  ASSIGN_OR_RETURN(block.from, leaves_(relation));
  block.from += " AS " + next_alias();
  block.columns = Block::plain_columns(relation.output);
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const OneRow&, const Relation&) { return Block(); }

Result<RelationWriter::Block> RelationWriter::build_node(const Values& node, const Relation& relation) {
  Block block;
  block.columns = Block::plain_columns(relation.output);
  std::vector<std::string> rows;
  for (const Expressions& row : node.rows) {
    std::vector<std::string> values;
    for (const ExpressionPtr& value : row) {
      ASSIGN_OR_RETURN(std::string sql, expressions_.write(value));
      values.push_back(std::move(sql));
    }
    rows.push_back("(" + join_text(values, ", ") + ")");
  }
  if (rows.empty()) {
    // No row, and perhaps no column: the types alone.
    std::vector<std::string> nulls(std::max<size_t>(relation.output.size(), 1), "NULL");
    const std::string names =
        relation.output.empty() ? "(no_column)" : "(" + list_columns(relation.output) + ")";
    block.from = "(VALUES (" + join_text(nulls, ", ") + ")) AS " + next_alias() + names;
    block.where.emplace_back("false");
    return block;
  }
  if (relation.output.empty()) return unsupported("VALUES without columns");
  block.from =
      "(VALUES " + join_text(rows, ", ") + ") AS " + next_alias() + "(" + list_columns(relation.output) + ")";
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Project& node, const Relation& relation) {
  const Shape shape = shape_of(node.expressions);
  ASSIGN_OR_RETURN(Block block, build(node.input));
  bool merge = block.distinct.empty() && block.group_by.empty() && block.with.empty() && !block.has_window;
  // A window would see other rows or values; a correlated sub-query would name what is not there.
  if (shape.has_window && !(block.is_plain() && block.limit.empty() && block.order_by.empty())) merge = false;
  if (shape.has_subquery && !block.is_plain()) merge = false;
  // An order names columns as they were called below.
  if (!block.order_by.empty() && !block.is_plain()) merge = false;
  Names names;
  for (const Block::Item& item : block.columns) {
    if (item.sql.empty()) continue;
    const auto uses = shape.uses.find(item.id);
    if (uses != shape.uses.end() && (uses->second > 1 || nesting_of(item.sql) > kDeepestMerge)) merge = false;
    names[item.id] = item.sql;
  }
  if (!merge) {
    block = wrap(block);
    names.clear();
  }
  std::vector<Block::Item> columns;
  for (size_t i = 0; i < node.expressions.size(); ++i) {
    const ColumnId id = relation.output[i].id;
    const auto* reference = as<ColumnReference>(node.expressions[i]);
    if (reference != nullptr && reference->id == id && !names.contains(id)) {
      columns.push_back({id, ""});
      continue;
    }
    ASSIGN_OR_RETURN(std::string sql, write_column(node.expressions[i], &names, id));
    columns.push_back({id, std::move(sql)});
  }
  block.columns = std::move(columns);
  block.has_window = shape.has_window;
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Filter& node, const Relation&) {
  ASSIGN_OR_RETURN(Block block, build(node.input));
  bool merge = block.distinct.empty() && block.group_by.empty() && block.limit.empty() &&
               block.with.empty() && !block.has_window && !block.from.empty();
  if (merge && !block.is_plain()) {
    const Shape shape = shape_of({node.condition});
    merge = !shape.has_subquery &&
            std::all_of(block.columns.begin(), block.columns.end(), [&](const Block::Item& item) {
              return item.sql.empty() || !shape.uses.contains(item.id);
            });
  }
  if (!merge) block = wrap(block);
  ASSIGN_OR_RETURN(std::string condition, expressions_.write_condition(node.condition));
  block.where.push_back(std::move(condition));
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Join& node, const Relation& relation) {
  ASSIGN_OR_RETURN(Block left, build(node.left));
  ASSIGN_OR_RETURN(Block right, build(node.right));
  // Filters of the sides stay inside their sub-queries: DuckDB moves them where they belong.
  if (!left.is_source() || !left.where.empty()) left = wrap(left);
  if (!right.is_source() || !right.where.empty() || as<Join>(node.right) != nullptr) right = wrap(right);
  Block block;
  block.columns = Block::plain_columns(relation.output);
  JoinType type = node.type;
  if (node.condition == nullptr && type == JoinType::kInner) type = JoinType::kCross;
  if (node.condition != nullptr && type == JoinType::kCross) type = JoinType::kInner;
  block.from = left.from + join_words(type) + (node.is_lateral ? "LATERAL " : "") + right.from;
  if (type == JoinType::kCross) return block;
  if (node.condition == nullptr) {
    block.from += " ON true";
    return block;
  }
  ASSIGN_OR_RETURN(const std::string condition, expressions_.write_condition(node.condition));
  block.from += " ON " + condition;
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Aggregate& node, const Relation& relation) {
  ASSIGN_OR_RETURN(Block input, build_source(node.input));
  // The keys become columns of the source under their new ids, so that aggregates can name them.
  if (!node.grouping.empty()) {
    for (size_t i = 0; i < node.grouping.size(); ++i) {
      ASSIGN_OR_RETURN(std::string key, expressions_.write_key(node.grouping[i]));
      input.columns.push_back({relation.output[i].id, std::move(key)});
    }
    input = wrap(input);
  }
  Block block;
  block.from = input.from;
  block.where = input.where;
  std::vector<std::string> keys;
  for (size_t i = 0; i < node.grouping.size(); ++i) {
    block.columns.push_back({relation.output[i].id, ""});
    keys.push_back(column_name(relation.output[i].id));
  }
  Names names;
  if (!node.grouping_sets.empty()) {
    names[relation.output.back().id] =
        keys.empty() ? "0::BIGINT" : "GROUPING(" + join_text(keys, ", ") + ")::BIGINT";
  }
  for (size_t i = 0; i < node.aggregates.size(); ++i) {
    const ColumnId id = relation.output[node.grouping.size() + i].id;
    ASSIGN_OR_RETURN(std::string sql, write_column(node.aggregates[i], &names, id));
    block.columns.push_back({id, std::move(sql)});
  }
  if (!node.grouping_sets.empty()) {
    std::vector<std::string> sets;
    for (const std::vector<int32_t>& set : node.grouping_sets) {
      std::vector<std::string> members;
      for (const int32_t index : set) members.push_back(keys[static_cast<size_t>(index)]);
      sets.push_back("(" + join_text(members, ", ") + ")");
    }
    block.group_by = " GROUP BY GROUPING SETS (" + join_text(sets, ", ") + ")";
    // Spark has no group of no rows where there are keys.
    if (!keys.empty()) block.group_by += " HAVING count(*) > 0";
    if (block.columns.size() < relation.output.size()) {
      block.columns.push_back({relation.output.back().id, names[relation.output.back().id]});
    }
  } else if (!keys.empty()) {
    block.group_by = " GROUP BY " + join_text(keys, ", ");
  }
  if (block.group_by.empty()) return wrap(block);  // the one row is not the source's
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Sort& node, const Relation&) {
  ASSIGN_OR_RETURN(Block block, build(node.input));
  const bool plain_keys = std::all_of(node.order.begin(), node.order.end(), [](const SortKey& key) {
    return as<ColumnReference>(key.expression) != nullptr;
  });
  const bool merge = block.limit.empty() && block.order_by.empty() && block.distinct.empty() &&
                     block.with.empty() && (block.is_plain() || plain_keys) && block.group_by.empty();
  if (!merge) block = wrap(block);
  std::vector<std::string> keys;
  for (const SortKey& key : node.order) {
    ASSIGN_OR_RETURN(std::string sql, expressions_.write_sort_key(key));
    keys.push_back(std::move(sql));
  }
  if (!keys.empty()) block.order_by = " ORDER BY " + join_text(keys, ", ");
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Limit& node, const Relation&) {
  ASSIGN_OR_RETURN(Block block, build(node.input));
  if (!block.limit.empty()) block = wrap(block);
  if (node.count >= 0) block.limit += " LIMIT " + std::to_string(node.count);
  if (node.offset > 0) block.limit += " OFFSET " + std::to_string(node.offset);
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Tail& node, const Relation&) {
  ASSIGN_OR_RETURN(Block block, build(node.input));
  const std::string text = block.text();
  block = wrap(block);
  block.limit = " OFFSET (SELECT greatest(count(*) - " + std::to_string(node.count) + ", 0) FROM (" + text +
                ") AS " + next_alias() + ")";
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Distinct& node, const Relation& relation) {
  ASSIGN_OR_RETURN(Block block, build_source(node.input));
  block.distinct = "DISTINCT ";
  for (size_t i = 0; i < block.columns.size(); ++i) {
    const Column& column = relation.output[i];
    const ExpressionPtr reference =
        make_expression(ColumnReference{node.input->output[i].id}, column.type, column.nullable);
    ASSIGN_OR_RETURN(std::string key, expressions_.write_key(reference));
    block.columns[i] = {column.id, key == column_name(column.id) ? "" : std::move(key)};
  }
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const DistinctOn& node, const Relation&) {
  ASSIGN_OR_RETURN(Block block, build_source(node.input));
  std::vector<std::string> keys;
  for (const ColumnId id : node.keys) {
    const auto column = std::find_if(node.input->output.begin(), node.input->output.end(),
                                     [&](const Column& candidate) { return candidate.id == id; });
    if (column == node.input->output.end()) return internal_error("a key of DISTINCT ON is not in the input");
    ASSIGN_OR_RETURN(std::string key, expressions_.write_key(make_expression(
                                          ColumnReference{id}, column->type, column->nullable)));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) {
    block.limit = " LIMIT 1";
  } else {
    block.distinct = "DISTINCT ON (" + join_text(keys, ", ") + ") ";
  }
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const SetOperation& node, const Relation& relation) {
  ASSIGN_OR_RETURN(Block left, build(node.left));
  ASSIGN_OR_RETURN(Block right, build(node.right));
  make_exact(left, node.left->output);
  make_exact(right, node.right->output);
  Block block;
  block.columns = Block::plain_columns(relation.output);
  block.from = "((" + left.text() + ")" + set_words(node.type, node.is_all) + "(" + right.text() + ")) AS " +
               next_alias();
  if (!relation.output.empty()) block.from += "(" + list_columns(relation.output) + ")";
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const Repartition& node, const Relation&) {
  return build(node.input);
}

Result<RelationWriter::Block> RelationWriter::build_node(const Generate& node, const Relation& relation) {
  ASSIGN_OR_RETURN(Block input, build_source(node.input));
  ASSIGN_OR_RETURN(std::string list, expressions_.write_generator(node.generator));
  // An outer generator makes one row of nulls where it would make none.
  const std::string rows = "g" + std::to_string(next_alias_++);
  if (node.is_outer) list = "CASE WHEN len(" + list + ") > 0 THEN " + list + " ELSE [NULL] END";
  std::vector<std::string> inner;
  for (const Column& column : node.input->output) inner.push_back(column_name(column.id));
  inner.push_back("unnest(" + list + ") AS " + rows);
  std::string text = "SELECT " + join_text(inner, ", ") + " FROM " + input.from;
  if (!input.where.empty()) text += " WHERE (" + join_text(input.where, ") AND (") + ")";
  Block block;
  block.from = "(" + text + ") AS " + next_alias();
  block.columns = Block::plain_columns(node.input->output);
  for (size_t i = node.input->output.size(); i < relation.output.size(); ++i) {
    const std::string field = std::to_string(i - node.input->output.size() + 1);
    block.columns.push_back({relation.output[i].id, "struct_extract_at(" + rows + ", " + field + ")"});
  }
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const WithCte& node, const Relation& relation) {
  std::vector<std::string> definitions;
  for (const CteDefinition& definition : node.definitions) {
    const auto uses = cte_uses_.find(definition.id);
    if (uses == cte_uses_.end()) continue;
    ASSIGN_OR_RETURN(Block body, build(definition.relation));
    make_exact(body, definition.relation->output);
    definitions.push_back("cte" + std::to_string(definition.id) + " AS " +
                          (uses->second > 1 ? "MATERIALIZED (" : "NOT MATERIALIZED (") + body.text() + ")");
  }
  ASSIGN_OR_RETURN(Block body, build(node.body));
  if (definitions.empty()) return body;
  make_exact(body, node.body->output);
  Block block;
  block.with = "WITH " + join_text(definitions, ", ") + " ";
  block.columns = Block::plain_columns(relation.output);
  block.from = "(" + body.text() + ") AS " + next_alias();
  return block;
}

Result<RelationWriter::Block> RelationWriter::build_node(const CteScan& node, const Relation& relation) {
  Block block;
  block.from = "cte" + std::to_string(node.cte_id) + " AS " + next_alias();
  for (size_t i = 0; i < relation.output.size(); ++i) {
    const ColumnId id = relation.output[i].id;
    block.columns.push_back(
        {id, node.definition_columns[i] == id ? "" : column_name(node.definition_columns[i])});
  }
  return block;
}

}  // namespace deuteron::relational
