// Columns whose values follow from where a row lies: the number of its partition, its place there, and the
// random numbers that Spark draws for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exchange/shared_memory.h"
#include "exchange/stage_output.h"
#include "plan/resolved.h"

namespace deuteron::execution {

// The column group of these calls.
exchange::ColumnGroup position_group(const plan::resolved::Expressions& calls);

// What the numbers of each call begin with: its seed, or one that is drawn now.
std::vector<int64_t> position_seeds(const plan::resolved::Expressions& calls);

// The output with that group behind its own, in each partition that was made. Its rows must be counted.
Result<exchange::StageOutputPtr> add_positions(const exchange::StageOutput& output,
                                               const plan::resolved::Expressions& calls,
                                               const std::vector<int64_t>& seeds,
                                               const std::shared_ptr<exchange::SharedMemory>& memory,
                                               const std::string& owner);

}  // namespace deuteron::execution
