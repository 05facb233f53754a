// One user's session: settings, temporary views, SQL functions, artifacts, and the verbs on them (query.cc,
// command.cc). Shared by the RPCs of one client; thread-safe. Knows nothing of the protocol.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/analyzer.h"
#include "base/cancellation.h"
#include "execution/executor.h"
#include "execution/python_reports.h"
#include "session/artifacts.h"
#include "session/settings.h"
#include "session/views.h"

namespace deuteron::session {

// What all sessions share; outlives every session.
struct Environment {
  execution::Executor* executor = nullptr;
  catalog::FileSchemaReader* files = nullptr;
  std::map<std::string, std::string> server_defaults;  // settings that the server's options decide
  std::string artifact_directory;                      // each session has a folder below
  uint64_t artifact_limit_bytes = uint64_t{4} << 30;
  Views global_views;  // global_temp
  execution::ResourceProfiles profiles;
  std::map<std::string, tasks::Resource> resources;  // of this machine
};

struct Identity {
  std::string user_id;
  std::string session_id;  // chosen by the client
  auto operator<=>(const Identity&) const = default;
};

// The rows that a command answers with (SET, SHOW …).
struct Rows {
  types::Schema schema;
  std::vector<std::vector<types::Value>> rows;
};

plan::resolved::RelationPtr to_relation(const Rows& rows);

inline constexpr const char* kGlobalDatabase = "global_temp";

// ASCII letters only.
std::string lower_case(std::string text);

// PythonCalls without arguments, by lower-case name.
using PythonByName = std::map<std::string, plan::unresolved::ExpressionPtr>;

class Session {
 public:
  Session(Identity identity, Environment& environment);
  // A copy of `other`'s state under a new identity.
  Session(Identity identity, const Session& other);
  ~Session();

  const Identity& identity() const { return identity_; }
  // The server's own id of this session; a client that sees it change knows that its state is lost.
  const std::string& server_side_id() const { return server_side_id_; }
  SessionSettings& settings() { return settings_; }
  Artifacts& artifacts() { return *artifacts_; }
  execution::PythonReports& reports() { return *reports_; }

  // query.cc
  // What a relation of SQL text says: a query, or a command. Any other relation is the query itself.
  Result<plan::unresolved::Statement> parse(const plan::unresolved::RelationPtr& relation) const;
  // A call of spark.catalog is carried out, and its answer is the plan.
  Result<plan::resolved::RelationPtr> analyze(const plan::unresolved::RelationPtr& relation);
  // Runs a resolved plan; batches and progress go to `sink`.
  Status run(const plan::resolved::RelationPtr& plan, const std::string& operation_id,
             execution::ResultSink& sink, CancelToken& cancel);
  // mode: simple, extended, codegen, cost, formatted.
  Result<std::string> explain(const plan::unresolved::RelationPtr& relation, const std::string& mode);

  // resources.cc
  // Its id. Errors of the amounts show here.
  Result<int32_t> create_resource_profile(execution::ResourceProfile profile);
  // spark.driver.resource.NAME.amount of this machine's addresses; the driver is this server.
  Result<std::map<std::string, std::vector<std::string>>> driver_resources() const;

  // cache.cc
  // Keeps the rows of a plan from its next use on, wherever it occurs; a plan that is kept already stays as
  // it is.
  Status persist(const plan::unresolved::RelationPtr& relation, const execution::StorageLevel& level);
  Status unpersist(const plan::unresolved::RelationPtr& relation);
  Result<execution::StorageLevel> storage_level(const plan::unresolved::RelationPtr& relation);

  // command.cc
  Result<Rows> run(const plan::unresolved::Command& command, const std::string& operation_id,
                   execution::ProgressSink& sink, CancelToken& cancel);
  // Rows as one Arrow stream, by way of the executor.
  Result<exchange::EncodedBatch> encode(const Rows& rows);

 private:
  class Catalog;
  execution::Request request(const std::string& operation_id) const;
  Catalog catalog() const;
  Result<plan::resolved::RelationPtr> analyze(const plan::unresolved::RelationPtr& relation,
                                              const Catalog& catalog) const;

  // catalog_calls.cc: what spark.catalog offers
  Result<Rows> run_catalog_call(const plan::unresolved::CatalogCall& call);
  Result<Rows> list_databases(const plan::unresolved::CatalogCall& call);
  Result<Rows> list_tables(const plan::unresolved::CatalogCall& call);
  Result<Rows> get_table(const plan::unresolved::CatalogCall& call);
  Result<Rows> list_columns(const plan::unresolved::CatalogCall& call);
  Result<Rows> function_exists(const plan::unresolved::CatalogCall& call);
  Result<Rows> cache_table(const plan::unresolved::CatalogCall& call);
  Result<plan::resolved::RelationPtr> analyze_table(const plan::unresolved::CatalogCall& call);
  bool drop_view(const std::string& name, bool is_global);

  Status check_view(const plan::unresolved::CreateView& command, const catalog::View& view) const;
  Result<Rows> run_command(const plan::unresolved::CreateView& command);
  Result<Rows> run_command(const plan::unresolved::CallCatalog& command);
  Result<Rows> run_command(const plan::unresolved::DropView& command);
  Result<Rows> run_command(const plan::unresolved::RegisterFunction& command);
  Result<Rows> run_command(const plan::unresolved::RegisterDataSource& command);
  Result<Rows> run_command(const plan::unresolved::SetSetting& command);
  Result<Rows> run_command(const plan::unresolved::Explain& command);
  Result<Rows> run_command(const plan::unresolved::ShowTables& command);
  Result<Rows> run_command(const plan::unresolved::DescribeTable& command);
  Result<Rows> cache_table(const plan::unresolved::CacheTable& command, const std::string& operation_id,
                           CancelToken& cancel);
  Result<Rows> write_files(const plan::unresolved::WriteFiles& command, const std::string& operation_id,
                           execution::ProgressSink& sink, CancelToken& cancel);
  // data_source_write.cc
  Result<Rows> write_data_source(const plan::unresolved::WriteFiles& command,
                                 const plan::unresolved::PythonCall& source, const std::string& operation_id,
                                 execution::ProgressSink& sink, CancelToken& cancel);
  analyzer::Settings analyzer_settings() const;

  const Identity identity_;
  const std::string server_side_id_;
  Environment& environment_;
  SessionSettings settings_;
  Views views_;
  const std::shared_ptr<execution::PlanCache> cache_ = std::make_shared<execution::PlanCache>();
  const std::shared_ptr<execution::PythonReports> reports_ = std::make_shared<execution::PythonReports>();
  std::shared_ptr<Artifacts> artifacts_;  // shared with clones: uploads are immutable
  mutable std::mutex functions_mutex_;
  PythonByName functions_;
  PythonByName data_sources_;
};

}  // namespace deuteron::session
