// What is wrong with fields that make no date or time, in Java's words. Internal to kernels/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace deuteron::relational::kernels {

struct Field {
  std::string_view name;
  int64_t lowest;
  int64_t highest;
  std::string_view highest_text;
};
inline constexpr Field kYear = {"Year", -999'999'999, 999'999'999, "999999999"};
inline constexpr Field kMonth = {"MonthOfYear", 1, 12, "12"};
inline constexpr Field kDay = {"DayOfMonth", 1, 31, "28/31"};
inline constexpr Field kDayOfYear = {"DayOfYear", 1, 366, "365/366"};
inline constexpr Field kHour = {"HourOfDay", 0, 23, "23"};
inline constexpr Field kHalfDayHour = {"ClockHourOfAmPm", 1, 12, "12"};
inline constexpr Field kMinute = {"MinuteOfHour", 0, 59, "59"};
inline constexpr Field kSecond = {"SecondOfMinute", 0, 59, "59"};

// Each nullopt when nothing is wrong.
std::optional<std::string> range_error(const Field& field, int64_t value);
std::optional<std::string> civil_date_error(int64_t year, int64_t month, int64_t day);

}  // namespace deuteron::relational::kernels
