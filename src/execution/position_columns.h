// Columns whose values follow from where a row lies: the number of its partition, its place there, and the
// random numbers that Spark draws for it.
#pragma once

#include <memory>
#include <string>

#include "exchange/shared_memory.h"
#include "exchange/stage_output.h"
#include "plan/resolved.h"

namespace deuteron::execution {

// The column group of these calls.
exchange::ColumnGroup position_group(const plan::resolved::Expressions& calls);

// The output with that group behind its own. Its rows must be counted.
Result<exchange::StageOutputPtr> add_positions(const exchange::StageOutput& output,
                                               const plan::resolved::Expressions& calls,
                                               const std::shared_ptr<exchange::SharedMemory>& memory,
                                               const std::string& owner);

}  // namespace deuteron::execution
