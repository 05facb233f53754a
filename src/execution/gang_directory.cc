#include "execution/gang_directory.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace deuteron::execution {
namespace {

std::string folder_of_notices(const std::string& gang_directory) { return gang_directory + ".notices"; }

}  // namespace

std::string notice_file(const std::string& gang_directory, int32_t attempt) {
  return folder_of_notices(gang_directory) + "/" + std::to_string(attempt);
}

Status tell_notice(const std::string& file, std::optional<SteadyTime> end) {
  const std::filesystem::path path(file);
  std::error_code failure;
  if (!end) {
    std::filesystem::remove(path, failure);
    return Status();
  }
  std::filesystem::create_directory(path.parent_path(), failure);
  const std::string part = file + ".part";  // so that nobody reads half of it
  std::ofstream(part) << std::fixed << std::chrono::duration<double>(end->time_since_epoch()).count() << "\n";
  std::filesystem::rename(part, path, failure);
  return failure ? internal_error("cannot write " + file + ": " + failure.message()) : Status();
}

Result<GangDirectory> GangDirectory::make(const std::string& parent) {
  std::string path = (parent.empty() ? "/tmp" : parent) + "/gang-XXXXXX";
  if (mkdtemp(path.data()) == nullptr)  // mode 0700
    return internal_error("cannot make the folder of a gang, " + path + ": " + std::strerror(errno));
  return GangDirectory(std::move(path));
}

GangDirectory::~GangDirectory() {
  std::error_code ignored;
  if (path_.empty()) return;
  std::filesystem::remove_all(path_, ignored);
  std::filesystem::remove_all(folder_of_notices(path_), ignored);
}

}  // namespace deuteron::execution
