// How fast the core decides: 10,000 machines of 8 GPUs, all taken, and many gangs that wait. For each gang
// that ends, others are chosen and started, and as many are submitted. One core, no loop around it.
//
//   PRESET=release tools/build scheduler_decisions_benchmark &&
//   build/release/src/scheduler/scheduler_decisions_benchmark
#include <benchmark/benchmark.h>

#include <algorithm>
#include <queue>
#include <random>

#include "scheduler/core/state.h"

namespace deuteron::scheduler::core {
namespace {

constexpr int32_t kMachines = 10000;
constexpr int32_t kGpusOfMachine = 8;

class Cluster {
 public:
  explicit Cluster(int64_t waiting) {
    while (static_cast<int64_t>(state_.queue.size()) < waiting) submit();
  }

  // The next gang ends. Gives back how many ended: one.
  int64_t end_next() {
    const auto [time, ranks] = running_.top();
    running_.pop();
    now_ = time;
    for (TaskId task = ranks.first; task < ranks.first + ranks.second; ++task)
      decide(TaskEnded{task, tasks::FailureKind::kNone, Status()});
    for (; started_ > 0; --started_) submit();
    return 1;
  }

  double quantile_us(double share) {
    const auto place =
        decisions_.begin() + static_cast<std::ptrdiff_t>(share * double(decisions_.size() - 1));
    std::nth_element(decisions_.begin(), place, decisions_.end());
    return std::chrono::duration<double, std::micro>(*place).count();
  }
  void forget_times() { decisions_.clear(); }

 private:
  // Most need no more than a machine; the tail goes to 4,096.
  int32_t pick_ranks() {
    static std::discrete_distribution<int32_t> exponent(
        {400, 100, 150, 250, 50, 20, 15, 8, 4, 2, 0.5, 0.25, 0.25});
    const int32_t most = 1 << exponent(random_);
    return std::uniform_int_distribution<int32_t>(most / 2 + 1, most)(random_);
  }

  void submit() {
    const int32_t ranks = pick_ranks();
    GangRules rules;
    const double hours = std::lognormal_distribution<>(0, 1.5)(random_);
    const auto duration =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::ratio<3600>>(hours));
    rules.time_limit = duration * 2;
    durations_.push_back(duration);
    decide(SubmitGang{next_stage_, next_stage_, {1, {{"gpu", tasks::kWhole}}}, ranks, rules, {}, ""});
    ++next_stage_;
  }

  void decide(const Event& event) {
    const SteadyTime began = steady_now();
    const Actions actions = step(state_, event, now_);
    decisions_.push_back(steady_now() - began);
    for (const Action& action : actions) {
      const auto* launch = std::get_if<LaunchTask>(&action);
      if (launch == nullptr || launch->context.partition != 0) continue;
      const Duration duration = durations_[static_cast<size_t>(launch->context.stage - 1)];
      running_.push({now_ + duration, {launch->context.task, launch->context.ranks}});
      ++started_;
    }
  }

  using Ranks = std::pair<TaskId, int32_t>;  // the first one's task, and how many
  using End = std::pair<SteadyTime, Ranks>;
  std::mt19937 random_{7};
  State state_{tasks::Machine{kMachines * kGpusOfMachine,
                              {{"gpu", {{}, {}, kMachines* kGpusOfMachine* tasks::kWhole}}}}};
  SteadyTime now_{};
  StageId next_stage_ = 1;
  std::vector<Duration> durations_;  // by stage
  std::priority_queue<End, std::vector<End>, std::greater<>> running_;
  int64_t started_ = 0;
  std::vector<Duration> decisions_;
};

void decide(benchmark::State& bench) {
  Cluster cluster(bench.range(0));
  cluster.forget_times();
  int64_t gangs = 0;
  for (auto _ : bench) gangs += cluster.end_next();
  bench.counters["gangs/s"] = benchmark::Counter(static_cast<double>(gangs), benchmark::Counter::kIsRate);
  bench.counters["p50_us"] = cluster.quantile_us(0.5);
  bench.counters["p99_us"] = cluster.quantile_us(0.99);
  bench.counters["longest_us"] = cluster.quantile_us(1);
}

BENCHMARK(decide)
    ->Name("gangs, with so many waiting")
    ->Arg(100)
    ->Arg(10000)
    ->Arg(1000000)
    ->Iterations(50000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace deuteron::scheduler::core
