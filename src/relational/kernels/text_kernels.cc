// Text: positions counted in characters as Spark does.
#include <algorithm>
#include <array>
#include <span>
#include <unordered_map>

#include "relational/kernels/special_casing.h"
#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

int64_t count_characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), starts_character);
}

// From a start counted from 1 (0 is 1, negative from the end) and a length: [first, last) counted from 0.
struct Range {
  int64_t first;
  int64_t last;
};
Range range_of(int64_t size, int64_t start, int64_t length) {
  const int64_t first = start > 0 ? start - 1 : start < 0 ? size + start : 0;
  const int64_t last = first + length;
  return {std::max<int64_t>(first, 0), std::min(std::max<int64_t>(last, 0), size)};
}

std::string_view substring_of(std::string_view text, int64_t start, int64_t length) {
  if (length <= 0) return {};
  const Range range = range_of(count_characters(text), start, length);
  if (range.first >= range.last) return {};
  int64_t character = -1;
  size_t begin = text.size(), end = text.size();
  for (size_t i = 0; i < text.size(); ++i) {
    if (!starts_character(text[i])) continue;
    ++character;
    if (character == range.first) begin = i;
    if (character == range.last) {
      end = i;
      break;
    }
  }
  return text.substr(begin, end - begin);
}

std::string_view bytes_of(std::string_view bytes, int64_t start, int64_t length) {
  if (length <= 0) return {};
  const Range range = range_of(static_cast<int64_t>(bytes.size()), start, length);
  if (range.first >= range.last) return {};
  return bytes.substr(static_cast<size_t>(range.first), static_cast<size_t>(range.last - range.first));
}

std::optional<std::string> text_substring(std::string_view text, int32_t start, int32_t length) {
  return std::string(substring_of(text, start, length));
}
std::optional<Blob> binary_substring(Blob value, int32_t start, int32_t length) {
  return Blob{bytes_of(value.bytes, start, length)};
}

// `part` in the place of `length` characters from `start`; a negative length is that of `part`.
std::optional<std::string> text_overlay(std::string_view text, std::string_view part, int32_t start,
                                        int32_t length) {
  const int64_t replaced = length >= 0 ? length : count_characters(part);
  std::string result(substring_of(text, 1, int64_t{start} - 1));
  result += part;
  result += substring_of(text, start + replaced, INT32_MAX);
  return result;
}
std::optional<OwnedBlob> binary_overlay(Blob value, Blob part, int32_t start, int32_t length) {
  const int64_t replaced = length >= 0 ? length : static_cast<int64_t>(part.bytes.size());
  std::string result(bytes_of(value.bytes, 1, int64_t{start} - 1));
  result += part.bytes;
  result += bytes_of(value.bytes, start + replaced, INT32_MAX);
  return OwnedBlob{std::move(result)};
}

// `size` bytes: those of `value`, with those of `part` again and again before or behind them.
std::string padded(std::string_view value, int32_t size, std::string_view part, bool before) {
  const auto wanted = static_cast<size_t>(std::max(size, 0));
  if (value.size() >= wanted || part.empty()) return std::string(value.substr(0, wanted));
  std::string filling;
  while (filling.size() < wanted - value.size())
    filling += part.substr(0, wanted - value.size() - filling.size());
  return before ? filling + std::string(value) : std::string(value) + filling;
}
std::optional<OwnedBlob> binary_lpad(Blob value, int32_t size, Blob part) {
  return OwnedBlob{padded(value.bytes, size, part.bytes, true)};
}
std::optional<OwnedBlob> binary_rpad(Blob value, int32_t size, Blob part) {
  return OwnedBlob{padded(value.bytes, size, part.bytes, false)};
}

// The place of `word` in a list with commas, from 1; 0 when it is not there.
std::optional<int32_t> find_in_set(std::string_view word, std::string_view list) {
  if (word.find(',') != std::string_view::npos) return 0;
  for (int32_t place = 1;; ++place) {
    const size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return place;
    if (comma == std::string_view::npos) return 0;
    list.remove_prefix(comma + 1);
  }
}

