// What settings say about waiting for slots and about failures of gangs (docs/life-of-a-gang.md lists them).
// Pure.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "scheduler/core/messages.h"
#include "scheduler/core/queue.h"

namespace deuteron::execution {

using Settings = std::map<std::string, std::string>;

// Of the server. INVALID_CONF_VALUE when a value cannot be taken; so for the others.
Result<scheduler::core::QueuePolicy> queue_policy(const Settings& settings);
// Of a session.
Result<scheduler::core::QueueRules> queue_rules(const Settings& settings);
Result<scheduler::core::GangRules> gang_rules(const Settings& settings);

}  // namespace deuteron::execution
