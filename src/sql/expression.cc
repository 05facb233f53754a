// Expressions, from OR down to names. Operators become calls named as Spark Connect names them.
#include <algorithm>
#include <array>
#include <bit>

#include "sql/lexer.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;

Expressions Parser::expression_list() {
  Expressions list;
  do list.push_back(expression());
  while (accept(","));
  return list;
}

// ---- OR, AND, NOT -------------------------------------------------------------------------------

ExpressionPtr Parser::expression() {
  const Level level(*this, 0);
  const size_t start = position_;
  Expressions terms;
  do terms.push_back(conjunction());
  while (accept_connective("OR"));
  return balanced("or", std::move(terms), start);
}

// A last word of the text is not taken for a connective: the error is then at that word, as in Spark.
bool Parser::accept_connective(std::string_view word) {
  return peek(1).kind != TokenKind::kEnd && accept(word);
}

ExpressionPtr Parser::conjunction() {
  const Level level(*this, 0, false);
  const size_t start = position_;
  Expressions terms;
  do terms.push_back(negation());
  while (accept_connective("AND"));
  return balanced("and", std::move(terms), start);
}

// Long chains of AND and OR become balanced trees, as in Spark, so that their height is only the logarithm of
// their length.
ExpressionPtr Parser::balanced(std::string_view word, Expressions terms, size_t start) {
  if (terms.size() == 1) return std::move(terms[0]);
  grow(std::bit_width(terms.size()));
  const plan::Origin origin = origin_from(start);
  while (terms.size() > 1 && failure_.ok()) {
    Expressions pairs;
    for (size_t i = 0; i + 1 < terms.size(); i += 2) {
      pairs.push_back(call(word, {terms[i], terms[i + 1]}, origin));
    }
    if (terms.size() % 2 == 1) pairs.push_back(terms.back());
    terms = std::move(pairs);
  }
  return terms[0];
}

ExpressionPtr Parser::negation() {
  if (!at_any({"NOT", "!"})) return predicated();
  const Level level(*this);
  const size_t start = position_;
  advance();
  return call("not", {negation()}, start);
}

// ---- BETWEEN, IN, LIKE, IS ----------------------------------------------------------------------

ExpressionPtr Parser::predicated() {
  const Level level(*this, 0, false);
  ExpressionPtr value = value_expression(0);
  const size_t start = position_;  // errors point at the predicate without its operand
  const size_t ahead = at("NOT") ? 1 : 0;
  if (at("IS") && at_any({"NOT", "NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT"}, 1))
    return is_predicate(value, start);
  const bool is_predicate_word = at_any({"BETWEEN", "LIKE", "ILIKE", "RLIKE", "REGEXP"}, ahead) &&
                                 peek(ahead + 1).kind != TokenKind::kEnd && !at_any({",", ")"}, ahead + 1);
  if (!is_predicate_word && !(at("IN", ahead) && at("(", ahead + 1))) return value;
  const bool negated = accept("NOT");
  grow(2);
  if (at("IN")) return in_predicate(std::move(value), negated, start);
  if (at_any({"LIKE", "ILIKE"})) return like_predicate(std::move(value), negated, start);
  if (accept("BETWEEN")) {
    ExpressionPtr lower = value_expression(0);
    expect("AND");
    ExpressionPtr upper = value_expression(0);
    ExpressionPtr at_least = call(">=", {value, std::move(lower)}, start);
    ExpressionPtr at_most = call("<=", {value, std::move(upper)}, start);
    return negate(call("and", {std::move(at_least), std::move(at_most)}, start), negated, start);
  }
  advance();  // RLIKE, REGEXP
  ExpressionPtr pattern = value_expression(0);
  return negate(call("rlike", {std::move(value), std::move(pattern)}, start), negated, start);
}

ExpressionPtr Parser::in_predicate(ExpressionPtr value, bool negated, size_t start) {
  expect("IN");
  expect("(");
  if (at_query(position_)) {
    unresolved::Subquery node;
    node.kind = plan::SubqueryKind::kIn;
    node.plan_id = -1;
    const auto* row = unresolved::as<unresolved::FunctionCall>(value);
    node.values = row != nullptr && row->name == Names{kRow} ? row->arguments : Expressions{value};
    node.plan = query();
    expect(")");
    return negate(make(std::move(node), start), negated, start);
  }
  if (accept(")")) {
    fail_at(start, "INVALID_SQL_SYNTAX.EMPTY_IN_PREDICATE");
    return nullptr;
  }
  Expressions arguments{std::move(value)};
  do arguments.push_back(expression());
  while (accept(","));
  close_list(arguments.size() > 2);
  return negate(call("in", std::move(arguments), start), negated, start);
}

