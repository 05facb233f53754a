#include "server/runtime_directory.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/identifier.h"

namespace deuteron::server {
namespace {

namespace fs = std::filesystem;
constexpr char kPrefix[] = "deuteron-";

bool is_alive(pid_t process) { return kill(process, 0) == 0 || errno == EPERM; }

// deuteron-<process id>-<random>, owned by this user, of a process that lives or is gone.
std::vector<fs::path> directories(const fs::path& parent, bool of_living) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename();
    struct stat status {};
    if (!name.starts_with(kPrefix) || lstat(entry.path().c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid()) {
      continue;
    }
    const pid_t process = std::atoi(name.c_str() + std::strlen(kPrefix));
    if (process > 0 && is_alive(process) == of_living) found.push_back(entry.path());
  }
  return found;
}

fs::path default_parent() {
  const char* temporary = std::getenv("TMPDIR");
  return temporary != nullptr ? temporary : "/tmp";
}

}  // namespace

Result<RuntimeDirectory> RuntimeDirectory::make(const std::string& parent) {
  const fs::path base = parent.empty() ? default_parent() : fs::path(parent);
  std::error_code ignored;
  fs::create_directories(base, ignored);
  for (const fs::path& left : directories(base, false)) fs::remove_all(left, ignored);
  const fs::path path = fs::absolute(base) / (kPrefix + std::to_string(getpid()) + "-" + random_secret(4));
  if (mkdir(path.c_str(), 0700) != 0) {
    return internal_error("cannot make the folder " + path.string() + ": " + std::strerror(errno));
  }
  return RuntimeDirectory(path.string());
}

std::vector<std::string> RuntimeDirectory::of_running_servers() {
  std::vector<std::string> found;
  for (const fs::path& path : directories(default_parent(), true)) found.push_back(path.string());
  return found;
}

RuntimeDirectory::~RuntimeDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace deuteron::server
