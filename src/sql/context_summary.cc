#include "sql/context_summary.h"

namespace deuteron::sql {
namespace {

constexpr size_t kShownBeside = 32;  // characters of the text shown on either side of the fragment

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The byte `kShownBeside` characters before `position`, or the beginning of its line.
size_t shown_from(std::string_view text, size_t position, bool& is_cut) {
  for (size_t characters = 0; position > 0 && text[position - 1] != '\n';) {
    if (characters == kShownBeside) {
      is_cut = true;
      break;
    }
    --position;
    if (!is_continuation(text[position])) ++characters;
  }
  return position;
}

size_t shown_to(std::string_view text, size_t position, bool& is_cut) {
  for (size_t characters = 0; position < text.size() && text[position] != '\n'; ++position) {
    if (is_continuation(text[position])) continue;
    if (characters++ == kShownBeside) {
      is_cut = true;
      break;
    }
  }
  return position;
}

}  // namespace

std::string summarize_context(std::string_view text, size_t begin, size_t end, size_t line, size_t column) {
  std::string summary =
      "== SQL (line " + std::to_string(line) + ", position " + std::to_string(column) + ") ==\n";
  bool cut_before = false;
  bool cut_behind = false;
  size_t position = shown_from(text, begin, cut_before);
  const size_t last = shown_to(text, end, cut_behind);
  std::string marks;
  if (cut_before) {
    summary += "...";
    marks = "   ";
  }
  for (; position <= last; ++position) {
    if (position < last && text[position] != '\n') {
      summary += text[position];
      if (!is_continuation(text[position])) marks += position >= begin && position < end ? '^' : ' ';
      continue;
    }
    if (position == last && cut_behind) summary += "...";
    marks.erase(marks.find_last_not_of(' ') + 1);
    summary += "\n" + marks + "\n";
    marks.clear();
  }
  return summary;
}

}  // namespace deuteron::sql
