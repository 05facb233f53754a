// What a worker says, a line for each packet: user code runs beside the control socket and may write to it.
// The server takes it, or gives the worker up; it never crashes, hangs or believes a size.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "worker_pool/worker.h"

namespace {

using namespace deuteron::worker_pool;
using deuteron::FileDescriptor;  // NOLINT(google-build-using-namespace)

constexpr size_t kOutputBytes = 4096;

std::shared_ptr<const WorkerTask> task_writing_to(int output) {
  WorkerTask task;
  task.task = 7;
  task.header = "header";
  task.output = {output, 1, 64, 0};
  return std::make_shared<const WorkerTask>(std::move(task));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  EventLoop loop;
  WorkerLog log(-1, nullptr);
  const FileDescriptor output(memfd_create("output", MFD_CLOEXEC));
  if (ftruncate(output.get(), kOutputBytes) != 0) return 0;
  std::unique_ptr<WorkerProcess> worker;
  WorkerProcess::Events events;
  events.on_ready = [&] { (void)worker->run(task_writing_to(output.get())); };
  events.on_task_output = [](const SharedMemoryRegion&) {};
  events.on_task_input_read = [](const InputRead&) {};
  events.on_task_end = [&](const WorkerProcess::TaskEnd& end) {
    if (end.failure && end.failure->size() > size + kOutputBytes) __builtin_trap();
    worker->release_task(true);
    (void)worker->run(task_writing_to(output.get()));
  };
  events.on_import = [](const std::string&) {};
  events.on_lost = [&] { loop.stop(); };
  std::vector<FileDescriptor> theirs;
  auto prepared = WorkerProcess::prepare(loop, log, 1, 1, std::move(events), theirs);
  if (!prepared.ok()) return 0;
  worker = *std::move(prepared);
  worker->set_process(1 << 22, FileDescriptor(eventfd(0, EFD_CLOEXEC)));  // no process has this number
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty()) continue;
    if (send(theirs.front().get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) break;
  }
  theirs.clear();  // seen as the end
  loop.run();
  return 0;
}
