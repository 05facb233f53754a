// Everybody who waits has a reservation, made when it was submitted. When something has ended before its
// limit, all reservations are moved forwards, in their order, where there is room now; none moves backwards.
#include <algorithm>
#include <set>

#include "simulator/policy.h"
#include "simulator/profile.h"

namespace deuteron::simulator {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(30);

class Conservative : public Policy {
 public:
  explicit Conservative(Cluster& cluster) : Policy(cluster), profile_(cluster.gpus()) {}

  void submitted(const Gang& gang) override {
    profile_.forget_before(cluster_.now());
    plan(gang);
    start_who_is_due();
  }
  void ended(const Gang& gang) override {
    profile_.give_back(cluster_.now(), *cluster_.outcome(gang).started + gang.limit, gang.gpus);
    has_room_ = true;
  }
  void woke() override {
    start_who_is_due();
    if (next_look_ > cluster_.now()) return;
    next_look_ = cluster_.now() + kPeriod;
    if (has_room_) move_forwards();
    has_room_ = false;
    start_who_is_due();
  }
  std::optional<SteadyTime> wakes_at() const override {
    if (planned_.empty()) return std::nullopt;
    const SteadyTime due = planned_.begin()->first;
    return has_room_ ? std::min(due, std::max(next_look_, cluster_.now())) : due;
  }

 private:
  using Planned = std::pair<SteadyTime, int64_t>;

  void plan(const Gang& gang) {
    const SteadyTime start = profile_.earliest(cluster_.now(), gang.gpus, gang.limit);
    profile_.reserve(start, start + gang.limit, gang.gpus);
    planned_.insert({start, gang.id});
  }

  void start_who_is_due() {
    while (!planned_.empty() && planned_.begin()->first <= cluster_.now()) {
      const Gang& gang = cluster_.gangs()[static_cast<size_t>(planned_.begin()->second)];
      planned_.erase(planned_.begin());
      cluster_.start(gang);
    }
  }

  void move_forwards() {
    profile_.forget_before(cluster_.now());
    const std::vector<Planned> before(planned_.begin(), planned_.end());
    planned_.clear();
    for (const auto& [start, id] : before) {
      const Gang& gang = cluster_.gangs()[static_cast<size_t>(id)];
      profile_.give_back(start, start + gang.limit, gang.gpus);
      plan(gang);
    }
  }

  Profile profile_;
  std::set<Planned> planned_;
  SteadyTime next_look_{};
  bool has_room_ = false;  // something has ended before its limit
};

}  // namespace

std::unique_ptr<Policy> make_conservative(Cluster& cluster) {
  return std::make_unique<Conservative>(cluster);
}

}  // namespace deuteron::simulator
