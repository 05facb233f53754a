// The parser of one text; internal to this folder. A recursive descent whose functions are spread over the
// files named below.
//
// Failure is a state: the first fail() is kept and moves the parser behind the last token, where nothing
// matches any more, so that every loop ends and every function returns something harmless. The public
// functions look at failure() at the end.
//
// Nesting (recursion) and the height of the tree (long chains) are bounded, so that no text can exhaust the
// stack, here or in those who walk the tree later.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/unresolved.h"
#include "sql/parser.h"
#include "sql/token.h"

namespace deuteron::sql {

using plan::Names;
using plan::unresolved::ExpressionPtr;
using plan::unresolved::Expressions;
using plan::unresolved::RelationPtr;
using plan::unresolved::Statement;

class Parser {
 public:
  static constexpr int kMaximumNesting = 1000;  // a pair of parentheses counts twice
  static constexpr int kMaximumHeight = 1000;
  // The fragments of nested expressions repeat the text: beyond this sum an origin has its position only.
  static constexpr size_t kMaximumOriginBytes = 64 << 20;

  // The text must outlive the parser.
  explicit Parser(std::string_view text);

  const Status& failure() const { return failure_; }

  // Each reads the whole text.
  Statement whole_statement();
  ExpressionPtr whole_expression();
  types::DataType whole_data_type();
  types::Schema whole_schema();
  Names whole_name();

 private:
  // ---- tokens ----
  const Token& peek(size_t ahead = 0) const;
  // The token is this keyword or symbol (in upper case).
  bool at(std::string_view word, size_t ahead = 0) const;
  bool at_any(std::initializer_list<std::string_view> words, size_t ahead = 0) const;
  bool at_end() const { return peek().kind == TokenKind::kEnd; }
  bool at_name(size_t ahead = 0) const;
  void advance();
  bool accept(std::string_view word);
  // Both or none.
  bool accept(std::string_view first, std::string_view second);
  void expect(std::string_view word);
  void close_list(bool after_comma);
  void expect_end();

  // ---- failure and bounds ----
  void fail(Status status);
  void fail_here(const std::string& hint = "");  // syntax error at the current token
  void fail_empty();
  static std::string quoted_text(const Token& token);
  // exception: the JVM class, where it is not the condition's usual one.
  void fail_at(size_t start, std::string condition, std::map<std::string, std::string> parameters = {},
               std::string_view exception = {});
  void fail_without_place(std::string condition, std::map<std::string, std::string> parameters);
  void fail_unsupported(std::string feature) { fail(unsupported(std::move(feature))); }
  template <typename T>
  T take(Result<T> result) {
    if (result.ok()) return *std::move(result);
    fail(result.status());
    return T();
  }
  // While it lives: one level of recursion (if it `nests`), and a height of its own, so that what stands side
  // by side does not add up. At its end the tree below it, with `own_height` more, counts for the level
  // around.
  class Level {
   public:
    explicit Level(Parser& parser, int own_height = 1, bool nests = true);
    ~Level();
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& parser_;
    int own_height_;
    bool nests_;
    int height_beside_;
  };
  // More nodes on top of what the current level has read.
  void grow(int by = 1);

  // ---- origins ----
  // Byte range from the token at index `start` to the last one read -> the place in the text.
  plan::Origin origin_from(size_t start) const;
  QueryContext context_of_bytes(size_t begin, size_t end) const;
  // For errors that show the place in their message only: it has no indexes.
  QueryContext place_in_message(size_t begin) const;
  int32_t character_index(size_t byte) const;
  std::pair<size_t, size_t> line_and_column(size_t byte) const;  // from 1, in characters
  template <typename Node>
  ExpressionPtr make(Node node, size_t start) const {
    return plan::unresolved::make_expression(std::move(node), origin_from(start));
  }
  template <typename Node>
  RelationPtr relation(Node node, size_t start) const {
    return plan::unresolved::make_relation(std::move(node), -1, origin_from(start));
  }
  ExpressionPtr call(std::string_view name, Expressions arguments, size_t start) const;
  static ExpressionPtr call(std::string_view name, Expressions arguments, plan::Origin origin);
  ExpressionPtr negate(ExpressionPtr expression, bool negated, size_t start) const;
  ExpressionPtr text_literal(std::string value, size_t start) const;
  ExpressionPtr integer_literal(int64_t value, size_t start) const;

