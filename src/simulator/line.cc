#include "simulator/line.h"

#include <algorithm>
#include <bit>

namespace deuteron::simulator {

Line::Line(const std::vector<Gang>& gangs)
    : gangs_(gangs), leaves_(std::bit_ceil(std::max<size_t>(gangs.size(), 1))), tree_(2 * leaves_) {}

void Line::add(const Gang& gang) {
  set(gang.id, {gang.gpus, gang.limit});
  ++size_;
}

void Line::remove(const Gang& gang) {
  set(gang.id, {});
  --size_;
}

void Line::set(int64_t id, Least least) {
  size_t node = leaves_ + static_cast<size_t>(id);
  tree_[node] = least;
  for (node /= 2; node > 0; node /= 2) {
    const Least &left = tree_[2 * node], &right = tree_[2 * node + 1];
    tree_[node] = {std::min(left.gpus, right.gpus), std::min(left.limit, right.limit)};
  }
}

bool Line::may_hold(const Least& least, const Room& room) {
  if (least.gpus == std::numeric_limits<int32_t>::max()) return false;
  return least.gpus <= room.gpus && (least.gpus <= room.for_long || least.limit <= room.longest);
}

const Gang* Line::next(int64_t id, const Room& room) const {
  return search(1, 0, static_cast<int64_t>(leaves_), id, room);
}

const Gang* Line::search(size_t node, int64_t low, int64_t high, int64_t id, const Room& room) const {
  if (high <= id || !may_hold(tree_[node], room)) return nullptr;
  if (node >= leaves_) return &gangs_[static_cast<size_t>(low)];
  const int64_t middle = low + (high - low) / 2;
  if (const Gang* found = search(2 * node, low, middle, id, room)) return found;
  return search(2 * node + 1, middle, high, id, room);
}

}  // namespace deuteron::simulator
