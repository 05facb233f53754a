#include "scheduler/scheduler.h"

#include <algorithm>

#include "base/log.h"

namespace deuteron::scheduler {
namespace {

std::string error_text(const Status& status) { return status.ok() ? "" : status.to_string(); }

int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

std::string name_of(core::HangPolicy policy) {
  switch (policy) {
    case core::HangPolicy::kWarn: return "warn";
    case core::HangPolicy::kRelaunch: return "relaunch";
    case core::HangPolicy::kFail: break;
  }
  return "fail";
}

std::string join(const std::vector<int32_t>& ranks) {
  std::string text;
  for (const int32_t rank : ranks) text += (text.empty() ? "" : ", ") + std::to_string(rank);
  return text;
}

// Whose work a task does: its own partition's; of a gang an equal share of all, in order.
std::pair<int32_t, int32_t> partitions_of(const tasks::TaskContext& context, size_t partitions) {
  const int64_t first = context.partition;
  if (context.ranks == 0) return {context.partition, context.partition + 1};
  const auto begin_of = [&](int64_t rank) {
    return static_cast<int32_t>(rank * static_cast<int64_t>(partitions) / context.ranks);
  };
  return {begin_of(first), begin_of(first + 1)};
}

std::map<int32_t, std::shared_ptr<const tasks::TaskWork>> by_rank(
    std::vector<std::shared_ptr<const tasks::TaskWork>> ranks) {
  std::map<int32_t, std::shared_ptr<const tasks::TaskWork>> works;
  for (auto& work : ranks) works.emplace(static_cast<int32_t>(works.size()), std::move(work));
  return works;
}

// Of a failure's text; the event log has all.
constexpr size_t kLongestStacks = 16 << 10;

std::string describe(const tasks::TaskStacks& stacks) {
  const std::string process = "its process is " + (stacks.state.empty() ? "gone" : stacks.state);
  if (stacks.text.empty()) return process + " and does not answer";
  return process + ":\n" + stacks.text.substr(0, stacks.text.find_last_not_of('\n') + 1);
}

}  // namespace

// The ranks that were missing come first.
Status Scheduler::with_stacks(const Status& status, const HangReport& hang) {
  if (status.ok() || !hang.ends_attempt || status.condition() == "OPERATION_CANCELED") return status;
  std::string first;
  std::string others;
  for (const auto& [rank, text] : hang.ranks) {
    const bool is_missing = std::ranges::count(hang.missing, rank) > 0;
    (is_missing ? first : others) += "\nRank " + std::to_string(rank) + ", " + text + "\n";
  }
  ErrorDetail detail = status.detail();
  detail.message += "\n" + (first + others).substr(0, kLongestStacks);
  return Status(std::move(detail));
}

Scheduler::Scheduler(tasks::Machine machine, Launcher& launcher, events::Bus& bus, core::QueuePolicy policy,
                     core::ExclusionPolicy exclusion, const std::vector<core::Address>& in_use)
    : machine_(std::move(machine)),
      launcher_(launcher),
      bus_(bus),
      state_(machine_, std::move(policy), exclusion) {
  for (const core::Address& address : in_use) state_.set_in_use(address);
  thread_ = std::thread(&Scheduler::run, this);
}

Scheduler::~Scheduler() { stop(); }

void Scheduler::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !is_at_work_; });
  }
  for (const auto& [task, record] : tasks_) launcher_.kill(task);
  tasks_.clear();
  for (auto& [stage, record] : stages_) record.listener->stage_ended(cancelled());
  stages_.clear();
  std::lock_guard lock(mutex_);
  for (const Message& message : inbox_) {
    if (message.listener != nullptr) message.listener->stage_ended(cancelled());
    if (message.question != nullptr) message.question->set_value({});
  }
  inbox_.clear();
  stopped_ = true;
}

tasks::JobId Scheduler::new_job(const std::string& session_id, const std::string& operation_id) {
  tasks::JobId job = 0;
  {
    std::lock_guard lock(mutex_);
    job = next_job_++;
  }
  bus_.publish(events::JobStarted{job, session_id, operation_id});
  return job;
}

void Scheduler::cancel_job(tasks::JobId job) {
  bus_.publish(events::JobCancelled{job});
  send({core::CancelJob{job}, 0, nullptr, {}, {}});
}

tasks::StageId Scheduler::end_at_once(StageListener& listener) {
  listener.stage_ended(cancelled());
  return next_stage_++;
}

