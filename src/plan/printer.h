// Prints any plan tree by visiting the fields of its nodes: the node on a line, child nodes indented below.
// Used by the to_string functions of both trees; nothing here knows a single node.
#pragma once

#include <sstream>
#include <string>
#include <type_traits>

#include "plan/tree.h"

namespace deuteron::plan {

// Tree: a struct with `template <N> visit(node)`-style overloads found by ADL: node_name, visit_fields.
class Printer {
 public:
  template <typename Pointer>
  void print_node(const Pointer& pointer, int depth) {
    if (pointer == nullptr) return;
    std::visit(
        [&](const auto& node) {
          using Node = std::decay_t<decltype(node)>;
          if constexpr (!std::is_same_v<Node, std::monostate>) {
            line(depth, node_name(node), describe(*pointer));
            visit_fields(node,
                         [&](const char* name, const auto& field) { print_field(name, field, depth + 1); });
          }
        },
        pointer->node);
  }

  template <typename Field>
  void print_field(const char* name, const Field& field, int depth);

  std::string text() const { return out_.str(); }

 private:
  void line(int depth, const std::string& head, const std::string& rest);
  template <typename Owner>
  static std::string describe(const Owner& owner);

  std::ostringstream out_;
};

template <typename T>
concept NodePointer = requires(const T& pointer) { pointer->node; };
template <typename T>
concept Sequence = requires(const T& sequence) {
  sequence.begin();
  sequence.end();
  typename T::value_type;
} && !std::is_same_v<T, std::string> && !requires { typename T::mapped_type; };

std::string scalar_text(const std::string& value);
std::string scalar_text(const types::TypedValue& value);
std::string scalar_text(const types::DataType& value);

template <typename Field>
void Printer::print_field(const char* name, const Field& field, int depth) {
  if constexpr (NodePointer<Field>) {
    if (field == nullptr) return;
    line(depth, std::string(name) + ":", "");
    print_node(field, depth + 1);
  } else if constexpr (Sequence<Field>) {
    if (field.begin() == field.end()) return;
    if constexpr (std::is_same_v<typename Field::value_type, std::string>) {
      std::string joined;
      for (const std::string& part : field) joined += (joined.empty() ? "" : ", ") + part;
      line(depth, std::string(name) + ": " + joined, "");
    } else {
      int index = 0;
      for (const auto& element : field) {
        const std::string label = std::string(name) + "[" + std::to_string(index++) + "]";
        print_field(label.c_str(), element, depth);
      }
    }
  } else if constexpr (requires { typename Field::mapped_type; }) {
    for (const auto& [key, value] : field) print_field((std::string(name) + "." + key).c_str(), value, depth);
  } else if constexpr (requires { scalar_text(field); }) {
    line(depth, std::string(name) + ": " + scalar_text(field), "");
  } else if constexpr (std::is_same_v<Field, bool>) {
    if (field) line(depth, name, "");
  } else if constexpr (std::is_enum_v<Field>) {
    line(depth, std::string(name) + ": " + std::to_string(static_cast<int>(field)), "");
  } else if constexpr (std::is_arithmetic_v<Field>) {
    line(depth, std::string(name) + ": " + std::to_string(field), "");
  } else if constexpr (std::is_same_v<Field, Bytes>) {
    line(depth, std::string(name) + ": " + std::to_string(field == nullptr ? 0 : field->size()) + " bytes",
         "");
  } else if constexpr (requires { field->unit; }) {
    if (field == nullptr) return;
    line(depth,
         std::string(name) + ": unit " + std::to_string(static_cast<int>(field->unit)) + ", " +
             std::to_string(static_cast<int>(field->lower.kind)) + " to " +
             std::to_string(static_cast<int>(field->upper.kind)),
         "");
    print_field("lower", field->lower.value, depth + 1);
    print_field("upper", field->upper.value, depth + 1);
  } else if constexpr (requires { field->command; }) {
    line(depth, std::string(name) + ": " + (field == nullptr ? "" : field->name), "");
  } else if constexpr (requires { field.expression; }) {
    print_field(name, field.expression, depth);
  } else if constexpr (requires { field.relation; }) {
    line(depth, std::string(name) + ": " + field.name, "");
    print_node(field.relation, depth + 1);
  } else if constexpr (requires { field.from; }) {
    line(depth, std::string(name) + ": " + field.from + " -> " + field.to, "");
  } else if constexpr (requires {
                         field.type;
                         field.name;
                       }) {
    line(depth, std::string(name) + ": " + field.name + " " + scalar_text(field.type), "");
  } else {
    static_assert(
        requires { field.data; }, "a new kind of field: say here how it is printed");
    line(depth, std::string(name) + ": " + scalar_text(types::TypedValue{{}, field}), "");
  }
}

template <typename Owner>
std::string Printer::describe(const Owner& owner) {
  if constexpr (requires { owner.output; }) {
    std::string text = " [";
    for (const auto& column : owner.output) {
      if (text.size() > 2) text += ", ";
      text += column.name + "#" + std::to_string(column.id) + " " + column.type.simple_string();
    }
    return text + "]";
  } else if constexpr (requires { owner.type; }) {
    return " : " + owner.type.simple_string();
  } else {
    return "";
  }
}

}  // namespace deuteron::plan
