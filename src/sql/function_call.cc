// Calls, those with a syntax of their own (EXTRACT, SUBSTRING, TRIM, POSITION, OVERLAY …), and windows.
#include "sql/lexer.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using plan::FrameBoundKind;

namespace {

constexpr std::string_view kDateUnits[] = {"YEAR",   "QUARTER",     "MONTH",      "WEEK",
                                           "DAY",    "DAYOFYEAR",   "HOUR",       "MINUTE",
                                           "SECOND", "MILLISECOND", "MICROSECOND"};

bool is_date_unit(const std::string& word) {
  for (const std::string_view unit : kDateUnits) {
    if (unit == word) return true;
  }
  return false;
}

}  // namespace

ExpressionPtr Parser::function_call() {
  const size_t start = position_;
  if (at("(", 1)) {
    if (ExpressionPtr special = special_call(); special != nullptr || !failure_.ok()) return special;
  }
  unresolved::FunctionCall node;
  node.name = multipart_name();
  expect("(");
  if (at("DISTINCT") && !at_any({",", ")", "."}, 1)) {
    advance();
    node.is_distinct = true;
  } else if (at("ALL") && !at_any({",", ")", "."}, 1)) {
    advance();
  }
  if (!at(")")) {
    do node.arguments.push_back(call_argument());
    while (accept(","));
  }
  node.ignore_nulls = accept("IGNORE", "NULLS");
  close_list(node.arguments.size() > 1);
  if (at("WITHIN") && at("GROUP", 1)) {
    advance();
    advance();
    expect("(");
    if (!accept("ORDER", "BY")) fail_here();
    node.within_group = sort_items();
    expect(")");
  }
  if (at("FILTER") && at("(", 1) && at("WHERE", 2)) {
    advance();
    advance();
    advance();
    node.filter = expression();
    expect(")");
  }
  if (accept("IGNORE", "NULLS")) node.ignore_nulls = true;
  accept("RESPECT", "NULLS");
  return over(make(std::move(node), start), start);
}

// name => value, or a value
ExpressionPtr Parser::call_argument() {
  const size_t start = position_;
  if (at_name() && at("=>", 1)) {
    std::string key = identifier();
    advance();
    ExpressionPtr value = expression();
    return make(unresolved::NamedArgument{std::move(key), std::move(value)}, start);
  }
  return expression();
}

// An argument of a function in FROM: also TABLE(name or query), with how its rows are to be divided.
ExpressionPtr Parser::table_function_argument() {
  const size_t start = position_;
  if (at_name() && at("=>", 1) && at("TABLE", 2) && at("(", 3)) {
    std::string key = identifier();
    advance();
    return make(unresolved::NamedArgument{std::move(key), table_argument()}, start);
  }
  if (at("TABLE") && at_name(1) && !at("(", 1)) {
    advance();
    const std::string name = identifier();
    fail_at(start, "INVALID_SQL_SYNTAX.INVALID_TABLE_FUNCTION_IDENTIFIER_ARGUMENT_MISSING_PARENTHESES",
            {{"argumentName", "`" + name + "`"}});
    return nullptr;
  }
  return at("TABLE") && at("(", 1) ? table_argument() : call_argument();
}

ExpressionPtr Parser::table_argument() {
  const size_t start = position_;
  advance();
  expect("(");
  unresolved::TableArgument node;
  node.plan_id = -1;
  const size_t table_start = position_;
  if (at_query(position_)) {
    node.plan = query();
  } else {
    node.plan = relation(unresolved::NamedTable{multipart_name(), {}}, table_start);
  }
  expect(")");
  const bool is_list = at("(", 2);
  if (accept("WITH", "SINGLE")) {
    expect("PARTITION");
    node.is_single_partition = true;
  } else if (accept("PARTITION", "BY") || accept("DISTRIBUTE", "BY")) {
    if (is_list) {
      expect("(");
      node.partition_by = expression_list();
      expect(")");
    } else {
      node.partition_by.push_back(expression());
    }
  }
  if (accept("ORDER", "BY") || accept("SORT", "BY")) {
    if (at("(")) {
      advance();
      node.order_by = sort_items();
      expect(")");
    } else {
      node.order_by.push_back(sort_item());
    }
  }
  return make(std::move(node), start);
}

// ---- calls with a syntax of their own -----------------------------------------------------------