tasks::StageId Scheduler::submit_tasks(const TaskStageRequest& request,
                                       std::shared_ptr<StageListener> listener) {
  std::unique_lock lock(mutex_);
  if (stopped_) return end_at_once(*listener);
  const tasks::StageId stage = next_stage_++;
  core::SubmitTaskStage event{request.job,
                              stage,
                              request.slots_per_task,
                              request.max_task_errors,
                              request.max_lost_workers,
                              request.queue,
                              request.likeness};
  bus_.publish(
      events::StageSubmitted{request.job, stage, "tasks", request.name, 0, request.slots_per_task.cpus});
  inbox_.push_back({std::move(event), stage, std::move(listener), {}, {}});  // in the order of the ids
  wake(lock);
  return stage;
}

void Scheduler::add_task(tasks::StageId stage, int32_t partition,
                         std::shared_ptr<const tasks::TaskWork> work) {
  send({core::AddTask{stage, partition}, stage, nullptr, {{partition, std::move(work)}}, {}});
}

void Scheduler::no_more_tasks(tasks::StageId stage) {
  send({core::NoMoreTasks{stage}, stage, nullptr, {}, {}});
}

tasks::StageId Scheduler::submit_gang(GangRequest request, std::shared_ptr<StageListener> listener) {
  const auto ranks = static_cast<int32_t>(request.ranks.size());
  auto works = by_rank(std::move(request.ranks));
  std::unique_lock lock(mutex_);
  if (stopped_) return end_at_once(*listener);
  const tasks::StageId stage = next_stage_++;
  core::SubmitGang event{request.job,   stage,         request.slots_per_task, ranks,
                         request.rules, request.queue, request.likeness};
  bus_.publish(
      events::StageSubmitted{request.job, stage, "gang", request.name, ranks, request.slots_per_task.cpus});
  inbox_.push_back({std::move(event), stage, std::move(listener), std::move(works), {}});
  wake(lock);
  return stage;
}

void Scheduler::input_made(tasks::StageId stage, std::vector<std::shared_ptr<const tasks::TaskWork>> ranks) {
  send({core::InputMade{stage}, stage, nullptr, by_rank(std::move(ranks)), {}});
}

std::vector<core::GangWaits> Scheduler::waiting(tasks::JobId job) {
  auto question = std::make_shared<std::promise<std::vector<core::GangWaits>>>();
  auto answer = question->get_future();
  std::unique_lock lock(mutex_);
  if (stopped_) return {};
  inbox_.push_back({core::Tick{}, 0, nullptr, {}, {}, std::move(question), job});
  wake(lock);
  return answer.get();
}

std::vector<core::GangWaits> Scheduler::forecast(tasks::JobId job) const {
  std::vector<core::GangWaits> found;
  const auto stages = state_.jobs.find(job);
  if (stages == state_.jobs.end()) return found;
  for (const tasks::StageId stage : stages->second) {
    if (auto waits = core::forecast(state_, stage, steady_now())) found.push_back(*std::move(waits));
  }
  return found;
}

void Scheduler::address_freed(const core::Address& address) {
  send({core::AddressFreed{address.first, address.second}, 0, nullptr, {}, {}});
}

void Scheduler::task_running(tasks::TaskId task, int64_t process_id) {
  bus_.publish(events::TaskRunning{task, process_id});
}

void Scheduler::task_idle(tasks::TaskId task, std::optional<SteadyTime> since) {
  send({core::RankIdle{task, since}, 0, nullptr, {}, {}});
}

void Scheduler::barrier_requested(tasks::TaskId task, tasks::BarrierRequest request) {
  std::unique_lock lock(mutex_);
  const bool is_next = !is_at_work_ && inbox_.empty() && !stopping_;
  inbox_.push_back({core::BarrierArrived{task, std::move(request)}, 0, nullptr, {}, {}});
  if (!is_next) return wake(lock);
  take_turn(lock);
  if (!inbox_.empty() || stopping_ || deadline_ < sleeps_until_) wake(lock);
}

void Scheduler::task_stacks(tasks::TaskId task, tasks::TaskStacks stacks) {
  Message message{core::Tick{}, 0, nullptr, {}, {}};
  message.seen = task;
  message.stacks = std::move(stacks);
  send(std::move(message));
}

void Scheduler::task_ended(tasks::TaskId task, tasks::TaskOutcome outcome) {
  core::TaskEnded event{task, outcome.failure, std::move(outcome.status)};
  send({std::move(event), 0, nullptr, {}, std::move(outcome)});
}

void Scheduler::send(Message message) {
  std::unique_lock lock(mutex_);
  inbox_.push_back(std::move(message));
  wake(lock);
}

// Whoever is at work looks at the inbox, and wakes others, when its turn ends.
void Scheduler::wake(std::unique_lock<std::mutex>& lock) {
  const bool is_awake = is_at_work_;
  lock.unlock();
  if (!is_awake) arrived_.notify_all();
}

