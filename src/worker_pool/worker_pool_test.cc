// The worker pool with real Python processes. The interpreter is $DEUTERON_PYTHON, or build/venv/bin/python.
#include "worker_pool/worker_pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/file_descriptor.h"
#include "worker_pool/pyspark_task.h"

namespace deuteron::worker_pool {
namespace {

using std::chrono::milliseconds;

std::string interpreter() {
  const char* configured = std::getenv("DEUTERON_PYTHON");
  return std::filesystem::absolute(configured != nullptr ? configured : "build/venv/bin/python");
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// Numbers below 2 mean whole groups to kill(2): never send to them, whatever a test got wrong.
void kill_process(pid_t process) {
  ASSERT_GT(process, 1);
  ASSERT_NE(process, getpid());
  kill(process, SIGKILL);
}

pid_t parent_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/stat");
  std::string word;
  for (int i = 0; i < 4; ++i) status >> word;
  return word.empty() ? -1 : std::stoi(word);
}

int children_of(pid_t process) {
  const std::string id = std::to_string(process);
  std::ifstream file("/proc/" + id + "/task/" + id + "/children");
  return static_cast<int>(std::distance(std::istream_iterator<int>(file), std::istream_iterator<int>()));
}

// Waits until the process has ended. What its parent left behind, init reaps when it comes to it: until then
// it is a zombie.
bool has_ended(pid_t process, Duration patience = std::chrono::seconds(10)) {
  const SteadyTime deadline = steady_now() + patience;
  do {
    std::ifstream status("/proc/" + std::to_string(process) + "/stat");
    std::string word;
    for (int i = 0; i < 3; ++i) status >> word;
    if (!status || word == "Z" || word == "X") return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  } while (steady_now() < deadline);
  return false;
}

double milliseconds_since(SteadyTime time) {
  return std::chrono::duration<double, std::milli>(steady_now() - time).count();
}

// Writes down what the pool says; answers barriers of `ranks` tasks when all have called.
class Recorder : public WorkerPoolListener {
 public:
  struct Seen {
    bool started = false;
    pid_t process = 0;
    std::optional<TaskResult> result;
    std::optional<TaskFailure> failure;
    int ends = 0;
    std::vector<SharedMemoryRegion> outputs;
  };

  void on_task_started(TaskId task, WorkerId, pid_t process) override {
    change([&] {
      seen_[task].started = true;
      seen_[task].process = process;
    });
  }
  void on_task_output(TaskId task, const SharedMemoryRegion& stream) override {
    change([&] { seen_[task].outputs.push_back(stream); });
  }
  void on_task_finished(TaskId task, TaskResult result) override {
    change([&] {
      seen_[task].result = std::move(result);
      ++seen_[task].ends;
    });
  }
  void on_task_failed(TaskId task, TaskFailure failure) override {
    change([&] {
      seen_[task].failure = std::move(failure);
      ++seen_[task].ends;
    });
  }
  void on_worker_started(WorkerId, ZygoteId, pid_t process) override {
    change([&] {
      workers_[process] = true;
      most_starting_ = std::max(most_starting_, children_of(parent_of(process)) - living() + 1);
    });
  }
  void on_worker_exited(WorkerId, pid_t process, const std::string&) override {
    change([&] { workers_[process] = false; });
  }
  void on_barrier_call(TaskId task, tasks::BarrierRequest request) override {
    std::lock_guard lock(mutex_);
    calls_[task] = request.message;
    if (static_cast<int>(calls_.size()) < ranks) return;
    auto messages = std::make_shared<std::vector<std::string>>();
    std::vector<TaskId> tasks;
    for (const auto& [task_of_rank, message] : calls_) {
      tasks.push_back(task_of_rank);
      messages->push_back(message);
    }
    pool->answer_barrier(std::move(tasks), messages);
    calls_.clear();
  }

