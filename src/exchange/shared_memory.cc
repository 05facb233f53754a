#include "exchange/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace deuteron::exchange {

namespace {

// Address space of one slab: its mapping never has to move, however far the file grows.
constexpr uint64_t kReservedBytes = MappingGuard::kMappedBytes;
// Each keeps a file open.
constexpr size_t kPooledSlabs = 256;
constexpr uint64_t kGrowthBytes = uint64_t{1} << 20;

std::atomic<int64_t> next_slab_id{1};

Status system_failure(const std::string& what) {
  return error("SPILL_FAILED", {{"message", what + ": " + std::strerror(errno)}});
}

uint64_t machine_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

SharedMemoryOptions with_defaults(SharedMemoryOptions options) {
  if (options.budget_bytes == 0) options.budget_bytes = machine_memory() / 3;
  if (options.pooled_bytes == 0) options.pooled_bytes = options.budget_bytes / 4;
  if (options.spill_directory.empty()) options.spill_directory = "/tmp";
  return options;
}

int open_memory_file() {
  const int descriptor = memfd_create("deuteron-slab", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  // A worker can make the file longer but not shorter, which would be a SIGBUS here.
  if (descriptor >= 0) fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL);
  return descriptor;
}

int open_spill_file(const std::string& directory) {
  const int descriptor = open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  std::string path = directory + "/slab-XXXXXX";  // a file system without O_TMPFILE
  const int named = mkostemp(path.data(), O_CLOEXEC);
  if (named >= 0) unlink(path.c_str());
  return named;
}

}  // namespace

Result<std::string_view> Region::bytes() const {
  if (slab == nullptr || length == 0) return std::string_view();
  const uint64_t size = slab->size();
  const auto lost = [](const std::string& reason) {
    return error("STAGE_OUTPUT_LOST", {{"reason", reason}});
  };
  if (offset > size || length > size - offset) {
    const std::string held = std::to_string(size) + " bytes";
    return slab->is_spilled() ? lost("its file was cut off at " + held)
                              : internal_error("a region ends beyond its slab of " + held);
  }
  if (slab->guard().is_damaged(offset, length)) return lost("a page of it cannot be read");
  return std::string_view(reinterpret_cast<const char*>(slab->data()) + offset, length);
}

Slab::~Slab() {
  if (data_ != nullptr) munmap(data_, kReservedBytes);
  if (descriptor_ >= 0) close(descriptor_);
  if (on_gone_ != nullptr && *on_gone_) (*on_gone_)(id_);
}

Result<std::unique_ptr<Slab>> Slab::make(const std::string& spill_directory, bool spilled) {
  std::unique_ptr<Slab> slab(new Slab);
  slab->id_ = next_slab_id.fetch_add(1);
  slab->is_spilled_ = spilled;
  slab->descriptor_ = spilled ? open_spill_file(spill_directory) : open_memory_file();
  if (slab->descriptor_ < 0)
    return system_failure(spilled ? "cannot open a spill file" : "cannot make shared memory");
  void* mapping =
      mmap(nullptr, kReservedBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, slab->descriptor_, 0);
  if (mapping == MAP_FAILED) return system_failure("cannot map shared memory");
  slab->data_ = static_cast<uint8_t*>(mapping);
  madvise(mapping, kReservedBytes, MADV_DONTDUMP);
  slab->guard_.watch(slab->data_);
  return slab;
}

uint64_t Slab::size() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) return 0;
  return std::min(static_cast<uint64_t>(status.st_size), kReservedBytes);  // what lies beyond is not mapped
}

Status Slab::grow(uint64_t bytes) {
  if (bytes <= size()) return Status();
  if (bytes > kReservedBytes)
    return error("SPILL_FAILED", {{"message", "one partition is larger than 32 GiB"}});
  const uint64_t rounded = (bytes + kGrowthBytes - 1) / kGrowthBytes * kGrowthBytes;
  if (is_spilled_) {
    // Blocks are allocated now, so that a full disk is an error here and not a SIGBUS at the write.
    const int failure = posix_fallocate(descriptor_, 0, static_cast<off_t>(rounded));
    if (failure == 0) return Status();
    errno = failure;
    return system_failure("cannot extend a spill file");
  }
  if (ftruncate(descriptor_, static_cast<off_t>(rounded)) != 0)
    return system_failure("cannot extend shared memory");
  return Status();
}

