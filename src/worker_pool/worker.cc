#include "worker_pool/worker.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace deuteron::worker_pool {

namespace {
constexpr int kProtocolVersion = 1;
constexpr size_t kPartsAtOnce = 1000;      // of one message, whose size has a bound
constexpr size_t kDescriptorsAtOnce = 60;  // likewise

const char* const kHeaderFile = "deuteron-task-header";

bool write_all(int descriptor, const std::string& content) {
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t written = pwrite(descriptor, content.data() + done, content.size() - done, done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    done += written;
  }
  return true;
}

constexpr uint64_t kLongestText = uint64_t{4} << 20;     // of a traceback
constexpr uint64_t kLongestUpdate = uint64_t{64} << 20;  // a longer one is dropped

// What the file has of the range, and no more than `longest`: the range is a worker's word.
std::string read_range(int descriptor, uint64_t offset, uint64_t length, uint64_t longest) {
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || offset >= static_cast<uint64_t>(status.st_size)) return "";
  length = std::min({length, static_cast<uint64_t>(status.st_size) - offset, longest});
  std::string content(length, '\0');
  size_t done = 0;
  while (done < length) {
    const ssize_t got = pread(descriptor, content.data() + done, length - done, offset + done);
    if (got <= 0) break;
    done += got;
  }
  content.resize(done);
  return content;
}

// Throws when it is not one, as json does; a plain conversion would wrap negative numbers.
uint64_t natural_number(const nlohmann::json& number) {
  return number.get_ref<const nlohmann::json::number_unsigned_t&>();
}

TaskResult::Kind kind_of(const std::string& name) {
  if (name == "arrow") return TaskResult::Kind::kArrow;
  return name == "pickle" ? TaskResult::Kind::kPickled : TaskResult::Kind::kNone;
}
}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::prepare(EventLoop& loop, WorkerLog& log, WorkerId id,
                                                              ZygoteId zygote, Events events,
                                                              std::vector<FileDescriptor>& theirs) {
  ASSIGN_OR_RETURN(auto sockets, ControlChannel::make_pair());
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0)
    return internal_error(std::string("cannot make a pipe: ") + strerror(errno));
  FileDescriptor output(pipe_ends[0]);
  FileDescriptor their_output(pipe_ends[1]);
  FileDescriptor header(memfd_create(kHeaderFile, MFD_CLOEXEC));
  FileDescriptor their_header(fcntl(header.get(), F_DUPFD_CLOEXEC, 0));
  if (!their_header.valid())
    return internal_error(std::string("cannot make a shared file: ") + strerror(errno));
  ASSIGN_OR_RETURN(FileDescriptor stacks, StackRequest::make_file());
  FileDescriptor their_stacks(fcntl(stacks.get(), F_DUPFD_CLOEXEC, 0));

  std::unique_ptr<WorkerProcess> worker(new WorkerProcess(loop, id, zygote, std::move(events)));
  WorkerProcess* const self = worker.get();
  worker->header_ = std::move(header);
  worker->output_ =
      std::make_unique<WorkerOutput>(loop, std::move(output), log, "worker " + std::to_string(id));
  worker->stacks_ = std::make_unique<StackRequest>(loop, std::move(stacks));
  worker->channel_ = std::make_unique<ControlChannel>(
      loop, std::move(sockets.first),
      [self](const nlohmann::json& message, std::vector<FileDescriptor>) { self->on_message(message); },
      [self](const std::string&) { self->events_.on_lost(); });
  theirs.push_back(std::move(sockets.second));
  theirs.push_back(std::move(their_header));
  theirs.push_back(std::move(their_output));
  theirs.push_back(std::move(their_stacks));
  return worker;
}

WorkerProcess::WorkerProcess(EventLoop& loop, WorkerId id, ZygoteId zygote, Events events)
    : loop_(loop), id_(id), zygote_(zygote), events_(std::move(events)) {}

WorkerProcess::~WorkerProcess() {
  if (pidfd_.valid()) loop_.unwatch(pidfd_.get());
}

void WorkerProcess::set_process(pid_t process, FileDescriptor pidfd) {
  process_ = process;
  pidfd_ = std::move(pidfd);
  loop_.watch(pidfd_.get(), EPOLLIN, [this](uint32_t) {
    loop_.unwatch(pidfd_.get());
    events_.on_lost();
  });
  become_ready();
}

// The greeting and the zygote's news of the fork come by two ways, in any order; the process id comes with
// the latter.
void WorkerProcess::become_ready() {
  if (state_ != State::kStarting || !greeted_ || process_ <= 1) return;
  state_ = State::kIdle;
  events_.on_ready();
}

Status WorkerProcess::run(std::shared_ptr<const WorkerTask> task) {
  if (!write_all(header_.get(), task->header)) {
    return internal_error("cannot write the header of a task of " + std::to_string(task->header.size()) +
                          " bytes");
  }
  task_ = std::move(task);
  state_ = State::kRunning;
  ++tasks_run_;
  output_->set_source(task_->label, task_->on_line, task_->on_log_record);
  send_parts({{"type", "run"},
              {"task", task_->task},
              {"header", task_->header.size()},
              {"output", {task_->output.slab, task_->output.offset}},
              {"progress", task_->progress_bytes},
              {"read_progress", task_->read_progress_bytes},
              {"environment", task_->environment}},
             task_->input, task_->input_complete);
  return Status();
}