// A text that does not begin with an ASCII letter is its own code.
std::optional<std::string> soundex(std::string_view text) {
  constexpr std::string_view kCodes = "01230127022455012623017202";  // of A … Z; H and W (7) are passed over
  const auto letter = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  const auto is_letter = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (text.empty() || !is_letter(letter(text[0]))) return std::string(text);
  std::string result(1, letter(text[0]));
  char last = kCodes[static_cast<size_t>(result[0] - 'A')];
  for (size_t i = 1; i < text.size() && result.size() < 4; ++i) {
    const char c = letter(text[i]);
    const char code = is_letter(c) ? kCodes[static_cast<size_t>(c - 'A')] : '0';
    if (code == '7') continue;
    if (code != '0' && code != last) result += code;
    last = code;
  }
  result.resize(4, '0');
  return result;
}

std::optional<int64_t> crc32(Blob value) {
  static const auto kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < table.size(); ++i) {
      uint32_t entry = i;
      for (int bit = 0; bit < 8; ++bit) entry = (entry & 1) != 0 ? (entry >> 1) ^ 0xEDB88320u : entry >> 1;
      table[i] = entry;
    }
    return table;
  }();
  uint32_t sum = 0xFFFFFFFFu;
  for (const char c : value.bytes) sum = (sum >> 8) ^ kTable[(sum ^ static_cast<unsigned char>(c)) & 0xFF];
  return static_cast<int64_t>(sum ^ 0xFFFFFFFFu);
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> characters;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    while (end < text.size() && !starts_character(text[end])) ++end;
    characters.push_back(text.substr(at, end - at));
    at = end;
  }
  return characters;
}

// The capitals that Unicode writes as several characters; the others are left as they are.
std::optional<std::string> special_upper(std::string_view text) {
  const bool is_ascii =
      std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  if (is_ascii) return std::string(text);
  std::string result;
  for (const std::string_view character : characters_of(text)) {
    const auto found = kUpperCase.find(character);
    result += found == kUpperCase.end() ? character : found->second;
  }
  return result;
}

// What begins a word in the place of `character`; null: its capital.
std::optional<std::string> special_title(std::string_view character) {
  const auto found = kTitleCase.find(character);
  return found == kTitleCase.end() ? std::nullopt : std::optional(std::string(found->second));
}

