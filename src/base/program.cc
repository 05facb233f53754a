#include "base/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/clock.h"
#include "base/file_descriptor.h"

namespace deuteron {
namespace {

using std::chrono::milliseconds;

Result<pid_t> spawn(std::vector<std::string> command, int output, bool takes_errors) {
  std::vector<char*> arguments;
  for (std::string& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  if (takes_errors) posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);  // so that what it starts can be ended with it
  pid_t process = -1;
  const int failure = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0) return internal_error(std::string("it cannot be started: ") + std::strerror(failure));
  return process;
}

// Until its end; what is too much or comes too late is an error.
Status read_all(int descriptor, SteadyTime deadline, size_t most, std::string& into) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_now()).count();
    pollfd readable{descriptor, POLLIN, 0};
    if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) == 0)
      return internal_error("it does not end");
    char buffer[4096];
    const ssize_t count = read(descriptor, buffer, sizeof(buffer));
    if (count == 0) return {};
    if (count < 0 && errno != EINTR) return internal_error(std::strerror(errno));
    if (count > 0) into.append(buffer, static_cast<size_t>(count));
    if (into.size() > most) return internal_error("it prints too much");
  }
}

// A program that has closed its output may live on: not for ever.
Status wait_for_end(pid_t process, SteadyTime deadline) {
  int status = 0;
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (steady_now() >= deadline) {
      kill(-process, SIGKILL);
      waitpid(process, &status, 0);
      return internal_error("it does not end");
    }
    usleep(1000);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return internal_error(WIFEXITED(status) ? "it ended with status " + std::to_string(WEXITSTATUS(status))
                                          : "it was ended by signal " + std::to_string(WTERMSIG(status)));
}

}  // namespace

ProgramEnd run_program(const std::vector<std::string>& command, ProgramOptions options) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {internal_error(std::strerror(errno)), ""};
  const FileDescriptor output(ends[0]);
  FileDescriptor theirs(ends[1]);
  const auto process = spawn(command, theirs.get(), options.takes_errors);
  if (!process.ok()) return {process.status(), ""};
  theirs.reset();
  const SteadyTime deadline = steady_now() + options.time;
  ProgramEnd end;
  end.status = read_all(output.get(), deadline, options.bytes, end.output);
  if (!end.status.ok()) kill(-*process, SIGKILL);
  const Status exit = wait_for_end(*process, deadline);
  if (end.status.ok()) end.status = exit;
  return end;
}

Result<std::string> output_of(const std::vector<std::string>& command, ProgramOptions options) {
  ProgramEnd end = run_program(command, options);
  RETURN_IF_ERROR(end.status);
  return std::move(end.output);
}

}  // namespace deuteron
