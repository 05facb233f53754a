// Data types in the JSON form that DataType.json() writes. Thread-safe.
#pragma once

#include <string_view>

#include "base/status.h"
#include "types/data_type.h"

namespace deuteron::sql {

// The text begins like JSON ({ or "), which no type in DDL form does.
bool is_json_type(std::string_view text);
// Fails with INVALID_JSON_DATA_TYPE.
Result<types::DataType> parse_json_type(std::string_view text);

}  // namespace deuteron::sql
