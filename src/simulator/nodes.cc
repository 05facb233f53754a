#include "simulator/nodes.h"

#include <algorithm>

namespace deuteron::simulator {

Nodes::Nodes(int32_t nodes, int32_t gpus_per_node, size_t holders)
    : gpus_per_node_(gpus_per_node),
      nodes_(static_cast<size_t>(nodes)),
      by_free_(static_cast<size_t>(gpus_per_node) + 1),
      pieces_(holders),
      free_(int64_t{nodes} * gpus_per_node) {
  for (int32_t node = nodes - 1; node >= 0; --node) {
    at(node).free = gpus_per_node;
    list(node);
  }
}

void Nodes::list(int32_t node) {
  auto& alike = by_free_[static_cast<size_t>(at(node).free)];
  at(node).place = alike.size();
  alike.push_back(node);
}

void Nodes::unlist(int32_t node) {
  auto& alike = by_free_[static_cast<size_t>(at(node).free)];
  at(alike.back()).place = at(node).place;
  std::swap(alike[at(node).place], alike.back());
  alike.pop_back();
}

void Nodes::set_free(int32_t node, int32_t free) {
  const int32_t more = free - at(node).free;
  if (at(node).works) {
    unlist(node);
    at(node).free = free;
    list(node);
    free_ += more;
  } else {
    at(node).free = free;
    down_ += more;
  }
}

// The smallest rest that is enough, or else the largest.
int32_t Nodes::pick(int32_t gpus) const {
  for (int32_t free = std::min(gpus, gpus_per_node_); free <= gpus_per_node_; ++free) {
    const auto& alike = by_free_[static_cast<size_t>(free)];
    if (!alike.empty()) return alike.back();
  }
  int32_t free = std::min(gpus, gpus_per_node_) - 1;
  while (by_free_[static_cast<size_t>(free)].empty()) --free;
  return by_free_[static_cast<size_t>(free)].back();
}

void Nodes::take(int64_t holder, int32_t gpus) {
  auto& pieces = pieces_[static_cast<size_t>(holder)];
  while (gpus > 0) {
    const int32_t node = pick(gpus);
    const int32_t taken = std::min(gpus, at(node).free);
    set_free(node, at(node).free - taken);
    gpus -= taken;
    if (std::ranges::count(at(node).holders, holder) > 0) {
      std::ranges::find(pieces, node, &Piece::node)->gpus += taken;
    } else {
      pieces.push_back({node, taken});
      at(node).holders.push_back(holder);
    }
  }
}

void Nodes::return_piece(int64_t holder, Piece piece) {
  std::erase(at(piece.node).holders, holder);
  set_free(piece.node, at(piece.node).free + piece.gpus);
}

void Nodes::give_back(int64_t holder) {
  auto& pieces = pieces_[static_cast<size_t>(holder)];
  for (const Piece piece : pieces) return_piece(holder, piece);
  pieces = {};
}

void Nodes::give_back(int64_t holder, int32_t node) {
  auto& pieces = pieces_[static_cast<size_t>(holder)];
  const auto found = std::ranges::find(pieces, node, &Piece::node);
  if (found == pieces.end()) return;
  return_piece(holder, *found);
  pieces.erase(found);
}

int32_t Nodes::held(int64_t holder, int32_t node) const {
  const auto& pieces = pieces_[static_cast<size_t>(holder)];
  const auto found = std::ranges::find(pieces, node, &Piece::node);
  return found == pieces.end() ? 0 : found->gpus;
}

void Nodes::fail(int32_t node) {
  unlist(node);
  at(node).works = false;
  free_ -= at(node).free;
  down_ += at(node).free;
}

void Nodes::repair(int32_t node) {
  at(node).works = true;
  list(node);
  free_ += at(node).free;
  down_ -= at(node).free;
}

}  // namespace deuteron::simulator
