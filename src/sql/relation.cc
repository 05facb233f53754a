// FROM: tables, joins, sub-queries, inline tables, table functions, lateral views.
#include <random>

#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using plan::JoinType;

bool Parser::accept_lateral() {
  if (!at("LATERAL") || !(at("(", 1) || (at_name(1) && !at("VIEW", 1)))) return false;
  advance();
  return true;
}

RelationPtr Parser::from_clause() {
  const size_t start = position_;
  expect("FROM");
  accept_lateral();  // without anything to its left it says nothing
  RelationPtr left = join_chain();
  while (accept(",")) {
    unresolved::Join join;
    join.is_lateral = accept_lateral();
    join.left = std::move(left);
    join.right = join_chain();
    grow();
    left = relation(std::move(join), start);
  }
  return left;
}

RelationPtr Parser::join_chain() {
  const Level level(*this);
  const size_t start = position_;
  RelationPtr left = relation_primary();
  while (true) {
    if (at("PIVOT") && at("(", 1)) {
      left = pivot(std::move(left), start);
      continue;
    }
    if (at("UNPIVOT") && at_any({"(", "INCLUDE", "EXCLUDE"}, 1)) {
      left = unpivot(std::move(left), start);
      continue;
    }
    const size_t join_start = position_;
    unresolved::Join join;
    join.is_natural =
        at("NATURAL") && at_any({"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI", "CROSS"}, 1);
    if (join.is_natural) advance();
    if (!join_type(join.type)) return left;
    join.is_lateral = accept_lateral();
    join.left = std::move(left);
    join.right = relation_primary();
    if (!join.is_natural) join_criteria(join);
    grow();
    left = relation(std::move(join), join_start);
  }
}

namespace {

struct JoinWords {
  std::string_view first;
  std::string_view second;  // empty: none
  JoinType type;
};
constexpr JoinWords kJoins[] = {
    {"CROSS", "", JoinType::kCross},           {"INNER", "", JoinType::kInner},
    {"LEFT", "OUTER", JoinType::kLeftOuter},   {"LEFT", "SEMI", JoinType::kLeftSemi},
    {"LEFT", "ANTI", JoinType::kLeftAnti},     {"LEFT", "", JoinType::kLeftOuter},
    {"SEMI", "", JoinType::kLeftSemi},         {"ANTI", "", JoinType::kLeftAnti},
    {"RIGHT", "OUTER", JoinType::kRightOuter}, {"RIGHT", "", JoinType::kRightOuter},
    {"FULL", "OUTER", JoinType::kFullOuter},   {"FULL", "", JoinType::kFullOuter},
};

}  // namespace

// Reads `… JOIN`; false when no join follows.
bool Parser::join_type(JoinType& type) {
  if (accept("JOIN")) return true;
  for (const JoinWords& words : kJoins) {
    const size_t count = words.second.empty() ? 1 : 2;
    if (!at(words.first) || (count == 2 && !at(words.second, 1)) || !at("JOIN", count)) continue;
    for (size_t i = 0; i <= count; ++i) advance();
    type = words.type;
    return true;
  }
  return false;
}

void Parser::join_criteria(unresolved::Join& join) {
  if (accept("ON")) {
    join.condition = expression();
  } else if (accept("USING")) {
    join.using_columns = identifier_list();
  }
}

RelationPtr Parser::relation_primary() {
  const Level level(*this);
  const size_t start = position_;
  if (at("(")) {
    const bool is_query = at_query(position_ + 1);
    advance();
    RelationPtr inner = is_query ? query() : join_chain();
    expect(")");
    inner = table_sample(std::move(inner), start);
    RelationPtr named = relation_with_alias(inner, start);
    // What a sub-query without a name calls its tables is not seen outside.
    if (is_query && named == inner)
      named = relation(unresolved::SubqueryAlias{std::move(inner), "", {}}, start);
    return named;
  }
  if (at("VALUES") && at_query(position_)) return inline_table();
  if (at("TABLE") && at("(", 1)) fail_unsupported("TABLE(…) in FROM");
  if (at("IDENTIFIER") && at("(", 1)) fail_unsupported("IDENTIFIER clause");
  if (at("STREAM") && at_name(1) && !at_clause() && !at_any({"AS", "JOIN", "WHERE"}, 1))
    fail_unsupported("streaming query");
  if (at_clause() && !at_any({"WINDOW", "LATERAL"})) {
    fail_here();
    return nullptr;
  }
  Names name = multipart_name();
  if (at("(")) return table_function(std::move(name), start);
  if (at_any({"VERSION", "TIMESTAMP"}) && at("AS", 1) && at("OF", 2)) fail_unsupported("time travel");
  if (at("FOR") && at_any({"SYSTEM_VERSION", "VERSION", "SYSTEM_TIME", "TIMESTAMP"}, 1))
    fail_unsupported("time travel");
  if (at("WITH") && at("(", 1)) fail_unsupported("options of a table in SQL");
  RelationPtr table = relation(unresolved::NamedTable{std::move(name), {}}, start);
  return relation_with_alias(table_sample(std::move(table), start), start);
}

// [AS] alias [(columns)]
RelationPtr Parser::relation_with_alias(RelationPtr input, size_t start) {
  if (!accept("AS") && !at_implicit_alias(true)) return input;
  unresolved::SubqueryAlias node;
  node.alias = identifier();
  if (at("(")) node.column_aliases = identifier_list();
  node.input = std::move(input);
  grow();
  return relation(std::move(node), start);
}

namespace {

constexpr size_t kLongestNumber = 18;  // digits that surely fit into 64 bits

}  // namespace

