#include "plan/equality.h"

#include <algorithm>
#include <bit>
#include <map>
#include <type_traits>

namespace deuteron::plan::resolved {
namespace {

// Numbers on both sides that stand for each other, bound when they are first met.
class Pairing {
 public:
  bool pair(int64_t left, int64_t right) {
    const auto [forth, is_new] = forth_.emplace(left, right);
    const auto [back, is_new_too] = back_.emplace(right, left);
    return is_new == is_new_too && forth->second == right && back->second == left;
  }

 private:
  std::map<int64_t, int64_t> forth_;
  std::map<int64_t, int64_t> back_;
};

class Comparison {
 public:
  bool same(const RelationPtr& left, const RelationPtr& right) {
    if (left == nullptr || right == nullptr) return left == right;
    if (left->node.index() != right->node.index() || left->partitions != right->partitions ||
        left->output.size() != right->output.size()) {
      return false;
    }
    // A column's number may be new in each use of one and the same relation: no short cut by pointer.
    return same_nodes(left->node, right->node) && same(left->output, right->output);
  }

 private:
  bool same(const ExpressionPtr& left, const ExpressionPtr& right) {
    if (left == nullptr || right == nullptr) return left == right;
    return left->node.index() == right->node.index() && left->type == right->type &&
           same_nodes(left->node, right->node);
  }
  bool same(const Column& left, const Column& right) {
    return columns_.pair(left.id, right.id) && left.type == right.type && left.nullable == right.nullable;
  }
  bool same(ColumnId left, ColumnId right) { return left == right; }
  bool same(const std::vector<ColumnId>& left, const std::vector<ColumnId>& right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](ColumnId one, ColumnId other) { return columns_.pair(one, other); });
  }
  bool same(const SortKey& left, const SortKey& right) {
    return left.ascending == right.ascending && left.nulls_first == right.nulls_first &&
           same(left.expression, right.expression);
  }
  bool same(const CteDefinition& left, const CteDefinition& right) {
    return definitions_.pair(left.id, right.id) && same(left.relation, right.relation);
  }
  bool same(const FrameBound& left, const FrameBound& right) {
    return left.kind == right.kind && same(left.value, right.value);
  }
  bool same(const std::shared_ptr<const WindowFrame>& left, const std::shared_ptr<const WindowFrame>& right) {
    if (left == nullptr || right == nullptr) return left == right;
    return left->unit == right->unit && same(left->lower, right->lower) && same(left->upper, right->upper);
  }
  bool same(const PythonFunctionPtr& left, const PythonFunctionPtr& right) {
    return left == right || (left->command == right->command && left->eval_type == right->eval_type &&
                             left->type == right->type && same(left->table_call, right->table_call));
  }
  bool same(const std::shared_ptr<const TableFunctionCall>& left,
            const std::shared_ptr<const TableFunctionCall>& right) {
    if (left == nullptr || right == nullptr) return left == right;
    return *left == *right;
  }
  bool same(const Bytes& left, const Bytes& right) {
    return left == right || (left != nullptr && right != nullptr && *left == *right);
  }
  bool same(const types::Value& left, const types::Value& right) {
    const auto* one = std::get_if<double>(&left.data);
    const auto* other = std::get_if<double>(&right.data);
    if (one != nullptr && other != nullptr)
      return std::bit_cast<uint64_t>(*one) == std::bit_cast<uint64_t>(*other);
    return left == right;
  }
  template <typename Element>
  bool same(const std::vector<Element>& left, const std::vector<Element>& right) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](const Element& one, const Element& other) { return same(one, other); });
  }
  template <typename Field>
  bool same(const Field& left, const Field& right) {
    return left == right;
  }

  template <typename Variant>
  bool same_nodes(const Variant& left, const Variant& right) {
    return std::visit(
        [&](const auto& node) { return same_node(node, std::get<std::decay_t<decltype(node)>>(right)); },
        left);
  }
  bool same_node(const std::monostate&, const std::monostate&) { return true; }
  bool same_node(const ColumnReference& left, const ColumnReference& right) {
    return columns_.pair(left.id, right.id);
  }
  bool same_node(const CteScan& left, const CteScan& right) {
    return definitions_.pair(left.cte_id, right.cte_id) &&
           same(left.definition_columns, right.definition_columns);
  }
  // A function over whole rows sees the names of its columns.
  bool same_node(const MapPartitions& left, const MapPartitions& right) {
    return same_names(left.input, right.input) && same_fields(left, right);
  }
  bool same_node(const GroupMap& left, const GroupMap& right) {
    return same_names(left.input, right.input) && same_fields(left, right);
  }
  bool same_node(const CoGroupMap& left, const CoGroupMap& right) {
    return same_names(left.left, right.left) && same_names(left.right, right.right) &&
           same_fields(left, right);
  }
  template <typename Node>
  bool same_node(const Node& left, const Node& right) {
    return same_fields(left, right);
  }

  template <typename Node>
  bool same_fields(const Node& left, const Node& right) {
    std::vector<const void*> fields;
    visit_fields(right, [&](const char*, const auto& field) { fields.push_back(&field); });
    bool all_same = true;
    size_t index = 0;
    visit_fields(left, [&](const char*, const auto& field) {
      const auto* other = static_cast<const std::decay_t<decltype(field)>*>(fields[index++]);
      all_same = all_same && same(field, *other);
    });
    return all_same;
  }
  static bool same_names(const RelationPtr& left, const RelationPtr& right) {
    return std::equal(left->output.begin(), left->output.end(), right->output.begin(), right->output.end(),
                      [](const Column& one, const Column& other) { return one.name == other.name; });
  }

  Pairing columns_;
  Pairing definitions_;
};

}  // namespace

bool same_plan(const RelationPtr& left, const RelationPtr& right) { return Comparison().same(left, right); }

}  // namespace deuteron::plan::resolved
