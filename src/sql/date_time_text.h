// Dates and timestamps as text, the forms that Spark's typed literals take. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace deuteron::sql {

// Days since 1970-01-01 of yyyy, yyyy-m, yyyy-m-d; what follows a blank or a T behind the day is ignored.
std::optional<int64_t> parse_date(std::string_view text);

struct TimestampText {
  int64_t local_microseconds = 0;  // since 1970-01-01 of the local clock
  bool is_epoch = false;           // the word, which has a zone and needs none
  bool has_zone = false;  // the text ends in a zone: `offset_seconds`, or a `region` such as Europe/Paris
  int64_t offset_seconds = 0;
  std::string region;
};

// now, today, tomorrow, yesterday: times that only the session's clock knows.
bool is_time_of_session(std::string_view text);

// yyyy-m-d[T| ][h:m[:s[.fraction]]][zone]
std::optional<TimestampText> parse_timestamp(std::string_view text);

}  // namespace deuteron::sql
