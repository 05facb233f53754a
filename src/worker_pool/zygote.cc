#include "worker_pool/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

namespace deuteron::worker_pool {

namespace {
constexpr int kProtocolVersion = 1;
constexpr int kControlDescriptor = 3;
constexpr int kEndDeadlineMs = 200;

using Environment = std::map<std::string, std::string>;

Environment zygote_environment(const ZygoteOptions& options) {
  Environment environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  // As Spark does: several workers share the machine, so none takes all its cores unless it is told to.
  environment.try_emplace("OMP_NUM_THREADS", "1");
  for (const auto& [key, value] : options.environment) environment[key] = value;
  std::string& path = environment["PYTHONPATH"];
  path = path.empty() ? options.package_folder : options.package_folder + ":" + path;
  environment.erase("PYSPARK_EXECUTOR_MEMORY_MB");  // would count shared memory as the worker's
  return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> spawn(const ZygoteOptions& options, int control, int output) {
  std::vector<std::string> arguments = {options.interpreter,    "-m", "deuteron.worker.zygote", "--control-descriptor",
                                        std::to_string(kControlDescriptor), "--parent", std::to_string(getpid())};
  std::vector<std::string> environment;
  for (const auto& [key, value] : zygote_environment(options)) environment.push_back(key + "=" + value);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_adddup2(&actions, control, kControlDescriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions, kControlDescriptor + 1);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes, &signals);

  pid_t process = -1;
  const int error = posix_spawnp(&process, options.interpreter.c_str(), &actions, &attributes,
                                 pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return internal_error("cannot start " + options.interpreter + ": " + std::strerror(error));
  return process;
}

std::string describe_end(const siginfo_t& information) {
  if (information.si_code == CLD_EXITED) return "exited with status " + std::to_string(information.si_status);
  return std::string("was ended by signal ") + strsignal(information.si_status);
}
}  // namespace

Result<std::unique_ptr<ZygoteProcess>> ZygoteProcess::start(EventLoop& loop, const ZygoteOptions& options,
                                                            WorkerLog& log, Events events) {
  ASSIGN_OR_RETURN(auto sockets, ControlChannel::make_pair());
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return internal_error("cannot make a pipe");
  FileDescriptor output(pipe_ends[0]);
  const FileDescriptor their_output(pipe_ends[1]);
  // The control socket must not be the target of another dup2 on its way to descriptor 3.
  const FileDescriptor control(fcntl(sockets.second.get(), F_DUPFD_CLOEXEC, kControlDescriptor + 1));
  const FileDescriptor moved_output(fcntl(their_output.get(), F_DUPFD_CLOEXEC, kControlDescriptor + 1));
  ASSIGN_OR_RETURN(const pid_t process, spawn(options, control.get(), moved_output.get()));

  std::unique_ptr<ZygoteProcess> zygote(new ZygoteProcess(loop, process, std::move(events)));
  ZygoteProcess* const self = zygote.get();
  zygote->pidfd_ = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  zygote->output_ = std::make_unique<WorkerOutput>(loop, std::move(output), log, options.name);
  zygote->channel_ = std::make_unique<ControlChannel>(
      loop, std::move(sockets.first),
      [self](const nlohmann::json& message, std::vector<FileDescriptor> descriptors) {
        self->on_message(message, std::move(descriptors));
      },
      [](const std::string&) {});  // the process's end says more, and follows
  loop.watch(zygote->pidfd_.get(), EPOLLIN, [self](uint32_t) {
    siginfo_t information{};
    waitid(P_PID, self->process_, &information, WEXITED | WNOWAIT);
    self->end(describe_end(information));
  });
  zygote->deadline_ = loop.call_after(options.start_deadline, [self, deadline = options.start_deadline] {
    self->end("was not ready after " + std::to_string(deadline.count()) + " ms");
  });
  return zygote;
}

ZygoteProcess::ZygoteProcess(EventLoop& loop, pid_t process, Events events)
    : loop_(loop), process_(process), events_(std::move(events)) {}

ZygoteProcess::~ZygoteProcess() {
  loop_.cancel_timer(deadline_);
  loop_.unwatch(pidfd_.get());
  channel_.reset();  // seen as the order to end: it kills and collects its workers
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (!ended_) poll(&ended, 1, kEndDeadlineMs);
  if (process_ > 1) ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
}

void ZygoteProcess::fork(WorkerId worker, uint64_t data_limit_bytes, std::vector<FileDescriptor> descriptors) {
  std::vector<int> numbers;
  for (const FileDescriptor& descriptor : descriptors) numbers.push_back(descriptor.get());
  channel_->send({{"type", "fork"}, {"worker", worker}, {"data_limit", data_limit_bytes}}, numbers);
}

void ZygoteProcess::preload(const std::vector<std::string>& modules) {
  channel_->send({{"type", "preload"}, {"modules", modules}});
}

void ZygoteProcess::on_message(const nlohmann::json& message, std::vector<FileDescriptor> descriptors) {
  const std::string& type = message.at("type").get_ref<const std::string&>();
  if (type == "hello") {
    if (message.at("protocol") != kProtocolVersion) return end("speaks another version of the protocol");
    loop_.cancel_timer(deadline_);
    ready_ = true;
    events_.on_ready();
  } else if (type == "forked" && descriptors.size() == 1) {
    events_.on_forked(message.at("worker"), message.at("pid"), std::move(descriptors[0]));
  } else if (type == "fork_failed") {
    events_.on_fork_failed(message.at("worker"), message.at("error"));
  } else if (type == "exited") {
    events_.on_worker_ended(message.at("worker"), message.at("status"), message.at("signal"));
  } else if (type == "preloaded") {
    events_.on_preloaded();
  } else {
    end("sent an unknown message: " + type);
  }
}

void ZygoteProcess::end(std::string reason) {
  if (std::exchange(ended_, true)) return;
  loop_.unwatch(pidfd_.get());
  loop_.cancel_timer(deadline_);
  reason = "the Python process that starts workers " + reason;
  if (!output_->tail().empty()) reason += "; its last lines:\n" + output_->tail();
  const auto on_ended = events_.on_ended;
  on_ended(std::move(reason));
}

}  // namespace deuteron::worker_pool
