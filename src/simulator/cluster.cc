#include "simulator/cluster.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace deuteron::simulator {
namespace {

void require(bool holds, const Gang& gang, const char* what) {
  if (!holds) throw std::logic_error("gang " + std::to_string(gang.id) + ": " + what);
}

double overlap(const Account& account, SteadyTime from, SteadyTime to) {
  const Duration time = std::min(to, account.to) - std::max(from, account.from);
  return std::max(std::chrono::duration<double>(time).count(), 0.0);
}

}  // namespace

Cluster::Cluster(int32_t nodes, int32_t gpus_per_node, const std::vector<Gang>& gangs, const Faults& faults)
    : gpus_(int64_t{nodes} * gpus_per_node),
      gangs_(gangs),
      faults_(faults),
      checkpoint_(faults.checkpoint()),
      nodes_(nodes, gpus_per_node, gangs.size()),
      open_(static_cast<int64_t>(gangs.size())),
      entries_(gangs.size()) {
  accounts_[0].to = SteadyTime::max();
}

void Cluster::take(const Gang& gang, int32_t count) {
  Entry& entry = at(gang);
  require(gang.submitted <= now_, gang, "takes GPUs before it was submitted");
  require(!entry.runs && !entry.outcome.ended && !entry.outcome.is_lost, gang,
          "takes GPUs although it runs or has ended");
  require(count >= 0 && count <= free(), gang, "takes GPUs that are not free");
  require(entry.held + count <= gang.gpus, gang, "takes more GPUs than it needs");
  entry.held += count;
  nodes_.take(gang.id, count);
}

void Cluster::give_back(const Gang& gang) {
  Entry& entry = at(gang);
  require(!entry.runs, gang, "gives GPUs back while it runs");
  nodes_.give_back(gang.id);
  entry.held = 0;
}

void Cluster::start(const Gang& gang) {
  Entry& entry = at(gang);
  take(gang, gang.gpus - entry.held);
  entry.runs = true;
  entry.attempt_started = now_;
  entry.stands_since.reset();
  if (!entry.outcome.started) entry.outcome.started = now_;
  entry.outcome.restarts = entry.attempt++;
  used_ += gang.gpus;
  const Duration left = gang.runs - entry.done;
  changes_.push({now_ + left, gang.id, entry.attempt, false});
  if (const auto hangs = faults_.hangs_after(gang, entry.hangs); hangs && *hangs - entry.ran < left)
    changes_.push({now_ + std::max(*hangs - entry.ran, Duration::zero()), gang.id, entry.attempt, true});
}

void Cluster::advance(SteadyTime now) {
  for (Account& account : accounts_) {
    const double seconds = overlap(account, now_, now);
    const int64_t held_idle = gpus_ - free() - nodes_.down() - used_;
    account.used += seconds * static_cast<double>(used_);
    account.held_idle += seconds * static_cast<double>(held_idle);
    account.down += seconds * static_cast<double>(nodes_.down());
    account.free += seconds * static_cast<double>(free());
  }
  now_ = std::max(now, now_);
}

std::optional<Cluster::Change> Cluster::next_change() {
  for (; !changes_.empty(); changes_.pop()) {
    const Scheduled& next = changes_.top();
    const Entry& entry = entries_[static_cast<size_t>(next.gang)];
    if (entry.runs && entry.attempt == next.attempt && !entry.stands_since)
      return Change{next.time, &gangs_[static_cast<size_t>(next.gang)], next.hangs};
  }
  return std::nullopt;
}

void Cluster::pass_change() {
  const Scheduled next = changes_.top();
  changes_.pop();
  const Gang& gang = gangs_[static_cast<size_t>(next.gang)];
  if (!next.hangs) return end_well(gang);
  Entry& entry = at(gang);
  stand(entry, Loss::kHangs);
  entry.ran = Duration::zero();
  ++entry.hangs;
}

void Cluster::end_well(const Gang& gang) {
  Entry& entry = at(gang);
  book(gang, entry, now_, std::nullopt);
  entry.outcome.ended = now_;
  release(gang, entry);
  --open_;
}

// The first cause counts.
void Cluster::stand(Entry& entry, Loss loss) {
  if (entry.stands_since) return;
  entry.stands_since = now_;
  entry.loss = loss;
  entry.ran += now_ - entry.attempt_started;
}

void Cluster::stop(const Gang& gang) {
  Entry& entry = at(gang);
  require(entry.runs && entry.stands_since, gang, "is stopped although it makes progress");
  const Duration ran = *entry.stands_since - entry.attempt_started;
  const Duration kept = checkpoint_ == Duration::zero() ? checkpoint_ : ran / checkpoint_ * checkpoint_;
  book(gang, entry, entry.attempt_started + kept, entry.loss);
  entry.done += kept;
  release(gang, entry);
}

// Of an attempt that ends now: what it has done by `until` is kept, the rest is lost.
void Cluster::book(const Gang& gang, Entry& entry, SteadyTime until, std::optional<Loss> loss) {
  for (size_t index = 0; index < accounts_.size(); ++index) {
    Account& account = accounts_[index];
    const double kept = gang.gpus * overlap(account, entry.attempt_started, until);
    account.finished += kept;
    entry.finished[index] += kept;
    if (loss) account.lost[static_cast<size_t>(*loss)] += gang.gpus * overlap(account, until, now_);
  }
}

void Cluster::release(const Gang& gang, Entry& entry) {
  entry.runs = false;
  used_ -= gang.gpus;
  give_back(gang);
}

void Cluster::give_up(const Gang& gang) {
  Entry& entry = at(gang);
  require(!entry.runs && !entry.outcome.ended && !entry.outcome.is_lost, gang,
          "is given up although it runs or has ended");
  give_back(gang);
  --open_;
  if (!entry.outcome.started) return;
  entry.outcome.is_lost = true;
  for (size_t index = 0; index < accounts_.size(); ++index) {
    accounts_[index].finished -= entry.finished[index];
    accounts_[index].lost[static_cast<size_t>(entry.loss)] += entry.finished[index];
  }
}

std::vector<const Gang*> Cluster::fail(int32_t node) {
  std::vector<const Gang*> stand_still;
  nodes_.fail(node);
  for (const int64_t holder : nodes_.holders(node)) {
    const Gang& gang = gangs_[static_cast<size_t>(holder)];
    Entry& entry = at(gang);
    if (entry.runs) {
      stand(entry, Loss::kNodes);
      stand_still.push_back(&gang);
    } else {
      entry.held -= nodes_.held(gang.id, node);
      nodes_.give_back(holder, node);
    }
  }
  return stand_still;
}

void Cluster::repair(int32_t node) { nodes_.repair(node); }

}  // namespace deuteron::simulator
