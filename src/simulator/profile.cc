#include "simulator/profile.h"

#include <algorithm>

namespace deuteron::simulator {

size_t Profile::step_of(SteadyTime time) const {
  const auto after = std::upper_bound(steps_.begin(), steps_.end(), time,
                                      [](SteadyTime value, const Step& step) { return value < step.time; });
  return after == steps_.begin() ? 0 : static_cast<size_t>(after - steps_.begin()) - 1;
}

SteadyTime Profile::earliest(SteadyTime from, int64_t gpus, Duration duration) const {
  SteadyTime start = from;
  for (size_t index = step_of(from); index < steps_.size(); ++index) {
    if (steps_[index].time >= start + duration) break;
    if (steps_[index].free < gpus && index + 1 < steps_.size()) start = steps_[index + 1].time;
  }
  return start;
}

size_t Profile::cut(SteadyTime time) {
  const size_t index = step_of(time);
  if (steps_[index].time == time) return index;
  steps_.insert(steps_.begin() + static_cast<std::ptrdiff_t>(index) + 1, {time, steps_[index].free});
  return index + 1;
}

void Profile::add(SteadyTime from, SteadyTime to, int64_t gpus) {
  if (from >= to) return;
  const size_t first = cut(from);
  const size_t last = cut(to);
  for (size_t index = first; index < last; ++index) steps_[index].free += gpus;
  // Steps between which nothing changes any more are one.
  for (const size_t index : {last, first}) {
    if (index > 0 && steps_[index].free == steps_[index - 1].free)
      steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(index));
  }
}

void Profile::forget_before(SteadyTime time) {
  steps_.erase(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(step_of(time)));
}

int64_t Profile::free_at(SteadyTime time) const { return steps_[step_of(time)].free; }

}  // namespace deuteron::simulator
