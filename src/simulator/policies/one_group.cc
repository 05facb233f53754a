// One group at a time is looked at, in the order of submission, and starts if there is room for all of it.
// Who has no room is looked at again every second; meanwhile others are, and nothing is kept for anybody.
#include "simulator/line.h"
#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(1);

class OneGroup : public Policy {
 public:
  explicit OneGroup(Cluster& cluster) : Policy(cluster), line_(cluster.gangs()) {}
  void submitted(const Gang& gang) override {
    if (gang.gpus <= cluster_.free()) return cluster_.start(gang);
    line_.add(gang);
  }
  void ended(const Gang&) override { look_soon(); }
  void node_repaired() override { look_soon(); }
  void woke() override {
    wakes_at_.reset();
    for (const Gang* gang = line_.next(0, cluster_.free()); gang != nullptr;
         gang = line_.next(gang->id + 1, cluster_.free())) {
      line_.remove(*gang);
      cluster_.start(*gang);
    }
  }
  std::optional<SteadyTime> wakes_at() const override { return wakes_at_; }

 private:
  static Duration ceil(Duration time) { return (time + kPeriod - Duration(1)) / kPeriod * kPeriod; }
  // Looks at which nothing is free that was not before are left out: they would find nothing.
  void look_soon() {
    if (line_.size() > 0 && !wakes_at_) wakes_at_ = SteadyTime{} + ceil(cluster_.now() - SteadyTime{});
  }

  Line line_;
  std::optional<SteadyTime> wakes_at_;
};

}  // namespace

std::unique_ptr<Policy> make_one_group(Cluster& cluster) { return std::make_unique<OneGroup>(cluster); }

}  // namespace deuteron::simulator
