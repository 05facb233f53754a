// Any bytes that protobuf takes for a plan: the decoder answers, and what it accepts can be printed.
#include <google/protobuf/io/coded_stream.h>

#include <cstddef>
#include <cstdint>

#include "connect/decode/plan_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace unresolved = deuteron::plan::unresolved;
  google::protobuf::io::CodedInputStream stream(data, static_cast<int>(size));
  stream.SetRecursionLimit(10'000);  // beyond the decoder's own bound
  spark::connect::Plan plan;
  if (!plan.ParseFromCodedStream(&stream)) return 0;
  const auto decoded = deuteron::connect::decode::decode_plan(plan);
  if (!decoded.ok()) return 0;
  if (const auto* relation = std::get_if<unresolved::RelationPtr>(&*decoded))
    unresolved::to_string(*relation);
  return 0;
}