void WorkerProcess::add_input(const std::vector<InputPart>& parts, bool complete) {
  send_parts({{"type", "input"}, {"task", task_->task}}, parts, complete);
}

// Sends `message` with the first parts, and further messages of input with the others.
void WorkerProcess::send_parts(nlohmann::json message, const std::vector<InputPart>& parts, bool complete) {
  size_t next = 0;
  do {
    nlohmann::json list = nlohmann::json::array();
    std::vector<uint64_t> slabs;
    std::vector<int> descriptors;
    const auto show = [&](const SharedMemoryRegion& region) {
      if (!known_slabs_.insert(region.slab).second) return;
      slabs.push_back(region.slab);
      descriptors.push_back(region.descriptor);
    };
    const bool is_first = message["type"] == "run";
    if (is_first) show(task_->output);
    while (next < parts.size() && list.size() < kPartsAtOnce && descriptors.size() < kDescriptorsAtOnce) {
      if (const auto* mark = std::get_if<int32_t>(&parts[next])) {
        list.push_back(*mark);
      } else {
        const auto& region = std::get<SharedMemoryRegion>(parts[next]);
        show(region);
        list.push_back({region.slab, region.offset, region.length});
      }
      ++next;
    }
    message["input"] = std::move(list);
    message["complete"] = complete && next == parts.size();
    message["slabs"] = slabs;
    if (is_first) {
      const std::vector<int>& held = task_->held_descriptors;
      descriptors.insert(descriptors.end(), held.begin(), held.end());
      message["held"] = held.size();
    }
    channel_->send(message, descriptors);
    message = {{"type", "input"}, {"task", task_->task}};
  } while (next < parts.size());
}

void WorkerProcess::forget_slabs(const std::vector<uint64_t>& slabs) {
  std::vector<uint64_t> known;
  for (const uint64_t slab : slabs) {
    if (known_slabs_.erase(slab) > 0) known.push_back(slab);
  }
  if (!known.empty()) channel_->send({{"type", "forget"}, {"forget", known}});
}

std::shared_ptr<const WorkerTask> WorkerProcess::release_task(bool usable) {
  output_->finish_line();
  state_ = usable ? State::kIdle : State::kEnding;
  return std::move(task_);
}

void WorkerProcess::ask_to_exit() {
  state_ = State::kEnding;
  channel_->send({{"type", "exit"}});
}

void WorkerProcess::kill() {
  if (process_ <= 1) return;  // not known yet; kill(-1) would be everybody
  ::kill(-process_, SIGKILL);
  ::kill(process_, SIGKILL);  // in case it has not made its process group yet
}

void WorkerProcess::on_message(const nlohmann::json& message) {
  const std::string& type = message.at("type").get_ref<const std::string&>();
  if (type == "hello") {
    if (message.at("protocol") != kProtocolVersion || state_ != State::kStarting) return events_.on_lost();
    greeted_ = true;
    become_ready();
  } else if (type == "importing") {
    events_.on_import(message.at("module"));
  } else if (!has_task() || message.at("task") != task_->task) {
    return;  // late news of a task that was taken off
  } else if (type == "output") {
    events_.on_task_output(output_region(message.at("data")));
  } else if (type == "read") {
    InputRead read{natural_number(message.at("parts")), {}};
    for (const auto& part : message.at("released")) read.released.push_back(natural_number(part));
    events_.on_task_input_read(std::move(read));
  } else if (type == "finished") {
    on_finished(message);
  }
}

SharedMemoryRegion WorkerProcess::output_region(const nlohmann::json& range) const {
  SharedMemoryRegion region = task_->output;
  region.offset = natural_number(range.at(0));
  region.length = natural_number(range.at(1));
  return region;
}

void WorkerProcess::on_finished(const nlohmann::json& message) {
  TaskEnd end;
  end.last = message.value("last", false);
  end.result.retained_slabs = message.at("retained").get<std::vector<uint64_t>>();
  if (message.at("status") == "ok") {
    end.result.kind = kind_of(message.at("kind"));
    end.result.data = output_region(message.at("data"));
    for (const auto& range : message.at("updates")) {
      const SharedMemoryRegion update = output_region(range);
      if (update.length <= kLongestUpdate)
        end.result.updates.push_back(
            read_range(update.descriptor, update.offset, update.length, kLongestUpdate));
    }
  } else if (message.contains("traceback")) {
    const SharedMemoryRegion traceback = output_region(message["traceback"]);
    end.failure = read_range(traceback.descriptor, traceback.offset, traceback.length, kLongestText);
  } else {
    end.failure = message.at("error").get<std::string>();
  }
  events_.on_task_end(std::move(end));
}

}  // namespace deuteron::worker_pool
