#include "sql/parser.h"

#include <algorithm>

#include "sql/context_summary.h"
#include "sql/json_type.h"
#include "sql/lexer.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;

namespace {

constexpr size_t kShownLine = 200;  // bytes of a long line that an error shows

size_t line_begin_of(std::string_view text, size_t byte) {
  const size_t newline = byte == 0 ? std::string_view::npos : text.rfind('\n', byte - 1);
  return newline == std::string_view::npos ? 0 : newline + 1;
}

// The line with a mark under the position, as Spark prints it.
std::string marked_line(std::string_view text, size_t byte) {
  const size_t begin = line_begin_of(text, byte);
  const size_t end = std::min(text.find('\n', byte), text.size());
  const size_t shown = std::min(end - begin, byte - begin + kShownLine);
  return std::string(text.substr(begin, shown)) + "\n" + std::string(byte - begin, '-') + "^^^\n";
}

}  // namespace

Parser::Parser(std::string_view text) : text_(text) {
  Result<Tokens> tokens = tokenize(text);
  if (tokens.ok()) {
    tokens_ = *std::move(tokens);
  } else {
    failure_ = tokens.status();
    tokens_.emplace_back();
    tokens_.back().begin = tokens_.back().end = text.size();
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    for (size_t i = 0; i < text.size(); ++i) {
      if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) character_starts_.push_back(i);
    }
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_begins_.push_back(i + 1);
  }
  has_window_clause_ =
      std::any_of(tokens_.begin(), tokens_.end(), [](const Token& t) { return t.upper == "WINDOW"; });
}

// ---- tokens -------------------------------------------------------------------------------------

const Token& Parser::peek(size_t ahead) const {
  return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
}

bool Parser::at(std::string_view word, size_t ahead) const { return peek(ahead).upper == word; }

bool Parser::at_any(std::initializer_list<std::string_view> words, size_t ahead) const {
  return std::find(words.begin(), words.end(), peek(ahead).upper) != words.end();
}

bool Parser::at_name(size_t ahead) const {
  return peek(ahead).kind == TokenKind::kWord || peek(ahead).kind == TokenKind::kQuotedName;
}

void Parser::advance() {
  if (at_end()) return;
  last_read_ = position_++;
}

bool Parser::accept(std::string_view word) {
  if (!at(word)) return false;
  advance();
  return true;
}

bool Parser::accept(std::string_view first, std::string_view second) {
  if (!at(first) || !at(second, 1)) return false;
  advance();
  advance();
  return true;
}

// Like Spark's parser the error says when one token is too many, or when just the closing parenthesis is
// missing.
void Parser::expect(std::string_view word) {
  if (accept(word) || !failure_.ok()) return;
  if (at(word, 1)) return fail_here(": extra input " + quoted_text(peek()));
  fail_here(word == ")" && at_end() ? ": missing ')'" : "");
}

// `)` behind a list. Once there was a comma Spark's parser takes anything else for one word too many.
void Parser::close_list(bool after_comma) {
  if (after_comma && !at(")")) return fail_here(": extra input " + quoted_text(peek()));
  expect(")");
}

void Parser::expect_end() {
  bool is_extra = false;
  while (accept(";")) is_extra = true;
  if (at_end()) return;
  is_extra = is_extra || peek(1).kind == TokenKind::kEnd || at(";", 1);
  fail_here(is_extra ? ": extra input " + quoted_text(peek()) : "");
}

// ---- failure and bounds -------------------------------------------------------------------------

void Parser::fail(Status status) {
  if (failure_.ok()) failure_ = std::move(status);
  position_ = tokens_.size() - 1;
}

std::string Parser::quoted_text(const Token& token) {
  return token.kind == TokenKind::kEnd ? "end of input" : "'" + std::string(token.text) + "'";
}

void Parser::fail_here(const std::string& hint) {
  if (!failure_.ok()) return;
  fail(error("PARSE_SYNTAX_ERROR", {{"error", quoted_text(peek())}, {"hint", hint}},
             {place_in_message(peek().begin)}));
}

void Parser::fail_without_place(std::string condition, std::map<std::string, std::string> parameters) {
  if (failure_.ok()) fail(error(std::move(condition), std::move(parameters)));
}

void Parser::fail_at(size_t start, std::string condition, std::map<std::string, std::string> parameters,
                     std::string_view exception) {
  if (!failure_.ok()) return;
  const size_t begin = tokens_[start].begin;
  const size_t end = std::max(tokens_[start].end, tokens_[last_read_].end);
  QueryContext context = context_of_bytes(begin, end);
  const auto [line, column] = line_and_column(begin);
  context.summary = summarize_context(text_, begin, end, line, column);
  ErrorDetail detail = error(std::move(condition), std::move(parameters), {std::move(context)}).detail();
  if (!exception.empty()) detail.exception = exception;
  fail(Status(std::move(detail)));
}

