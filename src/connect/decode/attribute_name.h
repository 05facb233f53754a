// Names of columns as DataFrame programs write them: "a.b", "`a.b`.c". Unlike SQL identifiers any character
// may stand in a part.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "plan/tree.h"

namespace deuteron::connect::decode {

// Fails with INVALID_ATTRIBUTE_NAME_SYNTAX.
Result<plan::Names> parse_attribute_name(std::string_view name);

}  // namespace deuteron::connect::decode
