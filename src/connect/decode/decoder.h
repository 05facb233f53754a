// The walk over one message; internal to this folder. The first failure wins and stays: after it every
// function still returns something harmless (null pointers, default values), and the public functions answer
// with the failure.
#pragma once

#include <string>
#include <utility>

#include "connect/decode/plan_decoder.h"

namespace deuteron::connect::decode {

namespace protocol = spark::connect;
namespace unresolved = plan::unresolved;

class Decoder {
 public:
  const Status& failure() const { return failure_; }

  unresolved::Statement plan(const protocol::Plan& message);
  unresolved::RelationPtr relation(const protocol::Relation& message);
  unresolved::Command command(const protocol::Command& message);
  unresolved::ExpressionPtr expression(const protocol::Expression& message);
  types::DataType type(const protocol::DataType& message);
  types::TypedValue literal(const protocol::Expression::Literal& message);

 private:
  // Counts one level of nesting while it lives; `too_deep` has failed the decoder already.
  class Level {
   public:
    explicit Level(Decoder& decoder);
    ~Level() { --decoder_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    bool too_deep() const { return decoder_.depth_ > kMaximumDepth; }

   private:
    Decoder& decoder_;
  };

  void fail(Status status);
  void invalid(std::string message);
  template <typename T>
  T take(Result<T> result) {
    if (result.ok()) return *std::move(result);
    fail(result.status());
    return T();
  }

  // relations.cc, one function for each message that is more than a line
  unresolved::RelationNode relation_node(const protocol::Relation& message);
  unresolved::RelationNode read(const protocol::Read& message);
  unresolved::RelationNode sql(const protocol::SQL& message);
  unresolved::RelationNode join(const protocol::Join& message);
  unresolved::RelationNode set_operation(const protocol::SetOperation& message);
  unresolved::RelationNode aggregate(const protocol::Aggregate& message);
  unresolved::RelationNode sample_by(const protocol::StatSampleBy& message);
  unresolved::RelationNode crosstab(const protocol::StatCrosstab& message);
  unresolved::RelationNode statistic(const std::string& name, const std::string& function,
                                     unresolved::RelationPtr input, const std::string& first,
                                     const std::string& second, double otherwise);
  unresolved::RelationNode deduplicate(const protocol::Deduplicate& message);
  unresolved::RelationNode sample(const protocol::Sample& message);
  unresolved::RelationNode with_columns(const protocol::WithColumns& message);
  unresolved::RelationNode with_columns_renamed(const protocol::WithColumnsRenamed& message);
  unresolved::RelationNode unpivot(const protocol::Unpivot& message);
  unresolved::RelationNode fill_null(const protocol::NAFill& message);
  unresolved::RelationNode replace(const protocol::NAReplace& message);
  unresolved::RelationNode map_partitions(const protocol::MapPartitions& message);
  unresolved::RelationNode group_map(const protocol::GroupMap& message);
  unresolved::RelationNode co_group_map(const protocol::CoGroupMap& message);
  unresolved::RelationNode with_relations(const protocol::WithRelations& message);
  unresolved::RelationNode catalog(const protocol::Catalog& message);
  plan::JoinType join_type(protocol::Join::JoinType type);

  // expressions.cc
  unresolved::ExpressionNode expression_node(const protocol::Expression& message);
  unresolved::ExpressionNode attribute(const protocol::Expression::UnresolvedAttribute& message);
  unresolved::ExpressionNode star(const protocol::Expression::UnresolvedStar& message);
  unresolved::ExpressionNode column_regex(const protocol::Expression::UnresolvedRegex& message);
  unresolved::ExpressionNode function_call(const protocol::Expression::UnresolvedFunction& message);
  unresolved::ExpressionNode alias(const protocol::Expression::Alias& message);
  unresolved::ExpressionNode cast(const protocol::Expression::Cast& message);
  unresolved::ExpressionNode sort_order(const protocol::Expression::SortOrder& message);
  unresolved::ExpressionNode window(const protocol::Expression::Window& message);
  unresolved::ExpressionNode lambda(const protocol::Expression::LambdaFunction& message);
  unresolved::ExpressionNode subquery(const protocol::SubqueryExpression& message);
  unresolved::ExpressionNode user_function(const protocol::CommonInlineUserDefinedFunction& message);
  unresolved::ExpressionNode table_function(const protocol::CommonInlineUserDefinedTableFunction& message);
  unresolved::FrameBound frame_bound(const protocol::Expression::Window::WindowFrame::FrameBoundary& message,
                                     plan::FrameBoundKind unbounded);
  template <typename Repeated>
  unresolved::Expressions expressions(const Repeated& messages);
  template <typename Repeated>
  unresolved::Expressions sort_orders(const Repeated& messages);

  // commands.cc
  unresolved::CommandNode command_node(const protocol::Command& message);
  // The query of an SqlCommand, still as text.
  unresolved::RelationPtr sql_command(const protocol::SqlCommand& message);
  unresolved::CommandNode write_operation(const protocol::WriteOperation& message);
  unresolved::CommandNode write_operation_v2(const protocol::WriteOperationV2& message);

  // literals.cc, types.cc
  types::TypedValue decimal_literal(const protocol::Expression::Literal::Decimal& message);
  std::vector<types::TypedValue> literals(
      const google::protobuf::RepeatedPtrField<protocol::Expression::Literal>& messages);
  // A part of an array, map or struct, or all of them, as values of `type`.
  types::Value conformed(types::TypedValue part, const types::DataType& type);
  std::vector<types::Value> conformed(std::vector<types::TypedValue> parts, const types::DataType& type);
  types::TypedValue typed_array(std::vector<types::TypedValue> elements, types::DataType declared);
  types::TypedValue array_literal(const protocol::Expression::Literal& message);
  types::TypedValue specialized_array_literal(const protocol::Expression::Literal& message);
  types::TypedValue map_literal(const protocol::Expression::Literal& message);
  types::TypedValue struct_literal(const protocol::Expression::Literal& message);
  types::DataType decimal_type(const protocol::DataType::Decimal& message);
  types::DataType struct_type(const protocol::DataType::Struct& message);
  types::DataType unsupported_type(const char* name);

  Status failure_;
  int depth_ = 0;
};

// The place in the client's program; null when it did not say.
plan::Origin decode_origin(const protocol::Origin& message);
// Keys in lower case, as plan::Options wants them.
plan::Options decode_options(const google::protobuf::Map<std::string, std::string>& message);

template <typename Repeated>
plan::Names decode_names(const Repeated& messages) {
  return plan::Names(messages.begin(), messages.end());
}

template <typename Repeated>
unresolved::Expressions Decoder::expressions(const Repeated& messages) {
  unresolved::Expressions decoded;
  decoded.reserve(static_cast<size_t>(messages.size()));
  for (const auto& message : messages) decoded.push_back(expression(message));
  return decoded;
}

template <typename Repeated>
unresolved::Expressions Decoder::sort_orders(const Repeated& messages) {
  unresolved::Expressions decoded;
  decoded.reserve(static_cast<size_t>(messages.size()));
  for (const auto& message : messages) {
    decoded.push_back(
        std::make_shared<const unresolved::Expression>(unresolved::Expression{sort_order(message), nullptr}));
  }
  return decoded;
}

}  // namespace deuteron::connect::decode