namespace {

bool is_text(const ExpressionPtr& expression) {
  const auto* literal = unresolved::as<unresolved::Literal>(expression);
  return literal != nullptr && literal->value.type.is(types::TypeId::kString);
}

}  // namespace

// The rest of LIKE ANY (…) and LIKE ALL (…): one function of constant patterns, or else a chain of LIKEs.
ExpressionPtr Parser::like_quantified(std::string_view name, ExpressionPtr value, bool negated,
                                      size_t start) {
  const bool all = at("ALL");
  advance();
  expect("(");
  if (at(")")) {
    advance();
    fail_at(start, "_LEGACY_ERROR_TEMP_0064", {{"msg", "Expected something between '(' and ')'."}});
    return nullptr;
  }
  Expressions patterns = expression_list();
  expect(")");
  const plan::Origin origin = origin_from(start);
  if (std::all_of(patterns.begin(), patterns.end(), is_text)) {
    patterns.insert(patterns.begin(), std::move(value));
    if (name == "ilike") {
      for (ExpressionPtr& part : patterns) part = call("lower", {std::move(part)}, origin);
    }
    const std::string function = std::string(negated ? "not like " : "like ") + (all ? "all" : "any");
    return call(function, std::move(patterns), origin);
  }
  Expressions terms;
  for (ExpressionPtr& pattern : patterns) {
    ExpressionPtr term = call(name, {value, std::move(pattern)}, origin);
    terms.push_back(negated ? call("not", {std::move(term)}, origin) : std::move(term));
  }
  return balanced(all ? "and" : "or", std::move(terms), start);
}

// LIKE pattern [ESCAPE c], LIKE ANY (…), LIKE ALL (…)
ExpressionPtr Parser::like_predicate(ExpressionPtr value, bool negated, size_t start) {
  const std::string_view name = at("LIKE") ? "like" : "ilike";
  advance();
  if (at_any({"ANY", "SOME", "ALL"}) && at("(", 1))
    return like_quantified(name, std::move(value), negated, start);
  Expressions arguments{std::move(value), value_expression(0)};
  if (accept("ESCAPE")) {
    const size_t escape_start = position_;
    std::string escape = string_token();
    const auto characters =
        std::count_if(escape.begin(), escape.end(), [](char c) { return (c & 0xC0) != 0x80; });
    if (characters != 1) fail_at(start, "INVALID_ESC", {{"invalidEscape", "'" + escape + "'"}});
    arguments.push_back(text_literal(std::move(escape), escape_start));
  }
  return negate(call(name, std::move(arguments), start), negated, start);
}

ExpressionPtr Parser::is_predicate(const ExpressionPtr& value, size_t start) {
  grow(2);
  expect("IS");
  const bool negated = accept("NOT");
  if (accept("NULL") || accept("UNKNOWN")) return call(negated ? "isnotnull" : "isnull", {value}, start);
  if (accept("DISTINCT")) {
    expect("FROM");
    ExpressionPtr other = value_expression(0);
    return negate(call("<=>", {value, std::move(other)}, start), !negated, start);
  }
  const bool truth = at("TRUE");
  if (!truth && !at("FALSE")) fail_here();
  const size_t literal_start = position_;
  advance();
  ExpressionPtr literal = make(
      unresolved::Literal{{types::DataType(types::TypeId::kBoolean), types::Value(truth)}}, literal_start);
  return negate(call("<=>", {value, std::move(literal)}, start), negated, start);
}

// ---- binary operators ---------------------------------------------------------------------------

namespace {

struct OperatorEntry {
  std::string_view symbol;
  std::string_view function;
  int precedence;
  bool negated = false;
};
constexpr OperatorEntry kOperators[] = {
    {"*", "*", 7},         {"/", "/", 7},       {"%", "%", 7},   {"DIV", "div", 7}, {"+", "+", 6},
    {"-", "-", 6},         {"||", "concat", 6}, {"<<", "<<", 5}, {"&", "&", 4},     {"^", "^", 3},
    {"|", "|", 2},         {"=", "==", 1},      {"==", "==", 1}, {"<=>", "<=>", 1}, {"<>", "==", 1, true},
    {"!=", "==", 1, true}, {"<", "<", 1},       {"<=", "<=", 1}, {">", ">", 1},     {">=", ">=", 1},
    {"!>", "<=", 1},       {"!<", ">=", 1},
};
constexpr int kShiftPrecedence = 5;

}  // namespace

struct Parser::BinaryOperator {
  std::string_view function;
  int precedence = 0;
  bool negated = false;
  size_t tokens = 1;
};

