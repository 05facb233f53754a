#include "exchange/integrity.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "exchange/shared_memory.h"

namespace deuteron::exchange {
namespace {

constexpr const char* kLost = "STAGE_OUTPUT_LOST";

uint64_t checksum_of(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

template <typename Check>
Status for_each_stream(const Partition& partition, const Check& check) {
  for (const Streams& streams : partition) {
    for (const Stream& stream : streams) RETURN_IF_ERROR(check(stream));
  }
  return Status();
}

}  // namespace

bool is_lost(const Status& status) { return !status.ok() && status.condition() == kLost; }

void seal(Stream& stream) {
  if (stream.region.slab == nullptr || !stream.region.slab->is_spilled()) return;
  const auto bytes = stream.region.bytes();
  if (bytes.ok()) stream.checksum = checksum_of(*bytes);  // else it is lost already, as its reader will see
}

Status look_at(const Stream& stream) {
  RETURN_IF_ERROR(stream.region.bytes().status());
  for (const Region& body : stream.bodies) RETURN_IF_ERROR(body.bytes().status());
  return Status();
}

Status verify(const Stream& stream) {
  ASSIGN_OR_RETURN(const std::string_view bytes, stream.region.bytes());
  if (!stream.checksum.has_value()) return look_at(stream);
  const bool is_same = checksum_of(bytes) == *stream.checksum;
  RETURN_IF_ERROR(look_at(stream));  // a page that could not be read tells more than a wrong checksum
  stream.region.slab->let_go(stream.region.offset, stream.region.length);
  return is_same ? Status() : error(kLost, {{"reason", "its checksum is not that of what was written"}});
}

Status verify(const Partition& partition) {
  return for_each_stream(partition, [](const Stream& stream) { return verify(stream); });
}

Status look_at(const Partition& partition) {
  return for_each_stream(partition, [](const Stream& stream) { return look_at(stream); });
}

bool is_misread(const Partition& partition) {
  const auto is_damaged = [](const Region& region) {
    return region.slab != nullptr && region.slab->guard().is_damaged(region.offset, region.length);
  };
  for (const Streams& streams : partition) {
    for (const Stream& stream : streams) {
      if (is_damaged(stream.region) || std::ranges::any_of(stream.bodies, is_damaged)) return true;
    }
  }
  return false;
}

std::optional<uint64_t> digest_of(const Partition& partition) {
  uint64_t digest = partition.size();
  const auto add = [&](const Region& region, std::optional<uint64_t> checksum) -> Status {
    if (!checksum.has_value()) {
      ASSIGN_OR_RETURN(const std::string_view bytes, region.bytes());
      checksum = checksum_of(bytes);
    }
    digest = XXH3_64bits_withSeed(&*checksum, sizeof *checksum, digest);
    return Status();
  };
  const Status status = for_each_stream(partition, [&](const Stream& stream) -> Status {
    RETURN_IF_ERROR(add(stream.region, stream.checksum));
    for (const Region& body : stream.bodies) RETURN_IF_ERROR(add(body, std::nullopt));
    return stream.checksum.has_value() ? Status() : look_at(stream);
  });
  return status.ok() ? std::optional(digest) : std::nullopt;
}

}  // namespace deuteron::exchange
