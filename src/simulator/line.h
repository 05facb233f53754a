// Gangs that wait, in the order of submission. Finding the first that some GPUs and a time are enough for
// costs about the logarithm of the number of gangs: a tree over all of them keeps the least of each part.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "simulator/workload.h"

namespace deuteron::simulator {

class Line {
 public:
  explicit Line(const std::vector<Gang>& gangs);
  void add(const Gang& gang);
  void remove(const Gang& gang);
  size_t size() const { return size_; }

  const Gang* first() const { return next(0, std::numeric_limits<int32_t>::max()); }
  // From `id` on, the first that needs at most `gpus`.
  const Gang* next(int64_t id, int64_t gpus) const { return next(id, {gpus, gpus, Duration::zero()}); }

  // At most `gpus`, and either at most `for_long`, or no longer than `longest`.
  struct Room {
    int64_t gpus = 0;
    int64_t for_long = 0;
    Duration longest{};
  };
  const Gang* next(int64_t id, const Room& room) const;

 private:
  struct Least {
    int32_t gpus = std::numeric_limits<int32_t>::max();
    Duration limit = Duration::max();
  };
  static bool may_hold(const Least& least, const Room& room);
  void set(int64_t id, Least least);
  const Gang* search(size_t node, int64_t low, int64_t high, int64_t id, const Room& room) const;

  const std::vector<Gang>& gangs_;
  size_t leaves_ = 1;
  std::vector<Least> tree_;
  size_t size_ = 0;
};

}  // namespace deuteron::simulator
