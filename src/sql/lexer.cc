#include "sql/lexer.h"

#include <array>

namespace deuteron::sql {
namespace {

// Longest first. `>` stands alone, so that array<array<int>> closes; the parser joins `>>` and `>>>`.
constexpr std::array<std::string_view, 20> kLongSymbols = {
    "<=>", "<<", "<>", "<=", ">=", "==", "!=", "!<", "!>", "||",
    "|>",  "->", "=>", "::", "-",  "+",  "<",  ">",  "=",  "!"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Bytes of letters beyond ASCII count as letters.
bool is_word_character(char c) {
  return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<Tokens> run() {
    while (true) {
      if (!skip_blank()) return error("UNCLOSED_BRACKETED_COMMENT");
      if (position_ >= text_.size()) break;
      next_token();
    }
    add(TokenKind::kEnd, 0);
    return std::move(tokens_);
  }

 private:
  char at(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }

  void add(TokenKind kind, size_t length) {
    Token token;
    token.kind = kind;
    token.begin = position_;
    token.end = position_ + length;
    token.text = text_.substr(position_, length);
    if (kind == TokenKind::kWord) token.upper = to_upper(token.text);
    if (kind == TokenKind::kSymbol) token.upper = token.text;
    position_ += length;
    match_parenthesis(token);
    tokens_.push_back(std::move(token));
  }

  void match_parenthesis(Token& token) {
    if (token.upper == "(") {
      open_.push_back(static_cast<int32_t>(tokens_.size()));
    } else if (token.upper == ")" && !open_.empty()) {
      token.match = open_.back();
      tokens_[static_cast<size_t>(open_.back())].match = static_cast<int32_t>(tokens_.size());
      open_.pop_back();
    }
  }

  // Space and comments; false when a comment does not end.
  bool skip_blank() {
    while (position_ < text_.size()) {
      if (is_space(text_[position_])) {
        ++position_;
      } else if (text_.compare(position_, 2, "--") == 0) {
        skip_line_comment();
      } else if (text_.compare(position_, 2, "/*") == 0 && at(position_ + 2) != '+') {
        if (!skip_block_comment()) return false;
      } else {
        return true;
      }
    }
    return true;
  }

  // A backslash at the end of the line continues the comment.
  void skip_line_comment() {
    while (position_ < text_.size() && text_[position_] != '\n') {
      position_ += text_.compare(position_, 2, "\\\n") == 0 ? 2 : 1;
    }
  }

  bool skip_block_comment() {
    int depth = 0;
    while (position_ < text_.size()) {
      if (text_.compare(position_, 2, "/*") == 0) {
        ++depth;
        position_ += 2;
      } else if (text_.compare(position_, 2, "*/") == 0) {
        position_ += 2;
        if (--depth == 0) return true;
      } else {
        ++position_;
      }
    }
    return false;
  }

  void next_token() {
    const char c = text_[position_];
    if (text_.compare(position_, 3, "/*+") == 0) return add(TokenKind::kHintStart, 3);
    if (text_.compare(position_, 2, "*/") == 0) return add(TokenKind::kHintEnd, 2);
    if (c == '\'' || c == '"') return quoted(TokenKind::kString, position_, true);
    if ((c == 'r' || c == 'R') && (at(position_ + 1) == '\'' || at(position_ + 1) == '"'))
      return raw_string();
    if (c == '`') return quoted(TokenKind::kQuotedName, position_, false);
    if (is_digit(c) || (c == '.' && is_digit(at(position_ + 1)))) {
      if (number()) return;
    }
    if (is_word_character(c)) return word();
    symbol();
  }

  // A quote that is not closed is a symbol of its own.
  void quoted(TokenKind kind, size_t start, bool has_escapes) {
    const char quote = text_[start];
    for (size_t i = start + 1; i < text_.size(); ++i) {
      if (has_escapes && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (at(i + 1) != quote) return add(kind, i + 1 - position_);
        ++i;
      }
    }
    add(TokenKind::kSymbol, 1);
  }

  void raw_string() {
    const size_t close = text_.find(text_[position_ + 1], position_ + 2);
    if (close == std::string_view::npos) return word();
    add(TokenKind::kString, close + 1 - position_);
  }

  void word() {
    size_t end = position_;
    while (end < text_.size() && is_word_character(text_[end])) ++end;
    add(TokenKind::kWord, end - position_);
  }

  size_t skip_digits(size_t position) const {
    while (is_digit(at(position))) ++position;
    return position;
  }

  // False when the characters form a word that begins with digits (1a), which is an identifier.
  bool number() {
    size_t end = skip_digits(position_);
    const bool has_point = at(end) == '.';
    if (has_point) end = skip_digits(end + 1);
    bool has_exponent = false;
    if (at(end) == 'e' || at(end) == 'E') {
      const size_t sign = at(end + 1) == '+' || at(end + 1) == '-' ? 1 : 0;
      if (is_digit(at(end + 1 + sign))) {
        has_exponent = true;
        end = skip_digits(end + 1 + sign);
      }
    }
    const size_t suffix = suffix_length(end, has_point || has_exponent);
    if (is_word_character(at(end + suffix))) {
      if (!has_point) return false;
      // 1.a is a name with two parts that begin like numbers.
      const size_t digits = skip_digits(position_) - position_;
      add(digits == 0 ? TokenKind::kSymbol : TokenKind::kInteger, digits == 0 ? 1 : digits);
      return true;
    }
    const TokenKind kind = suffix > 0     ? TokenKind::kSuffixed
                           : has_exponent ? TokenKind::kExponent
                           : has_point    ? TokenKind::kDecimal
                                          : TokenKind::kInteger;
    add(kind, end + suffix - position_);
    return true;
  }

  size_t suffix_length(size_t end, bool is_fractional) const {
    const char c = static_cast<char>(at(end) & ~0x20);  // upper case of a letter
    if (c == 'B' && static_cast<char>(at(end + 1) & ~0x20) == 'D') return 2;
    if (c == 'F' || c == 'D') return 1;
    return !is_fractional && (c == 'L' || c == 'S' || c == 'Y') ? 1 : 0;
  }

  void symbol() {
    for (const std::string_view candidate : kLongSymbols) {
      if (text_.compare(position_, candidate.size(), candidate) == 0)
        return add(TokenKind::kSymbol, candidate.size());
    }
    add(TokenKind::kSymbol, 1);
  }

  std::string_view text_;
  size_t position_ = 0;
  Tokens tokens_;
  std::vector<int32_t> open_;
};

void append_utf8(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x110000) {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += '?';
  }
}

// The surrogate that stands at `position` in the three bytes of append_utf8; 0 when there is none.
uint32_t surrogate_at(std::string_view text, size_t position) {
  if (position + 2 >= text.size()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[position + i]); };
  if (byte(0) != 0xED || byte(1) < 0xA0) return 0;
  return 0xD000U | static_cast<uint32_t>(byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
}

// \uXXXX and \UXXXXXXXX, as one or two of Java's characters; how many characters were taken, 0 when it is
// neither.
size_t append_unicode_escape(std::string& out, std::string_view body, size_t position) {
  const size_t digits = body[position] == 'u' ? 4 : body[position] == 'U' ? 8 : 0;
  if (digits == 0 || position + digits >= body.size()) return 0;
  uint32_t code = 0;
  for (size_t i = position + 1; i <= position + digits; ++i) {
    const char c = body[i];
    const int value = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0) return 0;
    code = (code << 4) | static_cast<uint32_t>(value);
  }
  if (code < 0x10000) {
    append_utf8(out, code);
  } else {
    // As Java computes them: 16 bits are kept, whatever the number.
    append_utf8(out, (((code - 0x10000) >> 10) + 0xD800) & 0xFFFF);
    append_utf8(out, (code & 0x3FF) + 0xDC00);
  }
  return digits + 1;
}

// \000 to \177.
size_t append_octal_escape(std::string& out, std::string_view body, size_t position) {
  const auto is_octal = [&](size_t i, char last) { return body[i] >= '0' && body[i] <= last; };
  if (position + 2 >= body.size()) return 0;
  if (!is_octal(position, '1') || !is_octal(position + 1, '7') || !is_octal(position + 2, '7')) return 0;
  out += static_cast<char>((body[position] - '0') * 64 + (body[position + 1] - '0') * 8 +
                           (body[position + 2] - '0'));
  return 3;
}

void append_simple_escape(std::string& out, char c) {
  switch (c) {
    case '0': out += '\0'; break;
    case 'b': out += '\b'; break;
    case 'n': out += '\n'; break;
    case 'r': out += '\r'; break;
    case 't': out += '\t'; break;
    case 'Z': out += '\x1A'; break;
    case '%': out += "\\%"; break;  // LIKE wants to see them
    case '_': out += "\\_"; break;
    default: out += c;
  }
}

}  // namespace

