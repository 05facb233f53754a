// Who gets GPUs, and when. A policy is told what happens and answers through the cluster. It knows of a gang
// what its owner said (size, limit), not for how long it runs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "simulator/cluster.h"

namespace deuteron::simulator {

class Policy {
 public:
  explicit Policy(Cluster& cluster) : cluster_(cluster) {}
  virtual ~Policy() = default;
  virtual void submitted(const Gang& gang) = 0;
  virtual void ended(const Gang& gang) = 0;  // its GPUs are free
  // Its attempt was stopped, its GPUs are free, and it wants to run again.
  virtual void stopped(const Gang& gang) {
    ended(gang);
    submitted(gang);
  }
  virtual void node_failed(const NodeFailure&) {}
  virtual void node_repaired() {}
  virtual void woke() {}
  virtual std::optional<SteadyTime> wakes_at() const { return std::nullopt; }

  // ---- of a policy without Recovery: what can be seen of a gang that stands still

  virtual void lost_ranks(const Gang&) {}
  virtual void hangs(const Gang&) {}

 protected:
  Cluster& cluster_;
};

// How a gang that stands still is found, and what becomes of it. Whatever happens, at its limit it is ended.
struct Recovery {
  Duration sees_lost_node{};          // and then ends the gangs that had ranks there
  std::optional<Duration> sees_hang;  // none: nobody does
  bool starts_again = true;           // else such a gang has failed
};

struct PolicyKind {
  std::string name;
  std::string purpose;  // one line
  std::unique_ptr<Policy> (*make)(Cluster& cluster);
  std::optional<Recovery> recovery;  // none: the policy does it itself
};

const std::vector<PolicyKind>& policies();
// None: no policy of this name.
const PolicyKind* find_policy(const std::string& name);

// In src/simulator/policies.
std::unique_ptr<Policy> make_fifo(Cluster& cluster);
std::unique_ptr<Policy> make_polling(Cluster& cluster);
std::unique_ptr<Policy> make_permit(Cluster& cluster);
std::unique_ptr<Policy> make_placeholders(Cluster& cluster);
std::unique_ptr<Policy> make_one_group(Cluster& cluster);
std::unique_ptr<Policy> make_easy(Cluster& cluster);
std::unique_ptr<Policy> make_conservative(Cluster& cluster);
std::unique_ptr<Policy> make_deuteron(Cluster& cluster);

}  // namespace deuteron::simulator
