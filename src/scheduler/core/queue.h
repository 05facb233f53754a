// Who waits for slots, in which order. A stage stands in a pool, at a place that never changes: the time of
// its submission, moved by its priority. So a stage can be overtaken only by those that were submitted within
// a bounded time after it, which is what ageing is for. Which pool's front comes next is decided by the mode.
// Calls cost the logarithm of the number of waiting stages; `head` also the number of pools, and `fill` the
// number of different demands.
#pragma once

#include <compare>
#include <cstdint>
#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>

#include "scheduler/core/inventory.h"
#include "scheduler/core/messages.h"

namespace deuteron::scheduler::core {

enum class QueueMode { kFifo, kFair };

struct PoolRules {
  int32_t weight = 1;
  int32_t min_share = 0;  // CPUs
};

struct QueuePolicy {
  QueueMode mode = QueueMode::kFifo;
  Duration ageing = std::chrono::minutes(1);    // of waiting that outweighs one level of priority
  Duration patience = std::chrono::minutes(5);  // with kFair: who has waited this long comes before any share
  std::map<std::string, PoolRules> pools;       // others have the default rules
};

struct Place {
  SteadyTime since{};
  StageId stage = 0;
  auto operator<=>(const Place&) const = default;
};

constexpr Duration kForever = Duration::max();

struct Waiting {
  std::string pool;
  Place place;
  Demand demand;
  std::optional<Duration> expected;  // how long it will probably hold them
  bool is_gang = false;
};

// The expected duration, rounded up by less than a quarter, so that there are few different ones.
Duration probable_hold(const Waiting& waiting);

class Queue {
 public:
  explicit Queue(QueuePolicy policy) : policy_(std::move(policy)) {}

  // The place of a stage that is submitted now, and its pool: with kFifo there is one only.
  Place place(StageId stage, int32_t priority, SteadyTime now) const;
  std::string pool_of(const QueueRules& rules) const;

  void add(Waiting waiting);
  void remove(StageId stage);  // who does not wait is no error
  void expect(StageId stage, std::optional<Duration> expected);
  bool holds(StageId stage) const { return waiting_.count(stage) > 0; }
  size_t size() const { return waiting_.size(); }
  const Waiting& at(StageId stage) const { return waiting_.at(stage); }

  // Whose turn it is: the front of a pool. A gang keeps its turn, as long as it stays in front of its pool,
  // until it is passed on: the slots that are gathered for it must not be lost because the shares have moved.
  std::optional<StageId> head(SteadyTime now);
  void pass_turn() { turn_ = 0; }
  // Shares: CPUs that a pool's stages hold.
  void took(const std::string& pool, int64_t cpus) { pools_[pool].cpus += cpus; }
  void gave_back(const std::string& pool, int64_t cpus);

  // Starts, in order, those that `free` has room for and that may hold their slots for as long as they
  // probably will. Who starts takes from `free`, and what may be held only shrinks by it.
  using Limit = std::function<Duration(const Demand& demand)>;  // kForever; zero: not at all
  using Start = std::function<void(StageId)>;
  void fill(const Inventory& free, const Limit& limit, const Start& start) const;

  int64_t position(StageId stage) const;  // in its pool, from 1
  // The stages of a pool in order, as long as `see` returns true.
  void visit(const std::string& pool, const std::function<bool(const Waiting&)>& see) const;

 private:
  using Line = __gnu_pbds::tree<Place, __gnu_pbds::null_type, std::less<>, __gnu_pbds::rb_tree_tag,
                                __gnu_pbds::tree_order_statistics_node_update>;
  struct Pool {
    int64_t cpus = 0;
    Line line;
  };
  // Those that need the same.
  struct Group {
    std::set<Place> places;
    std::map<Duration, std::set<Place>> by_duration;
  };
  struct ByCpus {
    bool operator()(const Demand& one, const Demand& other) const;
  };

  static std::optional<Place> first(const Group& group, Duration limit);
  std::tuple<bool, bool, Place, bool, double> rank(const std::string& name, const Pool& pool,
                                                   SteadyTime now) const;  // the least has its turn
  const Pool& next_pool(SteadyTime now) const;                             // requires that somebody waits
  void forget_if_empty(const std::string& pool);

  const QueuePolicy policy_;
  std::unordered_map<StageId, Waiting> waiting_;
  std::map<std::string, Pool> pools_;  // those that wait or hold slots
  std::map<Demand, Group, ByCpus> groups_;
  StageId turn_ = 0;  // whose turn it is
};

}  // namespace deuteron::scheduler::core