Parser::Level::Level(Parser& parser, int own_height, bool nests)
    : parser_(parser), own_height_(own_height), nests_(nests), height_beside_(parser.height_) {
  parser_.height_ = 0;
  if (nests_ && ++parser_.nesting_ > kMaximumNesting) parser_.fail(error("FAILED_TO_PARSE_TOO_COMPLEX"));
}

Parser::Level::~Level() {
  if (nests_) --parser_.nesting_;
  parser_.height_ = std::max(parser_.height_ + own_height_, height_beside_);
  if (parser_.height_ > kMaximumHeight) parser_.fail(error("FAILED_TO_PARSE_TOO_COMPLEX"));
}

void Parser::grow(int by) {
  height_ += by;
  if (height_ > kMaximumHeight) fail(error("FAILED_TO_PARSE_TOO_COMPLEX"));
}

// ---- origins ------------------------------------------------------------------------------------

int32_t Parser::character_index(size_t byte) const {
  if (character_starts_.empty()) return static_cast<int32_t>(byte);
  const auto found = std::lower_bound(character_starts_.begin(), character_starts_.end(), byte);
  return static_cast<int32_t>(found - character_starts_.begin());
}

std::pair<size_t, size_t> Parser::line_and_column(size_t byte) const {
  const auto after = std::upper_bound(line_begins_.begin(), line_begins_.end(), byte);
  const int32_t column = character_index(byte) - character_index(*(after - 1)) + 1;
  return {static_cast<size_t>(after - line_begins_.begin()), static_cast<size_t>(column)};
}

QueryContext Parser::context_of_bytes(size_t begin, size_t end) const {
  QueryContext context;
  context.kind = QueryContext::Kind::kSql;
  context.start_index = character_index(begin);
  context.stop_index = character_index(end) - 1;
  context.fragment = text_.substr(begin, end - begin);
  return context;
}

QueryContext Parser::place_in_message(size_t begin) const {
  const auto [line, column] = line_and_column(begin);
  QueryContext context;
  context.summary = "(line " + std::to_string(line) + ", pos " + std::to_string(column - 1) +
                    ")\n\n== SQL ==\n" + marked_line(text_, begin);
  return context;
}

plan::Origin Parser::origin_from(size_t start) const {
  if (!failure_.ok()) return nullptr;
  const size_t begin = tokens_[start].begin;
  const size_t end = std::max(begin, tokens_[last_read_].end);
  QueryContext context = context_of_bytes(begin, end);
  origin_bytes_ += 3 * context.fragment.size();
  if (origin_bytes_ > kMaximumOriginBytes) {
    context.fragment.clear();
  } else {
    const auto [line, column] = line_and_column(begin);
    context.summary = summarize_context(text_, begin, end, line, column);
  }
  return std::make_shared<const QueryContext>(std::move(context));
}

ExpressionPtr Parser::call(std::string_view name, Expressions arguments, plan::Origin origin) {
  unresolved::FunctionCall node;
  node.name = {std::string(name)};
  node.arguments = std::move(arguments);
  return unresolved::make_expression(std::move(node), std::move(origin));
}

ExpressionPtr Parser::call(std::string_view name, Expressions arguments, size_t start) const {
  return call(name, std::move(arguments), origin_from(start));
}

ExpressionPtr Parser::negate(ExpressionPtr expression, bool negated, size_t start) const {
  return negated ? call("not", {std::move(expression)}, start) : expression;
}

ExpressionPtr Parser::text_literal(std::string value, size_t start) const {
  return make(unresolved::Literal{{types::DataType(types::TypeId::kString), types::Value(std::move(value))}},
              start);
}

ExpressionPtr Parser::integer_literal(int64_t value, size_t start) const {
  return make(unresolved::Literal{{types::DataType(types::TypeId::kInteger), types::Value(value)}}, start);
}

// ---- names --------------------------------------------------------------------------------------

std::string Parser::identifier() {
  if (!at_name()) {
    fail_here();
    return "";
  }
  const Token& token = peek();
  advance();
  return token.kind == TokenKind::kQuotedName ? quoted_name(token.text) : std::string(token.text);
}

Names Parser::multipart_name() {
  Names parts{identifier()};
  while (at(".") && at_name(1)) {
    advance();
    parts.push_back(identifier());
  }
  return parts;
}

Names Parser::identifier_list() {
  Names names;
  expect("(");
  do names.push_back(identifier());
  while (accept(","));
  expect(")");
  return names;
}

