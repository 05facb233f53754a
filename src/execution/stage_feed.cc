#include "execution/stage_feed.h"

#include <algorithm>
#include <utility>

#include "exchange/stream_view.h"

namespace deuteron::execution {
namespace {

constexpr std::chrono::milliseconds kProgressInterval{200};
constexpr int64_t kPartitionsPerSlotInFlight = 3;

// The next parts of a task's input.
Result<std::vector<InputPart>> make_parts(const PythonStage& stage, const exchange::Partition& partition,
                                          exchange::StreamPosition position) {
  std::vector<InputPart> parts;
  if (stage.tables_per_group > 0) {
    const bool two = stage.tables_per_group == 2;
    for (size_t group = 0; group < partition[0].size(); ++group) {
      parts.emplace_back(two ? worker_pool::kTwoTablesOfGroup : worker_pool::kOneTableOfGroup);
      parts.emplace_back(partition[0][group].region);
      if (two) parts.emplace_back(partition[1][group].region);
    }
    if (position.is_end) parts.emplace_back(worker_pool::kNoMoreGroups);
  } else {
    ASSIGN_OR_RETURN(std::vector<exchange::Region> regions, exchange::join_streams(partition[0], position));
    for (exchange::Region& region : regions) parts.emplace_back(std::move(region));
  }
  if (position.is_end) parts.emplace_back(worker_pool::kEndOfStream);
  return parts;
}

bool has_rows(const exchange::Partition& partition) {
  return std::any_of(partition.begin(), partition.end(), [](const exchange::Streams& streams) {
    return std::any_of(streams.begin(), streams.end(), [](const exchange::Stream& stream) {
      return stream.region.length > 0 && stream.rows != 0;
    });
  });
}

}  // namespace

StageFeed::StageFeed(const PythonStage& stage, std::shared_ptr<const PythonProgram> program,
                     scheduler::Scheduler& scheduler, tasks::StageId id,
                     std::shared_ptr<StageCollector> collector, std::shared_ptr<const CancelToken> stop,
                     uint64_t window, Report report)
    : stage_(stage),
      program_(std::move(program)),
      scheduler_(scheduler),
      id_(id),
      collector_(std::move(collector)),
      stop_(std::move(stop)),
      report_(std::move(report)),
      window_(window),
      limit_(kPartitionsPerSlotInFlight * scheduler.machine().cpus) {}

relational::PartitionSink StageFeed::sink() {
  relational::PartitionSink sink;
  sink.begin = [this](int32_t index, const CancelToken& stop) { return begin(index, stop); };
  sink.add = [this](int32_t index, const exchange::Partition& streams, bool is_complete) {
    return add(index, streams, is_complete);
  };
  sink.wait_for_room = [this](int32_t index, const std::function<uint64_t()>& waiting, bool makes_whole,
                              const CancelToken& stop) {
    return wait_for_room(index, waiting, makes_whole, stop);
  };
  sink.at_once = static_cast<int32_t>(limit_);
  return sink;
}

int64_t StageFeed::added() const {
  const std::lock_guard lock(mutex_);
  return added_;
}

bool StageFeed::may_be_lost() const {
  const std::lock_guard lock(mutex_);
  return reads_disk_ ||
         std::ranges::any_of(inputs_, [](const auto& entry) { return entry.second->exceeds_window(); });
}

bool StageFeed::was_let_go(int32_t partition) const {
  const std::lock_guard lock(mutex_);
  const auto input = inputs_.find(partition);
  return input != inputs_.end() && input->second->is_let_go();
}

void StageFeed::give_up() {
  const std::lock_guard lock(mutex_);
  for (const int32_t index : std::exchange(growing_, {})) inputs_.at(index)->give_up();
}

void StageFeed::expect_again(const std::set<int32_t>& partitions) {
  const std::lock_guard lock(mutex_);
  if (partitions.empty()) {
    begun_.clear();
    skipped_.clear();
    inputs_.clear();
    added_ = 0;
  }
  for (const int32_t index : partitions) {
    begun_.erase(index);
    inputs_.erase(index);
    --added_;
  }
}

Status StageFeed::begin(int32_t index, const CancelToken& stop) {
  auto wait = std::chrono::milliseconds(0);
  int64_t begun = 0;
  while (true) {
    const auto counts = collector_->wait_to_begin(wait, index, begun, limit_);
    report_(added(), counts);
    if (counts.ended || stop_->cancelled() || stop.cancelled()) return cancelled();
    const std::lock_guard lock(mutex_);
    if (begun_.contains(index)) return Status();
    begun = static_cast<int64_t>(begun_.size() - skipped_.size());
    if (StageCollector::may_begin(counts, index, begun, limit_)) {
      begun_.insert(index);
      inputs_[index] = std::make_shared<PythonInput>(window_);
      return Status();
    }
    wait = kProgressInterval;
  }
}

Status StageFeed::add(int32_t index, const exchange::Partition& streams, bool is_complete) {
  const std::lock_guard lock(mutex_);
  const bool is_first = !growing_.contains(index);
  if (is_first && (is_complete ? stage_.skips_empty && !has_rows(streams) : streams[0].empty())) {
    if (is_complete) {
      skipped_.insert(index);
      inputs_.erase(index);
      collector_->input_complete(index, false);
    }
    return Status();
  }
  ASSIGN_OR_RETURN(std::vector<InputPart> parts, make_parts(stage_, streams, {is_first, is_complete}));
  const std::shared_ptr<PythonInput> input = inputs_.at(index);
  exchange::Streams read = streams[0];
  if (stage_.tables_per_group == 2) read.insert(read.end(), streams[1].begin(), streams[1].end());
  reads_disk_ |= std::ranges::any_of(read, [](const auto& stream) { return stream.checksum.has_value(); });
  input->add(std::move(parts), read, is_complete);
  if (is_complete) {
    growing_.erase(index);
    collector_->input_complete(index, true);
  } else {
    growing_.insert(index);
  }
  if (is_first) {
    ++added_;
    scheduler_.add_task(id_, index, std::make_shared<PythonWork>(program_, input));
  }
  return Status();
}

// Whoever makes a whole partition has a thread for it alone: its task can wait for a slot meanwhile, since
// those that have one are given their input by others. Who makes a part of one waits for a task that reads.
Status StageFeed::wait_for_room(int32_t index, const std::function<uint64_t()>& waiting, bool makes_whole,
                                const CancelToken& stop) {
  std::shared_ptr<PythonInput> input;
  {
    const std::lock_guard lock(mutex_);
    const auto found = inputs_.find(index);
    if (found == inputs_.end()) return Status();
    input = found->second;
  }
  while (!input->wait_for_room(waiting(), !makes_whole, kProgressInterval)) {
    const auto counts = collector_->wait_for(std::chrono::milliseconds(0));
    if (counts.ended || stop_->cancelled() || stop.cancelled()) return cancelled();
  }
  return Status();
}

}  // namespace deuteron::execution