  // ---- names ----
  std::string identifier();
  Names multipart_name();
  Names identifier_list();     // ( a, b )
  std::string string_token();  // adjacent ones are joined
  // A name without AS that is no beginning of the next clause.
  bool at_implicit_alias(bool of_relation) const;
  bool at_clause() const;

  // ---- query.cc ----
  // A query begins at this token, which may be one of several opening parentheses.
  bool at_query(size_t position) const;
  RelationPtr query();
  std::vector<plan::unresolved::CteDefinition> common_table_expressions();
  RelationPtr set_operations();
  RelationPtr intersections();
  RelationPtr query_primary();
  RelationPtr select(RelationPtr from, size_t start);
  void read_named_windows();
  void skip_named_windows();
  std::vector<plan::unresolved::Hint> select_hints();
  RelationPtr with_hints(RelationPtr input, const std::vector<plan::unresolved::Hint>& hints, size_t start);
  ExpressionPtr named_expression();
  ExpressionPtr sort_item();
  Expressions sort_items();
  RelationPtr query_organization(RelationPtr input, size_t start);
  RelationPtr limit_and_offset(RelationPtr input, size_t start);

  // ---- grouping.cc ----
  // An element of GROUP BY: an expression alone (one part), or ROLLUP, CUBE, GROUPING SETS over its parts.
  struct GroupingElement {
    plan::GroupType type = plan::GroupType::kGroupBy;
    std::vector<Expressions> parts;
    std::vector<Expressions> sets() const;
  };
  RelationPtr aggregate(RelationPtr input, Expressions select_list, size_t start);
  void set_grouping(plan::unresolved::Aggregate& node, const std::vector<GroupingElement>& elements);
  GroupingElement grouping_element();
  std::vector<Expressions> grouping_sets();
  Expressions grouping_set();

  // ---- relation.cc ----
  RelationPtr from_clause();
  RelationPtr join_chain();
  bool accept_lateral();
  bool join_type(plan::JoinType& type);
  void join_criteria(plan::unresolved::Join& join);
  RelationPtr relation_primary();
  RelationPtr relation_with_alias(RelationPtr input, size_t start);
  RelationPtr table_sample(RelationPtr input, size_t start);
  RelationPtr inline_table();
  RelationPtr table_function(Names name, size_t start);
  RelationPtr lateral_views(RelationPtr input);
  RelationPtr pivot(RelationPtr input, size_t start);
  RelationPtr unpivot(RelationPtr input, size_t start);
  int64_t plain_integer();

  // ---- expression.cc ----
  Expressions expression_list();
  ExpressionPtr expression();
  bool accept_connective(std::string_view word);
  ExpressionPtr conjunction();
  ExpressionPtr balanced(std::string_view word, Expressions terms, size_t start);
  ExpressionPtr negation();
  ExpressionPtr predicated();
  ExpressionPtr in_predicate(ExpressionPtr value, bool negated, size_t start);
  ExpressionPtr like_quantified(std::string_view name, ExpressionPtr value, bool negated, size_t start);
  ExpressionPtr like_predicate(ExpressionPtr value, bool negated, size_t start);
  ExpressionPtr is_predicate(const ExpressionPtr& value, size_t start);
  struct BinaryOperator;
  bool binary_operator(BinaryOperator& found) const;
  ExpressionPtr value_expression(int minimum_precedence);
  ExpressionPtr unary();
  ExpressionPtr primary();
  ExpressionPtr postfix(ExpressionPtr base, size_t start);
  ExpressionPtr field_of(ExpressionPtr base, size_t start);
  ExpressionPtr primary_base();
  ExpressionPtr column_or_call();
  ExpressionPtr star(Names target, size_t start);
  ExpressionPtr parenthesized();
  ExpressionPtr exists();
  ExpressionPtr case_expression();
  ExpressionPtr cast();
  ExpressionPtr parameter();
  bool at_lambda() const;
  ExpressionPtr lambda();

