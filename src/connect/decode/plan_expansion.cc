#include "connect/decode/plan_expansion.h"

#include <google/protobuf/io/coded_stream.h>
#include <zstd.h>

#include <memory>

#include "connect/decode/plan_decoder.h"

namespace deuteron::connect {
namespace {

constexpr size_t kLargestPlan = size_t{1} << 30;

Status invalid_plan(std::string reason) {
  return error("CONNECT_INVALID_PLAN.CANNOT_PARSE", {{"errorMsg", std::move(reason)}});
}

Result<std::string> decompress(const std::string& data) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string text;
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer input{data.data(), data.size(), 0};
  size_t expected = 1;
  while (input.pos < input.size) {
    ZSTD_outBuffer output{piece.data(), piece.size(), 0};
    expected = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(expected)) return invalid_plan(ZSTD_getErrorName(expected));
    if (text.size() + output.pos > kLargestPlan) return invalid_plan("the plan is larger than 1 GiB");
    text.append(piece, 0, output.pos);
    if (input.pos == input.size && output.pos == output.size && expected != 0) {  // more may wait inside
      output = {piece.data(), piece.size(), 0};
      expected = ZSTD_decompressStream(context.get(), &output, &input);
      if (ZSTD_isError(expected)) return invalid_plan(ZSTD_getErrorName(expected));
      text.append(piece, 0, output.pos);
    }
  }
  if (expected != 0) return invalid_plan("the compressed plan is cut off");
  return text;
}

bool parse(google::protobuf::Message& message, const std::string& bytes) {
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                                               static_cast<int>(bytes.size()));
  input.SetRecursionLimit(2 * decode::kMaximumDepth);
  return message.ParseFromCodedStream(&input) && input.ConsumedEntireMessage();
}

}  // namespace

Result<spark::connect::Plan> expand_plan(const spark::connect::Plan& plan) {
  if (!plan.has_compressed_operation()) return plan;
  const auto& compressed = plan.compressed_operation();
  if (compressed.compression_codec() != spark::connect::COMPRESSION_CODEC_ZSTD) {
    return unsupported("plan compression other than ZSTD");
  }
  ASSIGN_OR_RETURN(const std::string bytes, decompress(compressed.data()));
  spark::connect::Plan expanded;
  const bool is_command = compressed.op_type() == spark::connect::Plan::CompressedOperation::OP_TYPE_COMMAND;
  google::protobuf::Message* target = expanded.mutable_root();
  if (is_command) target = expanded.mutable_command();
  if (!parse(*target, bytes)) return invalid_plan("the expanded plan is no valid message");
  return expanded;
}

}  // namespace deuteron::connect
