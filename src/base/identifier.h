// Random identifiers.
#pragma once

#include <string>

namespace deuteron {

// A random UUID (version 4) in lower-case text form, from the system's random source. Thread-safe.
std::string random_uuid();
// `bytes` random bytes as lower-case hexadecimal, for secrets. Thread-safe.
std::string random_secret(int bytes);

}  // namespace deuteron
