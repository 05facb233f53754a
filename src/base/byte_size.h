// Sizes of memory as people write them.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace deuteron {

// "512MB", "4g", "1GiB", "1000000" -> bytes (powers of 1024). INVALID_OPTION.
Result<uint64_t> parse_byte_size(const std::string& text);

}  // namespace deuteron
