// Plans whose rows are kept: DataFrame.cache, persist, unpersist.
#include "session/catalog_view.h"
#include "session/session.h"

namespace deuteron::session {

Status Session::persist(const plan::unresolved::RelationPtr& relation, const execution::StorageLevel& level) {
  ASSIGN_OR_RETURN(const auto resolved, analyze(relation));
  cache_->add(resolved, level);
  return Status();
}

Status Session::unpersist(const plan::unresolved::RelationPtr& relation) {
  ASSIGN_OR_RETURN(const auto resolved, analyze(relation));
  cache_->remove(resolved);
  return Status();
}

Result<execution::StorageLevel> Session::storage_level(const plan::unresolved::RelationPtr& relation) {
  ASSIGN_OR_RETURN(const auto resolved, analyze(relation));
  const execution::CachedPlanPtr cached = cache_->find(resolved);
  return cached == nullptr ? execution::StorageLevel{} : cached->level();
}

namespace {

// An answer that nobody reads.
class NoSink : public execution::ResultSink {
 public:
  Status on_batch(exchange::EncodedBatch) override { return Status(); }
  void on_progress(const std::vector<execution::StageProgress>&, int64_t) override {}
};

}  // namespace

// Without LAZY the rows are made at once, by counting them.
Result<Rows> Session::cache_table(const plan::unresolved::CacheTable& command,
                                  const std::string& operation_id, CancelToken& cancel) {
  if (command.query != nullptr) {
    const plan::unresolved::CreateView view{command.query, command.name, {}, false, false, true};
    RETURN_IF_ERROR(run_command(view).status());
  }
  const auto table = plan::unresolved::make_relation(plan::unresolved::NamedTable{command.name, {}});
  RETURN_IF_ERROR(persist(table, execution::kMemoryAndDisk));
  if (command.is_lazy) return Rows{};
  plan::unresolved::Aggregate count;
  count.input = table;
  plan::unresolved::FunctionCall call;
  call.name = {"count"};
  call.arguments = {plan::unresolved::make_expression(plan::unresolved::Star{{}, -1})};
  count.aggregates = {plan::unresolved::make_expression(std::move(call))};
  ASSIGN_OR_RETURN(const auto plan, analyze(plan::unresolved::make_relation(std::move(count))));
  NoSink sink;
  RETURN_IF_ERROR(run(plan, operation_id, sink, cancel));
  return Rows{};
}

}  // namespace deuteron::session