bool Parser::binary_operator(BinaryOperator& found) const {
  const Token& token = peek();
  if (token.kind != TokenKind::kSymbol && token.upper != "DIV") return false;
  // The lexer leaves >> and >>> apart.
  if (token.upper == ">" && at(">", 1) && peek(1).begin == token.end) {
    const bool is_unsigned = at(">", 2) && peek(2).begin == peek(1).end;
    found = {is_unsigned ? ">>>" : ">>", kShiftPrecedence, false, is_unsigned ? size_t{3} : size_t{2}};
    return true;
  }
  const auto* entry = std::find_if(std::begin(kOperators), std::end(kOperators),
                                   [&](const OperatorEntry& o) { return o.symbol == token.upper; });
  if (entry == std::end(kOperators)) return false;
  found = {entry->function, entry->precedence, entry->negated, 1};
  return true;
}

// Operators that bind at least as tightly as `minimum_precedence`; all associate to the left.
ExpressionPtr Parser::value_expression(int minimum_precedence) {
  const Level level(*this, 0, minimum_precedence == 0);
  const size_t start = position_;
  ExpressionPtr left = unary();
  BinaryOperator found;
  while (binary_operator(found) && found.precedence >= minimum_precedence) {
    for (size_t i = 0; i < found.tokens; ++i) advance();
    ExpressionPtr right = value_expression(found.precedence + 1);
    grow(found.negated ? 2 : 1);
    left = negate(call(found.function, {std::move(left), std::move(right)}, start), found.negated, start);
  }
  return left;
}

ExpressionPtr Parser::unary() {
  const bool is_number_next = peek(1).kind == TokenKind::kInteger || peek(1).kind == TokenKind::kDecimal ||
                              peek(1).kind == TokenKind::kExponent || peek(1).kind == TokenKind::kSuffixed;
  if (!at_any({"-", "+", "~"}) || (at("-") && is_number_next)) return primary();
  const Level level(*this);
  const size_t start = position_;
  const std::string_view function = at("-") ? "-" : at("+") ? "+" : "~";
  advance();
  return call(function, {unary()}, start);
}

// ---- primary expressions ------------------------------------------------------------------------

ExpressionPtr Parser::primary() {
  const Level level(*this, 1, false);
  const size_t start = position_;
  return postfix(primary_base(), start);
}

// [key], .field, ::type
ExpressionPtr Parser::postfix(ExpressionPtr base, size_t start) {
  while (failure_.ok()) {
    if (accept("[")) {
      ExpressionPtr key = value_expression(0);
      expect("]");
      base = make(unresolved::ExtractValue{std::move(base), std::move(key)}, start);
    } else if (at(".") && at_name(1)) {
      advance();
      base = field_of(std::move(base), start);
    } else if (accept("::")) {
      types::DataType type = data_type(true);
      base = make(unresolved::Cast{std::move(base), std::move(type), plan::CastMode::kDefault}, start);
    } else if (at(":") && at_name(1)) {
      fail_unsupported("path into semi-structured data (:)");
    } else if (at("COLLATE") && at_name(1)) {
      fail_unsupported("COLLATE");
    } else {
      return base;
    }
    grow();
  }
  return base;
}

// A field of a name is a longer name.
ExpressionPtr Parser::field_of(ExpressionPtr base, size_t start) {
  const size_t name_start = position_;
  std::string field = identifier();
  if (const auto* attribute = unresolved::as<unresolved::Attribute>(base)) {
    unresolved::Attribute longer = *attribute;
    longer.parts.push_back(std::move(field));
    return make(std::move(longer), start);
  }
  ExpressionPtr key = text_literal(std::move(field), name_start);
  return make(unresolved::ExtractValue{std::move(base), std::move(key)}, start);
}

ExpressionPtr Parser::primary_base() {
  const size_t start = position_;
  if (at_literal()) return literal();
  if (at("(")) return at_lambda() ? lambda() : parenthesized();
  if (accept("*")) {
    return star({}, start);
  }
  if (at_any({":", "?"})) return parameter();
  if (!at_name()) {
    fail_here();
    return nullptr;
  }
  const bool is_operand_next = peek(1).kind != TokenKind::kEnd && !at_any({",", ")", ".", ";"}, 1);
  if (at("CASE") && is_operand_next && !at("FROM", 1)) return case_expression();
  if (at_any({"CAST", "TRY_CAST"}) && at("(", 1) && has_as_inside()) return cast();
  if (at("EXISTS") && at("(", 1) && at_query(position_ + 2)) return exists();
  if (at("->", 1)) return lambda();
  return column_or_call();
}

