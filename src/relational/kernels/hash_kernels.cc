// hash (Murmur3) and xxhash64 of values of any type, bit for bit as Spark has them.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "relational/kernels/column.h"
#include "relational/kernels/vector_access.h"

namespace deuteron::relational::kernels {
namespace {

template <typename T>
T read_little_endian(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Murmur3 (x86, 32 bits). Bytes after the last whole word are mixed one by one, with their sign.
struct Murmur3 {
  using Hash = int32_t;

  static Hash of_int(int32_t value, Hash seed) { return finish(mix(word(seed), word(value)), 4); }
  static Hash of_long(int64_t value, Hash seed) {
    const auto bits = static_cast<uint64_t>(value);
    return finish(mix(mix(word(seed), static_cast<uint32_t>(bits)), static_cast<uint32_t>(bits >> 32)), 8);
  }
  static Hash of_bytes(std::string_view bytes, Hash seed) {
    uint32_t hash = word(seed);
    size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) hash = mix(hash, read_little_endian<uint32_t>(bytes.data() + i));
    for (; i < bytes.size(); ++i) hash = mix(hash, word(static_cast<signed char>(bytes[i])));
    return finish(hash, static_cast<uint32_t>(bytes.size()));
  }

 private:
  static uint32_t word(int32_t value) { return static_cast<uint32_t>(value); }
  static uint32_t mix(uint32_t hash, uint32_t value) {
    value = std::rotl(value * 0xcc9e2d51U, 15) * 0x1b873593U;
    return std::rotl(hash ^ value, 13) * 5 + 0xe6546b64U;
  }
  static Hash finish(uint32_t hash, uint32_t length) {
    hash ^= length;
    hash = (hash ^ (hash >> 16)) * 0x85ebca6bU;
    hash = (hash ^ (hash >> 13)) * 0xc2b2ae35U;
    return static_cast<Hash>(hash ^ (hash >> 16));
  }
};

struct XxHash64 {
  using Hash = int64_t;

