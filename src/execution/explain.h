// The stages of a plan as text, with the SQL of each relational one. Runs nothing.
#pragma once

#include <string>

#include "execution/executor.h"

namespace deuteron::execution {

Result<std::string> explain_stages(const plan::resolved::RelationPtr& plan, relational::Engine& engine,
                                   const Request& request, int32_t slots);

}  // namespace deuteron::execution
