// The resolved plan: the analyzer's answer. Immutable and shared; safe to read from any thread. The nodes are
// listed in resolved_nodes.inc. `validate` (validator.h) tells whether a tree keeps the rules written there.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "plan/origin.h"
#include "plan/tree.h"

namespace deuteron::plan::resolved {

struct Expression;
struct Relation;
using ExpressionPtr = std::shared_ptr<const Expression>;
using RelationPtr = std::shared_ptr<const Relation>;
using Expressions = std::vector<ExpressionPtr>;
using ColumnId = int64_t;  // unique within one resolved plan

// A column of a relation's output.
struct Column {
  ColumnId id = 0;
  std::string name;
  types::DataType type;
  bool nullable = true;
  Names qualifier;            // table alias, or database and table; empty when none
  std::string metadata_json;  // "" means {}
  bool operator==(const Column&) const = default;
};
using Columns = std::vector<Column>;

struct SortKey {
  ExpressionPtr expression;
  bool ascending = true;
  bool nulls_first = true;
};

struct FrameBound {
  FrameBoundKind kind = FrameBoundKind::kUnboundedPreceding;
  ExpressionPtr value;  // of a kValue bound: a foldable offset; negative precedes
};
struct WindowFrame {
  FrameUnit unit = FrameUnit::kRange;
  FrameBound lower;
  FrameBound upper;
};

// How MapPartitions calls a Python table function. The input's columns are those that go on with each row
// that the function gives (`kept` of them), then the arguments: one column each, the table's columns for a
// table.
struct TableFunctionCall {
  int32_t kept = 0;
  Names argument_names;  // per argument; "": positional
  int32_t table_argument = -1;
  Names table_columns;
  std::vector<int32_t> partition_columns;  // of the table: rows with equal values are one partition
  // Instead of the function its static method `analyze` is called; what that gave is told to the function.
  bool is_analysis = false;
  std::vector<bool> constants;  // per argument: analyze sees its value
  std::string analyzed;         // pickled, as hexadecimal digits; "" when there was no analysis
  bool operator==(const TableFunctionCall&) const = default;
};

// A user's Python function; command is what the client pickled, handed to the worker unread.
struct PythonFunction {
  std::string name;
  int32_t eval_type = 0;  // PySpark's PythonEvalType
  std::string command;
  std::string python_version;
  types::DataType type;  // result; of map functions the struct of the output columns
  bool deterministic = true;
  std::shared_ptr<const TableFunctionCall> table_call;  // of a table function, else null
};
using PythonFunctionPtr = std::shared_ptr<const PythonFunction>;

struct CteDefinition {
  int64_t id = 0;
  std::string name;
  RelationPtr relation;
};

#define FIELD(type, name) type name{};
#define EXPRESSION(Name, ...) \
  struct Name {               \
    __VA_ARGS__               \
  };
#define RELATION(Name, ...) \
  struct Name {             \
    __VA_ARGS__             \
  };
#include "plan/resolved_nodes.inc"
#undef FIELD
#undef EXPRESSION
#undef RELATION

#define FIELD(type, name) visitor(#name, node.name);
#define EXPRESSION(Name, ...)                                                                \
  inline const char* node_name(const Name&) { return #Name; }                                \
  template <typename Visitor>                                                                \
  void visit_fields([[maybe_unused]] const Name& node, [[maybe_unused]] Visitor&& visitor) { \
    __VA_ARGS__                                                                              \
  }
#define RELATION(Name, ...) EXPRESSION(Name, __VA_ARGS__)
#include "plan/resolved_nodes.inc"
#undef FIELD
#undef EXPRESSION
#undef RELATION

#define FIELD(type, name)
#define RELATION(Name, ...)
#define EXPRESSION(Name, ...) , Name
using ExpressionNode = std::variant<std::monostate
#include "plan/resolved_nodes.inc"
                                    >;
#undef RELATION
#undef EXPRESSION
#define EXPRESSION(Name, ...)
#define RELATION(Name, ...) , Name
using RelationNode = std::variant<std::monostate
#include "plan/resolved_nodes.inc"
                                  >;
#undef FIELD
#undef EXPRESSION
#undef RELATION

struct Expression {
  ExpressionNode node;
  types::DataType type;
  bool nullable = true;
  Origin origin;
};

struct Relation {
  RelationNode node;
  Columns output;
  // Partitions are part of the meaning (ranks are partitions); 0: not fixed by the plan, decided when it
  // runs.
  int32_t partitions = 0;
};

template <typename Node>
ExpressionPtr make_expression(Node node, types::DataType type, bool nullable, Origin origin = nullptr) {
  return std::make_shared<const Expression>(
      Expression{std::move(node), std::move(type), nullable, std::move(origin)});
}
template <typename Node>
RelationPtr make_relation(Node node, Columns output, int32_t partitions = 0) {
  return std::make_shared<const Relation>(Relation{std::move(node), std::move(output), partitions});
}

template <typename Node>
const Node* as(const ExpressionPtr& expression) {
  return expression == nullptr ? nullptr : std::get_if<Node>(&expression->node);
}
template <typename Node>
const Node* as(const RelationPtr& relation) {
  return relation == nullptr ? nullptr : std::get_if<Node>(&relation->node);
}

types::Schema to_schema(const Columns& columns);

std::string to_string(const RelationPtr& relation);
std::string to_string(const ExpressionPtr& expression);

}  // namespace deuteron::plan::resolved
