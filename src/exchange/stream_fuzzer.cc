// Arbitrary bytes as an Arrow stream: an error or rows, never a crash.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "exchange/arrow_schema.h"
#include "exchange/stream_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  (void)deuteron::exchange::schema_of_stream(stream);
  const auto reader = deuteron::exchange::StreamReader::open(stream);
  if (!reader.ok()) return 0;
  auto decoder = deuteron::exchange::BatchDecoder::make(*reader);
  if (!decoder.ok()) return 0;
  for (size_t batch = 0; batch < reader->batches(); ++batch) (void)decoder->decode(batch);
  return 0;
}
