// As in batch systems: who is first starts when there is room, at any time. Every 30 s, when it has to wait,
// the limits of what runs give the time at which it will start and what is then left over; others start if
// they end before, or fit into what is left over.
#include <set>

#include "simulator/line.h"
#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(30);

class Easy : public Policy {
 public:
  explicit Easy(Cluster& cluster) : Policy(cluster), line_(cluster.gangs()) {}
  void submitted(const Gang& gang) override {
    line_.add(gang);
    place();
  }
  void ended(const Gang& gang) override {
    ends_.erase({cluster_.attempt_started(gang) + gang.limit, gang.id});
    place();
  }
  void stopped(const Gang& gang) override {
    ends_.erase({cluster_.attempt_started(gang) + gang.limit, gang.id});
    submitted(gang);
  }
  void node_repaired() override { place(); }
  void woke() override {
    place();
    if (line_.size() > 0) backfill();
    wakes_at_ = line_.size() > 0 ? std::optional(cluster_.now() + kPeriod) : std::nullopt;
  }
  std::optional<SteadyTime> wakes_at() const override { return wakes_at_; }

 private:
  void start(const Gang& gang) {
    line_.remove(gang);
    cluster_.start(gang);
    ends_.insert({cluster_.now() + gang.limit, gang.id});
  }

  void place() {
    for (const Gang* first = line_.first(); first != nullptr && first->gpus <= cluster_.free();
         first = line_.first())
      start(*first);
    if (line_.size() > 0 && !wakes_at_) wakes_at_ = cluster_.now() + kPeriod;
  }

  void backfill() {
    const Gang& first = *line_.first();
    const SteadyTime now = cluster_.now();
    int64_t available = cluster_.free();
    SteadyTime starts = now;
    for (auto end = ends_.begin(); available < first.gpus && end != ends_.end(); ++end) {
      available += cluster_.gangs()[static_cast<size_t>(end->second)].gpus;
      starts = end->first;
    }
    // It waits for a repair, and nobody knows for how long.
    if (available < first.gpus) starts = SteadyTime::max();
    int64_t left_over = std::max<int64_t>(available - first.gpus, 0);
    const auto room = [&] { return Line::Room{cluster_.free(), left_over, starts - now}; };
    for (const Gang* gang = line_.next(first.id + 1, room()); gang != nullptr;
         gang = line_.next(gang->id + 1, room())) {
      if (now + gang->limit > starts) left_over -= gang->gpus;
      start(*gang);
    }
  }

  Line line_;
  std::set<std::pair<SteadyTime, int64_t>> ends_;  // by limit
  std::optional<SteadyTime> wakes_at_;
};

}  // namespace

std::unique_ptr<Policy> make_easy(Cluster& cluster) { return std::make_unique<Easy>(cluster); }

}  // namespace deuteron::simulator
