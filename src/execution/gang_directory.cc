#include "execution/gang_directory.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace deuteron::execution {

Result<GangDirectory> GangDirectory::make(const std::string& parent) {
  std::string path = (parent.empty() ? "/tmp" : parent) + "/gang-XXXXXX";
  if (mkdtemp(path.data()) == nullptr)  // mode 0700
    return internal_error("cannot make the folder of a gang, " + path + ": " + std::strerror(errno));
  return GangDirectory(std::move(path));
}

GangDirectory::~GangDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace deuteron::execution
