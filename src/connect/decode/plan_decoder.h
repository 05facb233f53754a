// Spark Connect protocol -> unresolved plan. Pure functions of the message; thread-safe. Nothing is looked
// up: names stay text, SQL stays text. Errors: CONNECT_INVALID_PLAN for a message that lacks what it needs or
// is nested deeper than kMaximumDepth, UNSUPPORTED_FEATURE for what neither plan tree can say. Relations that
// are known by name only become UnsupportedRelation or UnsupportedCommand, so that the analyzer answers with
// the feature's name.
#pragma once

#include "plan/unresolved.h"
#include "spark/connect/base.pb.h"

namespace deuteron::connect::decode {

// Messages nested deeper than this are refused. Protobuf's own limit counts two levels for each of ours.
inline constexpr int kMaximumDepth = 1000;

Result<plan::unresolved::Statement> decode_plan(const spark::connect::Plan& message);
Result<plan::unresolved::RelationPtr> decode_relation(const spark::connect::Relation& message);
Result<plan::unresolved::Command> decode_command(const spark::connect::Command& message);
Result<plan::unresolved::ExpressionPtr> decode_expression(const spark::connect::Expression& message);
Result<types::DataType> decode_type(const spark::connect::DataType& message);
Result<types::TypedValue> decode_literal(const spark::connect::Expression::Literal& message);

}  // namespace deuteron::connect::decode
