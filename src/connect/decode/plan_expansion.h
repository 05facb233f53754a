// Plans that a client compressed (4.1 and later send large plans so) -> plans as they are. Pure; thread-safe.
#pragma once

#include "base/status.h"
#include "spark/connect/base.pb.h"

namespace deuteron::connect {

// The plan itself when it is not compressed. CONNECT_INVALID_PLAN when it cannot be read or would be larger
// than 1 GiB.
Result<spark::connect::Plan> expand_plan(const spark::connect::Plan& plan);

}  // namespace deuteron::connect
