#include "simulator/profile.h"

#include <algorithm>

namespace deuteron::simulator {
namespace {

constexpr size_t kMostSteps = 128;  // of a block

}  // namespace

Profile::Profile(int64_t gpus) : blocks_{{SteadyTime{}, 0, gpus, gpus, {{SteadyTime{}, gpus}}}} {}

Profile::Position Profile::position_of(SteadyTime time) const {
  const auto block = std::partition_point(blocks_.begin() + 1, blocks_.end(),
                                          [time](const Block& one) { return one.begins <= time; }) -
                     1;
  const auto step = std::partition_point(block->steps.begin() + 1, block->steps.end(),
                                         [time](const Step& one) { return one.time <= time; }) -
                    1;
  return {static_cast<size_t>(block - blocks_.begin()), static_cast<size_t>(step - block->steps.begin())};
}

template <typename InBlock, typename InStep>
bool Profile::find(Position& position, SteadyTime end, const InBlock& may_be_in, const InStep& is_it) const {
  for (; position.block < blocks_.size(); ++position.block, position.step = 0) {
    const Block& block = blocks_[position.block];
    if (block.begins >= end) return false;
    if (!may_be_in(block)) continue;
    for (; position.step < block.steps.size(); ++position.step) {
      if (is_it(block.steps[position.step].free + block.added)) return block.steps[position.step].time < end;
    }
  }
  return false;
}

bool Profile::find_less(Position& position, int64_t gpus, SteadyTime end) const {
  return find(
      position, end, [gpus](const Block& block) { return block.least < gpus; },
      [gpus](int64_t free) { return free < gpus; });
}

bool Profile::find_enough(Position& position, int64_t gpus, SteadyTime end) const {
  return find(
      position, end, [gpus](const Block& block) { return block.most >= gpus; },
      [gpus](int64_t free) { return free >= gpus; });
}

SteadyTime Profile::earliest(SteadyTime from, int64_t gpus, Duration duration, SteadyTime until) const {
  SteadyTime start = from;
  Position position = position_of(from);
  while (start < until && find_less(position, gpus, std::min(start + duration, until))) {
    if (!find_enough(position, gpus, until)) return until;
    start = at(position).time;
  }
  return std::min(start, until);
}

void Profile::cut(SteadyTime time) {
  const Position position = position_of(time);
  if (at(position).time == time) return;
  Block& block = blocks_[position.block];
  const auto before = block.steps.begin() + static_cast<std::ptrdiff_t>(position.step);
  block.steps.insert(before + 1, {time, before->free});
  if (block.steps.size() > kMostSteps) split(position.block);
}

void Profile::split(size_t index) {
  Block& first = blocks_[index];
  const auto middle = first.steps.begin() + kMostSteps / 2;
  Block second{middle->time, first.added, 0, 0, {middle, first.steps.end()}};
  first.steps.erase(middle, first.steps.end());
  measure(first);
  measure(second);
  blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(second));
}

void Profile::measure(Block& block) {
  const auto [least, most] =
      std::minmax_element(block.steps.begin(), block.steps.end(),
                          [](const Step& one, const Step& other) { return one.free < other.free; });
  block.least = least->free + block.added;
  block.most = most->free + block.added;
}

void Profile::add(SteadyTime from, SteadyTime to, int64_t gpus) {
  if (from >= to) return;
  cut(to);
  cut(from);
  const size_t last = position_of(to).block;
  for (size_t index = position_of(from).block; index <= last; ++index) {
    Block& block = blocks_[index];
    const bool is_whole = block.begins >= from && index < last;
    if (!is_whole) {
      add_to_steps(block, from, to, gpus);
      continue;
    }
    block.added += gpus;
    block.least += gpus;
    block.most += gpus;
  }
  join(to);
  join(from);
}

// The time that both have in common stays as it is.
void Profile::move(SteadyTime from, SteadyTime sooner, Duration duration, int64_t gpus) {
  reserve(sooner, std::min(from, sooner + duration), gpus);
  give_back(std::max(from, sooner + duration), from + duration, gpus);
}

void Profile::add_to_steps(Block& block, SteadyTime from, SteadyTime to, int64_t gpus) {
  for (Step& step : block.steps) {
    if (step.time >= from && step.time < to) step.free += gpus;
  }
  measure(block);
}

void Profile::join(SteadyTime time) {
  const Position position = position_of(time);
  if (position.block == 0 && position.step == 0) return;
  Block& block = blocks_[position.block];
  const Block& other = position.step > 0 ? block : blocks_[position.block - 1];
  const Step& before = position.step > 0 ? block.steps[position.step - 1] : other.steps.back();
  if (before.free + other.added != at(position).free + block.added) return;
  block.steps.erase(block.steps.begin() + static_cast<std::ptrdiff_t>(position.step));
  if (block.steps.empty()) {
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(position.block));
    return;
  }
  block.begins = block.steps.front().time;
  measure(block);
}

void Profile::forget_before(SteadyTime time) {
  const Position position = position_of(time);
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(position.block));
  if (position.step == 0) return;
  Block& block = blocks_.front();
  block.steps.erase(block.steps.begin(), block.steps.begin() + static_cast<std::ptrdiff_t>(position.step));
  block.begins = block.steps.front().time;
  measure(block);
}

int64_t Profile::free_at(SteadyTime time) const {
  const Position position = position_of(time);
  return at(position).free + blocks_[position.block].added;
}

}  // namespace deuteron::simulator
