// Ranks get GPUs one by one, in the order of their gangs' submission, and hold them idle until the last has
// its own. Two ways out of waiting for ever:
//   permit        a gang that is not whole 5 minutes after its first rank gives all back, and comes again
//                 10 s later, at its old place
//   placeholders  what is held are placeholders. After 15 minutes they are given back, and the gang goes on
//                 without, behind all that wait by then: its ranks start one by one and wait for each other
#include <algorithm>
#include <set>
#include <unordered_map>

#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

struct Rules {
  Duration patience{};
  Duration pause{};
  bool falls_back = false;
};

class Piecewise : public Policy {
 public:
  Piecewise(Cluster& cluster, Rules rules) : Policy(cluster), rules_(rules) {}

  void submitted(const Gang& gang) override {
    line_.insert({gang.submitted, gang.id});
    place();
  }
  void ended(const Gang&) override { place(); }
  void stopped(const Gang& gang) override { submitted(gang); }
  void node_failed(const NodeFailure&) override { place(); }
  void node_repaired() override { place(); }
  void woke() override {
    const SteadyTime now = cluster_.now();
    while (!pauses_.empty() && pauses_.begin()->first <= now) {
      const int64_t id = pauses_.begin()->second;
      line_.insert({at(id).submitted, id});
      pauses_.erase(pauses_.begin());
    }
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      const Gang& gang = at(deadlines_.begin()->second);
      forget_deadline(gang);
      line_.erase({gang.submitted, gang.id});
      cluster_.give_back(gang);
      if (rules_.falls_back) {
        line_.insert({now, gang.id});
        without_.insert(gang.id);
      } else {
        pauses_.insert({now + rules_.pause, gang.id});
      }
    }
    place();
  }
  std::optional<SteadyTime> wakes_at() const override {
    std::optional<SteadyTime> next;
    for (const Times* times : {&deadlines_, &pauses_}) {
      if (!times->empty()) next = next ? std::min(*next, times->begin()->first) : times->begin()->first;
    }
    return next;
  }

 private:
  using Times = std::set<std::pair<SteadyTime, int64_t>>;

  const Gang& at(int64_t id) const { return cluster_.gangs()[static_cast<size_t>(id)]; }

  // The first takes what is free until it is whole; then the next.
  void place() {
    while (!line_.empty() && cluster_.free() > 0) {
      const Gang& gang = at(line_.begin()->second);
      if (gang.gpus - cluster_.held(gang) <= cluster_.free()) {
        line_.erase(line_.begin());
        forget_deadline(gang);
        without_.erase(gang.id);
        cluster_.start(gang);
        continue;
      }
      if (cluster_.held(gang) == 0 && without_.count(gang.id) == 0) set_deadline(gang);
      cluster_.take(gang, static_cast<int32_t>(cluster_.free()));
    }
  }

  void set_deadline(const Gang& gang) {
    if (deadline_of_.count(gang.id) > 0) return;  // a node has failed, and with it all that it held
    const SteadyTime deadline = cluster_.now() + rules_.patience;
    deadlines_.insert({deadline, gang.id});
    deadline_of_[gang.id] = deadline;
  }
  void forget_deadline(const Gang& gang) {
    const auto found = deadline_of_.find(gang.id);
    if (found == deadline_of_.end()) return;
    deadlines_.erase({found->second, gang.id});
    deadline_of_.erase(found);
  }

  const Rules rules_;
  Times line_;                 // in order: since when
  std::set<int64_t> without_;  // placeholders, after the fall-back
  Times deadlines_, pauses_;
  std::unordered_map<int64_t, SteadyTime> deadline_of_;
};

}  // namespace

std::unique_ptr<Policy> make_permit(Cluster& cluster) {
  return std::make_unique<Piecewise>(cluster,
                                     Rules{std::chrono::minutes(5), std::chrono::seconds(10), false});
}
std::unique_ptr<Policy> make_placeholders(Cluster& cluster) {
  return std::make_unique<Piecewise>(cluster, Rules{std::chrono::minutes(15), {}, true});
}

}  // namespace deuteron::simulator