  // ---- function_call.cc ----
  ExpressionPtr function_call();
  ExpressionPtr call_argument();
  ExpressionPtr table_function_argument();
  ExpressionPtr table_argument();
  ExpressionPtr special_call();  // null when the call at the current token has no syntax of its own
  size_t count_arguments() const;
  bool has_as_inside() const;
  ExpressionPtr extract_call();
  ExpressionPtr substring_call();
  ExpressionPtr trim_call();
  ExpressionPtr position_call();
  ExpressionPtr overlay_call();
  ExpressionPtr date_unit_call();
  ExpressionPtr struct_call();
  ExpressionPtr ordinary_call(std::string name, Expressions arguments, size_t start);
  ExpressionPtr over(ExpressionPtr function, size_t start);
  plan::unresolved::Window window_specification();
  std::shared_ptr<const plan::unresolved::WindowFrame> window_frame();
  plan::unresolved::FrameBound frame_bound();

  // ---- literal.cc, interval.cc ----
  bool at_literal() const;
  ExpressionPtr literal();
  ExpressionPtr number(bool is_negative, size_t start);
  ExpressionPtr integer_number(const std::string& digits, size_t start);
  ExpressionPtr decimal_number(const std::string& digits, size_t start, bool has_suffix = false);
  ExpressionPtr suffixed_number(const std::string& text, size_t start);
  ExpressionPtr real_number(const std::string& digits, types::TypeId type, size_t start);
  ExpressionPtr out_of_range(const std::string& digits, types::TypeId type, size_t start);
  ExpressionPtr typed_literal();
  ExpressionPtr timestamp_literal(const std::string& type, const std::string& text, size_t start);
  ExpressionPtr binary_literal(const std::string& text, size_t start);
  ExpressionPtr invalid_typed_literal(std::string_view type, const std::string& text, size_t start);
  bool at_interval() const;
  ExpressionPtr interval_literal();
  ExpressionPtr interval_range(const std::string& text, bool is_text, bool is_negative,
                               const std::string& from, size_t body, size_t start);

  // ---- data_type.cc ----
  // in_cast: CHAR and VARCHAR are plain strings there.
  types::DataType data_type(bool in_cast);
  types::DataType primitive_type(const std::string& name, size_t start, bool in_cast);
  types::DataType decimal_type(size_t start);
  types::DataType interval_type();
  types::Schema struct_fields();
  types::StructField struct_field();
  void close_angle();
  static std::string json_text(const std::string& text);

  // ---- command.cc ----
  Statement statement();
  // False: it is a query.
  bool command(plan::unresolved::CommandNode& node);
  plan::unresolved::CommandNode unsupported_command();
  plan::unresolved::CommandNode set_command();
  plan::unresolved::CommandNode create_command();
  plan::unresolved::CommandNode create_view_using(plan::unresolved::CreateView view);
  plan::Options option_list();
  plan::unresolved::CommandNode drop_command();
  plan::unresolved::CommandNode explain_command();
  plan::unresolved::CommandNode cache_command();
  plan::unresolved::CommandNode catalog_command();
  plan::unresolved::CommandNode show_command();
  plan::unresolved::CommandNode describe_command();

  std::string_view text_;
  Tokens tokens_;
  size_t position_ = 0;
  size_t last_read_ = 0;  // index of the last token that was read; kept when a failure moves position_
  Status failure_;
  int nesting_ = 0;
  int height_ = 0;
  mutable size_t origin_bytes_ = 0;
  int32_t parameters_ = 0;  // number of ? so far
  std::vector<size_t> line_begins_ = {0};
  std::vector<size_t> character_starts_;   // byte offset of each character; empty when all are single bytes
  std::vector<std::string> lambda_names_;  // parameters in scope, upper case
  bool has_window_clause_ = false;
  std::map<std::string, plan::unresolved::Window>
      windows_;  // WINDOW clause of the SELECT that is being read, upper case
};

}  // namespace deuteron::sql
