// What workers print: whole lines go to the pool's log with the name of who printed them, and to whom the
// task has named; the last lines are kept, because they tell why a process ended. A carriage return ends a
// line too: progress bars write nothing else. Lives on the event loop's thread and never blocks: a log that
// nobody reads loses lines, not the server.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "worker_pool/event_loop.h"
#include "worker_pool/worker_pool.h"

namespace deuteron::worker_pool {

// Where lines go: a file, a terminal or a pipe. The descriptor stays the caller's; -1 discards. `on_line`
// gets the lines of processes that run no task.
class WorkerLog {
 public:
  WorkerLog(int descriptor, WorkerPoolOptions::LineHandler on_line)
      : descriptor_(descriptor), on_line_(std::move(on_line)) {}
  void write_line(std::string_view label, std::string_view line);
  void tell_line(const std::string& label, std::string_view line) const {
    if (on_line_) on_line_(label, line);
  }

 private:
  int descriptor_;
  const WorkerPoolOptions::LineHandler on_line_;
  int64_t lost_lines_ = 0;
};

// The reading end of one process's standard output and error.
class WorkerOutput {
 public:
  WorkerOutput(EventLoop& loop, FileDescriptor pipe, WorkerLog& log, std::string label);
  ~WorkerOutput();
  WorkerOutput(const WorkerOutput&) = delete;
  WorkerOutput& operator=(const WorkerOutput&) = delete;

  // What is printed from now on has another name, and goes to `on_line` too, if there is one; log records go
  // to `on_log_record` alone.
  void set_source(std::string label, WorkerTask::LineHandler on_line, WorkerTask::LineHandler on_log_record);
  // What was printed last is a line, also without an end.
  void finish_line();
  // Reads what is there now and returns the last lines, at most 4 KiB.
  const std::string& tail();

 private:
  void read_available();
  void take_lines();
  void take_piece(std::string_view piece, bool ends_line);
  void take_piece_of_line(std::string_view piece, bool ends_line);
  void take_piece_of_record(std::string_view piece, bool ends_line);
  void show(std::string_view piece);
  void end();

  EventLoop& loop_;
  FileDescriptor pipe_;
  WorkerLog& log_;
  std::string label_;
  WorkerTask::LineHandler on_line_;
  WorkerTask::LineHandler on_log_record_;
  std::string partial_;
  std::string line_;            // the pieces of a long line that came so far; cut
  size_t line_bytes_ = 0;       // how long it is
  bool in_record_ = false;      // the line under way is a log record
  std::string record_;          // its pieces that came so far
  bool skips_newline_ = false;  // the second half of "\r\n"
  uint64_t shown_bytes_ = 0;    // of this source, in the pool's log
  std::string tail_;
};

}  // namespace deuteron::worker_pool
