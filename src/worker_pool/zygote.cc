#include "worker_pool/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "worker_pool/stack_request.h"

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
  environment.try_emplace("PYTHONHASHSEED", "0");  // hash() of a text is the same in all workers, as on Spark
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
  std::vector<std::string> arguments = {options.interpreter,
                                        "-m",
                                        "deuteron.worker.zygote",
                                        "--control-descriptor",
                                        std::to_string(kControlDescriptor),
                                        "--parent",
                                        std::to_string(getpid())};
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

struct Ends {
  FileDescriptor control;
  FileDescriptor their_control;
  FileDescriptor output;
  FileDescriptor their_output;
};

// Their ends lie above the numbers that the child gives to its own, so that none overwrites another.
Result<Ends> make_ends() {
  ASSIGN_OR_RETURN(auto sockets, ControlChannel::make_pair());
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0)
    return internal_error(std::string("cannot make a pipe: ") + strerror(errno));
  const FileDescriptor their_output(pipe_ends[1]);
  return Ends{std::move(sockets.first),
              FileDescriptor(fcntl(sockets.second.get(), F_DUPFD_CLOEXEC, kControlDescriptor + 1)),
              FileDescriptor(pipe_ends[0]),
              FileDescriptor(fcntl(their_output.get(), F_DUPFD_CLOEXEC, kControlDescriptor + 1))};
}
}  // namespace

Result<std::unique_ptr<ZygoteProcess>> ZygoteProcess::start(EventLoop& loop, const ZygoteOptions& options,
                                                            WorkerLog& log, Events events) {
  ASSIGN_OR_RETURN(Ends ends, make_ends());
  ASSIGN_OR_RETURN(const pid_t process, spawn(options, ends.their_control.get(), ends.their_output.get()));
  std::unique_ptr<ZygoteProcess> zygote(new ZygoteProcess(loop, options, std::move(events), log,
                                                          std::move(ends.control), std::move(ends.output)));
  zygote->is_child_ = true;
  zygote->set_process(process, FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, process, 0))));
  return zygote;
}

Result<std::unique_ptr<ZygoteProcess>> ZygoteProcess::fork_from(ZygoteProcess& parent, ZygoteId id,
                                                                const ZygoteOptions& options, WorkerLog& log,
                                                                Events events) {
  ASSIGN_OR_RETURN(Ends ends, make_ends());
  parent.channel_->send({{"type", "fork"}, {"zygote", id}, {"environment", options.environment}},
                        {ends.their_control.get(), ends.their_output.get()});
  return std::unique_ptr<ZygoteProcess>(new ZygoteProcess(parent.loop_, options, std::move(events), log,
                                                          std::move(ends.control), std::move(ends.output)));
}

ZygoteProcess::ZygoteProcess(EventLoop& loop, const ZygoteOptions& options, Events events, WorkerLog& log,
                             FileDescriptor control, FileDescriptor output)
    : loop_(loop), events_(std::move(events)) {
  output_ = std::make_unique<WorkerOutput>(loop, std::move(output), log, options.name);
  channel_ = std::make_unique<ControlChannel>(
      loop, std::move(control),
      [this](const nlohmann::json& message, std::vector<FileDescriptor> descriptors) {
        on_message(message, std::move(descriptors));
      },
      [this](const std::string& reason) {
        if (!pidfd_.valid())
          end("ended before it was ready: " + reason);  // else the process's end says more, and follows
      });
  deadline_ = loop_.call_after(options.start_deadline, [this, deadline = options.start_deadline] {
    end("was not ready after " + std::to_string(deadline.count()) + " ms");
  });
}

bool ZygoteProcess::has_ended() const {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  return pidfd_.valid() && poll(&ended, 1, 0) > 0;
}

void ZygoteProcess::set_process(pid_t process, FileDescriptor pidfd) {
  process_ = process;
  pidfd_ = std::move(pidfd);
  loop_.watch(pidfd_.get(), EPOLLIN, [this](uint32_t) {
    siginfo_t information{};
    if (is_child_) waitid(P_PID, process_, &information, WEXITED | WNOWAIT);
    end(is_child_ ? describe_end(information) : "has ended");
  });
}

ZygoteProcess::~ZygoteProcess() {
  loop_.cancel_timer(deadline_);
  channel_.reset();  // seen as the order to end: it kills and collects its workers
  if (!pidfd_.valid()) return;
  loop_.unwatch(pidfd_.get());
  pollfd ended{pidfd_.get(), POLLIN, 0};
  if (!ended_) poll(&ended, 1, kEndDeadlineMs);
  syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  if (is_child_) waitpid(process_, nullptr, 0);
}

void ZygoteProcess::fork(WorkerId worker, bool spare, uint64_t data_limit_bytes,
                         std::vector<FileDescriptor> descriptors) {
  std::vector<int> numbers;
  for (const FileDescriptor& descriptor : descriptors) numbers.push_back(descriptor.get());
  channel_->send({{"type", "fork"},
                  {"worker", worker},
                  {"spare", spare},
                  {"data_limit", data_limit_bytes},
                  {"stack_signal", stack_signal()}},
                 numbers);
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
  } else if (message.contains("zygote")) {
    if (type == "forked" && descriptors.size() == 1) {
      events_.on_zygote_forked(message["zygote"], message.at("pid"), std::move(descriptors[0]));
    } else if (type == "fork_failed") {
      events_.on_zygote_forked(message["zygote"], -1, FileDescriptor());
    }
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
  if (pidfd_.valid()) loop_.unwatch(pidfd_.get());
  loop_.cancel_timer(deadline_);
  reason = "the Python process that starts workers " + reason;
  if (!output_->tail().empty()) reason += "; its last lines:\n" + output_->tail();
  const auto on_ended = events_.on_ended;
  on_ended(std::move(reason));
}

}  // namespace deuteron::worker_pool
