#include "execution/python_launcher.h"

#include <algorithm>
#include <set>

#include "base/log.h"
#include "exchange/integrity.h"
#include "execution/gang_directory.h"
#include "execution/resource_settings.h"

namespace deuteron::execution {
namespace {

using worker_pool::FailureKind;

// A worker tells that often within a window how far it has come.
constexpr uint64_t kReportsPerWindow = 4;
const char* const kLetGo = "an earlier attempt had read some of it, which was not kept";
constexpr uint64_t kSmallestOutput = uint64_t{1} << 20;

worker_pool::SharedMemoryRegion to_pool_region(const exchange::Region& region) {
  if (region.slab == nullptr) return {};
  return {region.slab->descriptor(), static_cast<uint64_t>(region.slab->id()), region.offset, region.length};
}

std::vector<worker_pool::InputPart> to_pool_parts(const std::vector<InputPart>& parts) {
  std::vector<worker_pool::InputPart> converted;
  for (const InputPart& part : parts) {
    if (const auto* region = std::get_if<exchange::Region>(&part)) {
      converted.emplace_back(to_pool_region(*region));
    } else {
      converted.emplace_back(std::get<int32_t>(part));
    }
  }
  return converted;
}

// What another attempt would meet again is the task's own error.
tasks::FailureKind to_task_failure(FailureKind kind) {
  switch (kind) {
    case FailureKind::kPythonError:
    case FailureKind::kMemoryLimit:
    case FailureKind::kNotStarted: return tasks::FailureKind::kTaskError;
    case FailureKind::kWorkerExited:
    case FailureKind::kKilled: break;
  }
  return tasks::FailureKind::kWorkerLost;
}

// As Spark tells it: the message is the whole traceback. What the pool adds to the exception's own line
// stays, behind it.
Status with_whole_traceback(const Status& status) {
  const std::string& traceback = status.detail().python_traceback;
  if (traceback.empty()) return status;
  const auto found = status.detail().parameters.find("message");
  const bool is_told =
      found == status.detail().parameters.end() || traceback.find(found->second) != std::string::npos;
  return error("PYTHON_EXCEPTION", {{"message", is_told ? traceback : traceback + found->second + "\n"}})
      .with_traceback(traceback);
}

worker_pool::WorkerTask::LineHandler lines_of_task(events::ServerLog& log, const PythonProgram& program,
                                                   const tasks::TaskContext& context) {
  auto origin = std::make_shared<const events::LogOrigin>(
      events::LogOrigin{context.ranks > 0 ? "rank" : "task", program.session_id, program.operation_id,
                        context.stage, context.attempt, context.partition});
  return [&log, origin = std::move(origin)](std::string_view line) { log.append(origin, line); };
}

worker_pool::WorkerTask::LineHandler records_of_task(const PythonProgram& program) {
  if (program.reports == nullptr) return nullptr;
  return [reports = program.reports](std::string_view record) { reports->add_log_record(record); };
}

}  // namespace

void PythonLauncher::connect(worker_pool::WorkerPool& pool, scheduler::LaunchObserver& observer) {
  pool_ = &pool;
  observer_ = &observer;
}

void PythonLauncher::start(scheduler::LaunchRequest request) {
  const tasks::TaskId task = request.context.task;
  const auto fail = [&](const Status& status) {
    const auto kind =
        exchange::is_lost(status) ? tasks::FailureKind::kInputLost : tasks::FailureKind::kTaskError;
    observer_->task_ended(task, {kind, status, nullptr, 0, 0});
  };
  const auto work = PythonWork::join(request.works);
  if (!work.ok()) return fail(work.status());
  if ((*work)->input->is_let_go()) {
    (*work)->input->reader_ended(true);
    return fail(error("STAGE_OUTPUT_LOST", {{"reason", kLetGo}}));
  }
  auto output =
      memory_->acquire((*work)->program->session_id, std::max(kSmallestOutput, (*work)->input->bytes()),
                       exchange::SlabUse::kWorker);
  if (!output.ok()) return fail(output.status());
  const auto running = std::make_shared<RunningTask>(RunningTask{*work, *output, std::move(request.context)});
  {
    std::lock_guard lock(mutex_);
    running_[task] = running;
  }
  if (!(*work)->input->is_on_disk()) return submit(*running);
  checks_.post([this, task] { verify_and_submit(task); });
}

void PythonLauncher::submit(const RunningTask& running) {
  running.work->input->read([pool = pool_, task = make_task(running.context, *running.work, *running.output),
                             window = running.work->input->window(), is_submitted = false](
                                const std::vector<InputPart>& parts, bool is_complete) mutable {
    if (parts.empty() && is_submitted && !is_complete) return pool->kill(task.task);
    if (std::exchange(is_submitted, true))
      return pool->add_input(task.task, to_pool_parts(parts), is_complete);
    worker_pool::WorkerTask whole = task;
    whole.input = to_pool_parts(parts);
    whole.input_complete = is_complete;
    if (!is_complete)
      whole.read_progress_bytes = window == 0 ? 0 : std::max<uint64_t>(1, window / kReportsPerWindow);
    pool->submit(std::move(whole));
  });
}

void PythonLauncher::verify_and_submit(tasks::TaskId task) {
  std::shared_ptr<RunningTask> running;
  {
    std::lock_guard lock(mutex_);
    running = running_.at(task);
  }
  const Status verified = running->work->input->verify();
  std::unique_lock submitting(submitting_);
  bool is_wanted = false;
  {
    std::lock_guard lock(mutex_);
    is_wanted = !running->killed && !stopped_;
    if (!is_wanted || !verified.ok()) running_.erase(task);
  }
  if (is_wanted && verified.ok()) return submit(*running);
  submitting.unlock();
  const auto failure = is_wanted ? tasks::FailureKind::kInputLost : tasks::FailureKind::kWorkerLost;
  observer_->task_ended(task, {failure, is_wanted ? verified : cancelled(), nullptr, 0, 0});
}

void PythonLauncher::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  checks_.close();
}

