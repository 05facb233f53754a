// Partitions that need not be made, because they are there: a fragment that does no more than choose columns
// of an exchange, as the input of a Python function over a cached table does. Stateless; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "exchange/stream_view.h"
#include "relational/partitioning.h"

namespace deuteron::relational {

// Partitions of one column group, which has these columns of the fragment's output. nullopt: they must be
// made.
Result<std::optional<std::vector<exchange::Partition>>> view_partitions(
    const plan::resolved::RelationPtr& fragment, const Cutting& cutting, const RunContext& context,
    const std::vector<int32_t>& columns, exchange::StreamViews& views);

}  // namespace deuteron::relational
