#include "connect/encode/response.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include "exchange/shared_memory.h"

namespace deuteron::connect {
namespace {

using google::protobuf::internal::WireFormatLite;
using spark::connect::ExecutePlanResponse;

void write_length_delimited(google::protobuf::io::CodedOutputStream& out, int field, uint64_t length) {
  out.WriteTag(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  out.WriteVarint64(length);
}

size_t bytes_of_length(int field, uint64_t length) {
  std::string text;
  google::protobuf::io::StringOutputStream stream(&text);
  google::protobuf::io::CodedOutputStream out(&stream);
  write_length_delimited(out, field, length);
  return static_cast<size_t>(out.ByteCount());
}

// The message up to the data of its Arrow batch, which then is the last that the message has.
std::string head_of(ExecutePlanResponse& response, uint64_t data_bytes) {
  const ExecutePlanResponse::ArrowBatch batch = std::move(*response.mutable_arrow_batch());
  response.clear_arrow_batch();
  std::string head = response.SerializeAsString();
  const std::string inner = batch.SerializeAsString();
  constexpr int kData = ExecutePlanResponse::ArrowBatch::kDataFieldNumber;
  {
    google::protobuf::io::StringOutputStream stream(&head);
    google::protobuf::io::CodedOutputStream out(&stream);
    write_length_delimited(out, ExecutePlanResponse::kArrowBatchFieldNumber,
                           inner.size() + bytes_of_length(kData, data_bytes) + data_bytes);
    out.WriteString(inner);
    write_length_delimited(out, kData, data_bytes);
  }
  return head;
}

grpc::Slice slice_of(const exchange::Region& region) {
  return grpc::Slice(
      region.slab->data() + region.offset, region.length,
      [](void* owner) { delete static_cast<exchange::Region*>(owner); }, new exchange::Region(region));
}

}  // namespace

EncodedResponse encode_response(ExecutePlanResponse response, const exchange::Region& batch_data) {
  EncodedResponse encoded;
  encoded.id = response.response_id();
  grpc::Slice slices[2];
  size_t count = 1;
  if (batch_data.length == 0) {
    slices[0] = grpc::Slice(response.SerializeAsString());
  } else {
    slices[0] = grpc::Slice(head_of(response, batch_data.length));
    slices[1] = slice_of(batch_data);
    count = 2;
  }
  encoded.message = grpc::ByteBuffer(slices, count);
  encoded.bytes = encoded.message.Length();
  return encoded;
}

}  // namespace deuteron::connect
