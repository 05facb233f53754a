#include "base/duration_text.h"

#include <charconv>
#include <limits>

namespace deuteron {
namespace {

struct Unit {
  std::string_view name;
  Duration length;
};

constexpr Unit kUnits[] = {
    {"us", std::chrono::microseconds(1)}, {"ms", std::chrono::milliseconds(1)},
    {"s", std::chrono::seconds(1)},       {"m", std::chrono::minutes(1)},
    {"min", std::chrono::minutes(1)},     {"h", std::chrono::hours(1)},
    {"d", std::chrono::hours(24)},
};

}  // namespace

std::optional<Duration> parse_duration(std::string_view text, Duration unit) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || number < 0) return std::nullopt;
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  bool is_known = name.empty();
  for (const Unit& known : kUnits) {
    if (known.name != name) continue;
    unit = known.length;
    is_known = true;
  }
  if (!is_known || number > std::numeric_limits<int64_t>::max() / unit.count()) return std::nullopt;
  return unit * number;
}

}  // namespace deuteron