  static Hash of_int(int32_t value, Hash seed) {
    const uint64_t hash = static_cast<uint64_t>(seed) + kPrime5 + 4;
    return finish(mix_word(hash, static_cast<uint32_t>(value)));
  }
  static Hash of_long(int64_t value, Hash seed) {
    return finish(mix_lane(static_cast<uint64_t>(seed) + kPrime5 + 8, static_cast<uint64_t>(value)));
  }
  static Hash of_bytes(std::string_view bytes, Hash signed_seed) {
    const auto seed = static_cast<uint64_t>(signed_seed);
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    uint64_t hash = seed + kPrime5;
    if (bytes.size() >= 32) {
      uint64_t lanes[4] = {seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1};
      for (; at + 32 <= end; at += 32) {
        for (int i = 0; i < 4; ++i) lanes[i] = round(lanes[i], read_little_endian<uint64_t>(at + 8 * i));
      }
      hash =
          std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
      for (const uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * kPrime1 + kPrime4;
    }
    hash += bytes.size();
    for (; at + 8 <= end; at += 8) hash = mix_lane(hash, read_little_endian<uint64_t>(at));
    for (; at + 4 <= end; at += 4) hash = mix_word(hash, read_little_endian<uint32_t>(at));
    for (; at < end; ++at) hash = std::rotl(hash ^ (static_cast<unsigned char>(*at) * kPrime5), 11) * kPrime1;
    return finish(hash);
  }

 private:
  static constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87U, kPrime2 = 0xC2B2AE3D27D4EB4FU,
                            kPrime3 = 0x165667B19E3779F9U, kPrime4 = 0x85EBCA77C2B2AE63U,
                            kPrime5 = 0x27D4EB2F165667C5U;

  static uint64_t round(uint64_t lane, uint64_t value) {
    return std::rotl(lane + value * kPrime2, 31) * kPrime1;
  }
  static uint64_t mix_lane(uint64_t hash, uint64_t value) {
    return std::rotl(hash ^ round(0, value), 27) * kPrime1 + kPrime4;
  }
  static uint64_t mix_word(uint64_t hash, uint64_t value) {
    return std::rotl(hash ^ (value * kPrime1), 23) * kPrime2 + kPrime3;
  }
  static Hash finish(uint64_t hash) {
    hash = (hash ^ (hash >> 33)) * kPrime2;
    hash = (hash ^ (hash >> 29)) * kPrime3;
    return static_cast<Hash>(hash ^ (hash >> 32));
  }
};

// A whole number's bytes as java.math.BigInteger.toByteArray gives them: big-endian, as few as hold the sign.
std::string java_bytes(Int128 value) {
  std::string bytes;
  for (;;) {
    const auto low = static_cast<signed char>(value & 0xFF);
    bytes.insert(bytes.begin(), static_cast<char>(low));
    value >>= 8;
    if (value == (low < 0 ? -1 : 0)) return bytes;
  }
}

// The hash of a value is the seed of the next one; null leaves it as it is.
template <typename Hasher>
typename Hasher::Hash hash_value(const Column& column, idx_t row, typename Hasher::Hash seed) {
  if (row_is_null(column.validity, row)) return seed;
  switch (column.id) {
    case DUCKDB_TYPE_BOOLEAN: return Hasher::of_int(column.at<bool>(row) ? 1 : 0, seed);
    case DUCKDB_TYPE_TINYINT: return Hasher::of_int(column.at<int8_t>(row), seed);
    case DUCKDB_TYPE_SMALLINT: return Hasher::of_int(column.at<int16_t>(row), seed);
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: return Hasher::of_int(column.at<int32_t>(row), seed);
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP: return Hasher::of_long(column.at<int64_t>(row), seed);
    case DUCKDB_TYPE_FLOAT: return Hasher::of_int(bits_of(column.at<float>(row)), seed);
    case DUCKDB_TYPE_DOUBLE: return Hasher::of_long(bits_of(column.at<double>(row)), seed);
    case DUCKDB_TYPE_DECIMAL: {
      const Int128 value = unscaled(column, row);
      return column.is_wide ? Hasher::of_bytes(java_bytes(value), seed)
                            : Hasher::of_long(static_cast<int64_t>(value), seed);
    }
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: {
      duckdb_string_t text = column.at<duckdb_string_t>(row);
      return Hasher::of_bytes(view_of(&text), seed);
    }
    case DUCKDB_TYPE_INTERVAL: {
      const auto interval = column.at<duckdb_interval>(row);
      return Hasher::of_int(interval.months,
                            Hasher::of_int(interval.days, Hasher::of_long(interval.micros, seed)));
    }
    case DUCKDB_TYPE_LIST: {
      const auto entry = column.at<duckdb_list_entry>(row);
      for (idx_t i = 0; i < entry.length; ++i)
        seed = hash_value<Hasher>(column.children[0], entry.offset + i, seed);
      return seed;
    }
    case DUCKDB_TYPE_STRUCT:
      for (const Column& field : column.children) seed = hash_value<Hasher>(field, row, seed);
      return seed;
    default: return seed;
  }
}

template <typename Hasher>
void hash_rows(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
  constexpr typename Hasher::Hash kSeed = 42;
  std::vector<Column> columns;
  for (idx_t i = 0; i < duckdb_data_chunk_get_column_count(input); ++i)
    columns.push_back(column_of(duckdb_data_chunk_get_vector(input, i)));
  for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
    typename Hasher::Hash hash = kSeed;
    for (const Column& column : columns) hash = hash_value<Hasher>(column, row, hash);
    store(output, row, hash);
  }
}

}  // namespace

std::optional<Signature> find_hash_kernel(std::string_view name) {
  static const std::unordered_map<std::string_view, Signature> kKernels = {
      {"murmur3_hash",
       {.arguments = {}, .result = DUCKDB_TYPE_INTEGER, .body = hash_rows<Murmur3>, .is_variadic = true}},
      {"xxhash64_hash",
       {.arguments = {}, .result = DUCKDB_TYPE_BIGINT, .body = hash_rows<XxHash64>, .is_variadic = true}},
  };
  const auto found = kKernels.find(name);
  return found == kKernels.end() ? std::nullopt : std::optional<Signature>(found->second);
}

}  // namespace deuteron::relational::kernels
