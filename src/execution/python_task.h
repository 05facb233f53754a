// What a task of a Python stage is made of: the parts of PySpark's task header that all tasks of the stage
// share, and each task's input.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "exchange/block.h"
#include "exchange/stage_output.h"
#include "execution/python_reports.h"
#include "tasks/task.h"
#include "worker_pool/pyspark_task.h"
#include "worker_pool/worker_pool.h"

namespace deuteron::execution {

// Shared by the tasks of a stage; immutable.
struct PythonProgram {
  worker_pool::EvaluationType evaluation_type = worker_pool::EvaluationType::kMapArrowIterator;
  std::vector<worker_pool::PythonFunction> functions;
  std::string python_version;  // of the client
  std::map<std::string, std::string> runner_conf;
  std::map<std::string, std::string> evaluation_conf;
  std::map<std::string, std::string> local_properties;
  std::map<std::string, std::string> environment;
  std::string gang_directory;  // of a gang (gang_directory.h)
  std::string name;            // of the function, for people
  std::string session_id;      // owner of the shared memory
  std::string operation_id;
  std::string files_directory;
  std::vector<std::string> python_paths;
  worker_pool::ZygoteId zygote = 0;
  bool reuses_workers = true;              // a worker may run more than one task
  std::shared_ptr<PythonReports> reports;  // takes the log records of the tasks; null: nobody does
};

// A region of shared memory, or a mark (pyspark_task.h).
using InputPart = std::variant<exchange::Region, int32_t>;

// What a task reads, part after part, and perhaps before the last is made. It stays until nobody holds it any
// more, so that another attempt can begin at the beginning, unless it is larger than its window and whoever
// makes it waits for room: then what was read and is no longer looked at goes. Thread-safe.
class PythonInput {
 public:
  // Bytes that may be made before they are read; 0: any.
  explicit PythonInput(uint64_t window = 0) : window_(window) {}
  // Must not block, nor call back. No more parts, although it is not complete: it was given up.
  using Reader = std::function<void(const std::vector<InputPart>& parts, bool is_complete)>;

  // `streams`: what the regions among the parts are parts of.
  void add(std::vector<InputPart> parts, const exchange::Streams& streams, bool is_complete);
  // `reader` is told at once what there is, and then what is added. It replaces an earlier one. Requires that
  // nothing was let go.
  void read(Reader reader);
  // How far the reader has come: see worker_pool::InputRead.
  void was_read(const worker_pool::InputRead& read);
  // The reader has ended, and another one may come. `is_last`: with a window none will: what is left, and
  // what is added, is dropped.
  void reader_ended(bool is_last);
  // For whoever makes it, who has further `waiting` bytes: waits while more than the window would be unread,
  // no longer than that time, nor than until something is added. Whether to go on. Nobody is held who
  // `needs_reader` while there is none.
  bool wait_for_room(uint64_t waiting, bool needs_reader, std::chrono::milliseconds time);
  // Whether more has been made than the window has room for: then some of it may go.
  bool exceeds_window() const;
  // Whether some of it is gone. Nobody can read it any more.
  bool is_let_go() const;
  uint64_t window() const { return window_; }
  // The rest cannot be made, since what it is made from is lost. Whoever reads it shall end.
  void give_up();
  // STAGE_OUTPUT_LOST after that.
  Status given_up() const;
  // Whether some of it lies on disk: then it may be lost, which verify() tells (exchange/integrity.h) by
  // reading all of that.
  bool is_on_disk() const;
  Status verify() const;
  // That were made, also when they are gone.
  uint64_t bytes() const;

 private:
  std::vector<InputPart> take_released();

  const uint64_t window_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InputPart> parts_;    // those that are gone have no slab
  std::vector<uint64_t> released_;  // of these: nobody looks at them, and they are still there
  uint64_t made_bytes_ = 0;
  size_t read_parts_ = 0;
  uint64_t read_bytes_ = 0;
  uint64_t additions_ = 0;
  exchange::Streams on_disk_;
  bool is_complete_ = false;
  bool is_given_up_ = false;
  bool is_being_read_ = false;
  bool is_over_ = false;     // nobody will read it any more
  bool may_let_go_ = false;  // it can be made again: whoever makes it waits for room
  bool is_let_go_ = false;
  Reader reader_;
};

class PythonWork : public tasks::TaskWork {
 public:
  PythonWork(std::shared_ptr<const PythonProgram> its_program, std::shared_ptr<PythonInput> its_input)
      : program(std::move(its_program)), input(std::move(its_input)) {}
  // Of a gang: one Arrow stream that is made of these; may be joined with others of the gang.
  static Result<std::shared_ptr<const PythonWork>> of_streams(std::shared_ptr<const PythonProgram> program,
                                                              const exchange::Streams& streams);
  // The input of each, one after the other, as one stream. All are made of streams.
  static Result<std::shared_ptr<const PythonWork>> join(
      const std::vector<std::shared_ptr<const tasks::TaskWork>>& works);

  const std::shared_ptr<const PythonProgram> program;
  const std::shared_ptr<PythonInput> input;

 private:
  exchange::Streams streams_;
};

class PythonOutput : public tasks::TaskOutput {
 public:
  worker_pool::TaskResult::Kind kind = worker_pool::TaskResult::Kind::kNone;
  exchange::Stream data;
  std::vector<std::string> updates;  // of PySpark's accumulators, pickled
};

}  // namespace deuteron::execution
