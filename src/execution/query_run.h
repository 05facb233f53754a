// One execution of one plan: runs its Python stages, keeps their outputs for as long as it lives, and knows
// how to stop all of it. Used by one thread; what it waits for ends early when the operation is cancelled or
// a stage fails. Its sink hears of progress from several threads, and of rows from one more, one at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "execution/executor.h"
#include "execution/lineage.h"
#include "execution/python_task.h"
#include "execution/running_jobs.h"
#include "execution/stage_collector.h"
#include "execution/stage_planner.h"
#include "relational/engine.h"
#include "scheduler/scheduler.h"

namespace deuteron::execution {

// The stages whose outputs the fragment reads.
std::set<int64_t> exchanges_in(const plan::resolved::RelationPtr& fragment);

// What all runs share; outlives them.
struct Services {
  relational::Engine& engine;
  scheduler::Scheduler& scheduler;
  RunningJobs& jobs;
  exchange::SharedMemory& memory;
  events::Bus& bus;
  std::function<worker_pool::ZygoteId(const Request& request)> zygote_for;
  std::string files_directory;    // on every worker's sys.path
  std::string runtime_directory;  // parent of the gangs' folders; "": the system's
};

class QueryRun {
 public:
  QueryRun(const Services& services, const Request& request, ProgressSink& sink, CancelToken& cancel);
  ~QueryRun();
  QueryRun(const QueryRun&) = delete;
  QueryRun& operator=(const QueryRun&) = delete;

  // Runs all Python stages of the plan, and reads from the session's cache what that holds; what remains is a
  // fragment for the engine.
  Result<plan::resolved::RelationPtr> run_stages(const plan::resolved::RelationPtr& plan);
  // The same; null when the rows were handed to `sink` while the last stage was running (result_stream.h).
  Result<plan::resolved::RelationPtr> run_stages(const plan::resolved::RelationPtr& plan,
                                                 const relational::BatchSink& sink);
  // Runs a plan whose topmost node is a MapPartitions of one column of bytes, one row in each partition.
  PartitionBytes run_partitions(const plan::resolved::RelationPtr& plan);
  // For running that fragment.
  relational::RunContext context() const;
  // The same, and its progress is told as a stage of its own.
  relational::RunContext begin_relational_stage();
  // Runs a fragment by `work`, again when some of what it reads was lost: made again by then. The context
  // must be asked for anew each time. has_begun: whether somebody has seen rows, so that it cannot be run
  // again.
  Status read(const plan::resolved::RelationPtr& fragment, const std::function<Status()>& work,
              const bool* has_begun = nullptr);
  // Before somebody sees rows of the fragment: whether they were made from what was written.
  Status check(const plan::resolved::RelationPtr& fragment) const;
  CancelToken& stop() { return *stop_; }
  // An error as the client shall see it: who was cancelled on request says so.
  Status final_status(const Status& status) const;

 private:
  // The stages, which run as parts of this: see lineage.h.
  friend class TaskMaker;
  friend class GangMaker;
  friend class RelationalMaker;
  friend class CachedMaker;
  friend class ResultStream;

  static constexpr std::chrono::milliseconds kProgressInterval{200};

  Result<plan::resolved::RelationPtr> run_python(const plan::resolved::RelationPtr& plan);
  Status stream(PythonStage stage, const plan::resolved::RelationPtr& rest,
                const relational::BatchSink& sink);
  // Reads from the session's cache what that holds.
  Result<plan::resolved::RelationPtr> read_cached(const plan::resolved::RelationPtr& plan);
  Result<exchange::StageOutputPtr> fill(const CachedPlan& cached);
  Result<Exchange> run_position(const PositionStage& stage);
  Result<Exchange> run_stage(const PythonStage& planned);
  Result<Exchange> add(std::string name, std::set<int64_t> reads, std::unique_ptr<Maker> maker);
  // How many tasks the stage will have, as far as the plan tells.
  Result<int32_t> planned_tasks(const PythonStage& stage) const;
  Status wait(StageCollector& collector, int64_t tasks);
  Result<std::vector<std::optional<std::string>>> digits_of_last_stage(
      const plan::resolved::Columns& columns);
  // How often anything is made before it is given up.
  int32_t most_attempts() const;
  int32_t number(const std::string& key, int32_t otherwise) const;
  void set_batch_size(PythonStage& stage) const;
  Result<tasks::Slots> slots_per_task(const PythonStage& stage) const;
  tasks::JobId job();
  void begin_stage(int64_t tasks);
  void report(int64_t tasks, const StageCollector::Counts& counts, bool done);

  const Services& services_;
  const Request& request_;
  ProgressSink& sink_;
  CancelToken& cancel_;
  const int64_t now_micros_ = wall_clock_micros();  // one time for all stages
  // Set by the user's cancel or by a stage's failure, from other threads; shared with listeners that may
  // outlive this run.
  const std::shared_ptr<CancelToken> stop_ = std::make_shared<CancelToken>();
  CancelToken::Registration on_cancel_;
  tasks::JobId job_ = 0;
  CancelToken::Registration on_stop_;
  Lineage lineage_;
  std::map<const CachedPlan*, Exchange> cached_;  // those that are read: all readers see one version
  std::mutex sink_mutex_;                         // held while sink_ is called; guards progress_ too
  std::vector<StageProgress> progress_;
  // What the tasks of the last stage left that did succeed, also when the stage failed.
  struct LastStage {
    std::string command;  // of its function
    int64_t tasks = 0;
    std::map<int32_t, std::shared_ptr<PythonOutput>> outputs;
  };
  LastStage last_stage_;
  std::string final_command_;  // of the function whose tasks have effects elsewhere; "": none
};

}  // namespace deuteron::execution