std::optional<int32_t> edit_distance(std::string_view left, std::string_view right) {
  const auto a = characters_of(left), b = characters_of(right);
  std::vector<int32_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int32_t>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int32_t diagonal = row[0];
    row[0] = static_cast<int32_t>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int32_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// Up to the count-th separator, or behind it when counted from the end; separators may overlap.
std::optional<std::string> part_by_separator(std::string_view text, std::string_view separator,
                                             int32_t count) {
  if (separator.empty() || count == 0) return std::string();
  size_t at = std::string_view::npos;
  for (int64_t left = count; left > 0; --left) {
    at = text.find(separator, at == std::string_view::npos ? 0 : at + 1);
    if (at == std::string_view::npos) return std::string(text);
  }
  if (count > 0) return std::string(text.substr(0, at));
  for (int64_t left = count; left < 0; ++left) {
    if (at == 0) return std::string(text);
    at = text.rfind(separator, at == std::string_view::npos ? at : at - 1);
    if (at == std::string_view::npos) return std::string(text);
  }
  return std::string(text.substr(at + separator.size()));
}

// What follows an escape that may not stand there, '' at the end; null when the pattern is sound.
std::optional<std::string> like_flaw(std::string_view pattern, std::string_view escape) {
  for (size_t at = pattern.find(escape); at != std::string_view::npos; at = pattern.find(escape, at)) {
    at += escape.size();
    if (at == pattern.size()) return std::string();
    if (!pattern.substr(at).starts_with(escape) && pattern[at] != '%' && pattern[at] != '_')
      return std::string(characters_of(pattern.substr(at)).front());
    at += pattern.substr(at).starts_with(escape) ? escape.size() : 1;
  }
  return std::nullopt;
}

// As Java's MIME decoder: what is no letter of the alphabet is passed over; null when the end is malformed.
std::optional<OwnedBlob> decode_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int letters = 0, padding = 0;  // in the group of four
  for (const char c : text) {
    const size_t value = kAlphabet.find(c);
    if (c == '=') {
      ++padding;
      if (letters < 2 || letters + padding > 4) return std::nullopt;
      continue;
    }
    if (value == std::string_view::npos) continue;
    if (padding > 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    if (++letters < 4) continue;
    for (const int shift : {16, 8, 0}) bytes += static_cast<char>((bits >> shift) & 0xFF);
    bits = 0;
    letters = 0;
  }
  if (letters == 1 || (padding > 0 && letters + padding != 4)) return std::nullopt;
  if (letters == 2) bytes += static_cast<char>((bits >> 4) & 0xFF);
  if (letters == 3) {
    bytes += static_cast<char>((bits >> 10) & 0xFF);
    bytes += static_cast<char>((bits >> 2) & 0xFF);
  }
  return OwnedBlob{std::move(bytes)};
}

// ---- character sets -------------------------------------------------------------------------------

struct Charset {
  std::string_view name;
  size_t unit;  // bytes
  bool little = false;
  bool has_mark = false;  // begins with a byte order mark
  char32_t last = 0x10FFFF;
};
constexpr Charset kCharsets[] = {
    {.name = "ISO-8859-1", .unit = 1, .last = 0xFF},
    {.name = "US-ASCII", .unit = 1, .last = 0x7F},
    {.name = "UTF-8", .unit = 1},
    {.name = "UTF-16", .unit = 2, .has_mark = true},
    {.name = "UTF-16BE", .unit = 2},
    {.name = "UTF-16LE", .unit = 2, .little = true},
    {.name = "UTF-32", .unit = 4},
};

const Charset* charset_of(std::string_view name) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  for (const Charset& charset : kCharsets) {
    if (std::equal(name.begin(), name.end(), charset.name.begin(), charset.name.end(),
                   [&](char a, char b) { return upper(a) == b; })) {
      return &charset;
    }
  }
  return nullptr;
}

std::optional<bool> is_charset(std::string_view name) { return charset_of(name) != nullptr; }

bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

// The character at `at` of UTF-8, which moves behind it; nullopt when it is malformed.
std::optional<char32_t> next_character(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const unsigned char first = byte(at);
  const size_t more = first < 0x80   ? 0
                      : first < 0xC2 ? 4
                      : first < 0xE0 ? 1
                      : first < 0xF0 ? 2
                      : first < 0xF5 ? 3
                                     : 4;
  if (more == 4) return std::nullopt;
  char32_t character = more == 0 ? first : first & (0x3F >> more);
  for (size_t i = 1; i <= more; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return std::nullopt;
    character = (character << 6) | (byte(at + i) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (character < kLeast[more] || character > 0x10FFFF || is_surrogate(character)) return std::nullopt;
  at += more + 1;
  return character;
}

bool is_in(std::span<const CharacterRange> ranges, char32_t c) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), c,
                       [](char32_t value, const CharacterRange& r) { return value < r.first; });
  return after != ranges.begin() && c <= (after - 1)->last;
}

// Σ at the end of a word becomes ς, so that lower case leaves it so.
std::optional<std::string> final_sigma(std::string_view text) {
  constexpr std::string_view kSigma = "Σ", kFinal = "ς";
  if (text.find(kSigma) == std::string_view::npos) return std::string(text);
  const auto characters = characters_of(text);
  // Whether the first character from `at` on that is not passed over has cases.
  const auto meets_cased = [&](size_t at, size_t step) {
    for (; at < characters.size(); at += step) {
      size_t begin = 0;
      const auto character = next_character(characters[at], begin);
      if (!character) return false;
      if (!is_in(kCaseIgnorable, *character)) return is_in(kCased, *character);
    }
    return false;
  };
  std::string result;
  for (size_t i = 0; i < characters.size(); ++i) {
    const bool is_final =
        characters[i] == kSigma && meets_cased(i - 1, static_cast<size_t>(-1)) && !meets_cased(i + 1, 1);
    result += is_final ? kFinal : characters[i];
  }
  return result;
}

