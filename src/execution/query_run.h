// One execution of one plan: runs its Python stages, keeps their outputs for as long as it lives, and knows
// how to stop all of it. Used by one thread; what it waits for ends early when the operation is cancelled or
// a stage fails.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "execution/executor.h"
#include "execution/python_task.h"
#include "execution/running_jobs.h"
#include "execution/stage_collector.h"
#include "execution/stage_planner.h"
#include "relational/engine.h"
#include "scheduler/scheduler.h"

namespace deuteron::execution {

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
  // Runs a plan whose topmost node is a MapPartitions of one column of bytes, one row in each partition.
  PartitionBytes run_partitions(const plan::resolved::RelationPtr& plan);
  // For running that fragment.
  relational::RunContext context() const;
  // The same, and its progress is told as a stage of its own.
  relational::RunContext begin_relational_stage();
  CancelToken& stop() { return *stop_; }
  // An error as the client shall see it: who was cancelled on request says so.
  Status final_status(const Status& status) const;

 private:
  Result<plan::resolved::RelationPtr> run_python(const plan::resolved::RelationPtr& plan);
  Result<plan::resolved::RelationPtr> read_cached(const plan::resolved::RelationPtr& plan);
  Result<exchange::StageOutputPtr> fill(const CachedPlan& cached);
  Exchange keep(exchange::StageOutputPtr output);
  Result<Exchange> run_position(const PositionStage& stage);
  Result<Exchange> run_stage(const PythonStage& planned);
  Result<exchange::StageOutputPtr> run_tasks(const PythonStage& stage,
                                             const std::shared_ptr<const PythonProgram>& program,
                                             std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs);
  Result<exchange::StageOutputPtr> run_gang(const PythonStage& stage,
                                            const std::shared_ptr<PythonProgram>& program,
                                            std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs);
  void report_updates(const std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) const;
  Status check_gang(const PythonStage& stage) const;
  // How many tasks the stage will have, as far as the plan tells.
  Result<int32_t> planned_tasks(const PythonStage& stage) const;
  Status wait(StageCollector& collector, int64_t tasks);
  Result<exchange::StageOutputPtr> assemble(
      const PythonStage& stage, const exchange::StageOutput& input,
      const std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) const;
  Result<std::vector<std::optional<std::string>>> digits_of_last_stage(
      const plan::resolved::Columns& columns);
  std::shared_ptr<PythonProgram> make_program(const PythonStage& stage) const;
  void observe(PythonProgram& program, const PythonStage& stage) const;
  std::string setting(const std::string& key, const std::string& otherwise) const;
  int32_t number(const std::string& key, int32_t otherwise) const;
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
  std::map<int64_t, exchange::StageOutputPtr> outputs_;
  std::vector<StageProgress> progress_;
  // What the tasks of the last stage left that did succeed, also when the stage failed.
  struct LastStage {
    std::string command;  // of its function
    int64_t tasks = 0;
    std::map<int32_t, std::shared_ptr<PythonOutput>> outputs;
  };
  LastStage last_stage_;
};

}  // namespace deuteron::execution
