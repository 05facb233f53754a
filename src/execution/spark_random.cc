#include "execution/spark_random.h"

#include <bit>
#include <cmath>

namespace deuteron::execution {
namespace {

// MurmurHash3 (32 bits) of the seed's eight bytes, the most significant first.
uint32_t hash_bytes(uint64_t bytes, uint32_t seed) {
  uint32_t hash = seed;
  for (int word = 0; word < 2; ++word) {
    uint32_t block = __builtin_bswap32(static_cast<uint32_t>(bytes >> (word == 0 ? 32 : 0)));
    block *= 0xcc9e2d51U;
    block = std::rotl(block, 15) * 0x1b873593U;
    hash = std::rotl(hash ^ block, 13) * 5 + 0xe6546b64U;
  }
  hash ^= 8;
  hash = (hash ^ (hash >> 16)) * 0x85ebca6bU;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35U;
  return hash ^ (hash >> 16);
}

// Small seeds differ in few bits; their hashes differ in half of them.
uint64_t hash_seed(int64_t seed) {
  constexpr uint32_t kSeedOfArrays = 0x3c074a61U;
  const uint32_t low = hash_bytes(static_cast<uint64_t>(seed), kSeedOfArrays);
  const uint32_t high = hash_bytes(static_cast<uint64_t>(seed), low);
  return (static_cast<uint64_t>(high) << 32) | low;
}

}  // namespace

SparkRandom::SparkRandom(int64_t seed) : state_(hash_seed(seed)) {}

int64_t SparkRandom::next(int bits) {
  state_ ^= state_ << 21;
  state_ ^= state_ >> 35;
  state_ ^= state_ << 4;
  return static_cast<int64_t>(state_ & ((uint64_t{1} << bits) - 1));
}

double SparkRandom::next_double() {
  const int64_t high = next(26);
  return static_cast<double>((high << 27) + next(27)) * 0x1.0p-53;
}

// Marsaglia's polar method, two numbers at a time, as in Java.
double SparkRandom::next_gaussian() {
  if (second_gaussian_.has_value()) {
    const double second = *second_gaussian_;
    second_gaussian_.reset();
    return second;
  }
  double x = 0;
  double y = 0;
  double square = 0;
  do {
    x = 2 * next_double() - 1;
    y = 2 * next_double() - 1;
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double factor = std::sqrt(-2 * std::log(square) / square);
  second_gaussian_ = y * factor;
  return x * factor;
}

}  // namespace deuteron::execution
