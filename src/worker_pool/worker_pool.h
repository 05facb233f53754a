// Starts, watches, feeds and stops the processes that run Python tasks. It knows shared memory regions, not
// what lies in them, and tasks, not plans. docs/worker-protocol.md describes the processes and what they say
// to each other.
//
// A zygote is a warm Python parent, one per session and set of artifacts; workers are forked from it and run
// one task at a time. Every task that was submitted ends in exactly one call of on_task_finished or
// on_task_failed.
//
// Threads: all methods may be called from any thread, also from inside a listener's call; they return at
// once. The listener is called on the pool's own thread and must not block.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "tasks/task.h"

namespace deuteron::worker_pool {

using tasks::TaskId;
using WorkerId = int64_t;
using ZygoteId = int64_t;

// A piece of a shared memory file. The descriptor stays the caller's, who keeps it open until the task has
// ended.
struct SharedMemoryRegion {
  int descriptor = -1;
  uint64_t slab = 0;  // names the file for ever: workers keep it mapped until forget_slabs()
  uint64_t offset = 0;
  uint64_t length = 0;
};

// A region, or a mark between regions (pyspark_task.h): PySpark's 4-byte integers.
using InputPart = std::variant<SharedMemoryRegion, int32_t>;

struct ZygoteOptions {
  std::string name = "python";                     // in the log
  std::string interpreter = "python3";             // a path, or a name on PATH
  std::string package_folder;                      // put on PYTHONPATH; holds the package deuteron
  bool has_own_interpreter = false;                // no other zygote is to be forked from this interpreter
  std::map<std::string, std::string> environment;  // added to the server's
  int spares = 0;                                  // idle workers to keep ready
  uint64_t memory_limit_bytes = 0;  // per worker, without shared memory; 0: 60 % of the machine
  bool limit_allocations = true;    // at the limit allocations fail (MemoryError) before the worker is killed
  std::chrono::milliseconds start_deadline{60'000};
};

struct WorkerTask {
  TaskId task = 0;  // never used before
  ZygoteId zygote = 0;
  std::string label;  // before each line that the task prints
  // Called with each of these lines, on the pool's thread; must not block.
  using LineHandler = std::function<void(std::string_view line)>;
  LineHandler on_line;
  // Likewise, with each log record that PySpark's worker captures: a JSON object. They are no lines.
  LineHandler on_log_record;
  std::string header;  // build_task_header()
  std::vector<InputPart> input;
  bool input_complete = true;  // false: add_input() will bring more
  SharedMemoryRegion
      output;  // written from its offset on; the file grows as needed. `length` is not looked at
  uint64_t read_progress_bytes = 0;  // on_task_input_read after so many bytes of input; 0: never
  uint64_t progress_bytes = 0;       // on_task_output after so many bytes of whole Arrow messages; 0: never
  std::map<std::string, std::string> environment;
  bool barrier = false;               // serve barrier_path(task)
  std::vector<int> held_descriptors;  // the worker keeps them open until its end: a duplicate of each
  uint64_t memory_limit_bytes = 0;    // below the zygote's; 0: that one
  bool single_use = false;            // take a worker that has run nothing, and end it afterwards
};

// How far a worker has come with its task's input, whose parts are counted from 0.
struct InputRead {
  uint64_t parts = 0;
  std::vector<uint64_t> released;
};

struct TaskResult {
  enum class Kind { kNone, kArrow, kPickled };
  Kind kind = Kind::kNone;  // kNone: no batch at all
  SharedMemoryRegion
      data;  // in the output slab: one Arrow stream with its end mark, or length-prefixed pickles
  std::vector<std::string> updates;  // of PySpark's accumulators, pickled: profiles
  std::vector<uint64_t>
      retained_slabs;  // user code still holds arrays in these: do not write there until the worker has ended
};

enum class FailureKind {
  kPythonError,  // the function raised: the status has its traceback
  kWorkerExited,
  kMemoryLimit,
  kKilled,  // by kill(), stop_zygote() or the end of the pool
  kNotStarted,
};

struct TaskFailure {
  FailureKind kind = FailureKind::kWorkerExited;
  Status status;
  int exit_status = -1;  // of kWorkerExited, when it exited by itself
  int signal = 0;        // of kWorkerExited, when a signal ended it
};

class WorkerPoolListener {
 public:
  virtual ~WorkerPoolListener() = default;
  // The task was handed to a worker.
  virtual void on_task_started(TaskId /*task*/, WorkerId /*worker*/, pid_t /*process*/) {}
  // Whole Arrow messages from the beginning of the output's stream; grows from call to call.
  virtual void on_task_output(TaskId /*task*/, const SharedMemoryRegion& /*stream*/) {}
  // The first `parts` parts of its input are read; nothing refers to those in `released` any more, of which
  // it has not been told before. What the worker says is not checked.
  virtual void on_task_input_read(TaskId /*task*/, const InputRead& /*read*/) {}
  virtual void on_task_finished(TaskId task, TaskResult result) = 0;
  virtual void on_task_failed(TaskId task, TaskFailure failure) = 0;
  // The answer to request_stacks(); before the task's end.
  virtual void on_task_stacks(TaskId /*task*/, tasks::TaskStacks /*stacks*/) {}
  // A task with `barrier`, and what its process has started, has used next to no CPU time since then; none:
  // it does again.
  virtual void on_task_idle(TaskId /*task*/, std::optional<SteadyTime> /*since*/) {}
  virtual void on_barrier_call(TaskId /*task*/, tasks::BarrierRequest /*request*/) {}
  virtual void on_worker_started(WorkerId /*worker*/, ZygoteId /*zygote*/, pid_t /*process*/) {}
  // Also for workers that ended as intended; `reason` is for people.
  virtual void on_worker_exited(WorkerId /*worker*/, pid_t /*process*/, const std::string& /*reason*/) {}
};

struct WorkerPoolOptions {
  std::string
      runtime_directory;   // parent of the pool's own folder (mode 0700); empty: $XDG_RUNTIME_DIR or /tmp
  int log_descriptor = 2;  // where workers' output goes, a line each; -1: nowhere
  // Called with each line that a process prints that has no task (yet), on the pool's thread; must not block.
  using LineHandler = std::function<void(const std::string& label, std::string_view line)>;
  LineHandler on_line;
  std::chrono::milliseconds memory_check_interval{50};
  std::chrono::milliseconds preload_delay{
      2'000};  // from a worker's import of torch to the zygote's; negative: never
  std::chrono::milliseconds fork_deadline{30'000};
  // A fault, for tests of fencing: kill() gives the task up, and its process lives on, as one on a machine
  // that cannot be reached would. It ends with the pool.
  bool withhold_kills = false;
  int start_attempts = 3;     // of a zygote that ends or hangs before it is ready
  int max_idle_workers = 64;  // of all zygotes together; more end, those of who was longest idle first
};

class WorkerPool {
 public:
  // Starts the pool's thread; the listener must outlive the pool.
  static Result<std::unique_ptr<WorkerPool>> make(WorkerPoolOptions options, WorkerPoolListener& listener);
  // Kills all processes, removes sockets and folders; tasks that were under way fail with kKilled before it
  // returns.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Starts in the background; a zygote that cannot start fails the tasks that wait for it.
  ZygoteId start_zygote(ZygoteOptions options);
  // Starts only what zygotes of this interpreter and package folder are forked from, so that the first of
  // them is ready at once.
  void start_template(ZygoteOptions options);
  void stop_zygote(ZygoteId zygote);
  void set_spares(ZygoteId zygote, int spares);
  void preload(ZygoteId zygote, std::vector<std::string> modules);

  void submit(WorkerTask task);
  void add_input(TaskId task, std::vector<InputPart> parts, bool complete);
  // SIGKILL for the worker and what it started; on_task_failed follows when it has ended.
  void kill(TaskId task);
  // on_task_stacks follows within a fraction of a second, unless the task ends before. A kill waits for it.
  void request_stacks(TaskId task);
  // Workers unmap these; nobody may use them any more.
  void forget_slabs(std::vector<uint64_t> slabs);

  // The socket at which a task with `barrier` asks; valid from submit() on.
  std::string barrier_path(TaskId task) const;
  void answer_barrier(std::vector<TaskId> tasks, std::shared_ptr<const std::vector<std::string>> messages);
  // The callers in Python get an EOFError; whoever wants to be sure kills the tasks.
  void refuse_barrier(std::vector<TaskId> tasks);

 private:
  class Loop;
  explicit WorkerPool(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace deuteron::worker_pool
