// Time as the engine sees it. Deadlines and intervals use the steady clock; only event stamps use the wall
// clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace deuteron {

using SteadyTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;

inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }
inline int64_t wall_clock_micros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace deuteron
