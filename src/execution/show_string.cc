#include "execution/show_string.h"

#include <algorithm>

namespace deuteron::execution {
namespace {

constexpr int32_t kSmallestWidth = 3;
// Spark counts as Java does, in UTF-16 units, and takes characters of these ranges for two columns wide.
constexpr std::pair<char32_t, char32_t> kWideRanges[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3},
                                                         {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60},
                                                         {0xFFE0, 0xFFE6}};

struct Character {
  char32_t code = 0;
  size_t bytes = 1;
  int32_t units() const { return code >= 0x10000 ? 2 : 1; }
};

Character character_at(std::string_view text, size_t position) {
  const auto byte = static_cast<unsigned char>(text[position]);
  const size_t bytes = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  if (bytes == 1 || position + bytes > text.size()) return {byte, 1};
  char32_t code = byte & (0xFFU >> (bytes + 1));
  for (size_t index = 1; index < bytes; ++index)
    code = (code << 6) | (static_cast<unsigned char>(text[position + index]) & 0x3FU);
  return {code, bytes};
}

template <typename Visit>
void each_character(std::string_view text, const Visit& visit) {
  for (size_t position = 0; position < text.size();) {
    const Character character = character_at(text, position);
    visit(character);
    position += character.bytes;
  }
}

int32_t length_of(std::string_view text) {
  int32_t units = 0;
  each_character(text, [&](const Character& character) { units += character.units(); });
  return units;
}

int32_t width_of(std::string_view text) {
  int32_t width = 0;
  each_character(text, [&](const Character& character) {
    const bool wide = std::any_of(std::begin(kWideRanges), std::end(kWideRanges), [&](const auto& range) {
      return character.code >= range.first && character.code <= range.second;
    });
    width += character.units() + (wide ? 1 : 0);
  });
  return width;
}

// The first `units` UTF-16 units; half of a pair becomes a question mark, as Java prints it.
std::string prefix_of(std::string_view text, int32_t units) {
  size_t position = 0;
  while (position < text.size()) {
    const Character character = character_at(text, position);
    if (character.units() > units) break;
    units -= character.units();
    position += character.bytes;
  }
  return std::string(text.substr(0, position)) + (units > 0 && position < text.size() ? "?" : "");
}

std::string escape_control_characters(const std::string& text) {
  static const std::map<char, const char*> kEscapes = {{'\n', "\\n"}, {'\r', "\\r"}, {'\t', "\\t"},
                                                       {'\f', "\\f"}, {'\b', "\\b"}, {'\v', "\\v"},
                                                       {'\a', "\\a"}};
  std::string escaped;
  for (const char character : text) {
    const auto found = kEscapes.find(character);
    if (found == kEscapes.end()) {
      escaped += character;
    } else {
      escaped += found->second;
    }
  }
  return escaped;
}

std::string shorten(const std::string& text, int32_t truncate) {
  if (truncate <= 0 || length_of(text) <= truncate) return text;
  return truncate < 4 ? prefix_of(text, truncate) : prefix_of(text, truncate - 3) + "...";
}

std::string padding(int32_t width, std::string_view text, char with = ' ') {
  return std::string(static_cast<size_t>(std::max(0, width - width_of(text))), with);
}

using Cells = std::vector<std::string>;

std::string join(const Cells& cells, const std::string& begin, const std::string& between,
                 const std::string& end) {
  std::string line = begin;
  for (size_t index = 0; index < cells.size(); ++index) line += (index > 0 ? between : "") + cells[index];
  return line + end;
}

std::string as_grid(const Cells& headings, const std::vector<Cells>& rows, bool align_right) {
  std::vector<int32_t> widths(headings.size(), kSmallestWidth);
  const auto widen = [&widths](const Cells& cells) {
    for (size_t index = 0; index < cells.size(); ++index)
      widths[index] = std::max(widths[index], width_of(cells[index]));
  };
  widen(headings);
  for (const Cells& row : rows) widen(row);
  const auto line = [&](Cells cells) {
    for (size_t index = 0; index < cells.size(); ++index) {
      const std::string space = padding(widths[index], cells[index]);
      cells[index] = align_right ? space + cells[index] : cells[index] + space;
    }
    return join(cells, "|", "|", "|\n");
  };
  Cells dashes;
  for (const int32_t width : widths) dashes.emplace_back(static_cast<size_t>(width), '-');
  const std::string separator = join(dashes, "+", "+", "+\n");
  std::string table = separator + line(headings) + separator;
  for (const Cells& row : rows) table += line(row);
  return table + separator;
}

std::string as_records(const Cells& headings, const std::vector<Cells>& rows) {
  int32_t heading_width = kSmallestWidth;
  int32_t value_width = kSmallestWidth;
  for (const std::string& heading : headings) heading_width = std::max(heading_width, width_of(heading));
  for (const Cells& row : rows) {
    for (const std::string& cell : row) value_width = std::max(value_width, width_of(cell));
  }
  std::string text;
  for (size_t number = 0; number < rows.size(); ++number) {
    const std::string title = "-RECORD " + std::to_string(number);
    text += title + padding(heading_width + value_width + 5, title, '-') + "\n";
    for (size_t index = 0; index < headings.size(); ++index) {
      const std::string& cell = rows[number][index];
      text += " " + headings[index] + padding(heading_width, headings[index]) + " | " + cell +
              padding(value_width, cell) + " \n";
    }
    if (headings.empty()) text += "\n";
  }
  return text;
}

std::string escape_html(const std::string& text) {
  static const std::map<char, const char*> kEscapes = {
      {'"', "&quot;"}, {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}};
  std::string escaped;
  for (const char character : text) {
    const auto found = kEscapes.find(character);
    if (found == kEscapes.end()) {
      escaped += character;
    } else {
      escaped += found->second;
    }
  }
  return escaped;
}

std::string as_html(Cells headings, std::vector<Cells> rows) {
  const auto escape = [](Cells& cells) {
    std::transform(cells.begin(), cells.end(), cells.begin(), escape_html);
  };
  escape(headings);
  std::string table = "<table border='1'>\n" + join(headings, "<tr><th>", "</th><th>", "</th></tr>\n");
  for (Cells& row : rows) {
    escape(row);
    table += join(row, "<tr><td>", "</td><td>", "</td></tr>\n");
  }
  return table + "</table>\n";
}

}  // namespace

