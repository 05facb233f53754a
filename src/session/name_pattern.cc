#include "session/name_pattern.h"

#include <cctype>
#include <string_view>

namespace deuteron::session {
namespace {

bool same_letter(char left, char right) {
  return std::tolower(static_cast<unsigned char>(left)) == std::tolower(static_cast<unsigned char>(right));
}

bool matches_one(std::string_view name, std::string_view pattern) {
  for (size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '*') {
      const std::string_view rest = pattern.substr(at + 1);
      for (size_t skipped = at; skipped <= name.size(); ++skipped) {
        if (matches_one(name.substr(skipped), rest)) return true;
      }
      return false;
    }
    if (at >= name.size() || !same_letter(name[at], pattern[at])) return false;
  }
  return name.size() == pattern.size();
}

}  // namespace

bool matches_pattern(const std::string& name, const std::string& pattern) {
  if (pattern.empty()) return true;
  std::string_view rest = pattern;
  while (true) {
    const size_t end = rest.find('|');
    if (matches_one(name, rest.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace deuteron::session
