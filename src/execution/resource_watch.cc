#include "execution/resource_watch.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"

namespace deuteron::execution {
namespace {

using scheduler::core::Address;
using std::chrono::milliseconds;

constexpr milliseconds kPatienceAtStart{500};
constexpr milliseconds kBetweenTriesAtStart{20};
constexpr milliseconds kBetweenTries{1'000};

}  // namespace

ResourceWatch::ResourceWatch(const tasks::Machine& machine, std::shared_ptr<resources::Claims> claims)
    : machine_(machine), claims_(std::move(claims)) {
  for (const auto& [name, resource] : machine_.resources) {
    for (size_t index = 0; index < resource.addresses.size(); ++index)
      in_use_.emplace_back(name, static_cast<int32_t>(index));
  }
  const SteadyTime patience_ends = steady_now() + kPatienceAtStart;
  while (true) {
    const bool is_last = steady_now() >= patience_ends;
    std::erase_if(in_use_, [&](const Address& address) { return claim(address, is_last); });
    if (in_use_.empty() || is_last) return;
    std::this_thread::sleep_for(kBetweenTriesAtStart);
  }
}

ResourceWatch::~ResourceWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopping_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ResourceWatch::start(Freed freed) {
  freed_ = std::move(freed);
  if (!in_use_.empty()) thread_ = std::thread([this] { run(); });
}

bool ResourceWatch::claim(const Address& address, bool tells) {
  const std::string& name = machine_.resources.at(address.first).addresses[address.second];
  const std::string obstacle = claims_->claim({address.first, name});
  if (!obstacle.empty() && tells) log_warning(address.first + " " + name + " waits: " + obstacle);
  return obstacle.empty();
}

void ResourceWatch::run() {
  std::vector<Address> left = in_use_;
  std::unique_lock lock(mutex_);
  while (!left.empty() && !stopping_changed_.wait_for(lock, kBetweenTries, [this] { return stopping_; })) {
    lock.unlock();
    std::erase_if(left, [this](const Address& address) {
      if (!claim(address, false)) return false;
      log_info(address.first + " " + machine_.resources.at(address.first).addresses[address.second] +
               " is free, and ours");
      freed_(address);
      return true;
    });
    lock.lock();
  }
}

}  // namespace deuteron::execution
