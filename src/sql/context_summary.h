// The lines with which an error shows its place in SQL text, as Spark prints them. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace deuteron::sql {

// "== SQL (line 1, position 8) ==", the lines around the bytes [begin, end) cut short, and marks under the
// fragment. line and column of `begin` count from 1, the column in characters.
std::string summarize_context(std::string_view text, size_t begin, size_t end, size_t line, size_t column);

}  // namespace deuteron::sql