  void change(const std::function<void()>& function) {
    std::lock_guard lock(mutex_);
    function();
    changed_.notify_all();
  }
  bool wait(const std::function<bool()>& condition, milliseconds deadline = milliseconds(20'000)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, deadline, condition);
  }
  bool wait_for_start(TaskId task) {
    return wait([&] { return seen_[task].started; });
  }
  bool wait_for_end(TaskId task) {
    return wait([&] { return seen_[task].ends > 0; });
  }
  bool wait_for_workers(int count) {
    return wait([&] { return living() == count; });
  }
  int living() const {
    return std::count_if(workers_.begin(), workers_.end(), [](const auto& worker) { return worker.second; });
  }
  // How many workers of one zygote were starting at the same time.
  int most_starting() {
    std::lock_guard lock(mutex_);
    return most_starting_;
  }
  Seen seen(TaskId task) {
    std::lock_guard lock(mutex_);
    return seen_[task];
  }
  void reset_calls() {
    change([&] { calls_.clear(); });
  }

  WorkerPool* pool = nullptr;
  int ranks = 1;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<TaskId, Seen> seen_;
  std::map<TaskId, std::string> calls_;
  std::map<pid_t, bool> workers_;
  int most_starting_ = 0;
};

class WorkerPoolTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    char folder[] = "/tmp/deuteron-functions-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    functions_ = folder;
    const std::string command = interpreter() + " tests/worker/write_functions.py " + functions_;
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(functions_); }

