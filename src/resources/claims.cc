#include "resources/claims.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace deuteron::resources {
namespace {

namespace fs = std::filesystem;

// Folder names, and what stands between names, do not get into a file's name.
std::string file_name(const Address& address) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const char letter : address.first + "@" + address.second) {
    const auto byte = static_cast<unsigned char>(letter);
    if (std::isalnum(byte) != 0 || letter == '-' || letter == '_' || letter == '.' || letter == '@') {
      name += letter;
    } else {
      name += std::string("%") + kDigits[byte >> 4] + kDigits[byte & 15];
    }
  }
  return name;
}

// Another user's file is opened for reading, which is enough for a lock.
FileDescriptor open_file(const std::string& path) {
  const auto open_as = [&](int flags) {
    return FileDescriptor(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0666));
  };
  FileDescriptor file = open_as(O_RDWR);
  if (!file.valid() && errno == ENOENT) {
    file = open_as(O_RDWR | O_CREAT | O_EXCL);
    if (file.valid()) fchmod(file.get(), 0666);
    if (!file.valid() && errno == EEXIST) file = open_as(O_RDWR);
  }
  if (!file.valid() && errno == EACCES) file = open_as(O_RDONLY);
  return file;
}

std::string content(int file) {
  char text[64] = {};
  const ssize_t size = pread(file, text, sizeof(text) - 1, 0);
  return {text, static_cast<size_t>(std::max<ssize_t>(size, 0))};
}

void set_content(int file, const std::string& text) {
  if (ftruncate(file, 0) != 0 || text.empty()) return;  // a file of another user, which stays as it is
  [[maybe_unused]] const ssize_t written = pwrite(file, text.data(), text.size(), 0);
}

bool is_writable(int file) { return (fcntl(file, F_GETFL) & O_ACCMODE) == O_RDWR; }

bool names(const std::string& environment, const std::string& path) {
  const std::string variable = std::string(1, '\0') + kClaimsVariable + "=";
  const size_t found = (std::string(1, '\0') + environment).find(variable);
  if (found == std::string::npos) return false;
  const std::string text = environment.substr(found + variable.size() - 1);
  const std::string value = ":" + std::string(text.c_str()) + ":";
  return value.find(":" + path + ":") != std::string::npos;
}

// A process with this file in its environment; -1: none that we may look at.
pid_t find_user(const std::string& path) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (std::isdigit(static_cast<unsigned char>(name[0])) == 0) continue;
    std::ifstream file(entry.path() / "environ", std::ios::binary);
    const std::string environment{std::istreambuf_iterator<char>(file), {}};
    if (names(environment, path)) return std::atoi(name.c_str());
  }
  return -1;
}

}  // namespace

Result<std::unique_ptr<Claims>> Claims::make(const std::string& directory) {
  if (mkdir(directory.c_str(), 0777) == 0) {
    chmod(directory.c_str(), 01777);  // whatever the umask is
  } else if (errno != EEXIST) {
    return error("CANNOT_WRITE_FILE", {{"path", directory}, {"message", std::strerror(errno)}});
  }
  return std::unique_ptr<Claims>(new Claims(directory));
}

Claims::~Claims() {
  for (const auto& [address, file] : files_) set_content(file.get(), "");
}

std::string Claims::path(const Address& address) const { return directory_ + "/" + file_name(address); }

std::string Claims::claim(const Address& address) {
  std::lock_guard lock(mutex_);
  if (files_.count(address) > 0) return "";
  FileDescriptor file = open_file(path(address));
  if (!file.valid()) return path(address) + " cannot be opened: " + std::strerror(errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    const std::string owner = content(file.get());
    return "it is in use by the server with process id " + (owner.empty() ? "?" : owner) +
           ", or by a worker that it has left";
  }
  const bool was_given_back = is_writable(file.get()) && content(file.get()).empty();
  if (!was_given_back) {
    const pid_t user = find_user(path(address));
    if (user > 0)
      return "it is in use by process " + std::to_string(user) +
             ", which a server that is no more has left; end that process to have it back";
  }
  set_content(file.get(), std::to_string(getpid()));
  files_[address] = std::move(file);
  return "";
}

int Claims::descriptor(const Address& address) const {
  std::lock_guard lock(mutex_);
  const auto found = files_.find(address);
  return found == files_.end() ? -1 : found->second.get();
}

}  // namespace deuteron::resources
