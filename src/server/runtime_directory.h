// A private folder (0700) for this process' sockets, artifacts and spill files; removed with the object. What
// servers that were killed left behind is removed at the next start of a server of the same user.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron::server {

class RuntimeDirectory {
 public:
  // Below `parent`; "" stands for $TMPDIR or /tmp.
  static Result<RuntimeDirectory> make(const std::string& parent);
  RuntimeDirectory(RuntimeDirectory&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  RuntimeDirectory& operator=(RuntimeDirectory&&) = delete;
  ~RuntimeDirectory();

  // Those below $TMPDIR or /tmp of living servers of this user.
  static std::vector<std::string> of_running_servers();

  const std::string& path() const { return path_; }

 private:
  explicit RuntimeDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace deuteron::server
