// What the stages of one run have left, partition by partition, and how it is made again when some of it is
// lost: by the stage that made it, for the lost partitions alone, after what that stage reads itself. Nobody
// is given rows of two versions of a partition: when what is made in place of a lost one differs from it,
// whoever has read the stage begins anew. Used by the run's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "events/bus.h"
#include "exchange/stage_output.h"

namespace deuteron::execution {

using Partitions = std::set<int32_t>;

// Makes what one stage leaves.
class Maker {
 public:
  virtual ~Maker() = default;
  // `wanted`: these partitions, with others that cannot be made without them; none: all. What was not made is
  // empty in the answer. After an error of STAGE_OUTPUT_LOST it is called again when what it reads is whole,
  // and goes on with what it has.
  virtual Result<exchange::StageOutputPtr> make(const std::optional<Partitions>& wanted) = 0;
  // What it has read is not what there is now: what it has made from that must be forgotten. An error where
  // that cannot be.
  virtual Status start_anew() { return Status(); }
};

class Lineage {
 public:
  // `most_times`: how often a partition may be lost, the last one excepted.
  Lineage(events::Bus& bus, std::string session, std::string operation, int32_t most_times)
      : bus_(bus), session_(std::move(session)), operation_(std::move(operation)), most_times_(most_times) {}

  // Makes all of the stage, and gives it a number, from 1. `reads`: numbers of stages. `name` is for people.
  Result<int64_t> add(std::string name, std::set<int64_t> reads, std::unique_ptr<Maker> maker);
  // Of the stage that is added next.
  int64_t next_number() const { return static_cast<int64_t>(stages_.size()) + 1; }
  // As it is now; all that there are.
  exchange::StageOutputPtr output(int64_t stage) const { return stages_.at(stage).output; }
  std::map<int64_t, exchange::StageOutputPtr> outputs() const;
  // Not needed now. It is made again when somebody reads it after all.
  void release(int64_t stage);

  // Work that reads these stages, all of which is there when it begins. It is done again when it ends with
  // STAGE_OUTPUT_LOST.
  Status reading(const std::set<int64_t>& stages, const std::function<Status()>& work);
  // Looks for what is lost of these stages, and makes it again. Whether something was.
  Result<bool> restore(const std::set<int64_t>& stages);
  // The first partition of these stages that somebody has misread (exchange::is_misread), as an error of
  // STAGE_OUTPUT_LOST.
  Status check(const std::set<int64_t>& stages) const;

 private:
  struct Stage {
    std::string name;
    std::set<int64_t> reads;
    std::set<int64_t> readers;  // stages
    std::unique_ptr<Maker> maker;
    exchange::StageOutputPtr output;  // null: all of it is to be made
    std::map<int32_t, std::optional<uint64_t>>
        missing;                       // partitions that are to be made again: their digests
    std::map<int32_t, int32_t> times;  // that a partition was lost
  };

  Status complete(const std::set<int64_t>& stages);
  Status make(int64_t number);
  Status read(const std::set<int64_t>& stages, Maker* reader, const std::function<Status()>& work);
  Result<bool> find_lost(const std::set<int64_t>& stages);
  Status note_lost(int64_t number, const std::map<int32_t, Status>& lost);
  Status replace(int64_t number, const exchange::StageOutput& made);
  Status outdate(int64_t number, int64_t source, int32_t partition);
  // Gives back the memory of missing partitions.
  static void drop_missing(Stage& stage);

  events::Bus& bus_;
  const std::string session_;
  const std::string operation_;
  const int32_t most_times_;
  std::map<int64_t, Stage> stages_;
};

}  // namespace deuteron::execution