void Slab::let_go(uint64_t offset, uint64_t length) const {
  if (!is_spilled_) return;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t begin = (offset + page - 1) / page * page;
  const uint64_t end = (offset + length) / page * page;
  if (begin < end) madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

SharedMemory::SharedMemory(const SharedMemoryOptions& options) : options_(with_defaults(options)) {}
SharedMemory::~SharedMemory() = default;

std::shared_ptr<SharedMemory> SharedMemory::create(const SharedMemoryOptions& options) {
  return std::shared_ptr<SharedMemory>(new SharedMemory(options));
}

Result<SlabPtr> SharedMemory::share(std::unique_ptr<Slab> slab) {
  {
    const std::lock_guard lock(mutex_);
    live_[slab->id()] = slab.get();
    slab->on_gone_ = on_gone_;
  }
  return SlabPtr(slab.release(), [memory = shared_from_this()](Slab* returned) {
    memory->give_back(std::unique_ptr<Slab>(returned));
  });
}

Result<SlabPtr> SharedMemory::acquire(const std::string& owner, uint64_t expected_bytes, SlabUse use) {
  std::unique_ptr<Slab> found;
  {
    const std::lock_guard lock(mutex_);
    // The smallest warm slab that is large enough, else the largest.
    auto best = pool_.end();
    uint64_t best_size = 0;
    for (auto slab = pool_.begin(); slab != pool_.end(); ++slab) {
      if ((*slab)->owner_ != owner || (*slab)->use_ != use) continue;
      const uint64_t size = (*slab)->size();
      const bool better =
          best == pool_.end() ||
          (best_size < expected_bytes ? size > best_size : size >= expected_bytes && size < best_size);
      if (better) best = slab, best_size = size;
    }
    if (best != pool_.end()) {
      found = std::move(*best);
      pool_.erase(best);
    }
  }
  if (found != nullptr) return share(std::move(found));
  if (use != SlabUse::kClient && over_budget(expected_bytes)) return acquire_spilled(owner);
  ASSIGN_OR_RETURN(found, Slab::make(options_.spill_directory, false));
  found->owner_ = owner;
  found->use_ = use;
  return share(std::move(found));
}

Result<SlabPtr> SharedMemory::acquire_spilled(const std::string& owner) {
  ASSIGN_OR_RETURN(std::unique_ptr<Slab> slab, Slab::make(options_.spill_directory, true));
  slab->owner_ = owner;
  return share(std::move(slab));
}

uint64_t SharedMemory::bytes_in_use() const {
  uint64_t total = 0;
  for (const auto& [id, slab] : live_) {
    if (!slab->is_spilled()) total += slab->size();
  }
  return total;
}

bool SharedMemory::over_budget(uint64_t more) const {
  const std::lock_guard lock(mutex_);
  return bytes_in_use() + more > options_.budget_bytes;
}

void SharedMemory::retire(int64_t slab_id) {
  const std::lock_guard lock(mutex_);
  if (live_.contains(slab_id)) retired_.push_back(slab_id);
  std::erase_if(pool_, [&](const auto& slab) { return slab->id() == slab_id; });
}

void SharedMemory::on_slab_gone(std::function<void(int64_t slab_id)> callback) {
  const std::lock_guard lock(mutex_);
  on_gone_ = std::make_shared<const std::function<void(int64_t)>>(std::move(callback));
}

void SharedMemory::drop_owner(const std::string& owner) {
  std::vector<std::unique_ptr<Slab>> dropped;  // unmapped outside the lock
  const std::lock_guard lock(mutex_);
  for (auto& slab : pool_) {
    if (slab->owner_ == owner) dropped.push_back(std::move(slab));
  }
  std::erase(pool_, nullptr);
}

void SharedMemory::give_back(std::unique_ptr<Slab> slab) {
  std::vector<std::unique_ptr<Slab>> dropped;
  const std::lock_guard lock(mutex_);
  live_.erase(slab->id());
  if (std::erase(retired_, slab->id()) > 0 || slab->is_spilled() || slab->guard().is_damaged()) {
    dropped.push_back(std::move(slab));
    return;
  }
  uint64_t pooled = slab->size();
  pool_.push_back(std::move(slab));
  const uint64_t in_use = bytes_in_use();
  const uint64_t room = options_.budget_bytes > in_use ? options_.budget_bytes - in_use : 0;
  const uint64_t limit = std::min(options_.pooled_bytes, room);
  // The newest are the warmest: keep from the end.
  size_t kept = 1;
  for (size_t i = pool_.size() - 1; i-- > 0;) {
    const uint64_t size = pool_[i]->size();
    if (pooled + size > limit || ++kept > kPooledSlabs) {
      dropped.push_back(std::move(pool_[i]));
    } else {
      pooled += size;
    }
  }
  std::erase(pool_, nullptr);
  if (!pool_.empty() && pool_.back()->size() > limit) {
    dropped.push_back(std::move(pool_.back()));
    pool_.pop_back();
  }
}

SharedMemory::Usage SharedMemory::usage() const {
  const std::lock_guard lock(mutex_);
  Usage usage;
  usage.bytes_in_use = bytes_in_use();
  for (const auto& slab : pool_) usage.bytes_pooled += slab->size();
  for (const auto& [id, slab] : live_) {
    if (slab->is_spilled()) usage.bytes_spilled += slab->size();
  }
  usage.slabs = static_cast<int64_t>(live_.size() + pool_.size());
  return usage;
}

}  // namespace deuteron::exchange
