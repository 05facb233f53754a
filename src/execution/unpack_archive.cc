#include "execution/unpack_archive.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace deuteron::execution {
namespace {

constexpr size_t kLongestMessage = 4096;

// What a process prints until it has closed its output; the rest of what is too long is read and dropped.
std::string read_all(int pipe) {
  std::string text;
  char bytes[4096];
  while (true) {
    const ssize_t length = read(pipe, bytes, sizeof bytes);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    if (text.size() < kLongestMessage) text.append(bytes, static_cast<size_t>(length));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Status failure_of(const std::string& what) { return internal_error(what + ": " + std::strerror(errno)); }

}  // namespace

Status unpack_archive(const std::string& interpreter, const std::string& python_folder,
                      const std::string& archive, const std::string& folder, uint64_t limit_bytes) {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return failure_of("cannot make a pipe");
  std::vector<std::string> arguments = {
      interpreter, "-I",   python_folder + "/deuteron/worker/unpack_archive.py",
      archive,     folder, std::to_string(limit_bytes)};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  pid_t process = -1;
  const int refused =
      posix_spawnp(&process, interpreter.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  const std::string told = refused == 0 ? read_all(pipe_ends[0]) : std::strerror(refused);
  close(pipe_ends[0]);
  if (refused != 0) return internal_error("cannot start " + interpreter + ": " + told);
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return failure_of("the process that unpacks is lost");
  }
  return status == 0 ? Status() : internal_error(told.empty() ? "the process that unpacks was ended" : told);
}

}  // namespace deuteron::execution
