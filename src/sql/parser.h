// Spark SQL text -> unresolved plan. Hand-written lexer and recursive-descent parser of Spark's dialect; pure
// functions, thread-safe. Errors: PARSE_SYNTAX_ERROR and its like, with the position as query context. Every
// node's origin points into the text.
#pragma once

#include <string_view>

#include "plan/unresolved.h"

namespace deuteron::sql {

// (a, b) is a call of this name, which no text can spell: a struct that Spark shows as named_struct(…).
inline constexpr const char* kRow = "(,)";

// A whole statement: a query, or a command. Parameters (:name, ?) stay as plan::unresolved::Parameter.
Result<plan::unresolved::Statement> parse_statement(std::string_view text);
// One expression with an optional alias ("a + 1 AS b"), as F.expr and selectExpr take it.
Result<plan::unresolved::ExpressionPtr> parse_expression(std::string_view text);
// "int", "array<struct<a:int>>", "decimal(10,2)".
Result<types::DataType> parse_data_type(std::string_view text);
// "a int, b string NOT NULL COMMENT 'x'", or a single data type; a struct in its DDL form gives its fields.
Result<types::Schema> parse_schema(std::string_view text);
// "db.`a.b`" -> {"db", "a.b"}
Result<plan::Names> parse_name(std::string_view text);

}  // namespace deuteron::sql
