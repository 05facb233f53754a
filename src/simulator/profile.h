// How many GPUs will be free at which time, as far as that was promised.
#pragma once

#include <vector>

#include "base/clock.h"

namespace deuteron::simulator {

class Profile {
 public:
  explicit Profile(int64_t gpus) : steps_{{SteadyTime{}, gpus}} {}
  // The earliest time, from `from` on, at which so many are free for so long. There is one: what was reserved
  // ends.
  SteadyTime earliest(SteadyTime from, int64_t gpus, Duration duration) const;
  void reserve(SteadyTime from, SteadyTime to, int64_t gpus) { add(from, to, -gpus); }
  void give_back(SteadyTime from, SteadyTime to, int64_t gpus) { add(from, to, gpus); }
  void forget_before(SteadyTime time);
  int64_t free_at(SteadyTime time) const;

 private:
  struct Step {
    SteadyTime time;
    int64_t free = 0;  // from `time` to the next step
  };
  size_t step_of(SteadyTime time) const;  // the last that begins no later
  size_t cut(SteadyTime time);            // the step that begins at `time`, made where there is none
  void add(SteadyTime from, SteadyTime to, int64_t gpus);

  std::vector<Step> steps_;
};

}  // namespace deuteron::simulator
