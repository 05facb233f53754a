#include "simulator/policy.h"

#include <algorithm>

namespace deuteron::simulator {

const std::vector<PolicyKind>& policies() {
  using std::chrono::minutes, std::chrono::seconds;
  // Where these come from: docs/simulation.md.
  static const Recovery batch{seconds(300), minutes(30)}, pods{seconds(340), minutes(30)},
      spark{seconds(120), std::nullopt, false};
  static const std::vector<PolicyKind> kinds = {
      {"fifo", "in the order of submission, nobody goes around the first", make_fifo, batch},
      {"polling", "asks every 15 s whether there is room, 40 times, then fails, as Spark's barrier stages",
       make_polling, spark},
      {"permit", "pod by pod, held idle; who is not whole after 5 minutes gives all back for 10 s",
       make_permit, pods},
      {"placeholders",
       "pod by pod, held idle; after 15 minutes given back, and on without, behind the others",
       make_placeholders, pods},
      {"one-group", "one group after the other if there is room, again every second, nothing reserved",
       make_one_group, pods},
      {"easy", "EASY backfill every 30 s: others may go around the first if they do not delay it", make_easy,
       batch},
      {"conservative", "backfill with a reservation for everybody who waits, moved forwards every 30 s",
       make_conservative, batch},
      {"deuteron", "the server's own scheduler core, as it is", make_deuteron, std::nullopt},
  };
  return kinds;
}

const PolicyKind* find_policy(const std::string& name) {
  const auto found = std::find_if(policies().begin(), policies().end(),
                                  [&](const PolicyKind& kind) { return kind.name == name; });
  return found == policies().end() ? nullptr : &*found;
}

}  // namespace deuteron::simulator
