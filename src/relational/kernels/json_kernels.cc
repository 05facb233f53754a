// JSON text as Jackson reads and writes it for Spark: texts may be in single quotes, what follows the first
// value is ignored, numbers with a fraction are doubles.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

struct Json {
  enum class Kind { kNull, kBoolean, kInteger, kReal, kText, kArray, kObject };
  Kind kind = Kind::kNull;
  std::string text;               // of a text its characters, of other scalars the token
  std::vector<std::string> keys;  // of an object, in order, repeated ones included
  std::vector<Json> items;        // of an array, or the values of `keys`

  bool is(Kind other) const { return kind == other; }
};

void append_utf8(std::string& text, uint32_t code) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  const auto rest = [&](int shift) { put(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6)), rest(0);
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12)), rest(6), rest(0);
  } else {
    put(0xF0 | (code >> 18)), rest(12), rest(6), rest(0);
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::optional<Json> read() {
    Json value;
    return read_value(value, 0) ? std::optional<Json>(std::move(value)) : std::nullopt;
  }

 private:
  static constexpr int kDeepest = 1000;  // as Jackson

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  bool accept(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }

  bool read_value(Json& value, int depth) {
    skip_space();
    if (depth > kDeepest) return false;
    switch (peek()) {
      case '{': return read_object(value, depth);
      case '[': return read_array(value, depth);
      case '"':
      case '\'': value.kind = Json::Kind::kText; return read_text(value.text);
      default: return read_word(value) || read_number(value);
    }
  }

  bool read_object(Json& value, int depth) {
    value.kind = Json::Kind::kObject;
    ++at_;
    skip_space();
    if (accept('}')) return true;
    do {
      skip_space();
      if (peek() != '"' && peek() != '\'') return false;
      if (!read_text(value.keys.emplace_back())) return false;
      skip_space();
      if (!accept(':') || !read_value(value.items.emplace_back(), depth + 1)) return false;
      skip_space();
    } while (accept(','));
    return accept('}');
  }

  bool read_array(Json& value, int depth) {
    value.kind = Json::Kind::kArray;
    ++at_;
    skip_space();
    if (accept(']')) return true;
    do {
      if (!read_value(value.items.emplace_back(), depth + 1)) return false;
      skip_space();
    } while (accept(','));
    return accept(']');
  }

  bool read_text(std::string& result) {
    const char quote = text_[at_++];
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') {
        result += c;
      } else if (!read_escape(result)) {
        return false;
      }
    }
    return false;
  }

  bool read_escape(std::string& result) {
    constexpr std::string_view kNames = "bfnrt\"\\/'", kMeant = "\b\f\n\r\t\"\\/'";
    const char c = peek();
    ++at_;
    if (const size_t found = kNames.find(c); found != std::string_view::npos && c != '\0') {
      result += kMeant[found];
      return true;
    }
    if (c != 'u') return false;
    uint32_t code = 0;
    if (!read_unit(code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && accept("\\u")) {
      uint32_t low = 0;
      if (!read_unit(low)) return false;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(result, code);
    return true;
  }

  bool read_unit(uint32_t& code) {
    if (at_ + 4 > text_.size()) return false;
    const char* first = text_.data() + at_;
    const auto [end, failed] = std::from_chars(first, first + 4, code, 16);
    at_ += 4;
    return failed == std::errc() && end == first + 4;
  }

  bool read_word(Json& value) {
    using Kind = Json::Kind;
    static constexpr std::pair<std::string_view, Kind> kWords[] = {
        {"null", Kind::kNull}, {"true", Kind::kBoolean},  {"false", Kind::kBoolean},
        {"NaN", Kind::kReal},  {"Infinity", Kind::kReal}, {"-Infinity", Kind::kReal},
        {"+INF", Kind::kReal}, {"INF", Kind::kReal},      {"-INF", Kind::kReal},
    };
    for (const auto& [word, kind] : kWords) {
      if (!accept(word)) continue;
      value.kind = kind;
      value.text = word;
      return !is_name(peek());
    }
    return false;
  }
  static bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

  bool read_digits() {
    const size_t first = at_;
    while (std::isdigit(static_cast<unsigned char>(peek()))) ++at_;
    return at_ > first;
  }

  bool read_number(Json& value) {
    const size_t start = at_;
    accept('-');
    const bool leading_zero = peek() == '0';
    const size_t first = at_;
    if (!read_digits() || (leading_zero && at_ > first + 1)) return false;
    value.kind = Json::Kind::kInteger;
    if (accept('.')) {
      value.kind = Json::Kind::kReal;
      if (!read_digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      value.kind = Json::Kind::kReal;
      if (!accept('-')) accept('+');
      if (!read_digits()) return false;
    }
    if (is_name(peek())) return false;
    value.text = text_.substr(start, at_ - start);
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::optional<Json> parse(std::string_view text) { return Reader(text).read(); }

void append_quoted(std::string& output, std::string_view text) {
  output += '"';
  for (const char c : text) {
    constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
    if (const size_t found = kSpecial.find(c); found != std::string_view::npos) {
      output += '\\';
      output += kNames[found];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04X", static_cast<unsigned>(c));
      output += buffer;
    } else {
      output += c;
    }
  }
  output += '"';
}

// kExact keeps the digits of numbers as they were read, kJackson writes them as Jackson does.
enum class Numbers { kExact, kJackson };

std::string number_text(const Json& number, Numbers numbers) {
  if (numbers == Numbers::kExact || !std::isdigit(static_cast<unsigned char>(number.text.back())))
    return number.text;
  if (number.is(Json::Kind::kInteger)) return number.text == "-0" ? "0" : number.text;
  return java_double_text(std::strtod(number.text.c_str(), nullptr));
}

void append_json(std::string& output, const Json& value, Numbers numbers) {
  switch (value.kind) {
    case Json::Kind::kNull: output += "null"; break;
    case Json::Kind::kBoolean: output += value.text; break;
    case Json::Kind::kInteger:
    case Json::Kind::kReal: output += number_text(value, numbers); break;
    case Json::Kind::kText: append_quoted(output, value.text); break;
    case Json::Kind::kArray:
    case Json::Kind::kObject: {
      const bool object = value.is(Json::Kind::kObject);
      output += object ? '{' : '[';
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) output += ',';
        if (object) {
          append_quoted(output, value.keys[i]);
          output += ':';
        }
        append_json(output, value.items[i], numbers);
      }
      output += object ? '}' : ']';
    }
  }
}

std::string to_text(const Json& value, Numbers numbers) {
  std::string text;
  append_json(text, value, numbers);
  return text;
}

// ---- get_json_object ----------------------------------------------------------------------------

struct Step {
  enum class Kind { kName, kIndex, kAll, kNothing };
  Kind kind;
  std::string name;
  size_t index = 0;
};

// $.name, ['name'], [3], [*]; `.*` is read, and matches nothing, as in Spark.
std::optional<std::vector<Step>> parse_path(std::string_view path) {
  std::vector<Step> steps;
  if (!path.starts_with('$')) return std::nullopt;
  path.remove_prefix(1);
  while (!path.empty()) {
    if (path.starts_with(".*") || path.starts_with("['*']")) {
      steps.push_back({Step::Kind::kNothing, ""});
      path.remove_prefix(path[0] == '.' ? 2 : 5);
    } else if (path[0] == '.') {
      const size_t end = std::min(path.find_first_of(".[", 1), path.size());
      if (end == 1) return std::nullopt;
      steps.push_back({Step::Kind::kName, std::string(path.substr(1, end - 1))});
      path.remove_prefix(end);
    } else if (path.starts_with("['")) {
      const size_t end = path.find_first_of("'?", 2);
      if (end == std::string_view::npos || end == 2 || !path.substr(end).starts_with("']"))
        return std::nullopt;
      steps.push_back({Step::Kind::kName, std::string(path.substr(2, end - 2))});
      path.remove_prefix(end + 2);
    } else if (path.starts_with("[*]")) {
      steps.push_back({Step::Kind::kAll, ""});
      path.remove_prefix(3);
    } else if (path[0] == '[') {
      Step step{Step::Kind::kIndex, ""};
      const auto [end, failed] = std::from_chars(path.data() + 1, path.data() + path.size(), step.index);
      const auto length = static_cast<size_t>(end - path.data());
      if (failed != std::errc() || length >= path.size() || path[length] != ']') return std::nullopt;
      steps.push_back(std::move(step));
      path.remove_prefix(length + 1);
    } else {
      return std::nullopt;
    }
  }
  return steps;
}

// How a match is written: as the whole answer, inside an array, or poured into the array around it.
enum class Style { kRaw, kQuoted, kFlat };

std::string join_items(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (&item == &items.front() ? "" : ",") + item;
  return text;
}

// Adds what `steps` match in `value` to `found`; false when they match nothing. Spark's rules, which are
// Hive's: [*][*] makes one flat array, and an array of a single match is left out.
bool find_matches(const Json& value, const Step* step, const Step* end, Style style,
                  std::vector<std::string>& found) {
  using Kind = Json::Kind;
  if (step == end) {
    if (value.is(Kind::kText) && style == Style::kRaw) {
      found.push_back(value.text);
      return true;
    }
    if (value.is(Kind::kArray) && style == Style::kFlat) {
      bool any = false;
      for (const Json& item : value.items) any |= find_matches(item, step, end, style, found);
      return any;
    }
    found.push_back(to_text(value, Numbers::kJackson));
    return true;
  }
  if (value.is(Kind::kObject) && step->kind == Step::Kind::kName) {
    for (size_t i = 0; i < value.keys.size(); ++i) {
      if (value.keys[i] != step->name || value.items[i].is(Kind::kNull)) continue;
      if (find_matches(value.items[i], step + 1, end, style, found)) return true;
    }
    return false;
  }
  if (!value.is(Kind::kArray)) return false;
  if (step->kind == Step::Kind::kIndex) {
    if (step->index >= value.items.size()) return false;
    const bool many = step + 1 != end && step[1].kind == Step::Kind::kAll;
    return find_matches(value.items[step->index], step + 1, end, many ? Style::kQuoted : style, found);
  }
  if (step->kind != Step::Kind::kAll) return false;
  const bool twice = step + 1 != end && step[1].kind == Step::Kind::kAll;
  std::vector<std::string> matches;
  size_t matched = 0;
  for (const Json& item : value.items) {
    const Style inner = twice || style == Style::kFlat ? Style::kFlat : Style::kQuoted;
    matched += find_matches(item, step + (twice ? 2 : 1), end, inner, matches) ? 1 : 0;
  }
  if (twice || style == Style::kQuoted) {
    found.push_back("[" + join_items(matches) + "]");
    return matched > 0;
  }
  if (matched == 0) return false;
  found.push_back(matched == 1 ? join_items(matches) : "[" + join_items(matches) + "]");
  return true;
}

std::optional<std::string> json_object_at(std::string_view text, std::string_view path) {
  const auto steps = parse_path(path);
  if (!steps) return std::nullopt;
  const auto value = parse(text);
  std::vector<std::string> found;
  if (!value || !find_matches(*value, steps->data(), steps->data() + steps->size(), Style::kRaw, found))
    return std::nullopt;
  return join_items(found);
}

// ---- parts of a value, as JSON again; a JSON null is null ----------------------------------------

std::optional<std::string> part_text(const Json& value) {
  if (value.is(Json::Kind::kNull)) return std::nullopt;
  return to_text(value, Numbers::kExact);
}

std::optional<TextList> json_elements(std::string_view text) {
  const auto value = parse(text);
  if (!value || !value->is(Json::Kind::kArray)) return std::nullopt;
  TextList items;
  for (const Json& item : value->items) items.push_back(part_text(item));
  return items;
}

std::optional<TextList> json_keys(std::string_view text) {
  const auto value = parse(text);
  if (!value || !value->is(Json::Kind::kObject)) return std::nullopt;
  return TextList(value->keys.begin(), value->keys.end());
}

enum class Half { kKeys, kValues };

// An object as a map: of equal keys the last one.
template <Half kHalf>
std::optional<TextList> map_half(std::string_view text) {
  const auto value = parse(text);
  if (!value || !value->is(Json::Kind::kObject)) return std::nullopt;
  TextList half;
  for (size_t i = 0; i < value->keys.size(); ++i) {
    const auto next = value->keys.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    if (std::find(next, value->keys.end(), value->keys[i]) != value->keys.end()) continue;
    half.push_back(kHalf == Half::kKeys ? value->keys[i] : part_text(value->items[i]));
  }
  return half;
}

// The values under `names` (an array of texts as JSON), of equal keys the last one.
std::optional<TextList> json_fields(std::string_view text, std::string_view names) {
  const auto value = parse(text);
  if (!value || !value->is(Json::Kind::kObject)) return std::nullopt;
  const auto wanted = parse(names);
  TextList fields;
  for (const Json& name : wanted->items) {
    const auto found = std::find(value->keys.rbegin(), value->keys.rend(), name.text);
    const auto index = static_cast<size_t>(value->keys.rend() - found);
    fields.push_back(index == 0 ? std::nullopt : part_text(value->items[index - 1]));
  }
  return fields;
}

std::optional<int32_t> json_array_length(std::string_view text) {
  const auto value = parse(text);
  if (!value || !value->is(Json::Kind::kArray)) return std::nullopt;
  return static_cast<int32_t>(value->items.size());
}

// ---- scalars ------------------------------------------------------------------------------------

// The token of a value of one of `kinds` (i whole number, r other number, s text, b boolean), else null.
std::optional<std::string> json_token(std::string_view text, std::string_view kinds) {
  const auto value = parse(text);
  if (!value) return std::nullopt;
  constexpr std::string_view kLetters = "-birs--";
  return kinds.find(kLetters[static_cast<size_t>(value->kind)]) == std::string_view::npos
             ? std::nullopt
             : std::optional<std::string>(value->text);
}

// A text's characters; any other value as JSON.
std::optional<std::string> json_text(std::string_view text) {
  const auto value = parse(text);
  if (!value || value->is(Json::Kind::kNull)) return std::nullopt;
  return value->is(Json::Kind::kText) ? value->text : to_text(*value, Numbers::kJackson);
}

// A decimal's plain text as BigDecimal.toString gives it: small numbers of a large scale with an exponent.
std::optional<std::string> json_decimal(std::string_view plain) {
  const size_t point = plain.find('.');
  const size_t first = plain.find_first_of("123456789");
  const auto scale = static_cast<int>(point == std::string_view::npos ? 0 : plain.size() - point - 1);
  const size_t digits = first == std::string_view::npos || first < point ? 1 : plain.size() - first;
  const int exponent = static_cast<int>(digits) - 1 - scale;
  if ((first != std::string_view::npos && first < point) || exponent >= -6) return std::string(plain);
  const std::string_view unscaled = plain.substr(plain.size() - digits);
  std::string text = plain.starts_with('-') ? "-" : "";
  text += unscaled[0];
  if (digits > 1) text += "." + std::string(unscaled.substr(1));
  return text + "E" + std::to_string(exponent);
}

std::optional<std::string> json_quote(std::string_view text) {
  std::string quoted;
  append_quoted(quoted, text);
  return quoted;
}

}  // namespace

std::optional<Signature> find_json_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"json_object_at", Adapter<json_object_at>::signature()},
      {"json_elements", Adapter<json_elements>::signature()},
      {"json_map_keys", Adapter<map_half<Half::kKeys>>::signature()},
      {"json_map_values", Adapter<map_half<Half::kValues>>::signature()},
      {"json_object_keys", Adapter<json_keys>::signature()},
      {"json_fields", Adapter<json_fields>::signature()},
      {"json_length", Adapter<json_array_length>::signature()},
      {"json_token", Adapter<json_token>::signature()},
      {"json_text", Adapter<json_text>::signature()},
      {"json_decimal", Adapter<json_decimal>::signature()},
      {"json_quoted", Adapter<json_quote>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
