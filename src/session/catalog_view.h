// What the analyzer sees of a session: one consistent snapshot, taken when it is made.
#pragma once

#include "session/session.h"

namespace deuteron::session {

class Session::Catalog : public catalog::CatalogView {
 public:
  // What the analysis may ask of the engine.
  struct Executing {
    catalog::FileSchemaReader& files;
    execution::Executor& executor;
    execution::Request request;
  };

  Catalog(Views::Snapshot views, Views::Snapshot global_views, PythonByName functions,
          PythonByName data_sources, std::shared_ptr<Artifacts> artifacts, Executing executing)
      : views_(std::move(views)),
        global_views_(std::move(global_views)),
        functions_(std::move(functions)),
        data_sources_(std::move(data_sources)),
        artifacts_(std::move(artifacts)),
        executing_(std::move(executing)) {}

  // Puts a view before those of the snapshot.
  void add(plan::Names name, catalog::View view) { added_ = {std::move(name), std::move(view)}; }

  std::optional<catalog::View> find_view(const plan::Names& name) const override;
  plan::unresolved::ExpressionPtr find_function(const std::string& name) const override;
  plan::unresolved::ExpressionPtr find_data_source(const std::string& name) const override;
  Result<plan::resolved::RelationPtr> python_worker_logs() const override;
  Result<plan::resolved::RelationPtr> waiting_gangs() const override;
  plan::Bytes find_cached_artifact(const std::string& hash) const override {
    return artifacts_->find_cached(hash);
  }
  catalog::FileSchemaReader& files() const override { return executing_.files; }
  Result<std::vector<std::optional<std::string>>> run(const plan::resolved::RelationPtr& plan,
                                                      int64_t limit) const override {
    return executing_.executor.collect_text(plan, limit, executing_.request);
  }

 private:
  std::pair<plan::Names, catalog::View> added_;  // no name: none
  Views::Snapshot views_;
  Views::Snapshot global_views_;
  PythonByName functions_;
  PythonByName data_sources_;
  std::shared_ptr<Artifacts> artifacts_;
  Executing executing_;
};

}  // namespace deuteron::session
