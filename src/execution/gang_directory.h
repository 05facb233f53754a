// A folder for a gang's ranks (0700) that survives an attempt: the place for a checkpoint. Removed with the
// object, with what is in it.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status.h"

namespace deuteron::execution {

// In the environment of each rank; the value is the same in all ranks and attempts of a gang.
inline constexpr const char* kGangDirectoryVariable = "DEUTERON_GANG_DIRECTORY";

// Likewise, the file that tells an attempt to make way, where there is one: its content is the time at which
// the attempt will be ended, in seconds of the steady clock (CLOCK_MONOTONIC). It lies beside the folder.
inline constexpr const char* kGangNoticeVariable = "DEUTERON_GANG_NOTICE";
std::string notice_file(const std::string& gang_directory, int32_t attempt);
// None: removes it. A gang that cannot be told will be ended untold.
Status tell_notice(const std::string& file, std::optional<SteadyTime> end);

class GangDirectory {
 public:
  // Below `parent`; "" stands for /tmp.
  static Result<GangDirectory> make(const std::string& parent);
  GangDirectory(GangDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  GangDirectory& operator=(GangDirectory&&) = delete;
  ~GangDirectory();

  const std::string& path() const { return path_; }

 private:
  explicit GangDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace deuteron::execution