void Scheduler::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!is_at_work_ && (!inbox_.empty() || deadline_ <= steady_now())) {
      take_turn(lock);
      continue;
    }
    const SteadyTime until = is_at_work_ ? kNever : deadline_;
    sleeps_until_ = until;
    if (until == kNever) {
      arrived_.wait(lock);
    } else {
      arrived_.wait_until(lock, until);
    }
  }
}

// Handles what has arrived, or what is due. Until it returns nobody else touches what belongs to the turn.
void Scheduler::take_turn(std::unique_lock<std::mutex>& lock) {
  is_at_work_ = true;
  std::vector<Message> batch;
  batch.swap(inbox_);
  lock.unlock();
  for (Message& message : batch) handle(std::move(message));
  if (batch.empty()) handle({core::Tick{}, 0, nullptr, {}, {}});
  const SteadyTime deadline = core::next_deadline(state_).value_or(kNever);
  lock.lock();
  deadline_ = deadline;
  is_at_work_ = false;
}

void Scheduler::handle(Message message) {
  if (message.question != nullptr) return message.question->set_value(forecast(message.asked));
  if (message.seen != 0) return report_stacks(message.seen, message.stacks);
  if (message.listener != nullptr) {
    const bool is_gang = std::holds_alternative<core::SubmitGang>(message.event);
    stages_[message.stage] = {std::move(message.listener), {}, is_gang, {}};
  }
  if (const auto record = stages_.find(message.stage); record != stages_.end()) {
    message.works.merge(record->second.works);  // new ones take the place of those whose input was lost
    record->second.works = std::move(message.works);
  }
  if (const auto* ended = std::get_if<core::TaskEnded>(&message.event)) report_end(*ended, message.outcome);
  current_output_ = std::move(message.outcome.output);
  for (const core::Action& action : core::step(state_, message.event, steady_now())) perform(action);
  current_output_.reset();
}

void Scheduler::perform(const core::Action& action) {
  std::visit([this](const auto& what) { act(what); }, action);
}

void Scheduler::report_stacks(tasks::TaskId task, const tasks::TaskStacks& stacks) {
  const auto found = tasks_.find(task);
  if (found == tasks_.end()) return;
  const tasks::TaskContext& context = found->second.context;
  HangReport& hang = stages_.at(context.stage).hang;
  const bool is_missing = std::ranges::count(hang.missing, context.partition) > 0;
  bus_.publish(events::RankStacks{context.stage, context.attempt, context.partition, is_missing, stacks.state,
                                  stacks.text});
  const std::string text = describe(stacks);
  if (is_missing || hang.is_stall) {
    log_warning("rank " + std::to_string(context.partition) +
                (is_missing ? " keeps others waiting, " : " makes no progress, ") + text);
  }
  hang.ranks[context.partition] = text;
}

void Scheduler::report_end(const core::TaskEnded& ended, const tasks::TaskOutcome& outcome) {
  const auto found = tasks_.find(ended.task);
  if (found == tasks_.end()) return;
  const tasks::TaskContext& context = found->second.context;
  bus_.publish(events::TaskFinished{context.stage, ended.task, context.partition, context.attempt,
                                    error_text(ended.status), outcome.input_bytes, outcome.output_bytes});
  tasks_.erase(found);
}

void Scheduler::act(const core::LaunchTask& action) {
  const tasks::TaskContext& context = action.context;
  tasks_[context.task] = {context};
  bus_.publish(events::TaskStarted{context.stage, context.task, context.partition, context.attempt});
  StageRecord& stage = stages_.at(context.stage);
  stage.listener->task_started(context.partition, context.attempt);
  LaunchRequest request{context, {}};
  const auto [begin, end] = partitions_of(context, stage.works.size());
  for (int32_t partition = begin; partition < end; ++partition)
    request.works.push_back(stage.works.at(partition));
  launcher_.start(std::move(request));
}

void Scheduler::act(const core::KillTask& action) {
  const tasks::TaskContext& context = tasks_.at(action.task).context;
  bus_.publish(events::TaskKilled{context.stage, action.task, context.partition, context.attempt});
  launcher_.kill(action.task);
}

// A barrier's messages are all empty: they are not sent.
void Scheduler::act(const core::ReleaseBarrier& action) {
  auto messages = std::make_shared<std::vector<std::string>>();
  if (action.kind == tasks::BarrierKind::kAllGather) *messages = action.messages;
  launcher_.answer_barrier(action.tasks, {Status(), std::move(messages)});
  int64_t bytes = 0;
  for (const std::string& message : action.messages) bytes += static_cast<int64_t>(message.size());
  bus_.publish(events::BarrierReleased{action.stage, action.attempt, action.epoch,
                                       action.kind == tasks::BarrierKind::kAllGather, bytes,
                                       milliseconds(action.skew), action.last_rank});
}

