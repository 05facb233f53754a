// The server's own scheduler: the same state machine, told the same events, at virtual times. A slot is a
// GPU. What fails, it finds, relaunches and waits for by itself; a killed rank ends at once.
#include <deque>
#include <unordered_map>

#include "scheduler/core/state.h"
#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

namespace core = scheduler::core;
using scheduler::core::TaskId;
using tasks::FailureKind;

// Until a machine that is silent is taken as lost: three heartbeats of Spark's executors are missed.
constexpr Duration kSilence = std::chrono::seconds(30);
// Settings of the session; by default a gang has four attempts, and who hangs is only named.
constexpr int32_t kMostAttempts = 1000;
constexpr core::HangPolicy kOnHang = core::HangPolicy::kRelaunch;

class Deuteron : public Policy {
 public:
  explicit Deuteron(Cluster& cluster)
      : Policy(cluster), state_(tasks::Machine{static_cast<int32_t>(cluster.gpus()), {}}) {}

  void submitted(const Gang& gang) override {
    core::SubmitGang event{stage_of(gang), stage_of(gang), {1, {}}, gang.gpus, {}, {}, ""};
    event.rules.expected = gang.limit;
    event.rules.max_attempts = kMostAttempts;
    event.rules.hang.policy = kOnHang;
    apply(event);
  }
  void ended(const Gang& gang) override {
    const TaskId first = first_tasks_.extract(gang.id).mapped();
    for (TaskId task = first; task < first + gang.gpus; ++task)
      apply(core::TaskEnded{task, FailureKind::kNone, Status()});
  }

  void node_failed(const NodeFailure&) override { apply(core::SlotsLost{node()}); }
  void node_repaired() override { apply(core::SlotsBack{node()}); }
  void lost_ranks(const Gang& gang) override {
    silent_.push_back({cluster_.now() + kSilence, gang.id, cluster_.attempt(gang)});
  }
  void hangs(const Gang& gang) override {
    const TaskId first = first_tasks_.at(gang.id);
    for (TaskId task = first; task < first + gang.gpus; ++task) apply(core::RankIdle{task, cluster_.now()});
  }

  void woke() override {
    for (; !silent_.empty() && silent_.front().time <= cluster_.now(); silent_.pop_front())
      end_ranks(silent_.front());
    if (const auto deadline = core::next_deadline(state_); deadline && *deadline <= cluster_.now())
      apply(core::Tick{});
  }
  std::optional<SteadyTime> wakes_at() const override {
    const auto deadline = core::next_deadline(state_);
    if (silent_.empty()) return deadline;
    return std::min(silent_.front().time, deadline.value_or(SteadyTime::max()));
  }

 private:
  struct Silent {
    SteadyTime time{};
    int64_t gang = 0;
    int32_t attempt = 0;
  };

  static core::StageId stage_of(const Gang& gang) { return gang.id + 1; }
  const Gang& gang_of(core::StageId stage) const { return cluster_.gangs()[static_cast<size_t>(stage - 1)]; }
  core::Slots node() const { return {cluster_.gpus_per_node(), {}}; }

  // One rank stands for those that were there: the others are killed, which is the same to the core.
  void end_ranks(const Silent& silent) {
    const Gang& gang = cluster_.gangs()[static_cast<size_t>(silent.gang)];
    if (!cluster_.runs(gang) || cluster_.attempt(gang) != silent.attempt) return;
    const TaskId first = first_tasks_.at(gang.id);
    apply(core::TaskEnded{first, FailureKind::kWorkerLost, internal_error("its node has failed")});
  }

  void apply(const core::Event& event) {
    std::vector<TaskId> killed;
    for (const core::Action& action : core::step(state_, event, cluster_.now())) {
      if (const auto* launch = std::get_if<core::LaunchTask>(&action)) started(*launch);
      if (const auto* failed = std::get_if<core::GangAttemptFailed>(&action)) failing(*failed);
      if (const auto* kill = std::get_if<core::KillTask>(&action)) killed.push_back(kill->task);
      if (const auto* ended = std::get_if<core::StageEnded>(&action); ended != nullptr && !ended->status.ok())
        cluster_.give_up(gang_of(ended->stage));
    }
    for (const TaskId task : killed)
      apply(core::TaskEnded{task, FailureKind::kWorkerLost, internal_error("killed")});
  }

  void started(const core::LaunchTask& launch) {
    if (launch.context.partition != 0) return;
    const Gang& gang = gang_of(launch.context.stage);
    first_tasks_[gang.id] = launch.context.task;
    cluster_.start(gang);
  }
  void failing(const core::GangAttemptFailed& failed) { cluster_.stop(gang_of(failed.stage)); }

  core::State state_;
  std::unordered_map<int64_t, TaskId> first_tasks_;  // rank 0 of each gang that runs
  std::deque<Silent> silent_;
};

}  // namespace

std::unique_ptr<Policy> make_deuteron(Cluster& cluster) { return std::make_unique<Deuteron>(cluster); }

}  // namespace deuteron::simulator
