// Numbers, strings and typed literals (DATE '…', X'…'); intervals are in interval.cc.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "sql/date_time_text.h"
#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using types::DataType;
using types::Int128;
using types::TypeId;
using types::Value;

namespace {

constexpr int kMaximumPrecision = 38;
constexpr std::string_view kParseException = "org.apache.spark.sql.catalyst.parser.ParseException";
constexpr std::string_view kTypedLiterals[] = {"DATE",          "TIMESTAMP", "TIMESTAMP_LTZ",
                                               "TIMESTAMP_NTZ", "TIME",      "X"};

bool is_number(TokenKind kind) {
  return kind == TokenKind::kInteger || kind == TokenKind::kDecimal || kind == TokenKind::kExponent ||
         kind == TokenKind::kSuffixed;
}

// Decimal digits with an optional sign; false when they do not fit.
bool parse_integer(const std::string& digits, int64_t& value) {
  errno = 0;
  value = std::strtoll(digits.c_str(), nullptr, 10);
  return errno == 0;
}

}  // namespace

bool Parser::at_literal() const {
  const Token& token = peek();
  if (token.kind == TokenKind::kString || is_number(token.kind)) return true;
  if (token.upper == "-") return is_number(peek(1).kind);
  if (token.kind != TokenKind::kWord) return false;
  if (at_any({"NULL", "TRUE", "FALSE"})) return !at_any({"(", "."}, 1) && !at("->", 1);
  if (at("INTERVAL")) return at_interval();
  if (peek(1).kind != TokenKind::kString) return false;
  for (const std::string_view type : kTypedLiterals) {
    if (token.upper == type) return true;
  }
  return false;
}

ExpressionPtr Parser::literal() {
  const size_t start = position_;
  if (peek().kind == TokenKind::kString) return text_literal(string_token(), start);
  if (accept("NULL")) return make(unresolved::Literal{}, start);
  if (at_any({"TRUE", "FALSE"})) {
    const bool value = at("TRUE");
    advance();
    return make(unresolved::Literal{{DataType(TypeId::kBoolean), Value(value)}}, start);
  }
  if (at("INTERVAL")) return interval_literal();
  if (peek().kind == TokenKind::kWord) return typed_literal();
  const bool is_negative = accept("-");
  return number(is_negative, start);
}

// ---- numbers ------------------------------------------------------------------------------------

ExpressionPtr Parser::number(bool is_negative, size_t start) {
  const TokenKind kind = peek().kind;
  const std::string text = (is_negative ? "-" : "") + std::string(peek().text);
  advance();
  if (kind == TokenKind::kInteger) return integer_number(text, start);
  if (kind == TokenKind::kDecimal) return decimal_number(text, start);
  if (kind == TokenKind::kExponent) return real_number(text, TypeId::kDouble, start);
  return suffixed_number(text, start);
}

// The smallest of int, bigint and decimal that holds it.
ExpressionPtr Parser::integer_number(const std::string& digits, size_t start) {
  int64_t value = 0;
  if (!parse_integer(digits, value)) return decimal_number(digits, start);
  const bool is_int =
      value >= std::numeric_limits<int32_t>::min() && value <= std::numeric_limits<int32_t>::max();
  return make(unresolved::Literal{{DataType(is_int ? TypeId::kInteger : TypeId::kLong), Value(value)}},
              start);
}

// As many digits as written: 1.50 is a decimal(3,2). An exponent moves the point (1.5e-3BD).
ExpressionPtr Parser::decimal_number(const std::string& digits, size_t start, bool has_suffix) {
  Int128 unscaled = 0;
  int precision = 0;
  int64_t scale = 0;
  bool after_point = false;
  size_t i = digits[0] == '-' ? 1 : 0;
  for (; i < digits.size() && digits[i] != 'e' && digits[i] != 'E'; ++i) {
    if (digits[i] == '.') {
      after_point = true;
      continue;
    }
    if (precision > 0 || digits[i] != '0') ++precision;
    if (precision <= kMaximumPrecision) unscaled = unscaled * 10 + (digits[i] - '0');
    if (after_point) ++scale;
  }
  if (i < digits.size()) {
    int64_t exponent = 0;
    if (!parse_integer(digits.substr(i + 1), exponent) || std::abs(exponent) > 10000) exponent = 10000;
    scale -= exponent;
  }
  const int64_t total = std::max<int64_t>({precision - std::min<int64_t>(scale, 0), scale, 1});
  if (total > kMaximumPrecision) {
    const std::map<std::string, std::string> parameters = {
        {"precision", std::to_string(total)}, {"maxPrecision", std::to_string(kMaximumPrecision)}};
    const std::string condition = "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION";
    if (has_suffix)
      fail_at(start, condition, parameters, kParseException);
    else
      fail(error(condition, parameters));
    return nullptr;
  }
  for (; scale < 0; ++scale) unscaled *= 10;
  if (digits[0] == '-') unscaled = -unscaled;
  return make(unresolved::Literal{{DataType::decimal(static_cast<int>(total), static_cast<int>(scale)),
                                   Value(unscaled)}},
              start);
}

namespace {

struct NumberRange {
  std::string_view type_name;
  std::string_view lowest;
  std::string_view highest;
};

NumberRange range_of(TypeId type) {
  switch (type) {
    case TypeId::kByte: return {"tinyint", "-128", "127"};
    case TypeId::kShort: return {"smallint", "-32768", "32767"};
    case TypeId::kLong: return {"bigint", "-9223372036854775808", "9223372036854775807"};
    case TypeId::kFloat: return {"float", "-3.4028234663852886E+38", "3.4028234663852886E+38"};
    default: return {"double", "-1.7976931348623157E+308", "1.7976931348623157E+308"};
  }
}

}  // namespace

