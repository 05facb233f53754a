// Dates and timestamps by Spark's patterns, written and read. Timestamps are microseconds of a clock whose
// zone the caller chose.
#include <array>
#include <cctype>
#include <cstdio>
#include <unordered_map>

#include "relational/kernels/date_fields.h"
#include "relational/kernels/vector_access.h"
#include "types/value.h"

namespace deuteron::relational::kernels {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Thursday", "Friday",  "Saturday", "Sunday",
                                                       "Monday",   "Tuesday", "Wednesday"};

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
int64_t floor_modulo(int64_t a, int64_t b) { return a - floor_divide(a, b) * b; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

std::string padded(int64_t value, int width) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%0*lld", width, static_cast<long long>(value));
  return buffer;
}

// A run of one letter, or text to take as it stands (letter 0).
struct Piece {
  char letter = 0;
  size_t count = 0;
  std::string text;
};

std::vector<Piece> pieces_of(std::string_view pattern) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'') {
      std::string text;
      size_t j = i + 1;
      for (; j < pattern.size(); ++j) {
        if (pattern[j] != '\'') {
          text += pattern[j];
        } else if (j + 1 < pattern.size() && pattern[j + 1] == '\'') {
          text += '\'';
          ++j;
        } else {
          break;
        }
      }
      if (j == i + 1) text = "'";
      pieces.push_back({0, 0, text});
      i = j + 1;
    } else if (std::isalpha(static_cast<unsigned char>(c))) {
      size_t count = 1;
      while (i + count < pattern.size() && pattern[i + count] == c) ++count;
      pieces.push_back({c, count, ""});
      i += count;
    } else {
      pieces.push_back({0, 0, std::string(1, c)});
      ++i;
    }
  }
  return pieces;
}

// Patterns are constants: the last one is kept. Valid until the next call on this thread.
const std::vector<Piece>& known_pieces(std::string_view pattern) {
  thread_local std::string known_pattern;
  thread_local std::vector<Piece> pieces;
  if (known_pattern != pattern || pieces.empty()) {
    known_pattern = pattern;
    pieces = pieces_of(pattern);
  }
  return pieces;
}

std::string quarter_text(int64_t quarter, int width) {
  constexpr std::array<std::string_view, 4> kOrdinals = {"1st", "2nd", "3rd", "4th"};
  if (width < 3) return padded(quarter, width);
  if (width == 3) return "Q" + std::to_string(quarter);
  return std::string(kOrdinals[static_cast<size_t>(quarter - 1)]) + " quarter";
}

std::string format_piece(const Piece& piece, int64_t days, int64_t rest) {
  const types::CivilDate date = types::civil_from_days(days);
  const int64_t seconds = rest / kMicrosPerSecond, hour = seconds / 3600;
  const int width = static_cast<int>(piece.count);
  switch (piece.letter) {
    case 'y':
      return width == 2                       ? padded(floor_modulo(date.year, 100), 2)
             : date.year > 9999 && width >= 4 ? "+" + padded(date.year, width)
                                              : padded(date.year, width);
    case 'L':
    case 'M':
      if (width >= 4) return std::string(kMonths[static_cast<size_t>(date.month - 1)]);
      if (width == 3) return std::string(kMonths[static_cast<size_t>(date.month - 1)].substr(0, 3));
      return padded(date.month, width);
    case 'd': return padded(date.day, width);
    case 'D': return padded(days - types::days_from_civil(date.year, 1, 1) + 1, width);
    case 'E': {
      const std::string_view name = kWeekdays[static_cast<size_t>(floor_modulo(days, 7))];
      return std::string(width >= 4 ? name : name.substr(0, 3));
    }
    case 'q':
    case 'Q': return quarter_text((date.month + 2) / 3, width);
    case 'F': return padded((date.day - 1) % 7 + 1, width);
    case 'H': return padded(hour, width);
    case 'k': return padded(hour == 0 ? 24 : hour, width);
    case 'K': return padded(hour % 12, width);
    case 'h': return padded((hour + 11) % 12 + 1, width);
    case 'm': return padded(seconds / 60 % 60, width);
    case 's': return padded(seconds % 60, width);
    case 'a': return hour < 12 ? "AM" : "PM";
    case 'S': {
      std::string digits = padded(rest % kMicrosPerSecond, 6) + "000";
      return digits.substr(0, piece.count);
    }
    default: return piece.text;
  }
}

