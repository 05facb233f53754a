// Patterns of names as in SHOW TABLES LIKE: `*` is any text, `|` separates alternatives, case does not
// matter.
#pragma once

#include <string>

namespace deuteron::session {

// An empty pattern matches every name.
bool matches_pattern(const std::string& name, const std::string& pattern);

}  // namespace deuteron::session
