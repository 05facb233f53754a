// What a task of a Python stage is made of: the parts of PySpark's task header that all tasks of the stage
// share, and each task's input.
#pragma once

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
// more, so that another attempt can begin at the beginning. Thread-safe.
class PythonInput {
 public:
  // Must not block, nor call back. No more parts, although it is not complete: it was given up.
  using Reader = std::function<void(const std::vector<InputPart>& parts, bool is_complete)>;

  // `streams`: what the regions among the parts are parts of.
  void add(std::vector<InputPart> parts, const exchange::Streams& streams, bool is_complete);
  // `reader` is told at once what there is, and then what is added. It replaces an earlier one.
  void read(Reader reader);
  // The rest cannot be made, since what it is made from is lost. Whoever reads it shall end.
  void give_up();
  // STAGE_OUTPUT_LOST after that.
  Status given_up() const;
  // Whether some of it lies on disk: then it may be lost, which verify() tells (exchange/integrity.h) by
  // reading all of that.
  bool is_on_disk() const;
  Status verify() const;
  uint64_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::vector<InputPart> parts_;
  exchange::Streams on_disk_;
  bool is_complete_ = false;
  bool is_given_up_ = false;
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
