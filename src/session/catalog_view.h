// What the analyzer sees of a session: one consistent snapshot, taken when it is made.
#pragma once

#include "session/session.h"

namespace deuteron::session {

class Session::Catalog : public catalog::CatalogView {
 public:
  Catalog(Views::Snapshot views, Views::Snapshot global_views,
          std::map<std::string, plan::unresolved::ExpressionPtr> functions,
          std::shared_ptr<Artifacts> artifacts, catalog::FileSchemaReader& files)
      : views_(std::move(views)),
        global_views_(std::move(global_views)),
        functions_(std::move(functions)),
        artifacts_(std::move(artifacts)),
        files_(files) {}

  std::optional<catalog::View> find_view(const plan::Names& name) const override;
  plan::unresolved::ExpressionPtr find_function(const std::string& name) const override;
  plan::Bytes find_cached_artifact(const std::string& hash) const override {
    return artifacts_->find_cached(hash);
  }
  catalog::FileSchemaReader& files() const override { return files_; }

 private:
  Views::Snapshot views_;
  Views::Snapshot global_views_;
  std::map<std::string, plan::unresolved::ExpressionPtr> functions_;
  std::shared_ptr<Artifacts> artifacts_;
  catalog::FileSchemaReader& files_;
};

}  // namespace deuteron::session
