#include "session/session.h"

#include <algorithm>

#include "base/identifier.h"
#include "session/catalog_view.h"

namespace deuteron::session {

Session::Session(Identity identity, Environment& environment)
    : identity_(std::move(identity)),
      server_side_id_(random_uuid()),
      environment_(environment),
      settings_(environment.server_defaults),
      artifacts_(std::make_shared<Artifacts>(
          environment.artifact_directory + "/" + server_side_id_, environment.artifact_limit_bytes,
          [executor = environment.executor](const std::string& archive, const std::string& folder,
                                            uint64_t limit) {
            return executor->unpack(archive, folder, limit);
          })) {
  environment.executor
      ->warm_up();  // in the background: the first Python function finds its interpreter ready
}

Session::Session(Identity identity, const Session& other)
    : identity_(std::move(identity)),
      server_side_id_(random_uuid()),
      environment_(other.environment_),
      settings_(other.settings_),
      views_(other.views_),
      artifacts_(other.artifacts_) {
  std::lock_guard lock(other.functions_mutex_);
  functions_ = other.functions_;
  data_sources_ = other.data_sources_;
}

Session::~Session() { environment_.executor->close_session(server_side_id_); }

}  // namespace deuteron::session
