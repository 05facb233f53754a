#include "worker_pool/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>

namespace deuteron::worker_pool {

namespace {
constexpr uint64_t kWakeToken = 0;
constexpr int kEventsAtOnce = 64;
}  // namespace

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeToken}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
}

void EventLoop::watch(int descriptor, uint32_t epoll_events, Handler handler) {
  const uint64_t token = next_token_++;
  watches_[descriptor] = Watch{token, std::move(handler)};
  descriptor_of_token_[token] = descriptor;
  epoll_event event{.events = epoll_events, .data = {.u64 = token}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event);
}

void EventLoop::change(int descriptor, uint32_t epoll_events) {
  const auto watch = watches_.find(descriptor);
  if (watch == watches_.end()) return;
  epoll_event event{.events = epoll_events, .data = {.u64 = watch->second.token}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event);
}

void EventLoop::unwatch(int descriptor) {
  const auto watch = watches_.find(descriptor);
  if (watch == watches_.end()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
  descriptor_of_token_.erase(watch->second.token);
  watches_.erase(watch);
}

EventLoop::TimerId EventLoop::call_after(Duration delay, Function function) {
  const TimerId timer = next_timer_++;
  const SteadyTime time = steady_now() + delay;
  timers_.emplace(std::pair(time, timer), std::move(function));
  timer_times_.emplace(timer, time);
  return timer;
}

void EventLoop::cancel_timer(TimerId timer) {
  const auto time = timer_times_.find(timer);
  if (time == timer_times_.end()) return;
  timers_.erase({time->second, timer});
  timer_times_.erase(time);
}

void EventLoop::post(Function function) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
  }
  if (!on_loop_thread()) wake();
}

void EventLoop::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
}

void EventLoop::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void EventLoop::run() {
  thread_ = std::this_thread::get_id();
  std::array<epoll_event, kEventsAtOnce> events;
  while (true) {
    run_posted();
    run_timers();
    {
      std::lock_guard lock(mutex_);
      if (stopping_ && posted_.empty()) {
        stopping_ = false;
        break;
      }
    }
    const int count = epoll_wait(epoll_.get(), events.data(), kEventsAtOnce, wait_ms());
    for (int i = 0; i < count; ++i) dispatch(events[i].data.u64, events[i].events);
  }
  thread_ = std::thread::id();
}

void EventLoop::dispatch(uint64_t token, uint32_t epoll_events) {
  if (token == kWakeToken) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof count);
    return;
  }
  const auto descriptor = descriptor_of_token_.find(token);
  if (descriptor == descriptor_of_token_.end()) return;  // unwatched by an earlier handler of this round
  const Handler handler = watches_.at(descriptor->second).handler;  // a copy: the handler may unwatch itself
  handler(epoll_events);
}

void EventLoop::run_posted() {
  std::vector<Function> functions;
  {
    std::lock_guard lock(mutex_);
    functions.swap(posted_);
  }
  for (Function& function : functions) function();
}

void EventLoop::run_timers() {
  const SteadyTime now = steady_now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const Function function = std::move(timers_.begin()->second);
    timer_times_.erase(timers_.begin()->first.second);
    timers_.erase(timers_.begin());
    function();
  }
}

int EventLoop::wait_ms() const {
  {
    std::lock_guard lock(mutex_);
    if (!posted_.empty() || stopping_) return 0;
  }
  if (timers_.empty()) return -1;
  const Duration left = timers_.begin()->first.first - steady_now();
  const auto left_ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<int64_t>(left_ms, 0, 60'000));
}

}  // namespace deuteron::worker_pool
