// The server's own scheduler: the same state machine, told the same events, at virtual times. A slot is a
// GPU.
#include <unordered_map>

#include "scheduler/core/state.h"
#include "simulator/policy.h"

namespace deuteron::simulator {
namespace {

namespace core = scheduler::core;
using scheduler::core::TaskId;

class Deuteron : public Policy {
 public:
  explicit Deuteron(Cluster& cluster)
      : Policy(cluster), state_(tasks::Machine{static_cast<int32_t>(cluster.gpus()), {}}) {}

  void submitted(const Gang& gang) override {
    core::SubmitGang event{stage_of(gang), stage_of(gang), {1, {}}, gang.gpus, {}, {}, ""};
    event.rules.time_limit = gang.limit;
    apply(event);
  }
  void ended(const Gang& gang) override {
    const TaskId first = first_tasks_.extract(gang.id).mapped();
    for (TaskId task = first; task < first + gang.gpus; ++task)
      apply(core::TaskEnded{task, tasks::FailureKind::kNone, Status()});
  }
  void woke() override { apply(core::Tick{}); }
  std::optional<SteadyTime> wakes_at() const override { return core::next_deadline(state_); }

 private:
  static core::StageId stage_of(const Gang& gang) { return gang.id + 1; }

  void apply(const core::Event& event) {
    for (const core::Action& action : core::step(state_, event, cluster_.now())) {
      const auto* launch = std::get_if<core::LaunchTask>(&action);
      if (launch == nullptr || launch->context.partition != 0) continue;
      const Gang& gang = cluster_.gangs()[static_cast<size_t>(launch->context.stage - 1)];
      first_tasks_[gang.id] = launch->context.task;
      cluster_.start(gang);
    }
  }

  core::State state_;
  std::unordered_map<int64_t, TaskId> first_tasks_;  // rank 0 of each gang that runs
};

}  // namespace

std::unique_ptr<Policy> make_deuteron(Cluster& cluster) { return std::make_unique<Deuteron>(cluster); }

}  // namespace deuteron::simulator
