// Queries: SELECT and what stands around it.
#include <algorithm>
#include <bit>

#include "sql/lexer.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using plan::SetOperationType;
using unresolved::Hint;

namespace {

constexpr std::string_view kQueryWords[] = {"SELECT", "WITH", "VALUES", "FROM", "TABLE"};
constexpr std::string_view kNotAfterQueryWord[] = {"", ")", ",", ".", "=", "[", "->", ";"};
// What may stand behind a query in parentheses that is itself part of a query.
constexpr std::string_view kQueryContinuations[] = {"",        ")",          ";",         "UNION", "EXCEPT",
                                                    "MINUS",   "SETMINUS",   "INTERSECT", "ORDER", "SORT",
                                                    "CLUSTER", "DISTRIBUTE", "LIMIT",     "OFFSET"};

template <size_t size>
bool contains(const std::string_view (&words)[size], const std::string& word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

}  // namespace

// Words that begin a query are also names of columns; so the query must go on like one.
bool Parser::at_query(size_t position) const {
  const auto token = [&](size_t index) -> const Token& {
    return tokens_[std::min(index, tokens_.size() - 1)];
  };
  size_t inner = position;
  while (token(inner).upper == "(") {
    if (++inner - position > kMaximumNesting) return false;  // will be refused anyway
  }
  if (!contains(kQueryWords, token(inner).upper)) return false;
  const Token& next = token(inner + 1);
  if (next.kind == TokenKind::kSymbol ? contains(kNotAfterQueryWord, next.upper)
                                      : next.kind == TokenKind::kEnd)
    return false;
  // ((select 1) + 1) is an expression, ((select 1) union …) is not.
  for (size_t open = position; open < inner; ++open) {
    if (token(open).match < 0) continue;
    const Token& after = token(static_cast<size_t>(token(open).match) + 1);
    if (after.kind != TokenKind::kEnd && (after.upper.empty() || !contains(kQueryContinuations, after.upper)))
      return false;
  }
  return true;
}

RelationPtr Parser::query() {
  const Level level(*this);
  const size_t start = position_;
  std::vector<unresolved::CteDefinition> definitions;
  if (at("WITH")) definitions = common_table_expressions();
  RelationPtr body = query_organization(set_operations(), start);
  if (definitions.empty()) return body;
  return relation(unresolved::WithCte{std::move(body), std::move(definitions), false}, start);
}

std::vector<unresolved::CteDefinition> Parser::common_table_expressions() {
  std::vector<unresolved::CteDefinition> definitions;
  expect("WITH");
  if (at("RECURSIVE") && at_name(1) && !at("AS", 1)) fail_unsupported("WITH RECURSIVE");
  do {
    const size_t start = position_;
    unresolved::CteDefinition definition;
    definition.name = identifier();
    if (at("(") && !at_query(position_ + 1)) definition.columns = identifier_list();
    accept("AS");
    expect("(");
    definition.relation = query();
    expect(")");
    definition.origin = origin_from(start);
    definitions.push_back(std::move(definition));
  } while (accept(","));
  return definitions;
}

namespace {

struct SetWord {
  std::string_view word;
  SetOperationType type;
};
constexpr SetWord kUnions[] = {{"UNION", SetOperationType::kUnion},
                               {"EXCEPT", SetOperationType::kExcept},
                               {"MINUS", SetOperationType::kExcept},
                               {"SETMINUS", SetOperationType::kExcept}};

}  // namespace

RelationPtr Parser::set_operations() {
  const size_t start = position_;
  RelationPtr left = intersections();
  while (true) {
    const auto* found =
        std::find_if(std::begin(kUnions), std::end(kUnions), [&](const SetWord& w) { return at(w.word); });
    if (found == std::end(kUnions)) return left;
    advance();
    const bool is_all = accept("ALL");
    if (!is_all) accept("DISTINCT");
    RelationPtr right = intersections();
    grow();
    left = relation(
        unresolved::SetOperation{std::move(left), std::move(right), found->type, is_all, false, false},
        start);
  }
}

// INTERSECT binds tighter than the others.
RelationPtr Parser::intersections() {
  const size_t start = position_;
  RelationPtr left = query_primary();
  while (accept("INTERSECT")) {
    const bool is_all = accept("ALL");
    if (!is_all) accept("DISTINCT");
    RelationPtr right = query_primary();
    grow();
    left = relation(unresolved::SetOperation{std::move(left), std::move(right), SetOperationType::kIntersect,
                                             is_all, false, false},
                    start);
  }
  return left;
}

RelationPtr Parser::query_primary() {
  const Level level(*this);
  const size_t start = position_;
  if (accept("SELECT")) return select(nullptr, start);
  if (at("VALUES")) return inline_table();
  if (accept("TABLE")) return relation(unresolved::NamedTable{multipart_name(), {}}, start);
  if (at("FROM")) {
    RelationPtr from = from_clause();
    if (at("|>")) fail_unsupported("SQL pipe syntax");
    expect("SELECT");
    return select(std::move(from), start);
  }
  if (accept("(")) {
    RelationPtr inner = query();
    expect(")");
    return inner;
  }
  if (at_any({"MAP", "REDUCE"})) fail_unsupported("TRANSFORM with a script");
  fail_here();
  return nullptr;
}

// Behind SELECT. The clauses nest from the inside out: FROM, LATERAL VIEW, WHERE, grouping, HAVING, DISTINCT,
// hints.
RelationPtr Parser::select(RelationPtr from, size_t start) {
  // Names of windows are used before they are defined; those of an outer query are out of sight.
  std::map<std::string, unresolved::Window> outer_windows = std::move(windows_);
  windows_.clear();
  if (has_window_clause_) read_named_windows();

  const std::vector<Hint> hints = select_hints();
  const bool has_quantifier =
      at_any({"DISTINCT", "ALL"}) && !at_any({",", ".", ")", ";"}, 1) && peek(1).kind != TokenKind::kEnd;
  const bool is_distinct = has_quantifier && at("DISTINCT");
  if (has_quantifier) advance();
  if (at("TRANSFORM") && at("(", 1) && peek(1).match >= 0 &&
      tokens_[static_cast<size_t>(peek(1).match) + 1].upper == "USING") {
    fail_unsupported("TRANSFORM with a script");
  }
  Expressions select_list;
  do select_list.push_back(named_expression());
  while (accept(","));

  RelationPtr input = std::move(from);
  if (input == nullptr && at("FROM")) input = from_clause();
  if (input == nullptr) input = relation(unresolved::OneRow{}, start);
  input = lateral_views(std::move(input));
  if (at("WHERE") && at_clause()) {
    advance();
    ExpressionPtr condition = expression();
    grow();
    input = relation(unresolved::Filter{std::move(input), std::move(condition)}, start);
  }
  RelationPtr result = aggregate(std::move(input), std::move(select_list), start);
  if (at("QUALIFY") && at_clause()) fail_unsupported("QUALIFY");
  if (is_distinct) result = relation(unresolved::Deduplicate{std::move(result), {}, false}, start);
  skip_named_windows();
  grow();
  windows_ = std::move(outer_windows);
  return with_hints(std::move(result), hints, start);
}

// Looks for the WINDOW clause of this SELECT, at its own depth of parentheses, reads it and returns to where
// it was.
void Parser::read_named_windows() {
  const size_t start = position_;
  const size_t last_read = last_read_;
  const int32_t parameters = parameters_;
  for (; !at_end() && !at(")"); ++position_) {
    if (at("(") && peek().match >= 0) {
      position_ = static_cast<size_t>(peek().match);
    } else if (at_any({"UNION", "EXCEPT", "MINUS", "INTERSECT", "SETMINUS"}) &&
               at_any({"SELECT", "ALL", "DISTINCT", "("}, 1)) {
      break;
    } else if (at("WINDOW") && at_name(1) && at("AS", 2)) {
      advance();
      do {
        std::string name = to_upper(identifier());
        expect("AS");
        windows_[std::move(name)] = window_specification();
      } while (accept(","));
      break;
    }
  }
  if (!failure_.ok()) return;
  position_ = start;
  last_read_ = last_read;
  parameters_ = parameters;
}

void Parser::skip_named_windows() {
  if (!at("WINDOW") || !at_clause()) return;
  advance();
  do {
    identifier();
    expect("AS");
    window_specification();
  } while (accept(","));
}

std::vector<Hint> Parser::select_hints() {
  std::vector<Hint> hints;
  while (peek().kind == TokenKind::kHintStart) {
    advance();
    while (peek().kind != TokenKind::kHintEnd && failure_.ok()) {
      Hint hint;
      hint.name = identifier();
      if (accept("(")) {
        if (!at(")")) {
          do hint.parameters.push_back(primary());
          while (accept(","));
        }
        expect(")");
      }
      hints.push_back(std::move(hint));
      accept(",");
    }
    advance();
  }
  return hints;
}

// The first hint is the outermost.
RelationPtr Parser::with_hints(RelationPtr input, const std::vector<Hint>& hints, size_t start) {
  for (auto hint = hints.rbegin(); hint != hints.rend(); ++hint) {
    grow();
    input = relation(Hint{std::move(input), hint->name, hint->parameters}, start);
  }
  return input;
}

// expression [AS] name, or several names for a generator.
ExpressionPtr Parser::named_expression() {
  const Level level(*this);
  const size_t start = position_;
  ExpressionPtr child = expression();
  unresolved::Alias alias;
  if (at("AS") && (at_name(1) || at("(", 1))) {
    advance();
    if (at("(")) {
      alias.names = identifier_list();
    } else {
      alias.names = {identifier()};
    }
  } else if (at("(")) {
    alias.names = identifier_list();
  } else if (at_implicit_alias(false)) {
    alias.names = {identifier()};
  } else {
    return child;
  }
  alias.child = std::move(child);
  return make(std::move(alias), start);
}

// ---- ORDER BY and its like, LIMIT, OFFSET -------------------------------------------------------

ExpressionPtr Parser::sort_item() {
  const size_t start = position_;
  unresolved::SortOrder node;
  node.child = expression();
  node.ascending = !accept("DESC");
  if (node.ascending) accept("ASC");
  if (accept("NULLS", "FIRST")) node.null_ordering = plan::NullOrdering::kNullsFirst;
  if (accept("NULLS", "LAST")) node.null_ordering = plan::NullOrdering::kNullsLast;
  return make(std::move(node), start);
}

Expressions Parser::sort_items() {
  Expressions items;
  do items.push_back(sort_item());
  while (accept(","));
  return items;
}

RelationPtr Parser::query_organization(RelationPtr input, size_t start) {
  grow();
  if (accept("ORDER", "BY")) {
    Expressions order = sort_items();
    input = relation(unresolved::Sort{std::move(input), std::move(order), true}, start);
  } else if (accept("CLUSTER", "BY")) {
    Expressions keys = expression_list();
    Expressions order;
    for (const ExpressionPtr& key : keys) {
      order.push_back(
          unresolved::make_expression(unresolved::SortOrder{key, true, plan::NullOrdering::kDefault}));
    }
    input = relation(unresolved::RepartitionByExpression{std::move(input), std::move(keys), -1}, start);
    input = relation(unresolved::Sort{std::move(input), std::move(order), false}, start);
  } else {
    if (accept("DISTRIBUTE", "BY")) {
      Expressions keys = expression_list();
      input = relation(unresolved::RepartitionByExpression{std::move(input), std::move(keys), -1}, start);
    }
    if (accept("SORT", "BY")) {
      Expressions order = sort_items();
      input = relation(unresolved::Sort{std::move(input), std::move(order), false}, start);
    }
  }
  if (at("|>")) fail_unsupported("SQL pipe syntax");
  return limit_and_offset(std::move(input), start);
}

namespace {

// The value of a plain non-negative integer.
const int64_t* literal_count(const ExpressionPtr& expression) {
  const auto* literal = unresolved::as<unresolved::Literal>(expression);
  if (literal == nullptr || !literal->value.type.is_integral()) return nullptr;
  const auto* count = std::get_if<int64_t>(&literal->value.value.data);
  return count != nullptr && *count >= 0 ? count : nullptr;
}

}  // namespace

RelationPtr Parser::limit_and_offset(RelationPtr input, size_t start) {
  ExpressionPtr limit;
  ExpressionPtr offset;
  if (at("LIMIT") && at_clause()) {
    advance();
    if (!accept("ALL")) limit = expression();
  }
  if (at("OFFSET") && at_clause()) {
    advance();
    offset = expression();
  }
  const int64_t* limit_count = literal_count(limit);
  const int64_t* offset_count = literal_count(offset);
  if ((limit != nullptr && limit_count == nullptr) || (offset != nullptr && offset_count == nullptr)) {
    return relation(unresolved::LimitExpression{std::move(input), std::move(limit), std::move(offset)},
                    start);
  }
  if (offset != nullptr) input = relation(unresolved::Offset{std::move(input), *offset_count}, start);
  if (limit != nullptr) input = relation(unresolved::Limit{std::move(input), *limit_count}, start);
  return input;
}

}  // namespace deuteron::sql
