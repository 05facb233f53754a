#include "execution/python_task.h"

#include <algorithm>
#include <iterator>

#include "exchange/integrity.h"
#include "exchange/stream_view.h"

namespace deuteron::execution {

void PythonInput::add(std::vector<InputPart> parts, const exchange::Streams& streams, bool is_complete) {
  const std::lock_guard lock(mutex_);
  std::ranges::copy_if(streams, std::back_inserter(on_disk_),
                       [](const exchange::Stream& stream) { return stream.checksum.has_value(); });
  is_complete_ = is_complete;
  if (reader_) reader_(parts, is_complete);
  std::move(parts.begin(), parts.end(), std::back_inserter(parts_));
}

void PythonInput::read(Reader reader) {
  const std::lock_guard lock(mutex_);
  reader_ = std::move(reader);
  reader_(parts_, is_complete_);
  if (is_given_up_) reader_({}, false);
  if (is_complete_) reader_ = nullptr;
}

void PythonInput::give_up() {
  const std::lock_guard lock(mutex_);
  is_given_up_ = true;
  if (reader_) reader_({}, false);
}

Status PythonInput::given_up() const {
  const std::lock_guard lock(mutex_);
  return is_given_up_ ? error("STAGE_OUTPUT_LOST", {{"reason", "what the rest of it is made from is lost"}})
                      : Status();
}

bool PythonInput::is_on_disk() const {
  const std::lock_guard lock(mutex_);
  return !on_disk_.empty();
}

Status PythonInput::verify() const {
  std::unique_lock lock(mutex_);
  const exchange::Streams streams = on_disk_;  // of those that are there now
  lock.unlock();
  for (const exchange::Stream& stream : streams) RETURN_IF_ERROR(exchange::verify(stream));
  return Status();
}

uint64_t PythonInput::bytes() const {
  const std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const InputPart& part : parts_) {
    if (const auto* region = std::get_if<exchange::Region>(&part)) bytes += region->length;
  }
  return bytes;
}

Result<std::shared_ptr<const PythonWork>> PythonWork::of_streams(std::shared_ptr<const PythonProgram> program,
                                                                 const exchange::Streams& streams) {
  ASSIGN_OR_RETURN(std::vector<exchange::Region> regions, exchange::join_streams(streams));
  std::vector<InputPart> parts;
  for (exchange::Region& region : regions) parts.emplace_back(std::move(region));
  parts.emplace_back(worker_pool::kEndOfStream);
  auto input = std::make_shared<PythonInput>();
  input->add(std::move(parts), streams, true);
  auto work = std::make_shared<PythonWork>(std::move(program), std::move(input));
  work->streams_ = streams;
  return std::shared_ptr<const PythonWork>(std::move(work));
}

Result<std::shared_ptr<const PythonWork>> PythonWork::join(
    const std::vector<std::shared_ptr<const tasks::TaskWork>>& works) {
  auto first = std::static_pointer_cast<const PythonWork>(works.front());
  if (works.size() == 1) return first;
  exchange::Streams streams;
  for (const auto& work : works) {
    const auto& added = static_cast<const PythonWork&>(*work).streams_;
    streams.insert(streams.end(), added.begin(), added.end());
  }
  return of_streams(first->program, streams);
}

}  // namespace deuteron::execution
