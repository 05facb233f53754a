// A simulated cluster: GPUs without places, who holds them, and the virtual time. Policies take, start and
// give back through it, so it is also the judge: no more GPUs are held than there are, and a gang starts with
// all of its own or not at all. Who breaks that gets a std::logic_error: it is a bug of a policy.
#pragma once

#include <optional>
#include <queue>
#include <vector>

#include "simulator/workload.h"

namespace deuteron::simulator {

// What became of a gang.
struct Outcome {
  std::optional<SteadyTime> started;
  std::optional<SteadyTime> ended;
};

class Cluster {
 public:
  Cluster(int64_t gpus, const std::vector<Gang>& gangs);

  SteadyTime now() const { return now_; }
  int64_t gpus() const { return gpus_; }
  int64_t free() const { return free_; }
  const std::vector<Gang>& gangs() const { return gangs_; }
  int32_t held(const Gang& gang) const { return at(gang).held; }

  // Holds GPUs for a gang that cannot start yet; they are idle.
  void take(const Gang& gang, int32_t count);
  void give_back(const Gang& gang);
  // With what it holds and, for the rest, what is free.
  void start(const Gang& gang);

  // ---- for the loop

  void advance(SteadyTime now);
  std::optional<SteadyTime> next_end() const;
  const Gang& end_next();
  const Outcome& outcome(const Gang& gang) const { return at(gang).outcome; }

  // GPUs times seconds, between two times, that were used by gangs that ran, and that were held by others.
  struct Account {
    SteadyTime from{}, to{};
    double used = 0, held_idle = 0;
  };
  void count_between(SteadyTime from, SteadyTime to) { account_ = {from, to, 0, 0}; }
  const Account& account() const { return account_; }

 private:
  struct Entry {
    int32_t held = 0;
    bool runs = false;
    Outcome outcome;
  };
  using End = std::pair<SteadyTime, int64_t>;

  Entry& at(const Gang& gang) { return entries_[static_cast<size_t>(gang.id)]; }
  const Entry& at(const Gang& gang) const { return entries_[static_cast<size_t>(gang.id)]; }

  const int64_t gpus_;
  const std::vector<Gang>& gangs_;
  SteadyTime now_{};
  int64_t free_, used_ = 0;
  std::vector<Entry> entries_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  Account account_;
};

}  // namespace deuteron::simulator
