#include "sql/date_time_text.h"

#include <algorithm>
#include <cctype>

#include "types/value.h"

namespace deuteron::sql {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kSecondsPerDay = 86'400;

bool is_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes between `least` and `most` digits off the front.
std::optional<int64_t> take_digits(std::string_view& text, size_t least, size_t most) {
  size_t count = 0;
  int64_t value = 0;
  while (count < text.size() && count < most && is_digit(text[count]))
    value = value * 10 + (text[count++] - '0');
  if (count < least || (count < text.size() && is_digit(text[count]))) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

int days_in_month(int64_t year, int64_t month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && is_leap ? 29 : kDays[month - 1];
}

// [+-]yyyy[-m[-d]]; says through `has_day` whether all three were there.
std::optional<int64_t> take_date(std::string_view& text, bool& has_day) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  std::optional<int64_t> year = take_digits(text, 4, 7);
  if (!year.has_value()) return std::nullopt;
  int64_t month = 1;
  int64_t day = 1;
  has_day = false;
  if (take(text, '-')) {
    const std::optional<int64_t> read = take_digits(text, 1, 2);
    if (!read.has_value()) return std::nullopt;
    month = *read;
    if (take(text, '-')) {
      const std::optional<int64_t> last = take_digits(text, 1, 2);
      if (!last.has_value()) return std::nullopt;
      day = *last;
      has_day = true;
    }
  }
  if (is_negative) *year = -*year;
  if (month < 1 || month > 12 || day < 1 || day > days_in_month(*year, month)) return std::nullopt;
  return types::days_from_civil(*year, static_cast<int>(month), static_cast<int>(day));
}

// .123456; more than six digits are cut off
bool take_fraction(std::string_view& text, int64_t& microseconds) {
  int64_t scale = 100'000;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), scale /= 10) {
    microseconds += (text.front() - '0') * scale;
  }
  return true;
}

// h[:m[:s[.fraction]]]
bool take_time(std::string_view& text, int64_t& microseconds) {
  const std::optional<int64_t> hour = take_digits(text, 1, 2);
  if (!hour.has_value() || *hour > 23) return false;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t fraction = 0;
  if (take(text, ':')) {
    const std::optional<int64_t> read = take_digits(text, 1, 2);
    if (!read.has_value() || *read > 59) return false;
    minute = *read;
    if (take(text, ':')) {
      const std::optional<int64_t> last = take_digits(text, 1, 2);
      if (!last.has_value() || *last > 59) return false;
      second = *last;
      if (take(text, '.') && !take_fraction(text, fraction)) return false;
    }
  }
  microseconds = (*hour * 3600 + minute * 60 + second) * kMicrosPerSecond + fraction;
  return true;
}

// Z, UTC, GMT, [UTC|GMT](+|-)h[h][:mm[:ss]], or the name of a region
bool parse_zone(std::string_view zone, TimestampText& result) {
  result.has_zone = true;
  if (zone == "Z" || zone == "UTC" || zone == "GMT" || zone == "UT") return true;
  std::string_view rest = zone;
  if (rest.starts_with("UTC") || rest.starts_with("GMT")) rest.remove_prefix(3);
  if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    const int64_t sign = rest.front() == '-' ? -1 : 1;
    rest.remove_prefix(1);
    const std::optional<int64_t> hours = take_digits(rest, 1, 2);
    int64_t minutes = 0;
    int64_t seconds = 0;
    if (!hours.has_value()) return false;
    if (take(rest, ':')) {
      const std::optional<int64_t> read = take_digits(rest, 1, 2);
      if (!read.has_value() || *read > 59) return false;
      minutes = *read;
      if (take(rest, ':')) {
        const std::optional<int64_t> last = take_digits(rest, 2, 2);
        if (!last.has_value() || *last > 59) return false;
        seconds = *last;
      }
    }
    result.offset_seconds = sign * (*hours * 3600 + minutes * 60 + seconds);
    return rest.empty() && *hours <= 18;
  }
  for (const char c : zone) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !is_digit(c) && c != '/' && c != '_' && c != '-' && c != '+') return false;
  }
  result.region = zone;
  return !zone.empty();
}

}  // namespace

bool is_time_of_session(std::string_view text) {
  const std::string_view word = trimmed(text);
  return is_word(word, "now") || is_word(word, "today") || is_word(word, "tomorrow") ||
         is_word(word, "yesterday");
}

std::optional<int64_t> parse_date(std::string_view text) {
  std::string_view rest = trimmed(text);
  if (is_word(rest, "epoch")) return 0;
  bool has_day = false;
  const std::optional<int64_t> days = take_date(rest, has_day);
  if (!days.has_value()) return std::nullopt;
  if (!rest.empty() && !(has_day && (rest.front() == ' ' || rest.front() == 'T'))) return std::nullopt;
  return days;
}

std::optional<TimestampText> parse_timestamp(std::string_view text) {
  std::string_view rest = trimmed(text);
  TimestampText result;
  if (is_word(rest, "epoch")) {
    result.is_epoch = result.has_zone = true;
    return result;
  }
  bool has_day = false;
  const std::optional<int64_t> days = take_date(rest, has_day);
  if (!days.has_value()) return std::nullopt;
  int64_t of_day = 0;
  if (!rest.empty()) {
    if (!has_day || (rest.front() != ' ' && rest.front() != 'T')) return std::nullopt;
    rest.remove_prefix(1);
    if (!rest.empty() && !take_time(rest, of_day)) return std::nullopt;
  }
  if (!rest.empty() && !parse_zone(trimmed(rest), result)) return std::nullopt;
  const types::Int128 microseconds = types::Int128(*days) * kSecondsPerDay * kMicrosPerSecond + of_day;
  if (microseconds != static_cast<int64_t>(microseconds)) return std::nullopt;
  result.local_microseconds = static_cast<int64_t>(microseconds);
  return result;
}

}  // namespace deuteron::sql
