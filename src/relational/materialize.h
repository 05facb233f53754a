// Fragments into shared memory, partition by partition, several at a time. Thread-safe.
#pragma once

#include <memory>

#include "exchange/shared_memory.h"
#include "relational/engine.h"
#include "relational/fragment_run.h"

namespace deuteron::relational {

Result<exchange::StageOutputPtr> materialize(const EngineParts& parts,
                                             const std::shared_ptr<exchange::SharedMemory>& memory,
                                             const plan::resolved::RelationPtr& fragment,
                                             const RunContext& context, const MaterializeRequest& request,
                                             CancelToken& cancel);

Result<bool> makes_partitions_singly(const EngineParts& parts, const plan::resolved::RelationPtr& fragment,
                                     const RunContext& context, const MaterializeRequest& request);

Result<int32_t> partition_count(const EngineParts& parts, const plan::resolved::RelationPtr& fragment,
                                const RunContext& context);

}  // namespace deuteron::relational
