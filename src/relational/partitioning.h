// Partitions of a fragment: how it is cut at its leaf so that each partition can be run alone. Stateless;
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/status.h"
#include "plan/resolved.h"
#include "relational/engine.h"
#include "relational/fragment_run.h"

namespace deuteron::relational {

// One entry per partition; each a restriction of `leaf`.
struct Cutting {
  const plan::resolved::Relation* leaf = nullptr;
  std::vector<LeafCut> cuts;
};

// The fragment's own partitions when it is a chain of row-wise steps over one leaf; nullopt when its rows
// must meet (joins, aggregates, orders, shuffles): then it runs once.
Result<std::optional<Cutting>> cut_fragment(const plan::resolved::RelationPtr& fragment,
                                            const RunContext& context, FileSources& files);

// One partition as runs of its rows, in order, `most` at the most, so that several threads can make it.
Result<std::vector<LeafCut>> slice_cut(const plan::resolved::Relation& leaf, const LeafCut& cut,
                                       FileSources& files, int32_t most);

// Row-wise (engine.h), or a sort of each partition by itself.
bool is_partition_wise(const plan::resolved::Relation& relation);

// For each column of the fragment's output its position in the output of the leaf; nullopt when something is
// computed, or rows are left out.
std::optional<std::vector<int32_t>> positions_in_leaf(const plan::resolved::RelationPtr& fragment,
                                                      const plan::resolved::Relation& leaf);

// The number of partitions of a fragment that runs once.
int32_t partitions_of_whole(const plan::resolved::RelationPtr& fragment, const RunContext& context);

}  // namespace deuteron::relational
