#include "simulator/policy.h"

#include <algorithm>

namespace deuteron::simulator {

const std::vector<PolicyKind>& policies() {
  static const std::vector<PolicyKind> kinds = {
      {"fifo", "in the order of submission, nobody goes around the first", make_fifo},
      {"easy", "EASY backfill every 30 s: others may go around the first if they do not delay it", make_easy},
      {"conservative", "backfill with a reservation for everybody who waits, moved forwards every 30 s",
       make_conservative},
      {"deuteron", "the server's own scheduler core, as it is", make_deuteron},
  };
  return kinds;
}

const PolicyKind* find_policy(const std::string& name) {
  const auto found = std::find_if(policies().begin(), policies().end(),
                                  [&](const PolicyKind& kind) { return kind.name == name; });
  return found == policies().end() ? nullptr : &*found;
}

}  // namespace deuteron::simulator
