// The verbs analyze, run and explain.
#include <algorithm>

#include "base/clock.h"
#include "session/catalog_view.h"
#include "session/python_logs.h"
#include "session/session.h"
#include "session/waiting_gangs.h"

namespace deuteron::session {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
  });
  return text;
}

std::optional<catalog::View> Session::Catalog::find_view(const plan::Names& name) const {
  const bool is_added =
      std::equal(name.begin(), name.end(), added_.first.begin(), added_.first.end(),
                 [](const auto& a, const auto& b) { return lower_case(a) == lower_case(b); });
  if (is_added) return added_.second;
  if (name.size() == 1) return Views::find(views_, name[0]);
  if (name.size() == 2 && lower_case(name[0]) == kGlobalDatabase) return Views::find(global_views_, name[1]);
  return std::nullopt;
}

plan::unresolved::ExpressionPtr Session::Catalog::find_function(const std::string& name) const {
  const auto found = functions_.find(lower_case(name));
  return found == functions_.end() ? nullptr : found->second;
}

plan::unresolved::ExpressionPtr Session::Catalog::find_data_source(const std::string& name) const {
  const auto found = data_sources_.find(lower_case(name));
  return found == data_sources_.end() ? nullptr : found->second;
}

Result<plan::resolved::RelationPtr> Session::Catalog::python_worker_logs() const {
  constexpr const char* kEnabled = "spark.sql.pyspark.worker.logging.enabled";
  if (executing_.request.settings.at(kEnabled) != "true") {
    return error(
        "FEATURE_NOT_ENABLED",
        {{"featureName", "Python Worker Logging"}, {"configKey", kEnabled}, {"configValue", "true"}});
  }
  return to_relation(python_log_rows(executing_.request.reports->log_records()));
}

Result<plan::resolved::RelationPtr> Session::Catalog::waiting_gangs() const {
  const auto gangs = executing_.executor.waiting_gangs(executing_.request.session_id);
  return to_relation(waiting_gang_rows(gangs, wall_clock_micros()));
}

Session::Catalog Session::catalog() const {
  std::lock_guard lock(functions_mutex_);
  return Catalog(views_.snapshot(), environment_.global_views.snapshot(), functions_, data_sources_,
                 artifacts_, {*environment_.files, *environment_.executor, request("")});
}

execution::Request Session::request(const std::string& operation_id) const {
  execution::Request request;
  request.session_id = server_side_id_;
  request.operation_id = operation_id;
  request.settings = settings_.all();
  request.time_zone = *settings_.find("spark.sql.session.timeZone");
  request.python_paths = artifacts_->python_paths();
  request.files_directory = artifacts_->files_directory();
  request.cache = cache_;
  request.reports = reports_;
  request.profiles = &environment_.profiles;
  return request;
}

Result<plan::unresolved::Statement> Session::parse(const plan::unresolved::RelationPtr& relation) const {
  if (const auto* sql = plan::unresolved::as<plan::unresolved::Sql>(relation))
    return analyzer::parse_sql(*sql);
  return plan::unresolved::Statement(relation);
}

Result<plan::resolved::RelationPtr> Session::analyze(const plan::unresolved::RelationPtr& relation) {
  if (const auto* call = plan::unresolved::as<plan::unresolved::CatalogCall>(relation)) {
    ASSIGN_OR_RETURN(const Rows rows, run_catalog_call(*call));
    return to_relation(rows);
  }
  return analyze(relation, catalog());
}

Result<plan::resolved::RelationPtr> Session::analyze(const plan::unresolved::RelationPtr& relation,
                                                     const Catalog& catalog) const {
  return analyzer::analyze(relation, analyzer_settings(), catalog);
}

analyzer::Settings Session::analyzer_settings() const {
  analyzer::Settings settings = settings_.analyzer_settings();
  settings.user = identity_.user_id;
  settings.session_id = identity_.session_id;
  return settings;
}

Status Session::run(const plan::resolved::RelationPtr& plan, const std::string& operation_id,
                    execution::ResultSink& sink, CancelToken& cancel) {
  return environment_.executor->run(plan, request(operation_id), sink, cancel);
}

Result<std::string> Session::explain(const plan::unresolved::RelationPtr& relation, const std::string& mode) {
  ASSIGN_OR_RETURN(const auto resolved, analyze(relation));
  ASSIGN_OR_RETURN(const std::string physical, environment_.executor->explain(resolved, request("")));
  if (lower_case(mode) == "simple") return "== Physical Plan ==\n" + physical + "\n";
  return "== Parsed Logical Plan ==\n" + plan::unresolved::to_string(relation) +
         "\n== Analyzed Logical Plan ==\n" + plan::resolved::to_string(resolved) + "\n== Physical Plan ==\n" +
         physical + "\n";
}

}  // namespace deuteron::session