void append_utf8(std::string& text, char32_t c) {
  const auto rest = [&](int shift) { text += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | (c >> 6));
    rest(0);
  } else if (c < 0x10000) {
    text += static_cast<char>(0xE0 | (c >> 12));
    rest(6);
    rest(0);
  } else {
    text += static_cast<char>(0xF0 | (c >> 18));
    rest(12);
    rest(6);
    rest(0);
  }
}

void append_unit(std::string& bytes, char32_t unit, const Charset& charset) {
  for (size_t i = 0; i < charset.unit; ++i) {
    const size_t shift = 8 * (charset.little ? i : charset.unit - 1 - i);
    bytes += static_cast<char>((unit >> shift) & 0xFF);
  }
}

// Null: a character that the charset does not have, or no charset.
std::optional<OwnedBlob> encode_text(std::string_view text, std::string_view name) {
  const Charset* charset = charset_of(name);
  if (charset == nullptr) return std::nullopt;
  if (charset->name == "UTF-8") return OwnedBlob{std::string(text)};
  std::string bytes;
  if (charset->has_mark && !text.empty()) append_unit(bytes, 0xFEFF, *charset);
  for (size_t at = 0; at < text.size();) {
    const auto character = next_character(text, at);
    if (!character || *character > charset->last) return std::nullopt;
    if (charset->unit == 2 && *character > 0xFFFF) {
      append_unit(bytes, 0xD800 + ((*character - 0x10000) >> 10), *charset);
      append_unit(bytes, 0xDC00 + ((*character - 0x10000) & 0x3FF), *charset);
    } else {
      append_unit(bytes, *character, *charset);
    }
  }
  return OwnedBlob{std::move(bytes)};
}

// Null: bytes that are no text in the charset, or no charset.
std::optional<std::string> decode_bytes(Blob value, std::string_view name) {
  const Charset* found = charset_of(name);
  if (found == nullptr) return std::nullopt;
  Charset charset = *found;
  const std::string_view bytes = value.bytes;
  std::string text;
  if (charset.name == "UTF-8") {
    for (size_t at = 0; at < bytes.size();) {
      if (!next_character(bytes, at)) return std::nullopt;
    }
    return std::string(bytes);
  }
  if (bytes.size() % charset.unit != 0) return std::nullopt;
  const auto unit_at = [&](size_t at) {
    char32_t unit = 0;
    for (size_t i = 0; i < charset.unit; ++i) {
      const auto byte = static_cast<unsigned char>(bytes[at + (charset.little ? charset.unit - 1 - i : i)]);
      unit = (unit << 8) | byte;
    }
    return unit;
  };
  size_t at = 0;
  const bool may_have_mark = charset.has_mark || charset.unit == 4;
  if (may_have_mark && !bytes.empty()) {
    charset.little = unit_at(0) == (charset.unit == 2 ? 0xFFFE : 0xFFFE0000);
    if (unit_at(0) == 0xFEFF) at = charset.unit;
  }
  for (; at < bytes.size(); at += charset.unit) {
    char32_t character = unit_at(at);
    if (charset.unit == 2 && is_surrogate(character)) {
      if (character >= 0xDC00 || at + 2 >= bytes.size()) return std::nullopt;
      at += 2;
      const char32_t low = unit_at(at);
      if (low < 0xDC00 || low > 0xDFFF) return std::nullopt;
      character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
    }
    if (character > charset.last || is_surrogate(character)) return std::nullopt;
    append_utf8(text, character);
  }
  return text;
}

