// What workers print: whole lines go to the pool's log with the name of who printed them; the last lines are
// kept, because they tell why a process ended. Lives on the event loop's thread and never blocks: a log that
// nobody reads loses lines, not the server.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "worker_pool/event_loop.h"
#include "worker_pool/file_descriptor.h"

namespace deuteron::worker_pool {

// Where lines go: a file, a terminal or a pipe. The descriptor stays the caller's; -1 discards.
class WorkerLog {
 public:
  explicit WorkerLog(int descriptor) : descriptor_(descriptor) {}
  void write_line(std::string_view label, std::string_view line);

 private:
  int descriptor_;
  int64_t lost_lines_ = 0;
};

// The reading end of one process's standard output and error.
class WorkerOutput {
 public:
  WorkerOutput(EventLoop& loop, FileDescriptor pipe, WorkerLog& log, std::string label);
  ~WorkerOutput();
  WorkerOutput(const WorkerOutput&) = delete;
  WorkerOutput& operator=(const WorkerOutput&) = delete;

  void set_label(std::string label);
  // Reads what is there now and returns the last lines, at most 4 KiB.
  const std::string& tail();

 private:
  void read_available();
  void take_lines();
  void end();

  EventLoop& loop_;
  FileDescriptor pipe_;
  WorkerLog& log_;
  std::string label_;
  std::string partial_;
  std::string tail_;
};

}  // namespace deuteron::worker_pool
