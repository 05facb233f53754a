#include "connect/decode/attribute_name.h"

namespace deuteron::connect::decode {
namespace {

Status invalid_name(std::string_view name) {
  return error("INVALID_ATTRIBUTE_NAME_SYNTAX", {{"name", std::string(name)}});
}

// Reads a part in backquotes that starts at `position`; leaves `position` behind the closing one. False: it
// is never closed.
bool read_quoted_part(std::string_view name, size_t& position, std::string& part) {
  for (++position; position < name.size(); ++position) {
    if (name[position] != '`') {
      part += name[position];
    } else if (position + 1 < name.size() && name[position + 1] == '`') {
      part += '`';
      ++position;
    } else {
      ++position;
      return true;
    }
  }
  return false;
}

}  // namespace

Result<plan::Names> parse_attribute_name(std::string_view name) {
  plan::Names parts;
  for (size_t position = 0;; ++position) {
    std::string part;
    if (position < name.size() && name[position] == '`') {
      if (!read_quoted_part(name, position, part)) return invalid_name(name);
      if (position < name.size() && name[position] != '.') return invalid_name(name);
    } else {
      while (position < name.size() && name[position] != '.') {
        if (name[position] == '`') return invalid_name(name);
        part += name[position++];
      }
      if (part.empty() && !name.empty()) return invalid_name(name);
    }
    parts.push_back(std::move(part));
    if (position >= name.size()) return parts;
  }
}

}  // namespace deuteron::connect::decode
