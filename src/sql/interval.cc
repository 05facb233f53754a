// Interval literals: INTERVAL 1 DAY 2 HOURS, INTERVAL '1-2' YEAR TO MONTH, INTERVAL '1 day'. The result is a
// year-month or a day-time interval whose fields are those that were named.
#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "sql/lexer.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using types::DataType;
using types::Int128;

namespace {

// Fields as DataType counts them: year 0, month 1; day 0, hour 1, minute 2, second 3.
struct Unit {
  std::string_view name;
  bool is_months;
  int field;
  int64_t factor;  // months, or microseconds
};
constexpr int64_t kSecond = 1'000'000;
constexpr Unit kUnits[] = {
    {"YEAR", true, 0, 12},
    {"MONTH", true, 1, 1},
    {"WEEK", false, 0, 7 * 86'400 * kSecond},
    {"DAY", false, 0, 86'400 * kSecond},
    {"HOUR", false, 1, 3'600 * kSecond},
    {"MINUTE", false, 2, 60 * kSecond},
    {"SECOND", false, 3, kSecond},
    {"MILLISECOND", false, 3, 1'000},
    {"MICROSECOND", false, 3, 1},
};

const Unit* find_unit(std::string_view word) {
  for (const Unit& unit : kUnits) {
    const bool is_plural = word.size() == unit.name.size() + 1 && word.back() == 'S';
    if (word.substr(0, word.size() - (is_plural ? 1 : 0)) == unit.name) return &unit;
  }
  return nullptr;
}

// The sum of several values and the span of their units.
struct IntervalSum {
  Int128 months = 0;
  Int128 microseconds = 0;
  int first_field[2] = {9, 9};  // by is_months
  int last_field[2] = {-1, -1};

  void add(Int128 amount, const Unit& unit) {
    (unit.is_months ? months : microseconds) += amount;
    first_field[unit.is_months] = std::min(first_field[unit.is_months], unit.field);
    last_field[unit.is_months] = std::max(last_field[unit.is_months], unit.field);
  }
  bool is_mixed() const { return last_field[0] >= 0 && last_field[1] >= 0; }
  bool fits() const {
    return months <= std::numeric_limits<int32_t>::max() && months >= std::numeric_limits<int32_t>::min() &&
           microseconds <= std::numeric_limits<int64_t>::max() &&
           microseconds >= std::numeric_limits<int64_t>::min();
  }
  types::TypedValue value() const {
    if (last_field[1] >= 0) {
      return {DataType::year_month_interval(first_field[1], last_field[1]),
              types::Value(static_cast<int64_t>(months))};
    }
    return {DataType::day_time_interval(first_field[0], last_field[0]),
            types::Value(static_cast<int64_t>(microseconds))};
  }
};

struct Amount {
  Int128 whole = 0;
  int64_t micros = 0;  // of the fraction, in millionths
  bool has_fraction = false;
};

// [+-]digits[.digits]
std::optional<Amount> parse_amount(std::string_view text) {
  constexpr size_t kMostDigits = 25;
  const bool is_negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  Amount amount;
  size_t digits = 0;
  int64_t scale = 100'000;
  for (const char c : text) {
    if (c == '.' && !amount.has_fraction) {
      amount.has_fraction = true;
    } else if (c < '0' || c > '9' || ++digits > kMostDigits) {
      return std::nullopt;
    } else if (amount.has_fraction) {
      amount.micros += (c - '0') * scale;
      scale /= 10;
    } else {
      amount.whole = amount.whole * 10 + (c - '0');
    }
  }
  if (digits == 0) return std::nullopt;
  if (is_negative) {
    amount.whole = -amount.whole;
    amount.micros = -amount.micros;
  }
  return amount;
}

// False: a fraction of something else than seconds.
bool add_amount(IntervalSum& sum, const Amount& amount, const Unit& unit) {
  if (amount.has_fraction && unit.name != "SECOND") return false;
  sum.add(amount.whole * unit.factor + amount.micros, unit);
  return true;
}

// '1 day 2 hours'; none when it is anything else
std::optional<IntervalSum> parse_interval_text(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (static_cast<unsigned char>(c) > ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(to_upper(word));
      word.clear();
    }
  }
  if (!words.empty() && words[0] == "INTERVAL") words.erase(words.begin());
  if (words.empty() || words.size() % 2 != 0) return std::nullopt;
  IntervalSum sum;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::optional<Amount> amount = parse_amount(words[i]);
    const Unit* unit = find_unit(words[i + 1]);
    if (!amount.has_value() || unit == nullptr || !add_amount(sum, *amount, *unit)) return std::nullopt;
  }
  return sum;
}

// The forms of INTERVAL '…' x TO y: what stands between the numbers, and how large each but the first may be.
struct RangeForm {
  std::string_view from;
  std::string_view to;
  std::string_view separators;  // between the fields
  std::string_view format;
};
constexpr RangeForm kRangeForms[] = {
    {"YEAR", "MONTH", "-", "`[+|-]y-m`, `INTERVAL [+|-]'[+|-]y-m' YEAR TO MONTH`"},
    {"DAY", "HOUR", " ", "`[+|-]d h`, `INTERVAL [+|-]'[+|-]d h' DAY TO HOUR`"},
    {"DAY", "MINUTE", " :", "`[+|-]d h:m`, `INTERVAL [+|-]'[+|-]d h:m' DAY TO MINUTE`"},
    {"DAY", "SECOND", " ::", "`[+|-]d h:m:s.n`, `INTERVAL [+|-]'[+|-]d h:m:s.n' DAY TO SECOND`"},
    {"HOUR", "MINUTE", ":", "`[+|-]h:m`, `INTERVAL [+|-]'[+|-]h:m' HOUR TO MINUTE`"},
    {"HOUR", "SECOND", "::", "`[+|-]h:m:s.n`, `INTERVAL [+|-]'[+|-]h:m:s.n' HOUR TO SECOND`"},
    {"MINUTE", "SECOND", ":", "`[+|-]m:s.n`, `INTERVAL [+|-]'[+|-]m:s.n' MINUTE TO SECOND`"},
};

int largest_of(const Unit& unit) { return unit.name == "MONTH" ? 11 : unit.name == "HOUR" ? 23 : 59; }

std::optional<IntervalSum> parse_range(std::string_view text, const RangeForm& form, bool is_negative) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    if (text.front() == '-') is_negative = !is_negative;
    text.remove_prefix(1);
  }
  IntervalSum sum;
  const Unit* unit = find_unit(form.from);
  for (size_t i = 0; i <= form.separators.size(); ++i, ++unit) {
    const size_t end = i == form.separators.size() ? text.size() : text.find(form.separators[i]);
    if (end == std::string_view::npos || end == 0 || text.front() == '-' || text.front() == '+')
      return std::nullopt;
    std::optional<Amount> amount = parse_amount(text.substr(0, end));
    if (!amount.has_value() || (i > 0 && amount->whole > largest_of(*unit))) return std::nullopt;
    if (is_negative) {
      amount->whole = -amount->whole;
      amount->micros = -amount->micros;
    }
    if (!add_amount(sum, *amount, *unit)) return std::nullopt;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return sum;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return result;
}

bool is_value(const Token& token) {
  return token.kind == TokenKind::kString || token.kind == TokenKind::kInteger ||
         token.kind == TokenKind::kDecimal;
}

}  // namespace

// INTERVAL is also a name: only a value behind it makes a literal.
bool Parser::at_interval() const {
  if (is_value(peek(1))) return true;
  return at_any({"+", "-"}, 1) && is_value(peek(2)) && find_unit(peek(3).upper) != nullptr;
}

ExpressionPtr Parser::interval_literal() {
  const size_t start = position_;
  expect("INTERVAL");
  const size_t body = position_;
  IntervalSum sum;
  if (peek().kind == TokenKind::kString && find_unit(peek(1).upper) == nullptr) {
    const std::string text = string_token();
    const std::optional<IntervalSum> parsed = parse_interval_text(text);
    if (!parsed.has_value()) return invalid_typed_literal("INTERVAL", text, start);
    sum = *parsed;
  } else {
    do {
      const bool is_negative = at("-");
      if (!accept("-")) accept("+");
      const bool is_text = peek().kind == TokenKind::kString;
      const std::string text =
          is_text ? with_whole_characters(string_value(peek().text)) : std::string(peek().text);
      advance();
      const Unit* unit = find_unit(peek().upper);
      if (unit == nullptr) {
        fail_here();
        return nullptr;
      }
      const std::string from = peek().upper;
      advance();
      if (at("TO")) return interval_range(text, is_text, is_negative, from, body, start);
      std::optional<Amount> amount = parse_amount(text);
      if (!amount.has_value()) {
        fail_at(body, "_LEGACY_ERROR_TEMP_0026", {{"value", text}});
        return nullptr;
      }
      if (is_negative) {
        amount->whole = -amount->whole;
        amount->micros = -amount->micros;
      }
      if (!add_amount(sum, *amount, *unit)) {
        fail_at(start, "INVALID_INTERVAL_FORMAT.INVALID_FRACTION",
                {{"input", " " + text + " " + lower(from)}, {"unit", lower(from)}});
        return nullptr;
      }
    } while (is_value(peek()) ||
             (at_any({"+", "-"}) && is_value(peek(1)) && find_unit(peek(2).upper) != nullptr));
  }
  const std::string whole(text_.substr(tokens_[start].begin, tokens_[last_read_].end - tokens_[start].begin));
  if (sum.is_mixed()) fail_at(start, "_LEGACY_ERROR_TEMP_0029", {{"literal", whole}});
  if (!sum.fits()) {
    fail_without_place("INVALID_INTERVAL_FORMAT.ARITHMETIC_EXCEPTION",
                       {{"input", whole.substr(std::strlen("interval"))}});
  }
  if (!failure_.ok()) return nullptr;
  return make(unresolved::Literal{sum.value()}, start);
}

// '…' from TO to
ExpressionPtr Parser::interval_range(const std::string& text, bool is_text, bool is_negative,
                                     const std::string& from, size_t body, size_t start) {
  expect("TO");
  const Unit* last = find_unit(peek().upper);
  if (last == nullptr) {
    fail_here();
    return nullptr;
  }
  advance();
  if (!is_text) {
    fail_at(body, "_LEGACY_ERROR_TEMP_0027");
    return nullptr;
  }
  const Unit* first = find_unit(from);
  const auto* form = std::find_if(std::begin(kRangeForms), std::end(kRangeForms), [&](const RangeForm& f) {
    return f.from == first->name && f.to == last->name;
  });
  if (form == std::end(kRangeForms)) {
    fail_at(body, "INVALID_INTERVAL_FORMAT.UNSUPPORTED_FROM_TO_EXPRESSION",
            {{"input", text}, {"from", lower(first->name)}, {"to", lower(last->name)}});
    return nullptr;
  }
  const std::optional<IntervalSum> sum = parse_range(text, *form, is_negative);
  if (!sum.has_value() || !sum->fits()) {
    fail_at(body, "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING",
            {{"input", text},
             {"intervalStr", first->is_months ? "year-month" : "day-time"},
             {"supportedFormat", std::string(form->format)},
             {"typeName", "interval " + lower(form->from) + " to " + lower(form->to)}},
            "org.apache.spark.sql.catalyst.parser.ParseException");
    return nullptr;
  }
  return make(unresolved::Literal{sum->value()}, start);
}

}  // namespace deuteron::sql
