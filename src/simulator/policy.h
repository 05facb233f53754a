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
  virtual void woke() {}
  virtual std::optional<SteadyTime> wakes_at() const { return std::nullopt; }

 protected:
  Cluster& cluster_;
};

struct PolicyKind {
  std::string name;
  std::string purpose;  // one line
  std::unique_ptr<Policy> (*make)(Cluster& cluster);
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