Result<Tokens> tokenize(std::string_view text) { return Lexer(text).run(); }

std::string string_value(std::string_view token) {
  if (token.front() == 'r' || token.front() == 'R') return std::string(token.substr(2, token.size() - 3));
  const char quote = token.front();
  const std::string_view body = token.substr(1, token.size() - 2);
  std::string value;
  value.reserve(body.size());
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == quote) {
      value += quote;
      ++i;  // the doubled one
    } else if (body[i] != '\\' || i + 1 == body.size()) {
      value += body[i];
    } else {
      size_t taken = append_unicode_escape(value, body, i + 1);
      if (taken == 0) taken = append_octal_escape(value, body, i + 1);
      if (taken == 0) {
        append_simple_escape(value, body[i + 1]);
        taken = 1;
      }
      i += taken;
    }
  }
  return value;
}

std::string with_whole_characters(std::string value) {
  if (value.find('\xED') == std::string::npos) return value;
  std::string text;
  for (size_t i = 0; i < value.size();) {
    const uint32_t first = surrogate_at(value, i);
    if (first == 0) {
      text += value[i++];
      continue;
    }
    const uint32_t second = first < 0xDC00 ? surrogate_at(value, i + 3) : 0;
    if (second >= 0xDC00) {
      append_utf8(text, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
      i += 6;
    } else {
      text += '?';
      i += 3;
    }
  }
  return text;
}

std::string quoted_name(std::string_view token) {
  std::string name;
  for (size_t i = 1; i + 1 < token.size(); ++i) {
    name += token[i];
    if (token[i] == '`') ++i;
  }
  return name;
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

}  // namespace deuteron::sql