std::optional<bool> binary_startswith(Blob value, Blob part) { return value.bytes.starts_with(part.bytes); }
std::optional<bool> binary_endswith(Blob value, Blob part) { return value.bytes.ends_with(part.bytes); }
std::optional<bool> binary_contains(Blob value, Blob part) {
  return value.bytes.find(part.bytes) != std::string_view::npos;
}

// One field of a CSV line, from `at`: its text, with a mark in front that tells whether it was quoted. `at`
// moves to the separator behind it, or to the line's end.
std::string csv_field(std::string_view line, std::string_view separator, std::string_view quote,
                      std::string_view escape, size_t& at) {
  const auto next_separator = [&](size_t from) { return std::min(line.find(separator, from), line.size()); };
  const size_t begin = at;
  if (quote.empty() || !line.substr(at).starts_with(quote)) {
    at = next_separator(at);
    return "u" + std::string(line.substr(begin, at - begin));
  }
  std::string text = "q";
  for (size_t i = at + quote.size(); i < line.size();) {
    const std::string_view rest = line.substr(i);
    const bool is_escape = !escape.empty() && rest.starts_with(escape);
    const std::string_view escaped = is_escape ? rest.substr(escape.size()) : std::string_view();
    if (is_escape && (escaped.starts_with(quote) || (escape != quote && escaped.starts_with(escape)))) {
      text += escaped.substr(0, escaped.starts_with(quote) ? quote.size() : escape.size());
      i += escape.size() + (escaped.starts_with(quote) ? quote.size() : escape.size());
    } else if (rest.starts_with(quote)) {
      size_t end = i + quote.size();
      while (end < line.size() && line[end] == ' ') ++end;
      if (end < line.size() && !line.substr(end).starts_with(separator)) break;
      at = end;
      return text;
    } else {
      text += line[i++];
    }
  }
  // A quote that is not closed, or not escaped, is text like the rest up to the next separator.
  at = next_separator(at + quote.size());
  return "q" + std::string(line.substr(begin, at - begin));
}

// The fields of a line, with U+FFFF, which no text holds, between them.
std::optional<std::string> csv_fields(std::string_view line, std::string_view separator,
                                      std::string_view quote, std::string_view escape) {
  if (separator.empty()) return std::nullopt;
  std::string fields;
  for (size_t at = 0;; at += separator.size()) {
    if (at > 0) fields += "\xEF\xBF\xBF";
    fields += csv_field(line, separator, quote, escape, at);
    if (at >= line.size()) return fields;
  }
}

}  // namespace

std::optional<Signature> find_text_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"csv_fields", Adapter<csv_fields>::signature()},
      {"text_substring", Adapter<text_substring>::signature()},
      {"binary_startswith", Adapter<binary_startswith>::signature()},
      {"binary_endswith", Adapter<binary_endswith>::signature()},
      {"binary_contains", Adapter<binary_contains>::signature()},
      {"binary_substring", Adapter<binary_substring>::signature()},
      {"text_overlay", Adapter<text_overlay>::signature()},
      {"binary_overlay", Adapter<binary_overlay>::signature()},
      {"binary_lpad", Adapter<binary_lpad>::signature()},
      {"binary_rpad", Adapter<binary_rpad>::signature()},
      {"find_in_set", Adapter<find_in_set>::signature()},
      {"final_sigma", Adapter<final_sigma>::signature()},
      {"special_upper", Adapter<special_upper>::signature()},
      {"special_title", Adapter<special_title>::signature()},
      {"edit_distance", Adapter<edit_distance>::signature()},
      {"part_by_separator", Adapter<part_by_separator>::signature()},
      {"like_flaw", Adapter<like_flaw>::signature()},
      {"decode_base64", Adapter<decode_base64>::signature()},
      {"soundex", Adapter<soundex>::signature()},
      {"crc32", Adapter<crc32>::signature()},
      {"is_charset", Adapter<is_charset>::signature()},
      {"encode_text", Adapter<encode_text>::signature()},
      {"decode_bytes", Adapter<decode_bytes>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
