// How long things took, and so how long what is alike will probably take. A guess, never a promise: the core
// asks for more than was seen, and what rests on a guess that was wrong is bounded (docs/life-of-a-gang.md).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace deuteron::scheduler::core {

// Rises at once and falls slowly.
class Observed {
 public:
  void add(Duration duration) { longest_ = std::max(duration, longest_ - longest_ / 8); }
  // Half as long again as was seen; none before the first.
  std::optional<Duration> expected() const {
    if (longest_ == Duration::zero()) return std::nullopt;
    return longest_ + longest_ / 2;
  }

 private:
  Duration longest_{};
};

// Of the last kMost likenesses.
class Durations {
 public:
  void add(const std::string& likeness, Duration duration) {
    if (likeness.empty()) return;
    const auto [entry, is_new] = observed_.try_emplace(likeness);
    entry->second.add(duration);
    if (!is_new) return;
    order_.push_back(likeness);
    if (order_.size() <= kMost) return;
    observed_.erase(order_.front());
    order_.pop_front();
  }
  std::optional<Duration> expected(const std::string& likeness) const {
    const auto found = observed_.find(likeness);
    return found == observed_.end() ? std::nullopt : found->second.expected();
  }

 private:
  static constexpr size_t kMost = 1000;
  std::unordered_map<std::string, Observed> observed_;
  std::deque<std::string> order_;
};

}  // namespace deuteron::scheduler::core