std::optional<std::string> date_format(Timestamp value, std::string_view pattern) {
  const std::vector<Piece>& pieces = known_pieces(pattern);
  const int64_t days = floor_divide(value.microseconds, kMicrosPerDay),
                rest = floor_modulo(value.microseconds, kMicrosPerDay);
  std::string text;
  for (const Piece& piece : pieces) text += format_piece(piece, days, rest);
  return text;
}

// ---- reading
// --------------------------------------------------------------------------------------------------

struct Fields {
  int64_t year = 1970, month = 1, day = 1, day_of_year = -1, hour = 0, half_day_hour = -1, minute = 0,
          second = 0, micros = 0;
  int afternoon = -1;
};

// A text read by a pattern. `error` is what Java says behind "could not be parsed"; empty: it was read.
class PatternReader {
 public:
  PatternReader(std::string_view text, const std::vector<Piece>& pieces) : text_(text), pieces_(pieces) {}

  std::optional<Timestamp> read() {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (read_piece(i)) continue;
      error_ = " at index " + std::to_string(at_);
      return std::nullopt;
    }
    if (at_ < text_.size()) {
      error_ = ", unparsed text found at index " + std::to_string(at_);
      return std::nullopt;
    }
    if (auto wrong = wrong_field()) {
      error_ = ": " + *wrong;
      return std::nullopt;
    }
    return value();
  }
  const std::string& error() const { return error_; }

 private:
  static bool is_numeric(const Piece& piece) {
    return piece.letter != 0 && piece.letter != 'a' && !(piece.letter == 'M' && piece.count >= 3) &&
           !(piece.letter == 'L' && piece.count >= 3);
  }

  // Upper and lower case are the same.
  bool take_word(std::string_view word) {
    if (text_.size() - at_ < word.size()) return false;
    for (size_t i = 0; i < word.size(); ++i) {
      if (lower(text_[at_ + i]) != lower(word[i])) return false;
    }
    at_ += word.size();
    return true;
  }

  std::optional<int64_t> take_number(size_t least, size_t most) {
    size_t end = at_;
    int64_t value = 0;
    while (end < text_.size() && end - at_ < most && is_digit(text_[end]))
      value = value * 10 + (text_[end++] - '0');
    if (end - at_ < least) return std::nullopt;
    at_ = end;
    return value;
  }

  bool read_piece(size_t index) {
    const Piece& piece = pieces_[index];
    if (piece.letter == 0) return take_word(piece.text);
    if (piece.letter == 'a') {
      for (int half = 0; half < 2; ++half) {
        if (!take_word(half == 0 ? "AM" : "PM")) continue;
        fields_.afternoon = half;
        return true;
      }
      return false;
    }
    if (!is_numeric(piece)) return read_month(piece.count >= 4);
    const bool next_is_number =
        index + 1 < pieces_.size() && is_numeric(pieces_[index + 1]) && pieces_[index + 1].count > 1;
    if (piece.letter == 'S') return read_fraction(next_is_number ? piece.count : 1, piece.count);
    return read_number(piece, next_is_number);
  }

  bool read_month(bool full) {
    for (size_t i = 0; i < kMonths.size(); ++i) {
      if (!take_word(full ? kMonths[i] : kMonths[i].substr(0, 3))) continue;
      fields_.month = static_cast<int64_t>(i + 1);
      return true;
    }
    return false;
  }

  bool read_fraction(size_t least, size_t most) {
    const size_t begin = at_;
    const auto number = take_number(least, most);
    if (!number) return false;
    fields_.micros = *number;
    for (size_t digits = at_ - begin; digits < 6; ++digits) fields_.micros *= 10;
    for (size_t digits = at_ - begin; digits > 6; --digits) fields_.micros /= 10;
    return true;
  }

  // One letter takes any number of digits, two or three exactly that many; a year of four may have more
  // behind a sign.
  bool read_number(const Piece& piece, bool next_is_number) {
    constexpr size_t kMostDigits = 18;
    const size_t begin = at_;
    const bool is_long_year = piece.letter == 'y' && piece.count >= 3;
    const bool is_signed = is_long_year && piece.count >= 4 && at_ < text_.size() && text_[at_] == '+';
    if (is_signed) ++at_;
    const bool grows = piece.count == 1 || is_long_year;
    const auto number = take_number(piece.count, grows && !next_is_number ? kMostDigits : piece.count);
    const bool too_long =
        number && is_long_year && piece.count >= 4 && !is_signed && at_ - begin > piece.count;
    if (!number || too_long) {
      at_ = begin;
      return false;
    }
    set(piece, *number);
    return true;
  }

  void set(const Piece& piece, int64_t number) {
    switch (piece.letter) {
      case 'y': fields_.year = piece.count == 2 ? 2000 + number : number; break;
      case 'L':
      case 'M': fields_.month = number; break;
      case 'd': fields_.day = number; break;
      case 'D': fields_.day_of_year = number; break;
      case 'H': fields_.hour = number; break;
      case 'h': fields_.half_day_hour = number; break;
      case 'm': fields_.minute = number; break;
      default: fields_.second = number; break;
    }
  }

  std::optional<std::string> wrong_field() {
    if (fields_.day_of_year >= 0) {
      if (auto wrong = range_error(kDayOfYear, fields_.day_of_year)) return wrong;
      const int64_t first = types::days_from_civil(fields_.year, 1, 1);
      const bool is_leap = types::days_from_civil(fields_.year + 1, 1, 1) - first == 366;
      if (fields_.day_of_year == 366 && !is_leap) {
        return "Invalid date 'DayOfYear 366' as '" + std::to_string(fields_.year) + "' is not a leap year";
      }
      const types::CivilDate date = types::civil_from_days(first + fields_.day_of_year - 1);
      fields_.month = date.month;
      fields_.day = date.day;
    }
    if (auto wrong = civil_date_error(fields_.year, fields_.month, fields_.day)) return wrong;
    if (fields_.half_day_hour >= 0) {
      if (auto wrong = range_error(kHalfDayHour, fields_.half_day_hour)) return wrong;
      fields_.hour = fields_.half_day_hour % 12 + (fields_.afternoon == 1 ? 12 : 0);
    }
    if (auto wrong = range_error(kHour, fields_.hour)) return wrong;
    if (auto wrong = range_error(kMinute, fields_.minute)) return wrong;
    return range_error(kSecond, fields_.second);
  }

  // Years beyond what microseconds hold are none.
  std::optional<Timestamp> value() const {
    constexpr int64_t kLargestYear = 294'246;
    if (fields_.year > kLargestYear) return std::nullopt;
    const int64_t days =
        types::days_from_civil(fields_.year, static_cast<int>(fields_.month), static_cast<int>(fields_.day));
    return Timestamp{days * kMicrosPerDay +
                     ((fields_.hour * 60 + fields_.minute) * 60 + fields_.second) * kMicrosPerSecond +
                     fields_.micros};
  }

  std::string_view text_;
  const std::vector<Piece>& pieces_;
  size_t at_ = 0;
  Fields fields_;
  std::string error_;
};

std::optional<Timestamp> parse_with_pattern(std::string_view text, std::string_view pattern) {
  return PatternReader(text, known_pieces(pattern)).read();
}

std::optional<std::string> parse_error(std::string_view text, std::string_view pattern) {
  constexpr size_t kShown = 64;
  PatternReader reader(text, known_pieces(pattern));
  if (reader.read()) return std::nullopt;
  const std::string shown(text.size() > kShown ? std::string(text.substr(0, kShown)) + "..."
                                               : std::string(text));
  return "Text '" + shown + "' could not be parsed" + reader.error();
}

}  // namespace

std::optional<Signature> find_pattern_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"date_format", Adapter<date_format>::signature()},
      {"parse_with_pattern", Adapter<parse_with_pattern>::signature()},
      {"parse_error", Adapter<parse_error>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
