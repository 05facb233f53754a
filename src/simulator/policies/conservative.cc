// Everybody who waits has a reservation, made when it was submitted. When something has ended before its
// limit, all reservations are moved forwards, in their order, where there is room now; none moves backwards.
#include <algorithm>
#include <bit>
#include <set>

#include "simulator/policy.h"
#include "simulator/profile.h"

namespace deuteron::simulator {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(30);
constexpr SteadyTime kNever{std::chrono::hours(24 * 365 * 100)};

// Who was looked at, in the order of reservations, and until when there was no room before: nor is there for
// who needs no less for no shorter time. Sizes and times are rounded to an eighth, to the safe side. A tree
// of largest values (Fenwick's) in both directions.
class Fruitless {
 public:
  void clear() { std::fill(until_.begin(), until_.end(), SteadyTime{}); }
  void note(const Gang& gang, SteadyTime until) {
    for (size_t gpus = above(gang.gpus); gpus <= kBuckets; gpus += gpus & -gpus) {
      for (size_t time = above(seconds(gang.limit) + 1); time <= kBuckets; time += time & -time)
        at(gpus, time) = std::max(at(gpus, time), until);
    }
  }
  SteadyTime until(const Gang& gang) const {
    SteadyTime found{};
    for (size_t gpus = below(gang.gpus); gpus > 0; gpus -= gpus & -gpus) {
      for (size_t time = below(seconds(gang.limit)); time > 0; time -= time & -time)
        found = std::max(found, until_[gpus * (kBuckets + 1) + time]);
    }
    return found;
  }

 private:
  static constexpr size_t kBuckets = 8 * 24;

  static int64_t seconds(Duration time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time).count();
  }
  // From 1: the three bits after the leading one.
  static size_t below(int64_t value) {
    const auto number = static_cast<uint64_t>(std::max<int64_t>(value, 1));
    const auto exponent = static_cast<size_t>(std::bit_width(number) - 1);
    const uint64_t rest = exponent >= 3 ? number >> (exponent - 3) : number << (3 - exponent);
    return std::min(8 * exponent + (rest & 7) + 1, kBuckets);
  }
  static size_t above(int64_t value) { return value <= 1 ? 1 : std::min(below(value - 1) + 1, kBuckets); }
  SteadyTime& at(size_t gpus, size_t time) { return until_[gpus * (kBuckets + 1) + time]; }

  std::vector<SteadyTime> until_ = std::vector<SteadyTime>((kBuckets + 1) * (kBuckets + 1));
};

class Conservative : public Policy {
 public:
  explicit Conservative(Cluster& cluster) : Policy(cluster), profile_(cluster.gpus()) {}

  void submitted(const Gang& gang) override {
    profile_.forget_before(cluster_.now());
    plan(gang, cluster_.now());
    start_who_is_due();
  }
  void ended(const Gang& gang) override {
    profile_.give_back(cluster_.now(), cluster_.attempt_started(gang) + gang.limit, gang.gpus);
    has_room_ = true;
  }
  // It keeps its place, before all that wait.
  void stopped(const Gang& gang) override {
    ended(gang);
    plan_anew(&gang);
  }
  // Nobody knows for how long. Reservations that cannot be kept are made anew, in their order.
  void node_failed(const NodeFailure&) override {
    profile_.reserve(cluster_.now(), kNever, cluster_.gpus_per_node());
    plan_anew(nullptr);
  }
  void node_repaired() override {
    profile_.give_back(cluster_.now(), kNever, cluster_.gpus_per_node());
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

  const Gang& gang_of(int64_t id) const { return cluster_.gangs()[static_cast<size_t>(id)]; }

  SteadyTime plan(const Gang& gang, SteadyTime from) {
    const SteadyTime start = profile_.earliest(from, gang.gpus, gang.limit);
    profile_.reserve(start, start + gang.limit, gang.gpus);
    planned_.insert({start, gang.id});
    return start;
  }

  void plan_anew(const Gang* first) {
    profile_.forget_before(cluster_.now());
    const std::vector<Planned> before(planned_.begin(), planned_.end());
    planned_.clear();
    for (const auto& [start, id] : before) {
      const Gang& gang = gang_of(id);
      profile_.give_back(start, start + gang.limit, gang.gpus);
    }
    if (first != nullptr) plan(*first, cluster_.now());
    fruitless_.clear();
    for (const auto& [start, id] : before) {
      const Gang& gang = gang_of(id);
      fruitless_.note(gang, plan(gang, std::max(fruitless_.until(gang), cluster_.now())));
    }
    start_who_is_due();
  }

  void start_who_is_due() {
    while (!planned_.empty() && planned_.begin()->first <= cluster_.now()) {
      const Gang& gang = gang_of(planned_.begin()->second);
      planned_.erase(planned_.begin());
      cluster_.start(gang);
    }
  }

  void move_forwards() {
    profile_.forget_before(cluster_.now());
    fruitless_.clear();
    const std::vector<Planned> before(planned_.begin(), planned_.end());
    for (const auto& [start, id] : before) {
      const Gang& gang = gang_of(id);
      // What it has reserved itself is enough from then on.
      const SteadyTime from = std::max(fruitless_.until(gang), cluster_.now());
      if (from >= start) continue;
      const SteadyTime sooner = profile_.earliest(from, gang.gpus, gang.limit, start);
      fruitless_.note(gang, sooner);
      if (sooner == start) continue;
      planned_.erase({start, id});
      profile_.move(start, sooner, gang.limit, gang.gpus);
      planned_.insert({sooner, id});
    }
  }

  Profile profile_;
  Fruitless fruitless_;
  std::set<Planned> planned_;
  SteadyTime next_look_{};
  bool has_room_ = false;  // something has ended before its limit
};

}  // namespace

std::unique_ptr<Policy> make_conservative(Cluster& cluster) {
  return std::make_unique<Conservative>(cluster);
}

}  // namespace deuteron::simulator
