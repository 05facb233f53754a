#include "execution/python_task.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "exchange/integrity.h"
#include "exchange/stream_view.h"

namespace deuteron::execution {
namespace {

uint64_t bytes_of(const InputPart& part) {
  const auto* region = std::get_if<exchange::Region>(&part);
  return region == nullptr ? 0 : region->length;
}

}  // namespace

void PythonInput::add(std::vector<InputPart> parts, const exchange::Streams& streams, bool is_complete) {
  std::vector<InputPart> gone;
  {
    const std::lock_guard lock(mutex_);
    ++additions_;
    for (const InputPart& part : parts) made_bytes_ += bytes_of(part);
    is_complete_ = is_complete;
    if (!is_over_) {
      std::ranges::copy_if(streams, std::back_inserter(on_disk_),
                           [](const exchange::Stream& stream) { return stream.checksum.has_value(); });
      if (reader_) reader_(parts, is_complete);
      std::move(parts.begin(), parts.end(), std::back_inserter(parts_));
      gone = take_released();
    }
  }
  changed_.notify_all();
}

void PythonInput::was_read(const worker_pool::InputRead& read) {
  std::vector<InputPart> gone;  // outside the lock
  {
    const std::lock_guard lock(mutex_);
    for (; read_parts_ < std::min<uint64_t>(read.parts, parts_.size()); ++read_parts_)
      read_bytes_ += bytes_of(parts_[read_parts_]);
    std::ranges::copy_if(read.released, std::back_inserter(released_),
                         [this](uint64_t part) { return part < read_parts_; });
    gone = take_released();
  }
  changed_.notify_all();
}

std::vector<InputPart> PythonInput::take_released() {
  std::vector<InputPart> gone;
  if (!may_let_go_ || made_bytes_ <= window_) return gone;
  for (const uint64_t part : std::exchange(released_, {})) {
    auto* region = std::get_if<exchange::Region>(&parts_[part]);
    if (region == nullptr || region->slab == nullptr) continue;
    const exchange::Region whole = *region;
    std::erase_if(on_disk_, [&](const exchange::Stream& stream) {
      return stream.region.slab == whole.slab && stream.region.offset <= whole.offset &&
             whole.offset < stream.region.offset + stream.region.length;
    });
    region->slab = nullptr;
    gone.emplace_back(whole);
    is_let_go_ = true;
  }
  return gone;
}

void PythonInput::reader_ended(bool is_last) {
  std::vector<InputPart> gone;
  exchange::Streams gone_from_disk;
  {
    const std::lock_guard lock(mutex_);
    is_being_read_ = false;
    if (is_last && window_ > 0) {
      is_over_ = true;
      reader_ = nullptr;
      gone = std::exchange(parts_, {});
      gone_from_disk = std::exchange(on_disk_, {});
    }
  }
  changed_.notify_all();
}

bool PythonInput::wait_for_room(uint64_t waiting, bool needs_reader, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  may_let_go_ = true;
  const uint64_t seen = additions_;
  const auto has_room = [&] {
    return window_ == 0 || is_over_ || is_given_up_ || (needs_reader && !is_being_read_) ||
           made_bytes_ + waiting <= read_bytes_ + window_;
  };
  changed_.wait_for(lock, time, [&] { return has_room() || additions_ != seen; });
  return has_room();
}

bool PythonInput::exceeds_window() const {
  const std::lock_guard lock(mutex_);
  return may_let_go_ && window_ > 0 && made_bytes_ > window_;
}

bool PythonInput::is_let_go() const {
  const std::lock_guard lock(mutex_);
  return is_let_go_;
}

void PythonInput::read(Reader reader) {
  const std::lock_guard lock(mutex_);
  read_parts_ = 0;
  read_bytes_ = 0;
  released_.clear();
  is_being_read_ = true;
  reader_ = std::move(reader);
  reader_(parts_, is_complete_);
  if (is_given_up_) reader_({}, false);
  if (is_complete_) reader_ = nullptr;
}

void PythonInput::give_up() {
  {
    const std::lock_guard lock(mutex_);
    is_given_up_ = true;
    if (reader_) reader_({}, false);
  }
  changed_.notify_all();
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
  return made_bytes_;
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
