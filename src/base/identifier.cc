#include "base/identifier.h"

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace deuteron {
namespace {

std::vector<uint8_t> random_bytes(size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t filled = 0; filled < count;) {
    const ssize_t got = getrandom(bytes.data() + filled, count - filled, 0);
    if (got > 0) filled += static_cast<size_t>(got);
  }
  return bytes;
}

void append_hexadecimal(std::string& text, uint8_t byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  text.push_back(kDigits[byte >> 4]);
  text.push_back(kDigits[byte & 15]);
}

}  // namespace

std::string random_uuid() {
  std::vector<uint8_t> bytes = random_bytes(16);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    append_hexadecimal(text, bytes[i]);
  }
  return text;
}

std::string random_secret(int bytes) {
  std::string text;
  for (const uint8_t byte : random_bytes(static_cast<size_t>(bytes))) append_hexadecimal(text, byte);
  return text;
}

}  // namespace deuteron
