// Text: positions counted in characters as Spark does.
#include <algorithm>
#include <unordered_map>

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

std::optional<std::string> text_substring(std::string_view text, int32_t start, int32_t length) {
  if (length <= 0) return std::string();
  const Range range = range_of(count_characters(text), start, length);
  if (range.first >= range.last) return std::string();
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
  return std::string(text.substr(begin, end - begin));
}

std::optional<Blob> binary_substring(Blob value, int32_t start, int32_t length) {
  if (length <= 0) return Blob{};
  const Range range = range_of(static_cast<int64_t>(value.bytes.size()), start, length);
  if (range.first >= range.last) return Blob{};
  return Blob{
      value.bytes.substr(static_cast<size_t>(range.first), static_cast<size_t>(range.last - range.first))};
}

std::optional<bool> binary_startswith(Blob value, Blob part) { return value.bytes.starts_with(part.bytes); }
std::optional<bool> binary_endswith(Blob value, Blob part) { return value.bytes.ends_with(part.bytes); }
std::optional<bool> binary_contains(Blob value, Blob part) {
  return value.bytes.find(part.bytes) != std::string_view::npos;
}

}  // namespace

std::optional<Signature> find_text_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"text_substring", Adapter<text_substring>::signature()},
      {"binary_startswith", Adapter<binary_startswith>::signature()},
      {"binary_endswith", Adapter<binary_endswith>::signature()},
      {"binary_contains", Adapter<binary_contains>::signature()},
      {"binary_substring", Adapter<binary_substring>::signature()},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