worker_pool::WorkerTask PythonLauncher::make_task(const tasks::TaskContext& context, const PythonWork& work,
                                                  const exchange::Slab& output) const {
  const PythonProgram& program = *work.program;
  worker_pool::PySparkTask header;
  header.evaluation_type = program.evaluation_type;
  header.python_version = program.python_version;
  header.context = context;
  header.resource_addresses = context.addresses;
  header.local_properties = program.local_properties;
  header.files_directory = program.files_directory;
  header.includes = program.python_paths;
  header.runner_conf = program.runner_conf;
  header.evaluation_conf = program.evaluation_conf;
  header.functions = program.functions;
  if (context.ranks > 0) {
    header.barrier_path = pool_->barrier_path(context.task);
    header.addresses.assign(static_cast<size_t>(context.ranks), "127.0.0.1:0");
  }
  worker_pool::WorkerTask task;
  task.task = context.task;
  task.zygote = program.zygote;
  task.label = program.name + "[" + std::to_string(context.partition) + "]";
  if (log_ != nullptr) task.on_line = lines_of_task(*log_, program, context);
  task.on_log_record = records_of_task(program);
  task.header = worker_pool::build_task_header(header);
  task.output = {output.descriptor(), static_cast<uint64_t>(output.id()), 0, 0};
  task.environment = program.environment;
  task.memory_limit_bytes = static_cast<uint64_t>(context.slots.memory);
  task.single_use = !program.reuses_workers;
  give_resources(context, task);
  if (!program.gang_directory.empty()) {
    task.environment[kGangDirectoryVariable] = program.gang_directory;
    task.environment[kGangNoticeVariable] = notice_file(program.gang_directory, context.attempt);
  }
  task.barrier = context.ranks > 0;
  return task;
}

// A process that has had a GPU keeps some of it: it serves nobody else.
void PythonLauncher::give_resources(const tasks::TaskContext& context, worker_pool::WorkerTask& task) const {
  constexpr size_t kMostHeld = 128;
  if (context.addresses.empty() || claims_ == nullptr) return;
  std::string paths;
  for (const auto& [name, addresses] : context.addresses) {
    for (const std::string& address : addresses) {
      paths += (paths.empty() ? "" : ":") + claims_->path({name, address});
      if (task.held_descriptors.size() < kMostHeld)
        task.held_descriptors.push_back(claims_->descriptor({name, address}));
    }
  }
  task.environment[resources::kClaimsVariable] = paths;
  task.environment.merge(device_environment(context.addresses));
  task.single_use = true;
}

void PythonLauncher::kill(tasks::TaskId task) {
  std::lock_guard submitting(submitting_);
  {
    std::lock_guard lock(mutex_);
    const auto found = running_.find(task);
    if (found != running_.end()) found->second->killed = true;
  }
  pool_->kill(task);
}

void PythonLauncher::answer_barrier(const std::vector<tasks::TaskId>& tasks, tasks::BarrierReply reply) {
  if (reply.status.ok()) {
    pool_->answer_barrier(tasks, std::move(reply.messages));
  } else {
    pool_->refuse_barrier(tasks);
  }
}