// * [EXCEPT (a, b.c)], the star being read.
ExpressionPtr Parser::star(Names target, size_t start) {
  unresolved::Star node;
  node.target = std::move(target);
  node.plan_id = -1;
  if (at("EXCEPT") && at("(", 1) && !at_query(position_ + 2)) {
    advance();
    advance();
    do {
      const size_t name_start = position_;
      node.except.push_back(make(unresolved::Attribute{multipart_name(), -1, false}, name_start));
    } while (accept(","));
    expect(")");
  }
  return make(std::move(node), start);
}

ExpressionPtr Parser::column_or_call() {
  const size_t start = position_;
  Names parts = multipart_name();
  if (at("(")) {
    position_ = start;
    return function_call();
  }
  if (at(".") && at("*", 1)) {
    advance();
    advance();
    return star(std::move(parts), start);
  }
  const bool is_lambda_variable =
      std::find(lambda_names_.begin(), lambda_names_.end(), to_upper(parts[0])) != lambda_names_.end();
  if (is_lambda_variable) return make(unresolved::LambdaVariable{std::move(parts)}, start);
  return make(unresolved::Attribute{std::move(parts), -1, false}, start);
}

// (expression), (a, b) which is a struct, (query)
ExpressionPtr Parser::parenthesized() {
  const size_t start = position_;
  expect("(");
  if (at_query(position_)) {
    unresolved::Subquery node;
    node.kind = plan::SubqueryKind::kScalar;
    node.plan_id = -1;
    node.plan = query();
    expect(")");
    return make(std::move(node), start);
  }
  Expressions items;
  do items.push_back(named_expression());
  while (accept(","));
  if (items.size() == 1 && unresolved::as<unresolved::Alias>(items[0]) != nullptr) fail_here();
  if (!at(")")) fail_here();  // Spark says nothing of a missing one here
  expect(")");
  if (items.size() == 1) return std::move(items[0]);
  return call(kRow, std::move(items), start);
}

ExpressionPtr Parser::exists() {
  const size_t start = position_;
  expect("EXISTS");
  expect("(");
  unresolved::Subquery node;
  node.kind = plan::SubqueryKind::kExists;
  node.plan_id = -1;
  node.plan = query();
  expect(")");
  return make(std::move(node), start);
}

// CASE WHEN c THEN v … ELSE e END; CASE x WHEN … compares x with each value, and an error there points at
// the whole.
ExpressionPtr Parser::case_expression() {
  const size_t start = position_;
  expect("CASE");
  ExpressionPtr subject;
  if (!at("WHEN")) subject = expression();
  Expressions arguments;
  do {
    expect("WHEN");
    arguments.push_back(expression());
    expect("THEN");
    arguments.push_back(expression());
  } while (at("WHEN"));
  const size_t values = arguments.size();
  if (accept("ELSE")) arguments.push_back(expression());
  expect("END");
  for (size_t i = 0; subject != nullptr && i < values; i += 2)
    arguments[i] = call("==", {subject, std::move(arguments[i])}, start);
  return call("when", std::move(arguments), start);
}

ExpressionPtr Parser::cast() {
  const size_t start = position_;
  const plan::CastMode mode = at("TRY_CAST") ? plan::CastMode::kTry : plan::CastMode::kDefault;
  advance();
  expect("(");
  ExpressionPtr child = expression();
  expect("AS");
  types::DataType type = data_type(true);
  expect(")");
  return make(unresolved::Cast{std::move(child), std::move(type), mode}, start);
}

// :name, ?
ExpressionPtr Parser::parameter() {
  const size_t start = position_;
  unresolved::Parameter node;
  if (accept("?")) {
    node.index = parameters_++;
  } else {
    expect(":");
    node.name = identifier();
  }
  return make(std::move(node), start);
}

// ---- lambda functions ---------------------------------------------------------------------------

// (x, y) ->
bool Parser::at_lambda() const {
  return at("(") && peek().match >= 0 && tokens_[static_cast<size_t>(peek().match) + 1].upper == "->";
}

ExpressionPtr Parser::lambda() {
  const Level level(*this);
  const size_t start = position_;
  unresolved::Lambda node;
  if (at("(")) {
    node.parameters = identifier_list();
  } else {
    node.parameters = {identifier()};
  }
  expect("->");
  for (const std::string& name : node.parameters) lambda_names_.push_back(to_upper(name));
  node.body = expression();
  lambda_names_.resize(lambda_names_.size() - node.parameters.size());
  return make(std::move(node), start);
}

}  // namespace deuteron::sql