void Scheduler::act(const core::FailBarrier& action) {
  launcher_.answer_barrier(action.tasks, {action.status, nullptr});
  bus_.publish(events::BarrierFailed{action.stage, action.attempt, action.epoch, error_text(action.status)});
}

void Scheduler::act(const core::RanksMissing& action) {
  bus_.publish(events::RanksMissing{action.stage, action.attempt, action.epoch, join(action.ranks),
                                    milliseconds(action.waited), name_of(action.policy)});
  stages_.at(action.stage).hang = {action.ranks, false, {}, action.policy != core::HangPolicy::kWarn};
  launcher_.look_at(tasks_of(action.stage));
}

void Scheduler::act(const core::NoProgress& action) {
  bus_.publish(events::NoProgress{action.stage, action.attempt, action.epoch, join(action.ranks),
                                  milliseconds(action.idle), name_of(action.policy)});
  stages_.at(action.stage).hang = {{}, true, {}, action.policy != core::HangPolicy::kWarn};
  launcher_.look_at(tasks_of(action.stage));
}

std::vector<tasks::TaskId> Scheduler::tasks_of(tasks::StageId stage) const {
  std::vector<tasks::TaskId> found;
  for (const auto& [task, running] : tasks_) {
    if (running.context.stage == stage) found.push_back(task);
  }
  return found;
}

void Scheduler::act(const core::GiveNotice& action) {
  std::optional<SteadyTime> end;
  if (action.left) end = steady_now() + *action.left;
  launcher_.give_notice(tasks_of(action.stage), end);
  bus_.publish(events::GangNotice{action.stage, action.attempt, action.by,
                                  action.left ? milliseconds(*action.left) : -1});
}

void Scheduler::act(const core::GangPreempted& action) {
  bus_.publish(events::GangPreempted{action.stage, action.attempt, action.by, action.rank,
                                     action.rank < 0 ? "" : error_text(action.status)});
  stages_.at(action.stage).listener->gang_attempt_failed(action.attempt, action.status);
}

void Scheduler::act(const core::GangWaits& action) {
  bus_.publish(events::GangWaits{action.job, action.stage, action.pool, action.position, action.reason,
                                 action.expected ? milliseconds(*action.expected) : -1});
}

void Scheduler::act(const core::AddressLeftOut& action) {
  const int64_t seconds = milliseconds(action.time) / 1000;
  bus_.publish(events::AddressLeftOut{action.resource, action.address, action.lost_tasks, seconds});
  log_warning(action.resource + " " + action.address + " is left out for " + std::to_string(seconds) +
              " s: " + std::to_string(action.lost_tasks) + " tasks in a row lost their process there");
}

void Scheduler::act(const core::AddressReadmitted& action) {
  bus_.publish(events::AddressReadmitted{action.resource, action.address});
  log_info(action.resource + " " + action.address + " is used again");
}

void Scheduler::act(const core::TaskSucceeded& action) {
  StageRecord& stage = stages_.at(action.stage);
  if (!stage.is_gang) stage.works.erase(action.partition);
  stage.listener->task_succeeded(action.partition, action.attempt, std::move(current_output_));
}

void Scheduler::act(const core::TaskInputLost& action) {
  bus_.publish(events::InputLost{action.stage, action.attempt, action.partition, error_text(action.status)});
  stages_.at(action.stage).listener->input_lost(action.partition, action.status);
}

void Scheduler::act(const core::GangInputLost& action) {
  bus_.publish(events::InputLost{action.stage, action.attempt, action.rank, error_text(action.status)});
  const auto listener = stages_.at(action.stage).listener;
  listener->gang_attempt_failed(action.attempt, action.status);
  listener->input_lost(action.rank, action.status);
}

void Scheduler::act(const core::GangAttemptStarted& action) {
  stages_.at(action.stage).hang = {};
  bus_.publish(events::GangAttemptStarted{action.stage, action.attempt, action.ranks});
}

void Scheduler::act(const core::GangAttemptFailed& action) {
  bus_.publish(
      events::GangAttemptFailed{action.stage, action.attempt, action.rank, error_text(action.status)});
  stages_.at(action.stage).listener->gang_attempt_failed(action.attempt, action.status);
}

void Scheduler::act(const core::StageEnded& action) {
  const auto found = stages_.find(action.stage);
  if (found == stages_.end()) return;
  const auto listener = std::move(found->second.listener);
  const Status status = with_stacks(action.status, found->second.hang);
  stages_.erase(found);
  bus_.publish(events::StageFinished{action.job, action.stage, error_text(action.status)});
  listener->stage_ended(status);
}

}  // namespace deuteron::scheduler