  void SetUp() override {
    char folder[] = "/tmp/deuteron-runtime-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    runtime_ = folder;
    log_ = FileDescriptor(open((runtime_ + "/log").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    start_pool();
    const std::string stream = content_of(functions_ + "/input.stream");
    input_ = make_slab(stream);
  }

  void TearDown() override {
    pool_.reset();
    EXPECT_EQ(recorder_.living(), 0);
    int entries = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(runtime_)) ++entries;
    EXPECT_EQ(entries, 1) << "something was left beside the log";
    std::filesystem::remove_all(runtime_);
  }

  void start_pool() {
    WorkerPoolOptions options = options_;
    options.runtime_directory = runtime_;
    options.log_descriptor = log_.get();
    auto pool = WorkerPool::make(options, recorder_);
    ASSERT_TRUE(pool.ok()) << pool.status().to_string();
    pool_ = *std::move(pool);
    recorder_.pool = pool_.get();
  }

  ZygoteId start_zygote(
      int spares = 0, const std::function<void(ZygoteOptions&)>& change = [](ZygoteOptions&) {}) {
    ZygoteOptions options;
    options.interpreter = interpreter();
    options.package_folder = std::filesystem::absolute("python");
    options.spares = spares;
    change(options);
    return pool_->start_zygote(options);
  }

  SharedMemoryRegion make_slab(const std::string& content) {
    slabs_.emplace_back(memfd_create("slab", MFD_CLOEXEC));
    EXPECT_EQ(write(slabs_.back().get(), content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
    return {slabs_.back().get(), next_slab_++, 0, content.size()};
  }

  WorkerTask make_task(ZygoteId zygote, const std::string& function, int rank = 0, int ranks = 0,
                       int attempt = 0) {
    PySparkTask header;
    header.python_version = content_of(functions_ + "/version");
    header.context = {.stage = 7, .task = next_task_, .partition = rank, .attempt = attempt, .ranks = ranks};
    header.barrier_path = pool_->barrier_path(next_task_);
    header.addresses = {"127.0.0.1:0"};
    header.files_directory = runtime_;
    header.functions = {{.arguments = {{0, std::nullopt}},
                         .commands = {content_of(functions_ + "/" + function + ".command")}}};
    WorkerTask task;
    task.task = next_task_++;
    task.zygote = zygote;
    task.label = "stage 7 rank " + std::to_string(rank) + " attempt " + std::to_string(attempt);
    task.header = build_task_header(header);
    task.input = {input_, kEndOfStream};
    task.output = make_slab("");
    task.barrier = ranks > 0;
    return task;
  }

  Recorder::Seen run(WorkerTask task) {
    const TaskId id = task.task;
    pool_->submit(std::move(task));
    EXPECT_TRUE(recorder_.wait_for_end(id));
    Recorder::Seen seen = recorder_.seen(id);
    EXPECT_EQ(seen.ends, 1);
    if (seen.ends == 0)
      seen.failure.emplace(TaskFailure{FailureKind::kNotStarted, internal_error("no end was seen")});
    return seen;
  }

  // Says how often the log has `text`, after it was waited for.
  std::string log_after(const std::string& text) {
    const std::string path = runtime_ + "/log";
    for (int i = 0; i < 500 && content_of(path).find(text) == std::string::npos; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    return content_of(path);
  }

  static std::string functions_;
  WorkerPoolOptions options_;
  std::string runtime_;
  FileDescriptor log_;
  std::vector<FileDescriptor> slabs_;
  uint64_t next_slab_ = 1;
  TaskId next_task_ = 1;
  SharedMemoryRegion input_;
  Recorder recorder_;
  std::unique_ptr<WorkerPool> pool_;
};

std::string WorkerPoolTest::functions_;

TEST_F(WorkerPoolTest, RunsTasksAndKeepsTheWorkerWarm) {
  const ZygoteId zygote = start_zygote();
  const Recorder::Seen first = run(make_task(zygote, "identity"));
  ASSERT_TRUE(first.result) << first.failure->status.to_string();
  EXPECT_EQ(first.result->kind, TaskResult::Kind::kArrow);
  EXPECT_EQ(first.result->data.offset % 64, 0u);
  EXPECT_GT(first.result->data.length, 24'000u);
  EXPECT_TRUE(first.result->retained_slabs.empty());
  const Recorder::Seen second = run(make_task(zygote, "sum_of_column"));
  ASSERT_TRUE(second.result);
  EXPECT_EQ(first.process, second.process);
}

TEST_F(WorkerPoolTest, SingleUseTakesAFreshWorkerAndEndsIt) {
  const ZygoteId zygote = start_zygote();
  const pid_t used = run(make_task(zygote, "identity")).process;
  WorkerTask task = make_task(zygote, "identity");
  task.single_use = true;
  const pid_t fresh = run(std::move(task)).process;
  EXPECT_NE(used, fresh);
  EXPECT_TRUE(recorder_.wait_for_workers(1));
}

TEST_F(WorkerPoolTest, TasksRunSideBySide) {
  const ZygoteId zygote = start_zygote();
  std::vector<TaskId> tasks;
  for (int i = 0; i < 3; ++i) {
    WorkerTask task = make_task(zygote, "sleeping");
    tasks.push_back(task.task);
    pool_->submit(std::move(task));
  }
  EXPECT_TRUE(recorder_.wait_for_workers(3));
  for (const TaskId task : tasks) pool_->kill(task);
  for (const TaskId task : tasks) {
    ASSERT_TRUE(recorder_.wait_for_end(task));
    EXPECT_EQ(recorder_.seen(task).failure->kind, FailureKind::kKilled);
  }
}

TEST_F(WorkerPoolTest, AnErrorOfTheFunctionHasItsTracebackAndCostsTheWorker) {
  const ZygoteId zygote = start_zygote();
  for (const auto& [function, message] :
       {std::pair("failing", "ValueError: seven is not a prime"), std::pair("sys_exit", "SystemExit: 3")}) {
    const Recorder::Seen seen = run(make_task(zygote, function));
    ASSERT_TRUE(seen.failure);
    EXPECT_EQ(seen.failure->kind, FailureKind::kPythonError);
    EXPECT_EQ(seen.failure->status.condition(), "PYTHON_EXCEPTION");
    EXPECT_EQ(seen.failure->status.detail().parameters.at("message"), message);
    EXPECT_NE(seen.failure->status.detail().python_traceback.find("Traceback"), std::string::npos);
    EXPECT_TRUE(recorder_.wait_for_workers(0));
  }
  EXPECT_TRUE(run(make_task(zygote, "identity")).result);
}

TEST_F(WorkerPoolTest, ALostWorkerTellsHowItEndedAndWhatItPrintedLast) {
  const ZygoteId zygote = start_zygote();
  const Recorder::Seen left = run(make_task(zygote, "os_exit"));
  ASSERT_TRUE(left.failure);
  EXPECT_EQ(left.failure->kind, FailureKind::kWorkerExited);
  EXPECT_EQ(left.failure->exit_status, 9);
  EXPECT_NE(left.failure->status.to_string().find("exit status 9; it printed last:\nabout to leave"),
            std::string::npos)
      << left.failure->status.to_string();
  const Recorder::Seen crashed = run(make_task(zygote, "crashing"));
  ASSERT_TRUE(crashed.failure);
  EXPECT_EQ(crashed.failure->signal, SIGSEGV);
  EXPECT_NE(crashed.failure->status.to_string().find("SIGSEGV"), std::string::npos);
  EXPECT_NE(log_after("about to leave").find("[stage 7 rank 0 attempt 0] about to leave"), std::string::npos);
}

TEST_F(WorkerPoolTest, ATaskThatCannotBeToldFailsInsteadOfHanging) {
  WorkerTask task = make_task(start_zygote(), "identity");
  task.environment["LARGE"] = std::string(200'000, 'x');
  const Recorder::Seen seen = run(std::move(task));
  ASSERT_TRUE(seen.failure);
  EXPECT_EQ(seen.failure->kind, FailureKind::kWorkerExited);
}

TEST_F(WorkerPoolTest, AKilledWorkerIsNoticed) {
  const ZygoteId zygote = start_zygote();
  WorkerTask task = make_task(zygote, "sleeping");
  const TaskId id = task.task;
  pool_->submit(std::move(task));
  ASSERT_TRUE(recorder_.wait_for_start(id));
  std::this_thread::sleep_for(milliseconds(50));
  kill_process(recorder_.seen(id).process);
  ASSERT_TRUE(recorder_.wait_for_end(id));  // the function would sleep for longer
  EXPECT_EQ(recorder_.seen(id).failure->kind, FailureKind::kWorkerExited);
  EXPECT_EQ(recorder_.seen(id).failure->signal, SIGKILL);
}

TEST_F(WorkerPoolTest, AKilledZygoteIsReplaced) {
  const ZygoteId zygote = start_zygote();
  WorkerTask task = make_task(zygote, "sleeping");
  const TaskId id = task.task;
  pool_->submit(std::move(task));
  ASSERT_TRUE(recorder_.wait_for_start(id));
  kill_process(parent_of(recorder_.seen(id).process));
  ASSERT_TRUE(recorder_.wait_for_end(id));
  EXPECT_EQ(recorder_.seen(id).failure->kind, FailureKind::kWorkerExited);
  EXPECT_TRUE(run(make_task(zygote, "identity")).result);
}

TEST_F(WorkerPoolTest, AKilledTemplateIsReplaced) {
  const ZygoteId zygote = start_zygote();
  const pid_t first = run(make_task(zygote, "identity")).process;
  kill_process(parent_of(parent_of(first)));
  EXPECT_TRUE(recorder_.wait_for_workers(0));
  EXPECT_TRUE(run(make_task(zygote, "identity")).result);
}

TEST_F(WorkerPoolTest, ASecondSessionStartsQuicklyWithItsOwnEnvironment) {
  run(make_task(start_zygote(), "identity"));
  const SteadyTime begin = steady_now();
  const ZygoteId second = start_zygote(0, [](ZygoteOptions& options) {
    options.environment = {{"DEUTERON_TEST", "5"}};
  });
  const Recorder::Seen seen = run(make_task(second, "variable"));
  ASSERT_TRUE(seen.result);
  std::printf("second session, start to first result: %.2f ms\n", milliseconds_since(begin));
  EXPECT_NE(log_after("variable").find("variable 5"), std::string::npos);
  EXPECT_TRUE(recorder_.wait_for_workers(2));
}

TEST_F(WorkerPoolTest, AnInterpreterThatCannotStartWorkersFailsTheTasksWithTheReason) {
  const ZygoteId missing =
      start_zygote(0, [](ZygoteOptions& options) { options.interpreter = "/no/such/python"; });
  Recorder::Seen seen = run(make_task(missing, "identity"));
  ASSERT_TRUE(seen.failure);
  EXPECT_EQ(seen.failure->kind, FailureKind::kNotStarted);
  EXPECT_NE(seen.failure->status.to_string().find("/no/such/python"), std::string::npos);

  const ZygoteId broken = start_zygote(0, [](ZygoteOptions& options) { options.package_folder = "/tmp"; });
  seen = run(make_task(broken, "identity"));
  ASSERT_TRUE(seen.failure);
  EXPECT_NE(seen.failure->status.to_string().find("No module named"), std::string::npos)
      << seen.failure->status.to_string();
}

TEST_F(WorkerPoolTest, AnInterpreterThatHangsMissesItsDeadline) {
  const std::string script = runtime_ + "/log-hanging-python";
  std::ofstream(script) << "#!/bin/sh\nexec sleep 1000\n";
  chmod(script.c_str(), 0700);
  const ZygoteId zygote = start_zygote(0, [&](ZygoteOptions& options) {
    options.interpreter = script;
    options.start_deadline = milliseconds(100);
  });
  const Recorder::Seen seen = run(make_task(zygote, "identity"));
  std::filesystem::remove(script);
  ASSERT_TRUE(seen.failure);
  EXPECT_EQ(seen.failure->kind, FailureKind::kNotStarted);
  EXPECT_NE(seen.failure->status.to_string().find("was not ready after 100 ms"), std::string::npos);
}

TEST_F(WorkerPoolTest, WorkersThatEndBeforeTheyAreReadyFailTheTasksWithTheReason) {
  const std::string folder = runtime_ + "/log-ending-forks";
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/sitecustomize.py")
      << "import os\nos.register_at_fork(after_in_child=lambda: os._exit(7))\n";
  const std::string script = folder + "/python";
  std::ofstream(script) << "#!/bin/sh\nPYTHONPATH=" << folder << ":$PYTHONPATH exec " << interpreter()
                        << " \"$@\"\n";
  chmod(script.c_str(), 0700);
  const ZygoteId zygote = start_zygote(2, [&](ZygoteOptions& options) {
    options.interpreter = script;
    options.has_own_interpreter = true;
  });
  for (int trial = 0; trial < 2; ++trial) {
    const Recorder::Seen seen = run(make_task(zygote, "identity"));
    ASSERT_TRUE(seen.failure);
    EXPECT_EQ(seen.failure->kind, FailureKind::kNotStarted);
    EXPECT_NE(seen.failure->status.to_string().find("before it was ready: exit status 7"), std::string::npos)
        << seen.failure->status.to_string();
  }
  std::filesystem::remove_all(folder);
}

TEST_F(WorkerPoolTest, IdleWorkersOfAllZygotesAreCapped) {
  pool_.reset();
  options_.max_idle_workers = 3;
  start_pool();
  std::vector<pid_t> latest;
  for (int i = 0; i < 4; ++i) {
    const ZygoteId zygote = start_zygote(2);
    const Recorder::Seen seen = run(make_task(zygote, "identity"));
    ASSERT_TRUE(seen.result);
    ASSERT_TRUE(recorder_.wait([&] { return recorder_.living() <= 3; }));
    latest.push_back(seen.process);
  }
  ASSERT_TRUE(recorder_.wait_for_workers(3)) << "no more than that, and what is kept stays";
  EXPECT_FALSE(has_ended(latest.back(), milliseconds(0))) << "who was used last keeps them";
  EXPECT_TRUE(has_ended(latest.front()));
}

TEST_F(WorkerPoolTest, MemoryIsLimitedByFailingAllocations) {
  const ZygoteId zygote =
      start_zygote(0, [](ZygoteOptions& options) { options.memory_limit_bytes = 300 << 20; });
  const Recorder::Seen seen = run(make_task(zygote, "allocating"));
  ASSERT_TRUE(seen.failure);
  EXPECT_EQ(seen.failure->kind, FailureKind::kPythonError);
  EXPECT_EQ(seen.failure->status.detail().parameters.at("message"),
            "MemoryError (memory limit of a worker: 300.0 MiB)");
}

TEST_F(WorkerPoolTest, MemoryIsLimitedByWatchingTheProcess) {
  const ZygoteId zygote = start_zygote(0, [](ZygoteOptions& options) {
    options.memory_limit_bytes = 200 << 20;
    options.limit_allocations = false;
  });
  const Recorder::Seen seen = run(make_task(zygote, "growing"));
  ASSERT_TRUE(seen.failure);
  EXPECT_EQ(seen.failure->kind, FailureKind::kMemoryLimit);
  EXPECT_NE(seen.failure->status.to_string().find("its limit is 200.0 MiB"), std::string::npos)
      << seen.failure->status.to_string();
  EXPECT_TRUE(run(make_task(zygote, "identity")).result);
}

TEST_F(WorkerPoolTest, SlabsThatUserCodeStillUsesAreNamed) {
  const ZygoteId zygote = start_zygote();
  const Recorder::Seen seen = run(make_task(zygote, "keeping"));
  ASSERT_TRUE(seen.result);
  EXPECT_EQ(seen.result->retained_slabs, std::vector<uint64_t>{input_.slab});
}

TEST_F(WorkerPoolTest, ForgottenSlabsAreUnmapped) {
  const ZygoteId zygote = start_zygote();
  const Recorder::Seen seen = run(make_task(zygote, "identity"));
  const std::string maps = "/proc/" + std::to_string(seen.process) + "/maps";
  EXPECT_NE(content_of(maps).find("memfd:slab"), std::string::npos);
  pool_->forget_slabs({input_.slab, seen.result->data.slab});
  bool mapped = true;
  for (int i = 0; i < 200 && mapped; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    mapped = content_of(maps).find("memfd:slab") != std::string::npos;
  }
  EXPECT_FALSE(mapped);
}

TEST_F(WorkerPoolTest, InputMayComeWhileTheTaskRunsAndOutputIsReportedEarly) {
  const ZygoteId zygote = start_zygote();
  const uint64_t half = input_.length / 2;
  WorkerTask task = make_task(zygote, "identity");
  const TaskId id = task.task;
  task.input = {SharedMemoryRegion{input_.descriptor, input_.slab, 0, half}};
  task.input_complete = false;
  task.progress_bytes = 1000;
  pool_->submit(std::move(task));
  for (int i = 0; i < 1000 && recorder_.seen(id).outputs.empty(); ++i)
    std::this_thread::sleep_for(milliseconds(10));
  const auto outputs = recorder_.seen(id).outputs;
  ASSERT_FALSE(outputs.empty());
  EXPECT_GT(outputs[0].length, 8000u);
  pool_->add_input(
      id, {SharedMemoryRegion{input_.descriptor, input_.slab, half, input_.length - half}, kEndOfStream},
      true);
  ASSERT_TRUE(recorder_.wait_for_end(id));
  ASSERT_TRUE(recorder_.seen(id).result);
  EXPECT_EQ(recorder_.seen(id).result->data.offset, outputs[0].offset);
}

TEST_F(WorkerPoolTest, AGangGathersAndWaits) {
  constexpr int kRanks = 4;
  recorder_.ranks = kRanks;
  const ZygoteId zygote = start_zygote(kRanks);
  ASSERT_TRUE(recorder_.wait_for_workers(kRanks));
  for (int repeat = 0; repeat < 2; ++repeat) {
    const SteadyTime begin = steady_now();
    const TaskId first = next_task_;
    for (int rank = 0; rank < kRanks; ++rank) pool_->submit(make_task(zygote, "gang", rank, kRanks));
    for (int rank = 0; rank < kRanks; ++rank) {
      ASSERT_TRUE(recorder_.wait_for_end(first + rank));
      ASSERT_TRUE(recorder_.seen(first + rank).result)
          << recorder_.seen(first + rank).failure->status.to_string();
    }
    RecordProperty("gang_ms_" + std::to_string(repeat), std::to_string(milliseconds_since(begin)));
    std::printf("gang of %d, submit to result, with 20 barriers and an allGather: %.2f ms\n", kRanks,
                milliseconds_since(begin));
  }
  const std::string log = log_after("gathered");
  EXPECT_NE(
      log.find("gathered rank 0 of attempt 0, rank 1 of attempt 0, rank 2 of attempt 0, rank 3 of attempt 0"),
      std::string::npos);
  const size_t barriers = log.rfind("barriers");
  std::printf("%s\n", log.substr(barriers, log.find('\n', barriers) - barriers).c_str());
}

// They are warm before anybody needs them, and do not take the machine from who works meanwhile.
TEST_F(WorkerPoolTest, SparesComeUpBesideTheWork) {
  start_zygote(6);
  ASSERT_TRUE(recorder_.wait_for_workers(6));
  EXPECT_LE(recorder_.most_starting(), std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

// SIGKILL of a rank; all ranks are ended; the next attempt runs on spares.
TEST_F(WorkerPoolTest, AGangStartsAgainOnSpares) {
  recorder_.ranks = 2;
  const ZygoteId zygote = start_zygote(2);
  ASSERT_TRUE(recorder_.wait_for_workers(2));
  const TaskId first = next_task_;
  for (int rank = 0; rank < 2; ++rank) pool_->submit(make_task(zygote, "first_attempt_hangs", rank, 2, 0));
  ASSERT_TRUE(recorder_.wait_for_workers(4));  // the spares are back
  std::this_thread::sleep_for(milliseconds(100));
  WorkerTask again[2] = {make_task(zygote, "first_attempt_hangs", 0, 2, 1),
                         make_task(zygote, "first_attempt_hangs", 1, 2, 1)};
  const int64_t begin = std::chrono::steady_clock::now().time_since_epoch().count();
  kill_process(recorder_.seen(first + 1).process);
  ASSERT_TRUE(recorder_.wait_for_end(first + 1));
  pool_->kill(first);
  ASSERT_TRUE(recorder_.wait_for_end(first));
  for (WorkerTask& task : again) pool_->submit(std::move(task));
  for (const TaskId task : {first + 2, first + 3}) {
    ASSERT_TRUE(recorder_.wait_for_end(task));
    ASSERT_TRUE(recorder_.seen(task).result) << recorder_.seen(task).failure->status.to_string();
  }
  std::istringstream log(log_after("rank 1 attempt 1] entered"));
  for (std::string line; std::getline(log, line);) {
    const size_t entered = line.find("entered 1 ");
    if (entered == std::string::npos) continue;
    const double ms = (std::stoll(line.substr(entered + 10)) - begin) / 1e6;
    std::printf("from SIGKILL to user code of attempt 1: %.2f ms\n", ms);
  }
}

TEST_F(WorkerPoolTest, TheZygoteLearnsWhatTasksImport) {
  pool_.reset();
  options_.preload_delay = milliseconds(0);
  start_pool();
  const ZygoteId zygote = start_zygote(1);
  ASSERT_TRUE(recorder_.wait_for_workers(1));
  const Recorder::Seen seen = run(make_task(zygote, "importing"));
  if (seen.failure) GTEST_SKIP() << "scipy is not installed";
  // A spare that was forked before the zygote had imported the module may still be there.
  std::string log;
  for (int tries = 0; tries < 100 && log.find("found it imported") == std::string::npos; ++tries) {
    WorkerTask task = make_task(zygote, "importing");
    task.single_use = true;
    ASSERT_TRUE(run(std::move(task)).result);
    log = content_of(runtime_ + "/log");
  }
  EXPECT_NE(log.find("found it imported"), std::string::npos);
}

TEST_F(WorkerPoolTest, StoppingAZygoteEndsItsTasksAndProcesses) {
  const ZygoteId zygote = start_zygote();
  const ZygoteId other = start_zygote();
  WorkerTask task = make_task(zygote, "sleeping");
  const TaskId id = task.task;
  pool_->submit(std::move(task));
  ASSERT_TRUE(recorder_.wait_for_start(id));
  pool_->stop_zygote(zygote);
  ASSERT_TRUE(recorder_.wait_for_end(id));
  EXPECT_EQ(recorder_.seen(id).failure->kind, FailureKind::kKilled);
  EXPECT_TRUE(recorder_.wait_for_workers(0));
  EXPECT_EQ(run(make_task(zygote, "identity")).failure->kind, FailureKind::kNotStarted);
  EXPECT_TRUE(run(make_task(other, "identity")).result);
}

TEST_F(WorkerPoolTest, TheEndOfThePoolEndsEverything) {
  const ZygoteId zygote = start_zygote(2);
  WorkerTask running = make_task(zygote, "sleeping");
  const TaskId id = running.task;
  pool_->submit(std::move(running));
  ASSERT_TRUE(recorder_.wait_for_workers(3));
  ASSERT_TRUE(recorder_.wait_for_start(id));
  const pid_t process = recorder_.seen(id).process;
  pool_.reset();
  EXPECT_EQ(recorder_.seen(id).failure->kind, FailureKind::kKilled);
  EXPECT_EQ(recorder_.living(), 0);
  ASSERT_GT(process, 1);
  EXPECT_TRUE(has_ended(process));
}

}  // namespace
}  // namespace deuteron::worker_pool
