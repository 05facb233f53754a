// One response of an execution as it goes onto the wire. The bytes of an Arrow batch stay where the engine
// wrote them, in shared memory: gRPC sends them from there. Immutable once made; shared between threads.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>

#include "exchange/block.h"
#include "spark/connect/base.pb.h"

namespace deuteron::connect {

struct EncodedResponse {
  std::string id;
  uint64_t bytes = 0;
  grpc::ByteBuffer message;
};

// `batch_data` becomes the data of the response's Arrow batch, which has none of its own.
EncodedResponse encode_response(spark::connect::ExecutePlanResponse response,
                                const exchange::Region& batch_data = {});

}  // namespace deuteron::connect