std::string show_table(const plan::Names& headings, const std::vector<TextRow>& rows,
                       const ShowLayout& layout) {
  Cells titles;
  for (const std::string& heading : headings) titles.push_back(escape_control_characters(heading));
  const size_t shown = std::min(rows.size(), static_cast<size_t>(std::max(0, layout.rows)));
  std::vector<Cells> cells(shown);
  for (size_t number = 0; number < shown; ++number) {
    for (const auto& value : rows[number]) {
      cells[number].push_back(shorten(escape_control_characters(value.value_or("NULL")), layout.truncate));
    }
  }
  const std::string table = layout.html       ? as_html(titles, cells)
                            : layout.vertical ? as_records(titles, cells)
                                              : as_grid(titles, cells, layout.truncate > 0);
  if (layout.vertical && !layout.html && cells.empty()) return table + "(0 rows)";
  if (rows.size() <= shown) return table;
  return table + "only showing top " + std::to_string(shown) + (shown == 1 ? " row" : " rows");
}

Result<plan::resolved::RelationPtr> show_as_row(const plan::resolved::ShowString& show,
                                                const plan::resolved::Columns& output,
                                                relational::Engine& engine,
                                                const relational::RunContext& context, CancelToken& cancel) {
  using namespace plan::resolved;  // NOLINT
  const int32_t shown = std::max(0, show.rows);
  ASSIGN_OR_RETURN(const auto rows, engine.collect_text(show.input, context, int64_t{shown} + 1, cancel));
  const ShowLayout layout{shown, show.truncate, show.vertical, show.html};
  const ExpressionPtr text = make_expression(Literal{types::Value(show_table(show.headings, rows, layout))},
                                             types::DataType(types::TypeId::kString), false);
  return make_relation(Project{make_relation(OneRow{}, {}, 1), {text}}, output, 1);
}

}  // namespace deuteron::execution