// The ranks of an attempt share one file.
void PythonLauncher::give_notice(const std::vector<tasks::TaskId>& tasks, std::optional<SteadyTime> end) {
  std::set<std::string> files;
  {
    std::lock_guard lock(mutex_);
    for (const tasks::TaskId task : tasks) {
      const auto found = running_.find(task);
      if (found == running_.end()) continue;
      files.insert(notice_file(found->second->work->program->gang_directory, found->second->context.attempt));
    }
  }
  for (const std::string& file : files) {
    if (const Status status = tell_notice(file, end); !status.ok()) log_warning(status.to_string());
  }
}

void PythonLauncher::look_at(const std::vector<tasks::TaskId>& tasks) {
  for (const tasks::TaskId task : tasks) pool_->request_stacks(task);
}

int64_t PythonLauncher::input_bytes(const RunningTask& running) {
  return static_cast<int64_t>(running.work->input->bytes());
}

std::shared_ptr<PythonLauncher::RunningTask> PythonLauncher::remove(tasks::TaskId task) {
  std::lock_guard lock(mutex_);
  const auto found = running_.find(task);
  if (found == running_.end()) return nullptr;
  auto running = std::move(found->second);
  running_.erase(found);
  return running;
}

void PythonLauncher::on_task_started(tasks::TaskId task, worker_pool::WorkerId /*worker*/, pid_t process) {
  observer_->task_running(task, process);
}

void PythonLauncher::on_task_input_read(tasks::TaskId task, const worker_pool::InputRead& read) {
  std::shared_ptr<RunningTask> running;
  {
    std::lock_guard lock(mutex_);
    const auto found = running_.find(task);
    if (found != running_.end()) running = found->second;
  }
  if (running != nullptr) running->work->input->was_read(read);
}

void PythonLauncher::on_task_finished(tasks::TaskId task, worker_pool::TaskResult result) {
  const auto running = remove(task);
  if (running == nullptr) return;
  for (const uint64_t slab : result.retained_slabs) memory_->retire(static_cast<int64_t>(slab));
  running->work->input->reader_ended(true);
  auto output = std::make_shared<PythonOutput>();
  output->kind = result.kind;
  output->updates = std::move(result.updates);
  if (result.kind != worker_pool::TaskResult::Kind::kNone) {
    output->data.region = {running->output, result.data.offset, result.data.length};
  }
  const auto tell = [this, task, running, output] {
    exchange::seal(output->data);
    const auto output_bytes = static_cast<int64_t>(output->data.region.length);
    observer_->task_ended(task,
                          {tasks::FailureKind::kNone, Status(), output, input_bytes(*running), output_bytes});
  };
  if (!running->output->is_spilled()) return tell();
  checks_.post(tell);
}

void PythonLauncher::on_task_failed(tasks::TaskId task, worker_pool::TaskFailure failure) {
  const auto running = remove(task);
  if (running == nullptr) return;
  // Whoever was killed may not have ended yet, and writes until it has: nobody else may write there.
  if (failure.kind != FailureKind::kPythonError) memory_->retire(running->output->id());
  running->work->input->reader_ended(false);
  const auto tell = [this, task, running](tasks::FailureKind kind, const Status& status) {
    observer_->task_ended(task, {kind, status, nullptr, input_bytes(*running), 0});
  };
  const auto kind = to_task_failure(failure.kind);
  const Status status = with_whole_traceback(failure.status);
  if (const Status given_up = running->work->input->given_up(); !given_up.ok())
    return tell(tasks::FailureKind::kInputLost, given_up);
  if (!running->work->input->is_on_disk()) return tell(kind, status);
  checks_.post([tell, kind, status, running] {
    const Status verified = running->work->input->verify();
    if (verified.ok()) return tell(kind, status);
    tell(tasks::FailureKind::kInputLost, verified);
  });
}

void PythonLauncher::on_task_stacks(tasks::TaskId task, tasks::TaskStacks stacks) {
  observer_->task_stacks(task, std::move(stacks));
}

void PythonLauncher::on_task_idle(tasks::TaskId task, std::optional<SteadyTime> since) {
  observer_->task_idle(task, since);
}

void PythonLauncher::on_barrier_call(tasks::TaskId task, tasks::BarrierRequest request) {
  observer_->barrier_requested(task, std::move(request));
}

void PythonLauncher::on_worker_started(worker_pool::WorkerId worker, worker_pool::ZygoteId /*zygote*/,
                                       pid_t process) {
  bus_.publish(events::WorkerStarted{worker, process, ""});
}

void PythonLauncher::on_worker_exited(worker_pool::WorkerId worker, pid_t process,
                                      const std::string& reason) {
  bus_.publish(events::WorkerExited{worker, process, reason});
}

}  // namespace deuteron::execution
