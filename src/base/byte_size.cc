#include "base/byte_size.h"

#include <cctype>
#include <charconv>

namespace deuteron {

Result<uint64_t> parse_byte_size(const std::string& text) {
  double number = 0;
  const auto [rest, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit;
  for (const char* c = rest; code == std::errc() && c != text.data() + text.size(); ++c) {
    unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  }
  if (code == std::errc() && number > 0) {
    static constexpr std::string_view kUnits[] = {"b", "k", "m", "g", "t"};
    uint64_t factor = 1;
    for (const std::string_view letter : kUnits) {
      const std::string base(letter);
      if (unit == base || unit == base + "b" || unit == base + "ib" || (factor == 1 && unit.empty())) {
        return static_cast<uint64_t>(number * static_cast<double>(factor));
      }
      factor *= 1024;
    }
  }
  return error("INVALID_OPTION",
               {{"reason", "\"" + text + "\" is no size of memory: write it as 512MB or 4GB"}});
}

}  // namespace deuteron