ExpressionPtr Parser::special_call() {
  if (at("EXTRACT") && at_name(2) && at("FROM", 3)) return extract_call();
  if (at_any({"SUBSTRING", "SUBSTR"})) return substring_call();
  if (at("TRIM")) return trim_call();
  if (at("POSITION")) return position_call();
  if (at("OVERLAY")) return overlay_call();
  if (at("STRUCT")) return struct_call();
  if (at_any({"TIMESTAMPADD", "DATEADD", "DATE_ADD", "TIMESTAMPDIFF", "DATEDIFF", "DATE_DIFF"}) &&
      is_date_unit(peek(2).upper) && at(",", 3) && count_arguments() == 3) {
    return date_unit_call();
  }
  return nullptr;
}

// Number of arguments of the call at the current token, without reading it.
size_t Parser::count_arguments() const {
  const int32_t close = peek(1).match;
  size_t count = 1;
  for (int32_t i = static_cast<int32_t>(position_) + 2; i < close; ++i) {
    const Token& token = tokens_[static_cast<size_t>(i)];
    if (token.upper == "(" && token.match > i) i = token.match;
    if (token.upper == ",") ++count;
  }
  return count;
}

// Whether the parentheses behind the current token hold an AS of their own, as those of CAST do.
bool Parser::has_as_inside() const {
  const int32_t close = peek(1).match;
  for (int32_t i = static_cast<int32_t>(position_) + 2; i < close; ++i) {
    const Token& token = tokens_[static_cast<size_t>(i)];
    if (token.upper == "AS") return true;
    if (token.upper == "(" && token.match > i) i = token.match;
  }
  return false;
}

// EXTRACT(field FROM source)
ExpressionPtr Parser::extract_call() {
  const size_t start = position_;
  advance();
  advance();
  const size_t field_start = position_;
  ExpressionPtr field = text_literal(identifier(), field_start);
  expect("FROM");
  ExpressionPtr source = value_expression(0);
  expect(")");
  return call("extract", {std::move(field), std::move(source)}, start);
}

// The rest of a call whose first arguments have been read: commas alone, no keyword.
ExpressionPtr Parser::ordinary_call(std::string name, Expressions arguments, size_t start) {
  while (accept(",")) arguments.push_back(call_argument());
  expect(")");
  return call(name, std::move(arguments), start);
}

// SUBSTRING(text FROM position [FOR length])
ExpressionPtr Parser::substring_call() {
  const size_t start = position_;
  std::string name = identifier();
  expect("(");
  Expressions arguments;
  if (!at(")")) arguments.push_back(call_argument());
  if (!accept("FROM")) return ordinary_call(std::move(name), std::move(arguments), start);
  arguments.push_back(value_expression(0));
  if (accept("FOR")) arguments.push_back(value_expression(0));
  expect(")");
  return call("substring", std::move(arguments), start);
}

// TRIM([BOTH | LEADING | TRAILING] [characters] FROM text); the call's arguments are (characters, text)
ExpressionPtr Parser::trim_call() {
  const size_t start = position_;
  std::string name = identifier();
  expect("(");
  std::string_view keyword_name = "trim";
  if (at_any({"BOTH", "LEADING", "TRAILING"}) && !at_any({")", ",", "."}, 1)) {
    keyword_name = at("LEADING") ? "ltrim" : at("TRAILING") ? "rtrim" : "trim";
    advance();
  }
  Expressions arguments;
  if (!at(")") && !(at("FROM") && !at_any({")", ",", "."}, 1))) arguments.push_back(call_argument());
  if (!accept("FROM")) return ordinary_call(std::move(name), std::move(arguments), start);
  arguments.push_back(value_expression(0));
  expect(")");
  return call(keyword_name, std::move(arguments), start);
}

// POSITION(part IN text)
ExpressionPtr Parser::position_call() {
  const size_t start = position_;
  std::string name = identifier();
  expect("(");
  Expressions arguments;
  if (!at(")")) arguments.push_back(value_expression(0));
  if (!accept("IN")) return ordinary_call(std::move(name), std::move(arguments), start);
  arguments.push_back(value_expression(0));
  expect(")");
  arguments.push_back(integer_literal(1, start));
  return call("locate", std::move(arguments), start);
}

// OVERLAY(text PLACING part FROM position [FOR length])
ExpressionPtr Parser::overlay_call() {
  const size_t start = position_;
  std::string name = identifier();
  expect("(");
  Expressions arguments;
  if (!at(")")) arguments.push_back(call_argument());
  if (!accept("PLACING")) return ordinary_call(std::move(name), std::move(arguments), start);
  arguments.push_back(value_expression(0));
  expect("FROM");
  arguments.push_back(value_expression(0));
  if (accept("FOR")) arguments.push_back(value_expression(0));
  expect(")");
  return call("overlay", std::move(arguments), start);
}

