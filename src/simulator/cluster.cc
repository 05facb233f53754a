#include "simulator/cluster.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace deuteron::simulator {
namespace {

void require(bool holds, const Gang& gang, const char* what) {
  if (!holds) throw std::logic_error("gang " + std::to_string(gang.id) + ": " + what);
}

}  // namespace

Cluster::Cluster(int64_t gpus, const std::vector<Gang>& gangs)
    : gpus_(gpus), gangs_(gangs), free_(gpus), entries_(gangs.size()) {}

void Cluster::take(const Gang& gang, int32_t count) {
  Entry& entry = at(gang);
  require(gang.submitted <= now_, gang, "takes GPUs before it was submitted");
  require(!entry.outcome.started, gang, "takes GPUs although it has started");
  require(count >= 0 && count <= free_, gang, "takes GPUs that are not free");
  require(entry.held + count <= gang.gpus, gang, "takes more GPUs than it needs");
  entry.held += count;
  free_ -= count;
}

void Cluster::give_back(const Gang& gang) {
  Entry& entry = at(gang);
  require(!entry.runs, gang, "gives GPUs back while it runs");
  free_ += entry.held;
  entry.held = 0;
}

void Cluster::start(const Gang& gang) {
  Entry& entry = at(gang);
  take(gang, gang.gpus - entry.held);
  entry.runs = true;
  entry.outcome.started = now_;
  used_ += gang.gpus;
  ends_.push({now_ + gang.runs, gang.id});
}

void Cluster::advance(SteadyTime now) {
  const SteadyTime from = std::max(now_, account_.from);
  const SteadyTime to = std::min(now, account_.to);
  if (from < to) {
    const double seconds = std::chrono::duration<double>(to - from).count();
    account_.used += seconds * static_cast<double>(used_);
    account_.held_idle += seconds * static_cast<double>(gpus_ - free_ - used_);
  }
  now_ = std::max(now, now_);
}

std::optional<SteadyTime> Cluster::next_end() const {
  if (ends_.empty()) return std::nullopt;
  return ends_.top().first;
}

const Gang& Cluster::end_next() {
  const Gang& gang = gangs_[static_cast<size_t>(ends_.top().second)];
  ends_.pop();
  Entry& entry = at(gang);
  entry.runs = false;
  entry.outcome.ended = now_;
  used_ -= gang.gpus;
  give_back(gang);
  return gang;
}

}  // namespace deuteron::simulator
