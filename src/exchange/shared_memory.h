// Slabs: files in memory (memfd, private to the server and to the workers it sends them to), mapped once and
// used again, because page faults cost most. Over the budget a slab is an unlinked file in the spill
// directory instead, which others can harm (integrity.h). A slab may grow and never shrinks. SharedMemory is
// thread-safe and must outlive its slabs; a slab has one writer at a time and any number of readers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "exchange/block.h"
#include "exchange/mapping_guard.h"

namespace deuteron::exchange {

class SharedMemory;

// Who fills a slab. Each kind keeps its warm slabs: a worker's small result must not take what the next large
// input has pages for. What a client takes is bounded elsewhere and never lies on disk: it could not be made
// again.
enum class SlabUse { kEngine, kWorker, kClient };

class Slab {
 public:
  ~Slab();
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // Never names another file, also after this one is gone.
  int64_t id() const { return id_; }
  int descriptor() const { return descriptor_; }
  // Start of the mapping; stays the same while the slab grows. Only the first size() bytes may be touched.
  uint8_t* data() const { return data_; }
  // Length of the file now. A worker that writes its output here may have made it larger.
  uint64_t size() const;
  // Makes the file at least `bytes` long. SPILL_FAILED when there is no room.
  Status grow(uint64_t bytes);
  bool is_spilled() const { return is_spilled_; }
  // Of a slab on disk: this process does not need the bytes in memory. They stay what they are; whoever looks
  // at them again reads them again.
  void let_go(uint64_t offset, uint64_t length) const;
  const MappingGuard& guard() const { return guard_; }

 private:
  friend class SharedMemory;
  Slab() = default;
  static Result<std::unique_ptr<Slab>> make(const std::string& spill_directory, bool spilled);

  int64_t id_ = 0;
  int descriptor_ = -1;
  uint8_t* data_ = nullptr;
  MappingGuard guard_;
  std::string owner_;
  SlabUse use_ = SlabUse::kEngine;
  bool is_spilled_ = false;
  std::shared_ptr<const std::function<void(int64_t)>> on_gone_;
};
using SlabPtr = std::shared_ptr<Slab>;

struct SharedMemoryOptions {
  uint64_t budget_bytes = 0;  // of slabs in memory, pooled ones included; 0: a third of the machine's memory
  uint64_t pooled_bytes = 0;  // of warm slabs kept for the next user; 0: a quarter of the budget
  std::string spill_directory;  // exists; "": /tmp
};

class SharedMemory : public std::enable_shared_from_this<SharedMemory> {
 public:
  static std::shared_ptr<SharedMemory> create(const SharedMemoryOptions& options);
  ~SharedMemory();

  // A slab for one writer; `expected_bytes` chooses among the warm ones. When the last reference goes it
  // returns to the pool, for the same owner (a session) only: its workers may still have it mapped.
  Result<SlabPtr> acquire(const std::string& owner, uint64_t expected_bytes, SlabUse use = SlabUse::kEngine);
  // A slab on disk, whatever the budget says.
  Result<SlabPtr> acquire_spilled(const std::string& owner);
  // Whether `more` bytes of memory would exceed the budget, warm slabs not counted (they are dropped when
  // room is needed).
  bool over_budget(uint64_t more) const;
  uint64_t budget_bytes() const { return options_.budget_bytes; }
  // Forgets the owner's warm slabs.
  void drop_owner(const std::string& owner);
  // Never use this slab again: someone (user code) may still look at it. Workers are to forget it.
  void retire(int64_t slab_id);

  // Called with the id of each slab that goes away, from whatever thread drops it: whoever has mapped its
  // file shall unmap it. Must not block. Empty: nobody is told.
  void on_slab_gone(std::function<void(int64_t slab_id)> callback);

  struct Usage {
    uint64_t bytes_in_use = 0;  // file lengths of slabs that are referenced
    uint64_t bytes_pooled = 0;
    uint64_t bytes_spilled = 0;
    int64_t slabs = 0;
  };
  Usage usage() const;

 private:
  explicit SharedMemory(const SharedMemoryOptions& options);
  void give_back(std::unique_ptr<Slab> slab);
  Result<SlabPtr> share(std::unique_ptr<Slab> slab);
  uint64_t bytes_in_use() const;  // under the lock

  const SharedMemoryOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Slab>> pool_;  // warm
  std::map<int64_t, const Slab*> live_;
  std::vector<int64_t> retired_;  // of those in live_
  std::shared_ptr<const std::function<void(int64_t)>> on_gone_;
};

}  // namespace deuteron::exchange
