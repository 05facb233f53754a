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

// deuteron-<process id>-<random>, owned by this user, of a process that is gone.
void remove_left_overs(const fs::path& parent) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename();
    struct stat status {};
    if (!name.starts_with(kPrefix) || lstat(entry.path().c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
        status.st_uid != geteuid()) {
      continue;
    }
    const pid_t process = std::atoi(name.c_str() + std::strlen(kPrefix));
    if (process > 0 && !is_alive(process)) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

Result<RuntimeDirectory> RuntimeDirectory::make(const std::string& parent) {
  const char* temporary = std::getenv("TMPDIR");
  const fs::path base = !parent.empty() ? parent : temporary != nullptr ? temporary : "/tmp";
  std::error_code ignored;
  fs::create_directories(base, ignored);
  remove_left_overs(base);
  const fs::path path = fs::absolute(base) / (kPrefix + std::to_string(getpid()) + "-" + random_secret(4));
  if (mkdir(path.c_str(), 0700) != 0) {
    return internal_error("cannot make the folder " + path.string() + ": " + std::strerror(errno));
  }
  return RuntimeDirectory(path.string());
}

RuntimeDirectory::~RuntimeDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace deuteron::server
