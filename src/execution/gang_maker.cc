#include "execution/gang_maker.h"

#include <algorithm>

#include "exchange/integrity.h"
#include "execution/gang_directory.h"
#include "execution/python_output.h"
#include "execution/python_program.h"
#include "execution/queue_settings.h"
#include "scheduler/core/inventory.h"

namespace deuteron::execution {

Status GangMaker::check(QueryRun& run, const PythonStage& stage) {
  ASSIGN_OR_RETURN(const int32_t ranks, run.planned_tasks(stage));
  ASSIGN_OR_RETURN(const scheduler::core::GangRules rules, gang_rules(run.request_.settings));
  ASSIGN_OR_RETURN(const tasks::Slots slots, run.slots_per_task(stage));
  const int32_t least = rules.min_ranks > 0 ? std::min(rules.min_ranks, ranks) : ranks;
  return scheduler::core::check_gang(slots, least, run.services_.scheduler.machine());
}

Result<exchange::StageOutputPtr> GangMaker::make(const std::optional<Partitions>& /*wanted*/) {
  ASSIGN_OR_RETURN(const GangDirectory directory, GangDirectory::make(run_.services_.runtime_directory));
  const auto program = make_program(run_.services_, run_.request_, stage_);
  program->gang_directory = directory.path();
  if (run_.request_.files_directory.empty()) program->environment[kFilesVariable] = directory.path();
  scheduler::GangRequest request;
  request.job = run_.job();
  request.name = stage_.name;
  ASSIGN_OR_RETURN(request.rules, gang_rules(run_.request_.settings));
  ASSIGN_OR_RETURN(request.queue, queue_rules(run_.request_.settings));
  ASSIGN_OR_RETURN(request.slots_per_task, run_.slots_per_task(stage_));
  ASSIGN_OR_RETURN(request.ranks, ranks_of(program));
  const auto ranks = static_cast<int64_t>(request.ranks.size());
  request.likeness = run_.request_.session_id + "/" + stage_.name + "/" + std::to_string(ranks);
  const auto collector = std::make_shared<StageCollector>([] {});
  run_.begin_stage(ranks);
  const tasks::StageId id = run_.services_.scheduler.submit_gang(std::move(request), collector);
  if (const Status status = wait(*collector, id, program); !status.ok()) {
    run_.services_.scheduler.cancel_job(run_.job());
    (void)run_.wait(*collector, ranks);  // as cancelled
    return status;
  }
  RETURN_IF_ERROR(collector->status());
  const auto outputs = collector->take_outputs();
  if (run_.request_.reports != nullptr && !std::exchange(is_reported_, true)) {
    for (const auto& [rank, output] : outputs) run_.request_.reports->add_updates(output->updates);
  }
  return assemble(outputs);
}

Result<GangMaker::Ranks> GangMaker::ranks_of(const std::shared_ptr<const PythonProgram>& program) const {
  Ranks ranks;
  for (const exchange::Partition& partition : run_.lineage_.output(input_)->partitions) {
    ASSIGN_OR_RETURN(auto work, PythonWork::of_streams(program, partition[0]));
    ranks.push_back(std::move(work));
  }
  return ranks;
}

// Until the stage has ended. Makes input again that its ranks found lost.
Status GangMaker::wait(StageCollector& collector, tasks::StageId id,
                       const std::shared_ptr<const PythonProgram>& program) {
  const auto ranks = static_cast<int64_t>(run_.lineage_.output(input_)->partitions.size());
  for (int32_t in_vain = 0;;) {
    const auto counts = collector.wait_for_gang(QueryRun::kProgressInterval);
    run_.report(ranks, counts, counts.ended);
    if (counts.ended) return Status();
    if (collector.take_lost_input().empty()) continue;
    ASSIGN_OR_RETURN(const bool is_found, run_.lineage_.restore({input_}));
    if (!is_found && ++in_vain >= run_.most_attempts())
      return error("STAGE_OUTPUT_LOST", {{"reason", "ranks find it lost, and nobody else does"}});
    ASSIGN_OR_RETURN(Ranks again, ranks_of(program));
    run_.services_.scheduler.input_made(id, std::move(again));
  }
}

// Ranks that share the partitions leave one each.
Result<exchange::StageOutputPtr> GangMaker::assemble(
    const std::map<int32_t, std::shared_ptr<PythonOutput>>& outputs) const {
  auto whole = std::make_shared<exchange::StageOutput>();
  whole->groups.push_back(stage_.output);
  for (size_t index = 0; index < run_.lineage_.output(input_)->partitions.size(); ++index) {
    const auto found = outputs.find(static_cast<int32_t>(index));
    ASSIGN_OR_RETURN(exchange::Stream stream,
                     stream_of(stage_.output, found == outputs.end() ? nullptr : found->second.get()));
    whole->partitions.push_back({{std::move(stream)}});
  }
  return exchange::StageOutputPtr(std::move(whole));
}

}  // namespace deuteron::execution
