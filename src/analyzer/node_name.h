// What the node of an unresolved expression or relation is called, for errors about what is not supported.
#pragma once

#include <string>
#include <type_traits>
#include <variant>

#include "plan/unresolved.h"

namespace deuteron::analyzer {

template <typename Tree>
std::string node_name_of(const Tree& tree) {
  return std::visit(
      [](const auto& node) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
          return "without content";
        } else {
          return node_name(node);
        }
      },
      tree.node);
}

}  // namespace deuteron::analyzer
