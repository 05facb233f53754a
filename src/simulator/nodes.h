// Which GPUs of which nodes are free, and who holds the others. Whole nodes are given out first, then the
// smallest rest that is enough, so that a gang lies on few nodes and fewer failures hit it. Policies see only
// the numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace deuteron::simulator {

class Nodes {
 public:
  Nodes(int32_t nodes, int32_t gpus_per_node, size_t holders);

  int64_t free() const { return free_; }  // of nodes that work
  int64_t down() const { return down_; }  // of nodes that do not, without what is still held
  int32_t gpus_per_node() const { return gpus_per_node_; }
  bool works(int32_t node) const { return at(node).works; }

  // Requires that so many are free.
  void take(int64_t holder, int32_t gpus);
  void give_back(int64_t holder);  // all
  // Only what it holds of this node.
  void give_back(int64_t holder, int32_t node);
  int32_t held(int64_t holder, int32_t node) const;

  void fail(int32_t node);
  void repair(int32_t node);
  std::vector<int64_t> holders(int32_t node) const { return at(node).holders; }  // in order of their coming

 private:
  struct Node {
    int32_t free = 0;
    bool works = true;
    size_t place = 0;  // among those with as many free
    std::vector<int64_t> holders;
  };
  struct Piece {
    int32_t node = 0, gpus = 0;
  };

  Node& at(int32_t node) { return nodes_[static_cast<size_t>(node)]; }
  const Node& at(int32_t node) const { return nodes_[static_cast<size_t>(node)]; }
  int32_t pick(int32_t gpus) const;
  void set_free(int32_t node, int32_t free);
  void list(int32_t node);
  void unlist(int32_t node);
  void return_piece(int64_t holder, Piece piece);

  const int32_t gpus_per_node_;
  std::vector<Node> nodes_;
  std::vector<std::vector<int32_t>> by_free_;  // nodes that work, by how many of their GPUs are free
  std::vector<std::vector<Piece>> pieces_;     // by holder
  int64_t free_ = 0, down_ = 0;
};

}  // namespace deuteron::simulator