std::string Parser::string_token() {
  std::string value;
  if (peek().kind != TokenKind::kString) fail_here();
  while (peek().kind == TokenKind::kString) {
    value += string_value(peek().text);
    advance();
  }
  return with_whole_characters(std::move(value));
}

// A keyword that begins a clause here, judged by what follows: the same word may be an alias.
bool Parser::at_clause() const {
  if (at_any({"GROUP", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "PARTITION"})) {
    return at("BY", 1) && peek(2).kind != TokenKind::kEnd;
  }
  if (at("LATERAL")) return at_any({"VIEW", "("}, 1) || at_name(1);
  const bool has_operand = peek(1).kind != TokenKind::kEnd && !at_any({")", ",", ";", ".", "="}, 1);
  return has_operand &&
         at_any({"FROM", "WHERE", "HAVING", "LIMIT", "OFFSET", "WINDOW", "QUALIFY", "TABLESAMPLE", "PIVOT",
                 "UNPIVOT", "UNION", "EXCEPT", "MINUS", "INTERSECT", "SETMINUS"});
}

bool Parser::at_implicit_alias(bool of_relation) const {
  if (!at_name() || at_clause()) return false;
  if (peek().kind == TokenKind::kQuotedName || !of_relation) return true;
  return !at_any({"ANTI", "CROSS", "EXCEPT", "FULL", "INNER", "INTERSECT", "JOIN", "LATERAL", "LEFT", "MINUS",
                  "NATURAL", "ON", "RIGHT", "SEMI", "SETMINUS", "UNION", "USING", "SELECT"});
}

// ---- whole texts --------------------------------------------------------------------------------

// Blanks alone are an empty statement; comments alone are none.
void Parser::fail_empty() {
  const bool is_blank = text_.find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (!is_blank) return fail_here();
  fail(error("PARSE_EMPTY_STATEMENT", {}, {place_in_message(text_.size())}));
}

Statement Parser::whole_statement() {
  if (at_end()) {
    fail_empty();
    return RelationPtr();
  }
  Statement parsed = statement();
  expect_end();
  return parsed;
}

ExpressionPtr Parser::whole_expression() {
  if (at_end()) {
    fail_empty();
    return nullptr;
  }
  ExpressionPtr parsed = named_expression();
  if (!at_end()) fail_here();
  return parsed;
}

types::DataType Parser::whole_data_type() {
  types::DataType parsed = data_type(false);
  if (!at_end()) fail_here();
  return parsed;
}

// Columns, or one data type: a name followed by a type is a column; "interval day" alone is a type.
types::Schema Parser::whole_schema() {
  if (at_end()) return {};
  const bool is_interval = at("INTERVAL") &&
                           at_any({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}, 1) &&
                           (peek(2).kind == TokenKind::kEnd || at("TO", 2));
  if (!is_interval && at_name() && (at_name(1) || at(":", 1))) {
    types::Schema fields = struct_fields();
    if (!at_end()) fail_here();
    return fields;
  }
  types::DataType parsed = whole_data_type();
  if (parsed.is(types::TypeId::kStruct)) return parsed.fields();
  return {{"value", std::move(parsed), true, ""}};
}

Names Parser::whole_name() {
  Names parsed = multipart_name();
  expect_end();
  return parsed;
}

// ---- the interface ------------------------------------------------------------------------------

namespace {

template <typename Parsed>
Result<Parsed> parse_with(Parsed (Parser::*parse)(), std::string_view text) {
  Parser parser(text);
  if (!parser.failure().ok()) return parser.failure();
  Parsed parsed = (parser.*parse)();
  if (!parser.failure().ok()) return parser.failure();
  return parsed;
}

}  // namespace

Result<Statement> parse_statement(std::string_view text) {
  return parse_with(&Parser::whole_statement, text);
}
Result<ExpressionPtr> parse_expression(std::string_view text) {
  return parse_with(&Parser::whole_expression, text);
}
Result<Names> parse_name(std::string_view text) { return parse_with(&Parser::whole_name, text); }

Result<types::DataType> parse_data_type(std::string_view text) {
  if (is_json_type(text)) return parse_json_type(text);
  return parse_with(&Parser::whole_data_type, text);
}

Result<types::Schema> parse_schema(std::string_view text) {
  if (!is_json_type(text)) return parse_with(&Parser::whole_schema, text);
  ASSIGN_OR_RETURN(types::DataType type, parse_json_type(text));
  if (type.is(types::TypeId::kStruct)) return type.fields();
  return types::Schema{{"value", std::move(type), true, ""}};
}

}  // namespace deuteron::sql