ExpressionPtr Parser::out_of_range(const std::string& digits, TypeId type, size_t start) {
  const NumberRange range = range_of(type);
  fail_at(start, "INVALID_NUMERIC_LITERAL_RANGE",
          {{"rawStrippedQualifier", digits},
           {"minValue", std::string(range.lowest)},
           {"maxValue", std::string(range.highest)},
           {"typeName", std::string(range.type_name)}});
  return nullptr;
}

ExpressionPtr Parser::suffixed_number(const std::string& text, size_t start) {
  const char suffix = static_cast<char>(text.back() & ~0x20);
  const bool is_decimal = suffix == 'D' && text.size() > 1 && (text[text.size() - 2] & ~0x20) == 'B';
  const std::string digits = text.substr(0, text.size() - (is_decimal ? 2 : 1));
  if (is_decimal) return decimal_number(digits, start, true);
  if (suffix == 'F') return real_number(digits, TypeId::kFloat, start);
  if (suffix == 'D') return real_number(digits, TypeId::kDouble, start);
  const TypeId type = suffix == 'L' ? TypeId::kLong : suffix == 'S' ? TypeId::kShort : TypeId::kByte;
  const int64_t limit = type == TypeId::kLong    ? std::numeric_limits<int64_t>::max()
                        : type == TypeId::kShort ? 32767
                                                 : 127;
  int64_t value = 0;
  if (!parse_integer(digits, value) || value > limit || value < -limit - 1)
    return out_of_range(digits, type, start);
  return make(unresolved::Literal{{DataType(type), Value(value)}}, start);
}

ExpressionPtr Parser::real_number(const std::string& digits, TypeId type, size_t start) {
  const double value = type == TypeId::kFloat ? static_cast<double>(std::strtof(digits.c_str(), nullptr))
                                              : std::strtod(digits.c_str(), nullptr);
  // Spark compares the text itself, before it is rounded to a float.
  const double limit =
      type == TypeId::kFloat ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  if (std::abs(std::strtod(digits.c_str(), nullptr)) > limit) return out_of_range(digits, type, start);
  return make(unresolved::Literal{{DataType(type), Value(value)}}, start);
}

// ---- typed literals -----------------------------------------------------------------------------

ExpressionPtr Parser::invalid_typed_literal(std::string_view type, const std::string& text, size_t start) {
  fail_at(start, "INVALID_TYPED_LITERAL",
          {{"valueType", "\"" + std::string(type) + "\""}, {"value", "'" + text + "'"}});
  return nullptr;
}

ExpressionPtr Parser::typed_literal() {
  const size_t start = position_;
  const std::string type = peek().upper;
  advance();
  const std::string text = string_token();
  if (type != "X" && is_time_of_session(text)) {
    fail_unsupported(type + " '" + text + "'");
    return nullptr;
  }
  if (type == "DATE") {
    const std::optional<int64_t> days = parse_date(text);
    if (!days.has_value()) return invalid_typed_literal(type, text, start);
    return make(unresolved::Literal{{DataType(TypeId::kDate), Value(*days)}}, start);
  }
  if (type == "X") return binary_literal(text, start);
  if (type == "TIME") {
    fail_unsupported("data type time");
    return nullptr;
  }
  return timestamp_literal(type, text, start);
}

// Without a zone in the text the session's zone decides: that is a cast of the local time, left to the
// analyzer.
ExpressionPtr Parser::timestamp_literal(const std::string& type, const std::string& text, size_t start) {
  const std::optional<TimestampText> parsed = parse_timestamp(text);
  if (!parsed.has_value()) return invalid_typed_literal(type, text, start);
  if (type == "TIMESTAMP_NTZ") {
    if (parsed->has_zone && !parsed->is_epoch) return invalid_typed_literal(type, text, start);
    return make(unresolved::Literal{{DataType(TypeId::kTimestampNtz), Value(parsed->local_microseconds)}},
                start);
  }
  if (!parsed->region.empty()) {
    return make(
        unresolved::Cast{text_literal(text, start), DataType(TypeId::kTimestamp), plan::CastMode::kDefault},
        start);
  }
  if (parsed->has_zone) {
    const int64_t utc = parsed->local_microseconds - parsed->offset_seconds * 1'000'000;
    return make(unresolved::Literal{{DataType(TypeId::kTimestamp), Value(utc)}}, start);
  }
  ExpressionPtr local =
      make(unresolved::Literal{{DataType(TypeId::kTimestampNtz), Value(parsed->local_microseconds)}}, start);
  return make(unresolved::Cast{std::move(local), DataType(TypeId::kTimestamp), plan::CastMode::kDefault},
              start);
}

// X'1F'; an odd number of digits begins with half a byte.
ExpressionPtr Parser::binary_literal(const std::string& text, size_t start) {
  const std::string digits = text.size() % 2 == 0 ? text : "0" + text;
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    int byte = 0;
    for (size_t k = i; k < i + 2; ++k) {
      const char c = digits[k];
      const char lower = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9') {
        byte = byte * 16 + (c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        byte = byte * 16 + (lower - 'a' + 10);
      } else {
        return invalid_typed_literal("X", text, start);
      }
    }
    bytes += static_cast<char>(byte);
  }
  return make(unresolved::Literal{{DataType(TypeId::kBinary), Value(std::move(bytes))}}, start);
}

}  // namespace deuteron::sql
