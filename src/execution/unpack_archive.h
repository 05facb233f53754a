// Unpacks archives that clients uploaded, in a process of its own (python/deuteron/worker/unpack_archive.py).
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace deuteron::execution {

// Makes `folder`. Fails when the archive cannot be read, would leave the folder, or holds more than
// `limit_bytes`; what was unpacked by then stays.
Status unpack_archive(const std::string& interpreter, const std::string& python_folder,
                      const std::string& archive, const std::string& folder, uint64_t limit_bytes);

}  // namespace deuteron::execution
