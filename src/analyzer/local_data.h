// What the analysis reads of a client's local data: its schema text and how many rows its Arrow stream has.
#pragma once

#include <string>

#include "base/status.h"
#include "types/data_type.h"

namespace deuteron::analyzer {

// JSON as StructType.json() writes it, or DDL ("a INT, b STRING"). A single type that is no struct becomes
// the column "value".
Result<types::Schema> parse_schema_text(const std::string& text);
// Rows of an Arrow IPC stream, from the headers of its record batches; 0 for bytes that are no stream.
int64_t count_rows(const std::string& stream);

}  // namespace deuteron::analyzer
