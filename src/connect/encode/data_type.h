// Spark types -> Spark Connect protobuf.
#pragma once

#include "spark/connect/types.pb.h"
#include "types/data_type.h"

namespace deuteron::connect {

spark::connect::DataType encode_type(const types::DataType& type);
spark::connect::DataType encode_schema(const types::Schema& schema);

}  // namespace deuteron::connect
