#include "execution/explain.h"

#include "base/clock.h"
#include "execution/position_columns.h"
#include "execution/python_output.h"
#include "execution/stage_planner.h"

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT: nearly every name here is a node's

// What a stage would leave, without partitions: enough for the fragment above it to be written as SQL.
exchange::StageOutputPtr describe_output(const PythonStage& stage) {
  auto output = std::make_shared<exchange::StageOutput>();
  output->groups = output_groups(stage);
  return output;
}

class Explanation {
 public:
  Explanation(relational::Engine& engine, const Request& request, int32_t slots)
      : engine_(engine), cache_(request.cache) {
    context_.settings = request.settings;
    context_.time_zone = request.time_zone;
    context_.now_micros = wall_clock_micros();
    context_.default_parallelism = slots;
  }

  Result<std::string> explain(const RelationPtr& plan) {
    RelationPtr reading = plan;
    if (cache_ != nullptr) {
      ASSIGN_OR_RETURN(reading,
                       replace_cached(plan, *cache_, [this](const auto& cached, const Columns& output) {
                         return add_cached(*cached, output);
                       }));
    }
    StagePlanner planner([this](const PythonStage& stage) { return add_python(stage); },
                         [this](const PositionStage& stage) { return add_position(stage); });
    ASSIGN_OR_RETURN(RelationPtr fragment, planner.cut(reading));
    if (const ShowString* show = as<ShowString>(fragment)) fragment = show->input;
    RETURN_IF_ERROR(add_relational(fragment));
    return std::move(text_);
  }

 private:
  Result<Exchange> add_python(const PythonStage& stage) {
    RETURN_IF_ERROR(add_relational(stage.input));
    const auto id = static_cast<int64_t>(context_.inputs.size()) + 1;
    context_.inputs[id] = describe_output(stage);
    text_ +=
        heading(stage.is_gang ? "Gang" : "Tasks") + stage.name + " -> exchange " + std::to_string(id) + "\n";
    return Exchange{id, stage.input->partitions};
  }

  Result<Exchange> add_position(const PositionStage& stage) {
    RETURN_IF_ERROR(add_relational(stage.input));
    const auto described = std::make_shared<exchange::StageOutput>();
    described->groups.push_back({to_schema(stage.input->output), exchange::Layout::kFlat});
    std::string names;
    for (const ExpressionPtr& call : stage.calls)
      names += (names.empty() ? "" : ", ") + as<Call>(call)->function + "()";
    if (!stage.calls.empty()) described->groups.push_back(position_group(stage.calls));
    const auto id = static_cast<int64_t>(context_.inputs.size()) + 1;
    context_.inputs[id] = described;
    text_ += heading("Partitions") + names + " -> exchange " + std::to_string(id) + "\n";
    return Exchange{id, stage.input->partitions};
  }

  Result<RelationPtr> add_cached(const CachedPlan& cached, const Columns& output) {
    const auto described = std::make_shared<exchange::StageOutput>();
    described->groups.push_back({to_schema(output), exchange::Layout::kFlat});
    const Exchange exchange{static_cast<int64_t>(context_.inputs.size()) + 1, output_partitions(cached)};
    context_.inputs[exchange.id] = described;
    text_ += heading("Cached") + (cached.rows_if_made() == nullptr ? "not made yet" : "in memory") +
             " -> exchange " + std::to_string(exchange.id) + "\n";
    return scan_all(exchange, output);
  }

  static int32_t output_partitions(const CachedPlan& cached) {
    const auto rows = cached.rows_if_made();
    return rows == nullptr ? cached.plan()->partitions : static_cast<int32_t>(rows->partitions.size());
  }

  Status add_relational(const RelationPtr& fragment) {
    ASSIGN_OR_RETURN(const std::string sql, engine_.explain(fragment, context_));
    text_ += heading("Relational") + "\n" + sql + "\n";
    return Status();
  }

  std::string heading(const std::string& kind) {
    return "== Stage " + std::to_string(++stages_) + ": " + kind + " == ";
  }

  relational::Engine& engine_;
  const std::shared_ptr<const PlanCache> cache_;
  relational::RunContext context_;
  int stages_ = 0;
  std::string text_;
};

}  // namespace

Result<std::string> explain_stages(const RelationPtr& plan, relational::Engine& engine,
                                   const Request& request, int32_t slots) {
  return Explanation(engine, request, slots).explain(plan);
}

}  // namespace deuteron::execution
