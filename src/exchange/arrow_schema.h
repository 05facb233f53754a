// Spark's types in Arrow and back, by Spark's own conventions: what a client and a Python worker expect to
// see, and what a client's local data says of itself. Stateless; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "exchange/block.h"
#include "types/data_type.h"

struct ArrowSchema;

namespace deuteron::exchange {

// Writes `schema` (a struct of the fields) into `out`, which the caller releases. `time_zone` goes into the
// type of timestamps. With Layout::kStructColumn the fields are those of one struct column without a name of
// its own.
Status to_arrow(const types::Schema& schema, Layout layout, const std::string& time_zone, ArrowSchema* out);

// The Spark type of a field. UNSUPPORTED_FEATURE for Arrow types without a counterpart (unsigned integers,
// times, unions …).
Result<types::DataType> from_arrow(const ArrowSchema& field);

// The fields of an Arrow IPC stream, as Spark reads them (a client's LocalRelation). MALFORMED_ARROW_DATA
// when the bytes are broken.
Result<types::Schema> schema_of_stream(std::string_view stream);

}  // namespace deuteron::exchange
