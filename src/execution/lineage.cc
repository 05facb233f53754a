#include "execution/lineage.h"

#include <algorithm>

#include "exchange/integrity.h"

namespace deuteron::execution {
namespace {

std::string list(const auto& partitions) {
  std::string text;
  for (const auto& [partition, rest] : partitions)
    text += (text.empty() ? "" : ", ") + std::to_string(partition);
  return text;
}

const std::string& reason_of(const Status& status) {
  const auto found = status.detail().parameters.find("reason");
  return found == status.detail().parameters.end() ? status.detail().message : found->second;
}

}  // namespace

Result<int64_t> Lineage::add(std::string name, std::set<int64_t> reads, std::unique_ptr<Maker> maker) {
  const int64_t number = next_number();
  for (const int64_t source : reads) stages_.at(source).readers.insert(number);
  stages_[number] = {std::move(name), std::move(reads), {}, std::move(maker), nullptr, {}, {}};
  RETURN_IF_ERROR(make(number));
  return number;
}

std::map<int64_t, exchange::StageOutputPtr> Lineage::outputs() const {
  std::map<int64_t, exchange::StageOutputPtr> outputs;
  for (const auto& [number, stage] : stages_) {
    if (stage.output != nullptr) outputs[number] = stage.output;
  }
  return outputs;
}

void Lineage::release(int64_t stage) {
  stages_.at(stage).output.reset();
  stages_.at(stage).missing.clear();
}

Status Lineage::reading(const std::set<int64_t>& stages, const std::function<Status()>& work) {
  return read(stages, nullptr, work);
}

Result<bool> Lineage::restore(const std::set<int64_t>& stages) {
  ASSIGN_OR_RETURN(const bool is_found, find_lost(stages));
  RETURN_IF_ERROR(complete(stages));
  return is_found;
}

Status Lineage::check(const std::set<int64_t>& stages) const {
  for (const int64_t number : stages) {
    const Stage& stage = stages_.at(number);
    if (stage.output == nullptr) continue;
    for (const exchange::Partition& partition : stage.output->partitions) {
      if (exchange::is_misread(partition)) return exchange::look_at(partition);
    }
  }
  return Status();
}

// Inputs come before their readers: a stage that another one outdates has a higher number.
Status Lineage::complete(const std::set<int64_t>& stages) {
  for (const int64_t number : stages) {
    const Stage& stage = stages_.at(number);
    if (stage.output == nullptr || !stage.missing.empty()) RETURN_IF_ERROR(make(number));
  }
  return Status();
}

Status Lineage::make(int64_t number) {
  Stage& stage = stages_.at(number);
  exchange::StageOutputPtr made;
  RETURN_IF_ERROR(read(stage.reads, stage.maker.get(), [&]() -> Status {
    std::optional<Partitions> wanted;  // may change while what it reads is made again
    if (stage.output != nullptr) {
      wanted.emplace();
      for (const auto& [partition, digest] : stage.missing) wanted->insert(partition);
    }
    ASSIGN_OR_RETURN(made, stage.maker->make(wanted));
    return Status();
  }));
  if (stage.output != nullptr) return replace(number, *made);
  stage.output = std::move(made);
  return Status();
}

Status Lineage::read(const std::set<int64_t>& stages, Maker* reader, const std::function<Status()>& work) {
  for (int32_t in_vain = 0;;) {
    RETURN_IF_ERROR(complete(stages));
    const Status status = work();
    // Whatever came of it then, right or wrong: it was made from zeros.
    const bool is_misread = reader != nullptr && !check(stages).ok();
    const bool is_cancelled = !status.ok() && status.condition() == "OPERATION_CANCELED";
    if (is_cancelled || (!is_misread && !exchange::is_lost(status))) return status;
    if (is_misread) RETURN_IF_ERROR(reader->start_anew());
    ASSIGN_OR_RETURN(const bool is_found, find_lost(stages));
    // Something of its own, which nobody else knows of.
    if (!is_found && ++in_vain >= most_times_) return status;
  }
}

Result<bool> Lineage::find_lost(const std::set<int64_t>& stages) {
  bool is_found = false;
  for (const int64_t number : stages) {
    const Stage& stage = stages_.at(number);
    if (stage.output == nullptr) continue;
    std::map<int32_t, Status> lost;
    for (size_t index = 0; index < stage.output->partitions.size(); ++index) {
      const Status status = exchange::verify(stage.output->partitions[index]);
      if (!status.ok()) lost.emplace(static_cast<int32_t>(index), status);
    }
    if (lost.empty()) continue;
    is_found = true;
    RETURN_IF_ERROR(note_lost(number, lost));
  }
  return is_found;
}

Status Lineage::note_lost(int64_t number, const std::map<int32_t, Status>& lost) {
  Stage& stage = stages_.at(number);
  int32_t times = 0;
  for (const auto& [partition, status] : lost) {
    stage.missing[partition] = exchange::digest_of(stage.output->partitions[static_cast<size_t>(partition)]);
    times = std::max(times, ++stage.times[partition]);
  }
  drop_missing(stage);
  bus_.publish(events::OutputLost{session_, operation_, number, stage.name, list(lost), times,
                                  reason_of(lost.begin()->second)});
  for (const auto& [partition, status] : lost) {
    if (stage.times[partition] < most_times_) continue;
    return error("STAGE_OUTPUT_LOST_TOO_OFTEN", {{"stage", std::to_string(number)},
                                                 {"name", stage.name},
                                                 {"partition", std::to_string(partition)},
                                                 {"times", std::to_string(stage.times[partition])},
                                                 {"reason", reason_of(status)}});
  }
  return Status();
}

void Lineage::drop_missing(Stage& stage) {
  auto rest = std::make_shared<exchange::StageOutput>(*stage.output);
  for (const auto& [partition, digest] : stage.missing)
    rest->partitions[static_cast<size_t>(partition)].clear();
  stage.output = std::move(rest);
}

Status Lineage::replace(int64_t number, const exchange::StageOutput& made) {
  Stage& stage = stages_.at(number);
  auto whole = std::make_shared<exchange::StageOutput>(*stage.output);
  if (made.partitions.size() != whole->partitions.size())
    return internal_error(stage.name + " has another number of partitions when it is made again");
  std::map<int32_t, bool> again;  // whether it is what it was
  for (size_t index = 0; index < made.partitions.size(); ++index) {
    if (made.partitions[index].empty()) continue;
    const auto partition = static_cast<int32_t>(index);
    const auto missing = stage.missing.find(partition);
    const auto before =
        missing != stage.missing.end() ? missing->second : exchange::digest_of(whole->partitions[index]);
    again[partition] = before.has_value() && before == exchange::digest_of(made.partitions[index]);
    whole->partitions[index] = made.partitions[index];
    if (missing != stage.missing.end()) stage.missing.erase(missing);
  }
  if (!stage.missing.empty()) return internal_error(stage.name + " has not made what was lost");
  stage.output = std::move(whole);
  const auto other = std::ranges::find(again, false, [](const auto& one) { return one.second; });
  bus_.publish(
      events::OutputMadeAgain{session_, operation_, number, stage.name, list(again), other == again.end()});
  if (other == again.end()) return Status();
  for (const int64_t reader : stage.readers) RETURN_IF_ERROR(outdate(reader, number, other->first));
  return Status();
}

// What is made again in its place may turn out to be the same: then its own readers need not know.
Status Lineage::outdate(int64_t number, int64_t source, int32_t partition) {
  Stage& stage = stages_.at(number);
  const Status status = stage.maker->start_anew();
  if (!status.ok() && status.condition() == "STAGE_OUTPUT_LOST_AFTER_FIRST_ROWS") return status;
  if (!status.ok()) {
    return error("INDETERMINATE_STAGE_OUTPUT_LOST", {{"stage", std::to_string(source)},
                                                     {"name", stages_.at(source).name},
                                                     {"partition", std::to_string(partition)},
                                                     {"reader", stage.name}});
  }
  if (stage.output == nullptr) return Status();
  for (size_t index = 0; index < stage.output->partitions.size(); ++index) {
    stage.missing.try_emplace(static_cast<int32_t>(index),
                              exchange::digest_of(stage.output->partitions[index]));
  }
  drop_missing(stage);
  return Status();
}

}  // namespace deuteron::execution
