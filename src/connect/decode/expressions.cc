#include "connect/decode/attribute_name.h"
#include "connect/decode/decoder.h"
#include "sql/parser.h"

namespace deuteron::connect::decode {

using plan::FrameBoundKind;
using unresolved::ExpressionNode;
using unresolved::ExpressionPtr;
using Message = protocol::Expression;

namespace {

template <typename T>
int64_t plan_id_of(const T& message) {
  return message.has_plan_id() ? message.plan_id() : -1;
}

}  // namespace

ExpressionPtr Decoder::expression(const Message& message) {
  const Level level(*this);
  if (level.too_deep()) return nullptr;
  return std::make_shared<const unresolved::Expression>(
      unresolved::Expression{expression_node(message), decode_origin(message.common().origin())});
}

ExpressionNode Decoder::expression_node(const Message& message) {
  switch (message.expr_type_case()) {
    case Message::kLiteral: return unresolved::Literal{literal(message.literal())};
    case Message::kUnresolvedAttribute: return attribute(message.unresolved_attribute());
    case Message::kUnresolvedFunction: return function_call(message.unresolved_function());
    case Message::kExpressionString: return unresolved::SqlText{message.expression_string().expression()};
    case Message::kUnresolvedStar: return star(message.unresolved_star());
    case Message::kAlias: return alias(message.alias());
    case Message::kCast: return cast(message.cast());
    case Message::kUnresolvedRegex: return column_regex(message.unresolved_regex());
    case Message::kSortOrder: return sort_order(message.sort_order());
    case Message::kLambdaFunction: return lambda(message.lambda_function());
    case Message::kWindow: return window(message.window());
    case Message::kUnresolvedExtractValue:
      return unresolved::ExtractValue{expression(message.unresolved_extract_value().child()),
                                      expression(message.unresolved_extract_value().extraction())};
    case Message::kUpdateFields: {
      const auto& update = message.update_fields();
      return unresolved::UpdateField{
          expression(update.struct_expression()), update.field_name(),
          update.has_value_expression() ? expression(update.value_expression()) : nullptr};
    }
    case Message::kUnresolvedNamedLambdaVariable:
      return unresolved::LambdaVariable{
          decode_names(message.unresolved_named_lambda_variable().name_parts())};
    case Message::kCommonInlineUserDefinedFunction:
      return user_function(message.common_inline_user_defined_function());
    case Message::kCallFunction: {
      unresolved::FunctionCall call;
      call.name = take(sql::parse_name(message.call_function().function_name()));
      call.arguments = expressions(message.call_function().arguments());
      return call;
    }
    case Message::kNamedArgumentExpression:
      return unresolved::NamedArgument{message.named_argument_expression().key(),
                                       expression(message.named_argument_expression().value())};
    case Message::kSubqueryExpression: return subquery(message.subquery_expression());
    case Message::kMergeAction: fail(unsupported("MERGE INTO")); return {};
    case Message::kTypedAggregateExpression: fail(unsupported("typed aggregate of Scala")); return {};
    case Message::kDirectShufflePartitionId: fail(unsupported("repartitionById")); return {};
    case Message::kExtension: fail(unsupported("expression extension")); return {};
    case Message::EXPR_TYPE_NOT_SET: break;
  }
  invalid("An expression is missing.");
  return {};
}

ExpressionNode Decoder::attribute(const Message::UnresolvedAttribute& message) {
  return unresolved::Attribute{take(parse_attribute_name(message.unparsed_identifier())), plan_id_of(message),
                               message.is_metadata_column()};
}

ExpressionNode Decoder::star(const Message::UnresolvedStar& message) {
  unresolved::Star node{{}, plan_id_of(message)};
  if (!message.has_unparsed_target()) return node;
  const std::string& target = message.unparsed_target();
  if (!target.ends_with(".*")) {
    invalid("The target of a star must end with '.*', but it is " + target + ".");
    return node;
  }
  node.target = take(parse_attribute_name(std::string_view(target).substr(0, target.size() - 2)));
  return node;
}

// Only a name in backquotes is a regular expression; anything else is a plain column.
ExpressionNode Decoder::column_regex(const Message::UnresolvedRegex& message) {
  const std::string& name = message.col_name();
  const int64_t plan_id = plan_id_of(message);
  if (name.size() > 2 && name.front() == '`' && name.back() == '`') {
    return unresolved::ColumnRegex{name.substr(1, name.size() - 2), plan_id};
  }
  if (name.find(".`") != std::string::npos && name.back() == '`') {
    fail(unsupported("regular expression of a qualified column name"));
    return {};
  }
  return unresolved::Attribute{take(parse_attribute_name(name)), plan_id, false};
}

ExpressionNode Decoder::function_call(const Message::UnresolvedFunction& message) {
  unresolved::FunctionCall call;
  if (message.is_user_defined_function()) {
    call.name = take(sql::parse_name(message.function_name()));
  } else {
    call.name = {message.function_name()};
  }
  call.arguments = expressions(message.arguments());
  call.is_distinct = message.is_distinct();
  call.is_internal = message.is_internal();
  return call;
}

ExpressionNode Decoder::alias(const Message::Alias& message) {
  if (message.name().empty()) invalid("An alias without a name.");
  if (message.name_size() > 1 && message.has_metadata()) {
    fail(error("CONNECT_INVALID_PLAN.ALIAS_WITH_MULTIPLE_IDENTIFIERS_AND_METADATA"));
  }
  return unresolved::Alias{expression(message.expr()), decode_names(message.name()), message.metadata()};
}

ExpressionNode Decoder::cast(const Message::Cast& message) {
  unresolved::Cast node;
  node.child = expression(message.expr());
  node.type = message.has_type() ? type(message.type()) : take(sql::parse_data_type(message.type_str()));
  switch (message.eval_mode()) {
    case Message::Cast::EVAL_MODE_LEGACY: node.mode = plan::CastMode::kLegacy; break;
    case Message::Cast::EVAL_MODE_ANSI: node.mode = plan::CastMode::kAnsi; break;
    case Message::Cast::EVAL_MODE_TRY: node.mode = plan::CastMode::kTry; break;
    default: node.mode = plan::CastMode::kDefault;
  }
  return node;
}

ExpressionNode Decoder::sort_order(const Message::SortOrder& message) {
  unresolved::SortOrder node;
  node.child = expression(message.child());
  node.ascending = message.direction() != Message::SortOrder::SORT_DIRECTION_DESCENDING;
  switch (message.null_ordering()) {
    case Message::SortOrder::SORT_NULLS_FIRST: node.null_ordering = plan::NullOrdering::kNullsFirst; break;
    case Message::SortOrder::SORT_NULLS_LAST: node.null_ordering = plan::NullOrdering::kNullsLast; break;
    default: node.null_ordering = plan::NullOrdering::kDefault;
  }
  return node;
}

ExpressionNode Decoder::window(const Message::Window& message) {
  unresolved::Window node;
  node.function = expression(message.window_function());
  node.partition_by = expressions(message.partition_spec());
  node.order_by = sort_orders(message.order_spec());
  if (message.has_frame_spec()) {
    const auto& spec = message.frame_spec();
    auto frame = std::make_shared<unresolved::WindowFrame>();
    if (spec.frame_type() == Message::Window::WindowFrame::FRAME_TYPE_ROW) {
      frame->unit = plan::FrameUnit::kRows;
    } else if (spec.frame_type() != Message::Window::WindowFrame::FRAME_TYPE_RANGE) {
      invalid("A window frame must be of rows or of a range.");
    }
    frame->lower = frame_bound(spec.lower(), FrameBoundKind::kUnboundedPreceding);
    frame->upper = frame_bound(spec.upper(), FrameBoundKind::kUnboundedFollowing);
    node.frame = std::move(frame);
  }
  return node;
}

unresolved::FrameBound Decoder::frame_bound(const Message::Window::WindowFrame::FrameBoundary& message,
                                            FrameBoundKind unbounded) {
  using Boundary = Message::Window::WindowFrame::FrameBoundary;
  switch (message.boundary_case()) {
    case Boundary::kCurrentRow: return {FrameBoundKind::kCurrentRow, nullptr};
    case Boundary::kUnbounded: return {unbounded, nullptr};
    case Boundary::kValue: return {FrameBoundKind::kValue, expression(message.value())};
    case Boundary::BOUNDARY_NOT_SET: break;
  }
  invalid("A window frame without a bound.");
  return {};
}

ExpressionNode Decoder::lambda(const Message::LambdaFunction& message) {
  unresolved::Lambda node;
  node.body = expression(message.function());
  if (message.arguments().empty()) invalid("A lambda function without arguments.");
  for (const auto& argument : message.arguments()) {
    if (argument.name_parts_size() != 1) invalid("A lambda variable must have a name of one part.");
    node.parameters.push_back(argument.name_parts().empty() ? "" : argument.name_parts(0));
  }
  return node;
}

ExpressionNode Decoder::subquery(const protocol::SubqueryExpression& message) {
  if (message.subquery_type() == protocol::SubqueryExpression::SUBQUERY_TYPE_TABLE_ARG) {
    const auto& options = message.table_arg_options();
    return unresolved::TableArgument{nullptr, message.plan_id(), expressions(options.partition_spec()),
                                     sort_orders(options.order_spec()), options.with_single_partition()};
  }
  unresolved::Subquery node;
  node.plan_id = message.plan_id();
  switch (message.subquery_type()) {
    case protocol::SubqueryExpression::SUBQUERY_TYPE_SCALAR: node.kind = plan::SubqueryKind::kScalar; break;
    case protocol::SubqueryExpression::SUBQUERY_TYPE_EXISTS: node.kind = plan::SubqueryKind::kExists; break;
    case protocol::SubqueryExpression::SUBQUERY_TYPE_IN:
      node.kind = plan::SubqueryKind::kIn;
      node.values = expressions(message.in_subquery_values());
      break;
    default: invalid("Unknown kind of subquery.");
  }
  return node;
}

ExpressionNode Decoder::user_function(const protocol::CommonInlineUserDefinedFunction& message) {
  using Function = protocol::CommonInlineUserDefinedFunction;
  unresolved::PythonCall node;
  switch (message.function_case()) {
    case Function::kPythonUdf: break;
    case Function::kScalarScalaUdf: fail(unsupported("Scala function")); return node;
    case Function::kJavaUdf: fail(unsupported("Java function")); return node;
    case Function::FUNCTION_NOT_SET: invalid("A user's function is missing."); return node;
  }
  const protocol::PythonUDF& function = message.python_udf();
  if (!function.additional_includes().empty()) fail(unsupported("additional includes of a Python function"));
  node.name = message.function_name();
  node.deterministic = message.deterministic();
  node.eval_type = function.eval_type();
  node.command = function.command();
  node.type = type(function.output_type());
  node.python_version = function.python_ver();
  node.arguments = expressions(message.arguments());
  node.is_distinct = message.is_distinct();
  return node;
}

// Without a type the function's method `analyze` will tell it: the type is void.
ExpressionNode Decoder::table_function(const protocol::CommonInlineUserDefinedTableFunction& message) {
  if (!message.has_python_udtf()) invalid("A user's table function is missing.");
  const protocol::PythonUDTF& function = message.python_udtf();
  unresolved::PythonCall node;
  node.name = message.function_name();
  node.deterministic = message.deterministic();
  node.eval_type = function.eval_type();
  node.command = function.command();
  if (function.has_return_type()) {
    node.type = type(function.return_type());
    if (!node.type.is(types::TypeId::kStruct))
      fail(error("INVALID_SCHEMA_TYPE_NON_STRUCT", {{"dataType", "\"" + node.type.sql() + "\""}}));
  }
  node.python_version = function.python_ver();
  node.arguments = expressions(message.arguments());
  return node;
}

}  // namespace deuteron::connect::decode
