#include "connect/decode/plan_decoder.h"

#include "connect/decode/decoder.h"

namespace deuteron::connect::decode {

Decoder::Level::Level(Decoder& decoder) : decoder_(decoder) {
  if (++decoder_.depth_ > kMaximumDepth) {
    decoder_.invalid("It is nested deeper than " + std::to_string(kMaximumDepth) + " levels.");
  }
}

void Decoder::fail(Status status) {
  if (failure_.ok()) failure_ = std::move(status);
}

void Decoder::invalid(std::string message) {
  fail(error("CONNECT_INVALID_PLAN.ASSERTION_FAILURE", {{"message", std::move(message)}}));
}

unresolved::Statement Decoder::plan(const protocol::Plan& message) {
  switch (message.op_type_case()) {
    case protocol::Plan::kRoot: return relation(message.root());
    case protocol::Plan::kCommand:
      // A query in SQL text arrives as a command, since only the text tells whether it is one.
      if (message.command().has_sql_command()) return sql_command(message.command().sql_command());
      return command(message.command());
    case protocol::Plan::kCompressedOperation:
      invalid("A compressed plan must be expanded before it is decoded.");
      return unresolved::RelationPtr();
    case protocol::Plan::OP_TYPE_NOT_SET: invalid("The plan is empty."); return unresolved::RelationPtr();
  }
  invalid("Unknown kind of plan.");
  return unresolved::RelationPtr();
}

plan::Origin decode_origin(const protocol::Origin& message) {
  if (message.has_python_origin()) {
    QueryContext context;
    context.kind = QueryContext::Kind::kDataFrame;
    context.fragment = message.python_origin().fragment();
    context.call_site = message.python_origin().call_site();
    return std::make_shared<const QueryContext>(std::move(context));
  }
  return nullptr;
}

plan::Options decode_options(const google::protobuf::Map<std::string, std::string>& message) {
  plan::Options options;
  for (const auto& [key, value] : message) {
    std::string lower = key;
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    options[std::move(lower)] = value;
  }
  return options;
}

namespace {

template <typename Decoded, typename Message>
Result<Decoded> decode_with(Decoded (Decoder::*decode)(const Message&), const Message& message) {
  Decoder decoder;
  Decoded decoded = (decoder.*decode)(message);
  if (!decoder.failure().ok()) return decoder.failure();
  return decoded;
}

}  // namespace

Result<unresolved::Statement> decode_plan(const protocol::Plan& message) {
  return decode_with(&Decoder::plan, message);
}
Result<unresolved::RelationPtr> decode_relation(const protocol::Relation& message) {
  return decode_with(&Decoder::relation, message);
}
Result<unresolved::Command> decode_command(const protocol::Command& message) {
  return decode_with(&Decoder::command, message);
}
Result<unresolved::ExpressionPtr> decode_expression(const protocol::Expression& message) {
  return decode_with(&Decoder::expression, message);
}
Result<types::DataType> decode_type(const protocol::DataType& message) {
  return decode_with(&Decoder::type, message);
}
Result<types::TypedValue> decode_literal(const protocol::Expression::Literal& message) {
  return decode_with(&Decoder::literal, message);
}

}  // namespace deuteron::connect::decode
