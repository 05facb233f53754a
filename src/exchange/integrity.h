// What stages have left may be lost: a spill file that was cut off or written to, a disk with a bad block,
// memory that has failed. Whoever reads a stream of a stage's output asks first whether it is what was
// written. Streams on disk carry a checksum; what lies in memory is taken as it is, unless the kernel has
// said that it cannot be read. Stateless; thread-safe. Every loss is a STAGE_OUTPUT_LOST.
#pragma once

#include <cstdint>
#include <optional>

#include "base/status.h"
#include "exchange/stage_output.h"

namespace deuteron::exchange {

bool is_lost(const Status& status);

// Notes the checksum of a stream that has just been written, if it lies on disk.
void seal(Stream& stream);
// Reads all of it, if it lies on disk.
Status verify(const Stream& stream);
Status verify(const Partition& partition);
// What can be told without reading: whether all of it is there, and nobody has met a page that is not.
Status look_at(const Stream& stream);
Status look_at(const Partition& partition);
// Whether somebody has read something else than what was written, since a page of it could not be read.
bool is_misread(const Partition& partition);

// Equal contents have equal digests, also when they are lost; none: not known.
std::optional<uint64_t> digest_of(const Partition& partition);

}  // namespace deuteron::exchange
