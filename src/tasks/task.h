// The contract of a task: what it is told, what it may ask for while it runs, and what it leaves. The
// scheduler carries the two abstract ends (TaskWork, TaskOutput) without looking inside; who launches tasks
// knows what they are.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron::tasks {

using TaskId = int64_t;  // of one task attempt; never used again within a process
using StageId = int64_t;
using JobId = int64_t;

// Of a named resource, in millionths: half a gpu is 500'000.
using Amount = int64_t;
constexpr Amount kWhole = 1'000'000;

// What a task needs: CPUs, named resources ("gpu") and memory. A part of a resource is a part of one that
// others may share; what is more than one is a whole number.
struct Slots {
  int32_t cpus = 1;
  std::map<std::string, Amount> resources;
  int64_t memory = 0;  // bytes
  auto operator<=>(const Slots&) const = default;
};

// The work of one task, the same for each of its attempts. Immutable once submitted.
class TaskWork {
 public:
  virtual ~TaskWork() = default;
};

// What an attempt leaves; dropped unless the attempt counts.
class TaskOutput {
 public:
  virtual ~TaskOutput() = default;
};

// What a task knows of itself; of a gang `ranks` > 0 and `partition` is the rank.
struct TaskContext {
  JobId job = 0;
  StageId stage = 0;
  TaskId task = 0;
  int32_t partition = 0;
  int32_t attempt = 0;  // counted from 0
  int32_t ranks = 0;
  Slots slots;
  std::map<std::string, std::vector<std::string>> addresses;  // of its resources: "gpu" -> {"0"}
};

enum class BarrierKind { kBarrier, kAllGather };

// A rank waits for the others. `message` travels only with kAllGather.
struct BarrierRequest {
  BarrierKind kind = BarrierKind::kBarrier;
  std::string message;
};

// All ranks have arrived: messages[rank] (empty of kBarrier); or the status says why they never will.
struct BarrierReply {
  Status status;
  std::shared_ptr<const std::vector<std::string>> messages;
};

// What a running task was seen to do, for people.
struct TaskStacks {
  std::string state;  // of its process: "sleeping", "stopped", ...
  std::string text;   // Python's stack of each thread; "": it did not answer
};

enum class FailureKind {
  kNone,
  kTaskError,   // the task's own code raised; another attempt probably raises again
  kWorkerLost,  // the process ended or went silent
  kInputLost,   // what it was to read is gone, and says nothing about the task; it is made again elsewhere
};

struct TaskOutcome {
  FailureKind failure = FailureKind::kNone;
  Status status;                       // why it failed
  std::shared_ptr<TaskOutput> output;  // of success
  int64_t input_bytes = 0;             // what was sent to the task
  int64_t output_bytes = 0;            // what it left
};

}  // namespace deuteron::tasks