// DATEADD(unit, n, t), DATEDIFF(unit, a, b): the unit is a bare word.
ExpressionPtr Parser::date_unit_call() {
  const size_t start = position_;
  const std::string_view name =
      at_any({"TIMESTAMPADD", "DATEADD", "DATE_ADD"}) ? "timestampadd" : "timestampdiff";
  advance();
  advance();
  const size_t unit_start = position_;
  Expressions arguments{text_literal(identifier(), unit_start)};
  while (accept(",")) arguments.push_back(expression());
  expect(")");
  return call(name, std::move(arguments), start);
}

// STRUCT(a, b AS c)
ExpressionPtr Parser::struct_call() {
  const size_t start = position_;
  advance();
  advance();
  Expressions arguments;
  if (!at(")")) {
    do arguments.push_back(named_expression());
    while (accept(","));
  }
  expect(")");
  return call("struct", std::move(arguments), start);
}

// ---- windows ------------------------------------------------------------------------------------

ExpressionPtr Parser::over(ExpressionPtr function, size_t start) {
  if (!at("OVER") || !(at("(", 1) || at_name(1))) return function;
  advance();
  unresolved::Window node = window_specification();
  // Spark counts the OVER clause to the call: errors of the function point at both.
  auto whole = std::make_shared<unresolved::Expression>(*function);
  whole->origin = origin_from(start);
  node.function = std::move(whole);
  grow();
  return make(std::move(node), start);
}

// A name of the WINDOW clause, (name), or ([PARTITION BY …] [ORDER BY …] [frame])
unresolved::Window Parser::window_specification() {
  const Level level(*this);
  if (at_name() || (at("(") && at_name(1) && at(")", 2))) {
    const bool in_parentheses = accept("(");
    const std::string name = identifier();
    if (in_parentheses) expect(")");
    const auto found = windows_.find(to_upper(name));
    if (found != windows_.end()) return found->second;
    fail(error("MISSING_WINDOW_SPECIFICATION",
               {{"windowName", name}, {"docroot", "https://spark.apache.org/docs/latest"}}));
    return {};
  }
  unresolved::Window node;
  expect("(");
  if (accept("PARTITION", "BY") || accept("DISTRIBUTE", "BY")) {
    node.partition_by = expression_list();
  } else if (accept("CLUSTER", "BY")) {
    node.partition_by = expression_list();
    if (!at(")")) fail_here();
  }
  if (accept("ORDER", "BY") || accept("SORT", "BY")) node.order_by = sort_items();
  if (at_any({"ROWS", "RANGE"})) node.frame = window_frame();
  expect(")");
  return node;
}

std::shared_ptr<const unresolved::WindowFrame> Parser::window_frame() {
  auto frame = std::make_shared<unresolved::WindowFrame>();
  frame->unit = at("ROWS") ? plan::FrameUnit::kRows : plan::FrameUnit::kRange;
  advance();
  if (accept("BETWEEN")) {
    frame->lower = frame_bound();
    expect("AND");
    frame->upper = frame_bound();
  } else {
    frame->lower = frame_bound();
    frame->upper = {FrameBoundKind::kCurrentRow, nullptr};
  }
  return frame;
}

// Preceding offsets are negative in the tree.
unresolved::FrameBound Parser::frame_bound() {
  if (accept("UNBOUNDED", "PRECEDING")) return {FrameBoundKind::kUnboundedPreceding, nullptr};
  if (accept("UNBOUNDED", "FOLLOWING")) return {FrameBoundKind::kUnboundedFollowing, nullptr};
  if (accept("CURRENT", "ROW")) return {FrameBoundKind::kCurrentRow, nullptr};
  const size_t start = position_;
  ExpressionPtr offset = expression();
  if (accept("FOLLOWING")) return {FrameBoundKind::kValue, std::move(offset)};
  expect("PRECEDING");
  if (const auto* literal = unresolved::as<unresolved::Literal>(offset)) {
    if (const auto* value = std::get_if<int64_t>(&literal->value.value.data);
        value != nullptr && *value > 0) {
      return {FrameBoundKind::kValue,
              make(unresolved::Literal{{literal->value.type, types::Value(-*value)}}, start)};
    }
  }
  return {FrameBoundKind::kValue, call("negative", {std::move(offset)}, start)};
}

}  // namespace deuteron::sql
