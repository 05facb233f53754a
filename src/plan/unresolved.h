// The unresolved plan: what the client or the SQL text said, before anything is looked up. Trees are
// immutable and shared; safe to read from any thread. The nodes are listed in unresolved_nodes.inc.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "plan/origin.h"
#include "plan/tree.h"

namespace deuteron::plan::unresolved {

struct Expression;
struct Relation;
using ExpressionPtr = std::shared_ptr<const Expression>;
using RelationPtr = std::shared_ptr<const Relation>;
using Expressions = std::vector<ExpressionPtr>;
using NamedExpressions = std::map<std::string, ExpressionPtr>;

// value: the offset expression of a kValue bound; negative offsets precede. Null otherwise.
struct FrameBound {
  FrameBoundKind kind = FrameBoundKind::kUnboundedPreceding;
  ExpressionPtr value;
};
struct WindowFrame {
  FrameUnit unit = FrameUnit::kRange;
  FrameBound lower;
  FrameBound upper;
};
struct CteDefinition {
  std::string name;
  Names columns;
  RelationPtr relation;
  Origin origin;  // of "name(columns) AS (…)"
};

// Structs, one per entry.
#define FIELD(type, name) type name{};
#define EXPRESSION(Name, ...) \
  struct Name {               \
    __VA_ARGS__               \
  };
#define RELATION(Name, ...) \
  struct Name {             \
    __VA_ARGS__             \
  };
#define COMMAND(Name, ...) \
  struct Name {            \
    __VA_ARGS__            \
  };
#include "plan/unresolved_nodes.inc"
#undef FIELD
#undef EXPRESSION
#undef RELATION
#undef COMMAND

// visitor(field name, field) for each field of a node, in order; node_name(node).
#define FIELD(type, name) visitor(#name, node.name);
#define EXPRESSION(Name, ...)                                                                \
  inline const char* node_name(const Name&) { return #Name; }                                \
  template <typename Visitor>                                                                \
  void visit_fields([[maybe_unused]] const Name& node, [[maybe_unused]] Visitor&& visitor) { \
    __VA_ARGS__                                                                              \
  }
#define RELATION(Name, ...) EXPRESSION(Name, __VA_ARGS__)
#define COMMAND(Name, ...) EXPRESSION(Name, __VA_ARGS__)
#include "plan/unresolved_nodes.inc"
#undef FIELD
#undef EXPRESSION
#undef RELATION
#undef COMMAND

// The variants; std::monostate never occurs in a finished tree.
#define FIELD(type, name)
#define RELATION(Name, ...)
#define COMMAND(Name, ...)
#define EXPRESSION(Name, ...) , Name
using ExpressionNode = std::variant<std::monostate
#include "plan/unresolved_nodes.inc"
                                    >;
#undef RELATION
#undef EXPRESSION
#define EXPRESSION(Name, ...)
#define RELATION(Name, ...) , Name
using RelationNode = std::variant<std::monostate
#include "plan/unresolved_nodes.inc"
                                  >;
#undef RELATION
#undef COMMAND
#define RELATION(Name, ...)
#define COMMAND(Name, ...) , Name
using CommandNode = std::variant<std::monostate
#include "plan/unresolved_nodes.inc"
                                 >;
#undef FIELD
#undef EXPRESSION
#undef RELATION
#undef COMMAND

struct Expression {
  ExpressionNode node;
  Origin origin;
};

struct Relation {
  RelationNode node;
  int64_t plan_id = -1;  // the client's id of this DataFrame; -1 when it has none
  Origin origin;
};

// What a client asks to be run: a query, or a command.
struct Command {
  CommandNode node;
};
using Statement = std::variant<RelationPtr, Command>;

template <typename Node>
ExpressionPtr make_expression(Node node, Origin origin = nullptr) {
  return std::make_shared<const Expression>(Expression{std::move(node), std::move(origin)});
}
template <typename Node>
RelationPtr make_relation(Node node, int64_t plan_id = -1, Origin origin = nullptr) {
  return std::make_shared<const Relation>(Relation{std::move(node), plan_id, std::move(origin)});
}

// The node when it is a `Node`, else null.
template <typename Node>
const Node* as(const ExpressionPtr& expression) {
  return expression == nullptr ? nullptr : std::get_if<Node>(&expression->node);
}
template <typename Node>
const Node* as(const RelationPtr& relation) {
  return relation == nullptr ? nullptr : std::get_if<Node>(&relation->node);
}

// One line per node, indented; for tests, logs and EXPLAIN EXTENDED.
std::string to_string(const RelationPtr& relation);
std::string to_string(const ExpressionPtr& expression);
std::string to_string(const Command& command);

}  // namespace deuteron::plan::unresolved
