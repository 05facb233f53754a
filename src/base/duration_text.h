// Durations as Spark's settings write them: "90s", "500ms", "2min", "365d"; a number alone counts in
// the setting's own unit.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace deuteron {

// None: not a duration, a negative one, or more than 64 bits of nanoseconds.
std::optional<Duration> parse_duration(std::string_view text, Duration unit);

}  // namespace deuteron
