// A simulated cluster: nodes, who holds their GPUs, what gangs have done and lost, and the virtual time.
// Policies take, start and give back through it, so it is also the judge: no more GPUs are held than there
// are, and a gang starts with all of its own or not at all. Who breaks that gets a std::logic_error: it is a
// bug of a policy.
#pragma once

#include <array>
#include <optional>
#include <queue>
#include <vector>

#include "simulator/faults.h"
#include "simulator/nodes.h"

namespace deuteron::simulator {

// What took GPU time from a gang.
enum class Loss { kNodes, kHangs };

// What became of a gang.
struct Outcome {
  std::optional<SteadyTime> started;  // its first attempt
  std::optional<SteadyTime> ended;    // well
  int32_t restarts = 0;
  bool is_lost = false;  // it ran, and will not end well
};

// GPU seconds of a time: of gangs, by what became of them; held by gangs that did not run; of nodes that had
// failed. What is left was free.
struct Account {
  SteadyTime from{}, to{};
  double finished = 0;
  std::array<double, 2> lost{};  // by Loss
  double held_idle = 0, down = 0, free = 0;
  double used = 0;  // by gangs that ran or seemed to, counted on its own: finished and lost, in the end

  double lost_to(Loss loss) const { return lost[static_cast<size_t>(loss)]; }
};

class Cluster {
 public:
  Cluster(int32_t nodes, int32_t gpus_per_node, const std::vector<Gang>& gangs, const Faults& faults);

  SteadyTime now() const { return now_; }
  int64_t gpus() const { return gpus_; }  // also of nodes that have failed
  int32_t gpus_per_node() const { return nodes_.gpus_per_node(); }
  int64_t free() const { return nodes_.free(); }
  const std::vector<Gang>& gangs() const { return gangs_; }
  int32_t held(const Gang& gang) const { return at(gang).held; }
  SteadyTime attempt_started(const Gang& gang) const { return at(gang).attempt_started; }
  int32_t attempt(const Gang& gang) const { return at(gang).attempt; }
  bool runs(const Gang& gang) const { return at(gang).runs; }

  // Holds GPUs for a gang that cannot start yet; they are idle.
  void take(const Gang& gang, int32_t count);
  void give_back(const Gang& gang);
  // With what it holds and, for the rest, what is free. It goes on from its last checkpoint.
  void start(const Gang& gang);
  // Ends an attempt that makes no progress any more.
  void stop(const Gang& gang);
  // It does not start (again).
  void give_up(const Gang& gang);

  // ---- for the loop

  int64_t open() const { return open_; }  // gangs that have neither ended nor been given up
  void advance(SteadyTime now);
  // What happens next by itself: a gang ends or hangs.
  struct Change {
    SteadyTime time{};
    const Gang* gang = nullptr;
    bool hangs = false;
  };
  std::optional<Change> next_change();
  void pass_change();
  // Gives back the gangs that ran on it and now hang in the air. Who only held something there has lost it.
  std::vector<const Gang*> fail(int32_t node);
  void repair(int32_t node);
  bool works(int32_t node) const { return nodes_.works(node); }

  const Outcome& outcome(const Gang& gang) const { return at(gang).outcome; }
  void measure_between(SteadyTime from, SteadyTime to) { accounts_[1] = {.from = from, .to = to}; }
  const Account& whole() const { return accounts_[0]; }
  const Account& measured() const { return accounts_[1]; }

 private:
  struct Entry {
    int32_t held = 0;
    bool runs = false;
    int32_t attempt = 0;  // counts up with each
    int32_t hangs = 0;    // so far
    SteadyTime attempt_started{};
    std::optional<SteadyTime> stands_since;  // makes no progress
    Loss loss = Loss::kNodes;                // because of
    Duration done{};                         // up to the last checkpoint
    Duration ran{};                          // since its last hang, also in vain
    std::array<double, 2> finished{};        // GPU seconds up to the last checkpoint, in each account
    Outcome outcome;
  };
  struct Scheduled {
    SteadyTime time{};
    int64_t gang = 0;
    int32_t attempt = 0;
    bool hangs = false;
    auto operator<=>(const Scheduled&) const = default;
  };

  Entry& at(const Gang& gang) { return entries_[static_cast<size_t>(gang.id)]; }
  const Entry& at(const Gang& gang) const { return entries_[static_cast<size_t>(gang.id)]; }
  void end_well(const Gang& gang);
  void stand(Entry& entry, Loss loss);
  void release(const Gang& gang, Entry& entry);
  void book(const Gang& gang, Entry& entry, SteadyTime until, std::optional<Loss> loss);

  const int64_t gpus_;
  const std::vector<Gang>& gangs_;
  const Faults& faults_;
  const Duration checkpoint_;
  Nodes nodes_;
  SteadyTime now_{};
  int64_t used_ = 0;
  int64_t open_;
  std::vector<Entry> entries_;
  std::priority_queue<Scheduled, std::vector<Scheduled>, std::greater<>> changes_;
  std::array<Account, 2> accounts_;  // of all time, and of the time that is measured
};

}  // namespace deuteron::simulator
