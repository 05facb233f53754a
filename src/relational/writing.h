// Writing files: into a staging folder beside the target, which takes its place in one rename. Stateless;
// thread-safe.
#pragma once

#include "relational/engine.h"
#include "relational/fragment_run.h"

namespace deuteron::relational {

// Errors: PATH_ALREADY_EXISTS; UNSUPPORTED formats and options. After a failure the target is as it was.
Status write_files(const EngineParts& parts, const plan::resolved::RelationPtr& fragment,
                   const RunContext& context, const WriteRequest& request, CancelToken& cancel);

}  // namespace deuteron::relational