int64_t Parser::plain_integer() {
  if (peek().kind != TokenKind::kInteger || peek().text.size() > kLongestNumber) {
    fail_here();
    return 0;
  }
  const int64_t value = std::stoll(std::string(peek().text));
  advance();
  return value;
}

// TABLESAMPLE (10 PERCENT) [REPEATABLE (seed)], TABLESAMPLE (5 ROWS)
RelationPtr Parser::table_sample(RelationPtr input, size_t start) {
  if (!at("TABLESAMPLE") || !at_clause()) return input;
  advance();
  expect("(");
  if (at("BUCKET")) fail_unsupported("TABLESAMPLE of buckets");
  if (peek().kind == TokenKind::kInteger && at("ROWS", 1)) {
    const int64_t rows = plain_integer();
    expect("ROWS");
    expect(")");
    return relation(unresolved::Limit{std::move(input), rows}, start);
  }
  const bool is_number = peek().kind == TokenKind::kInteger || peek().kind == TokenKind::kDecimal;
  if (!is_number || peek().text.size() > kLongestNumber) {
    fail_here();
    return nullptr;
  }
  const double share = std::stod(std::string(peek().text)) / 100;
  advance();
  if (!at("PERCENT") && at_name()) fail_unsupported("TABLESAMPLE by bytes");
  expect("PERCENT");
  expect(")");
  if (share > 1) {
    fail_at(start, "_LEGACY_ERROR_TEMP_0064", {{"msg", "Sampling fraction must be on interval [0, 1]"}});
  }
  int64_t seed = static_cast<int64_t>(std::random_device{}());
  if (accept("REPEATABLE")) {
    expect("(");
    seed = plain_integer();
    expect(")");
  }
  return relation(unresolved::Sample{std::move(input), 0.0, share, false, seed, false}, start);
}

// VALUES (1, 'a'), (2, 'b') [AS] t(x, y)
RelationPtr Parser::inline_table() {
  const Level level(*this);
  const size_t start = position_;
  expect("VALUES");
  unresolved::Values node;
  do {
    const ExpressionPtr row = expression();
    const auto* structure = unresolved::as<unresolved::FunctionCall>(row);
    if (structure != nullptr && (structure->name == Names{kRow} || structure->name == Names{"struct"})) {
      node.rows.push_back(structure->arguments);
    } else {
      node.rows.push_back({row});
    }
  } while (accept(","));
  return relation_with_alias(relation(std::move(node), start), start);
}

RelationPtr Parser::table_function(Names name, size_t start) {
  unresolved::TableFunction node;
  node.name = std::move(name);
  expect("(");
  if (!at(")")) {
    do node.arguments.push_back(table_function_argument());
    while (accept(","));
  }
  expect(")");
  return relation_with_alias(relation(std::move(node), start), start);
}

// PIVOT (sum(a) [AS x], … FOR column IN (value [AS name], …))
RelationPtr Parser::pivot(RelationPtr input, size_t start) {
  advance();
  expect("(");
  unresolved::Pivot node;
  do {
    const size_t item_start = position_;
    ExpressionPtr aggregate = expression();
    if (accept("AS") || (at_name() && !at("FOR"))) {
      aggregate = make(unresolved::Alias{std::move(aggregate), {identifier()}, ""}, item_start);
    }
    node.aggregates.push_back(std::move(aggregate));
  } while (accept(","));
  expect("FOR");
  if (at("(")) fail_unsupported("PIVOT over several columns");
  const size_t column_start = position_;
  node.column = make(unresolved::Attribute{multipart_name(), -1, false}, column_start);
  expect("IN");
  expect("(");
  do node.values.push_back(named_expression());
  while (accept(","));
  expect(")");
  expect(")");
  node.input = std::move(input);
  grow();
  return relation_with_alias(relation(std::move(node), start), start);
}

// UNPIVOT [INCLUDE|EXCLUDE NULLS] (value FOR name IN (column [AS alias], …))
RelationPtr Parser::unpivot(RelationPtr input, size_t start) {
  advance();
  unresolved::UnpivotOthers node;
  node.include_nulls = accept("INCLUDE", "NULLS");
  if (!node.include_nulls) accept("EXCLUDE", "NULLS");
  expect("(");
  if (at("(")) fail_unsupported("UNPIVOT of several columns at once");
  node.value_column = identifier();
  expect("FOR");
  node.variable_column = identifier();
  expect("IN");
  expect("(");
  do {
    const size_t item_start = position_;
    ExpressionPtr column = make(unresolved::Attribute{multipart_name(), -1, false}, item_start);
    if (accept("AS") || at_name()) {
      column = make(unresolved::Alias{std::move(column), {identifier()}, ""}, item_start);
    }
    node.values.push_back(std::move(column));
  } while (accept(","));
  expect(")");
  expect(")");
  node.input = std::move(input);
  grow();
  return relation_with_alias(relation(std::move(node), start), start);
}

// LATERAL VIEW [OUTER] generator(…) [table] [AS columns]
RelationPtr Parser::lateral_views(RelationPtr input) {
  while (at("LATERAL") && at("VIEW", 1)) {
    const size_t start = position_;
    advance();
    advance();
    unresolved::LateralView node;
    node.is_outer = accept("OUTER");
    node.generator = function_call();
    if (!at("AS") && at_implicit_alias(true)) node.table_alias = identifier();
    if (accept("AS") || at_implicit_alias(true)) {
      do node.column_aliases.push_back(identifier());
      while (accept(","));
    }
    node.input = std::move(input);
    grow();
    input = relation(std::move(node), start);
  }
  return input;
}

}  // namespace deuteron::sql
