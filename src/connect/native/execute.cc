// NativeSession::execute: runs a plan and turns what comes back into responses.
#include <variant>

#include "base/clock.h"
#include "connect/decode/plan_decoder.h"
#include "connect/decode/plan_expansion.h"
#include "connect/encode/data_type.h"
#include "connect/native/session.h"

namespace deuteron::connect {
namespace {

namespace unresolved = plan::unresolved;
using spark::connect::ExecutePlanResponse;

// Batches and progress of an execution -> responses.
class ResponseSink final : public execution::ResultSink {
 public:
  explicit ResponseSink(ResponseWriter& responses) : responses_(responses) {}

  Status on_batch(exchange::EncodedBatch batch) override {
    ExecutePlanResponse response;
    auto* encoded = response.mutable_arrow_batch();
    encoded->set_row_count(batch.rows);
    encoded->set_start_offset(rows_);
    rows_ += batch.rows;
    return responses_.write(std::move(response), batch.stream);
  }

  // Each response costs the client a call: a short query sends none.
  void on_progress(const std::vector<execution::StageProgress>& stages, int64_t running_tasks) override {
    constexpr auto kInterval = std::chrono::milliseconds(500);
    if (steady_now() - last_progress_ < kInterval) return;
    last_progress_ = steady_now();
    ExecutePlanResponse response;
    auto* progress = response.mutable_execution_progress();
    progress->set_num_inflight_tasks(running_tasks);
    for (const execution::StageProgress& stage : stages) {
      auto* info = progress->add_stages();
      info->set_stage_id(stage.stage_id);
      info->set_num_tasks(stage.tasks);
      info->set_num_completed_tasks(stage.completed_tasks);
      info->set_input_bytes_read(stage.input_bytes);
      info->set_done(stage.done);
    }
    (void)responses_.write(std::move(response));  // a client that is gone shows at the next batch
  }

 private:
  ResponseWriter& responses_;
  int64_t rows_ = 0;
  SteadyTime last_progress_ = steady_now();
};

// Clients before 4.0 fill in the fields that `input` has replaced.
// The relation that a client goes on with after sql("SELECT …"): the text and its arguments, to be run when
// it is asked for.
spark::connect::Relation query_relation(const spark::connect::SqlCommand& command) {
  if (command.has_input()) return command.input();
  spark::connect::Relation relation;
  auto* sql = relation.mutable_sql();
  sql->set_query(command.sql());
  *sql->mutable_args() = command.args();
  *sql->mutable_pos_args() = command.pos_args();
  *sql->mutable_named_arguments() = command.named_arguments();
  *sql->mutable_pos_arguments() = command.pos_arguments();
  return relation;
}

}  // namespace

Status NativeSession::execute(const spark::connect::ExecutePlanRequest& request,
                              const std::string& operation_id, ResponseWriter& responses,
                              CancelToken& cancel) {
  RETURN_IF_ERROR(run_plan(request, operation_id, responses, cancel));
  return send_python_updates(responses);
}

// Profiles, under the name by which PySpark's client knows them.
Status NativeSession::send_python_updates(ResponseWriter& responses) {
  std::vector<std::string> updates = session_->reports().take_updates();
  if (updates.empty()) return {};
  ExecutePlanResponse response;
  auto* observed = response.add_observed_metrics();
  observed->set_name("__python_accumulator__");
  for (std::string& update : updates) observed->add_values()->set_binary(std::move(update));
  return responses.write(std::move(response));
}

Status NativeSession::run_plan(const spark::connect::ExecutePlanRequest& request,
                               const std::string& operation_id, ResponseWriter& responses,
                               CancelToken& cancel) {
  ASSIGN_OR_RETURN(const spark::connect::Plan plan, expand_plan(request.plan()));
  if (plan.has_command() && plan.command().has_sql_command()) {
    return run_sql(plan.command().sql_command(), operation_id, responses, cancel);
  }
  if (plan.has_command() && plan.command().has_ml_command() &&
      plan.command().ml_command().has_clean_cache()) {
    // Sent by every client at its exit. There are no models yet, so the cache is clean.
    ExecutePlanResponse response;
    response.mutable_ml_command_result();
    return responses.write(std::move(response));
  }
  if (plan.has_command() && plan.command().has_create_resource_profile_command())
    return create_resource_profile(plan.command().create_resource_profile_command(), responses);
  if (plan.has_command() && plan.command().has_get_resources_command()) return tell_resources(responses);
  ASSIGN_OR_RETURN(const unresolved::Statement statement, decode::decode_plan(plan));
  if (const auto* relation = std::get_if<unresolved::RelationPtr>(&statement)) {
    return run_query(*relation, operation_id, responses, cancel);
  }
  ResponseSink sink(responses);
  return session_->run(std::get<unresolved::Command>(statement), operation_id, sink, cancel).status();
}

Status NativeSession::run_query(const unresolved::RelationPtr& relation, const std::string& operation_id,
                                ResponseWriter& responses, CancelToken& cancel) {
  ASSIGN_OR_RETURN(const auto resolved, session_->analyze(relation));
  ExecutePlanResponse schema;
  *schema.mutable_schema() = encode_schema(plan::resolved::to_schema(resolved->output));
  RETURN_IF_ERROR(responses.write(std::move(schema)));
  ResponseSink sink(responses);
  return session_->run(resolved, operation_id, sink, cancel);
}

Status NativeSession::run_sql(const spark::connect::SqlCommand& command, const std::string& operation_id,
                              ResponseWriter& responses, CancelToken& cancel) {
  const spark::connect::Relation relation = query_relation(command);
  ASSIGN_OR_RETURN(const unresolved::RelationPtr decoded, decode::decode_relation(relation));
  ASSIGN_OR_RETURN(const unresolved::Statement statement, session_->parse(decoded));
  ExecutePlanResponse response;
  spark::connect::Relation& result = *response.mutable_sql_command_result()->mutable_relation();
  if (std::holds_alternative<unresolved::RelationPtr>(statement)) {
    RETURN_IF_ERROR(session_->analyze(decoded).status());  // errors show at sql(), as in Spark
    result = relation;
  } else {
    ResponseSink sink(responses);
    ASSIGN_OR_RETURN(const session::Rows rows,
                     session_->run(std::get<unresolved::Command>(statement), operation_id, sink, cancel));
    if (rows.schema.empty()) {
      result.mutable_local_relation()->set_schema(types::DataType::structure({}).json());
    } else {
      ASSIGN_OR_RETURN(const exchange::EncodedBatch batch, session_->encode(rows));
      ASSIGN_OR_RETURN(const std::string_view stream, batch.stream.bytes());
      result.mutable_local_relation()->set_data(std::string(stream));
    }
  }
  return responses.write(std::move(response));
}

}  // namespace deuteron::connect
