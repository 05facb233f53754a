// How many GPUs will be free at which time, as far as that was promised: steps, kept in blocks of which each
// knows its least and its most. So a look skips blocks, and a reservation changes whole blocks at once: both
// cost about the square root of the number of steps.
#pragma once

#include <vector>

#include "base/clock.h"

namespace deuteron::simulator {

class Profile {
 public:
  explicit Profile(int64_t gpus);
  // The earliest time, from `from` on, at which so many are free for so long, or until `until`; `until` where
  // there is none before.
  SteadyTime earliest(SteadyTime from, int64_t gpus, Duration duration,
                      SteadyTime until = SteadyTime::max()) const;
  void reserve(SteadyTime from, SteadyTime to, int64_t gpus) { add(from, to, -gpus); }
  void give_back(SteadyTime from, SteadyTime to, int64_t gpus) { add(from, to, gpus); }
  // What was reserved from `from` on is from `sooner` on.
  void move(SteadyTime from, SteadyTime sooner, Duration duration, int64_t gpus);
  void forget_before(SteadyTime time);
  int64_t free_at(SteadyTime time) const;

 private:
  struct Step {
    SteadyTime time;
    int64_t free = 0;  // from `time` to the next step, without what was added to the block
  };
  struct Block {
    SteadyTime begins;  // of its first step; there is one
    int64_t added = 0;  // to all of its steps
    int64_t least = 0, most = 0;
    std::vector<Step> steps;
  };
  struct Position {
    size_t block = 0, step = 0;
  };

  Position position_of(SteadyTime time) const;  // of the last step that begins no later
  const Step& at(Position position) const { return blocks_[position.block].steps[position.step]; }
  // The first step from there that begins before `end` and has less, or has enough.
  bool find_less(Position& position, int64_t gpus, SteadyTime end) const;
  bool find_enough(Position& position, int64_t gpus, SteadyTime end) const;
  template <typename InBlock, typename InStep>
  bool find(Position& position, SteadyTime end, const InBlock& may_be_in, const InStep& is_it) const;

  void cut(SteadyTime time);   // a step begins at `time` then
  void join(SteadyTime time);  // steps between which nothing changes any more are one
  void add(SteadyTime from, SteadyTime to, int64_t gpus);
  void add_to_steps(Block& block, SteadyTime from, SteadyTime to, int64_t gpus);
  void split(size_t block);
  static void measure(Block& block);

  std::vector<Block> blocks_;
};

}  // namespace deuteron::simulator
