// Claims the addresses of this machine's resources, and tries again, in the background, those that another
// program still has.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "resources/claims.h"
#include "scheduler/core/state.h"
#include "tasks/machine.h"

namespace deuteron::execution {

class ResourceWatch {
 public:
  // Waits for a moment for what others have: what a server that has just been killed held is free at once.
  ResourceWatch(const tasks::Machine& machine, std::shared_ptr<resources::Claims> claims);
  ~ResourceWatch();
  ResourceWatch(const ResourceWatch&) = delete;
  ResourceWatch& operator=(const ResourceWatch&) = delete;

  const std::vector<scheduler::core::Address>& in_use() const { return in_use_; }  // at the start
  // From now on `freed` is called, on a thread of its own, for each of `in_use` that is ours.
  using Freed = std::function<void(const scheduler::core::Address&)>;
  void start(Freed freed);

 private:
  void run();
  bool claim(const scheduler::core::Address& address, bool tells);

  const tasks::Machine machine_;
  const std::shared_ptr<resources::Claims> claims_;
  std::vector<scheduler::core::Address> in_use_;
  Freed freed_;
  std::mutex mutex_;
  std::condition_variable stopping_changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace deuteron::execution
