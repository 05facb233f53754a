#include "worker_pool/activity_watch.h"

#include <time.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace deuteron::worker_pool {
namespace {

// A hang shall be told within two seconds: 1.5 s of patience, 0.3 s for stacks.
constexpr Duration kWindow = std::chrono::milliseconds(200);
// Less than a hundredth of the time is what a process uses that only looks again and again whether it may go
// on.
constexpr int kLeastShare = 100;

// Of all threads of a process; none when it has gone.
std::optional<Duration> cpu_time(pid_t process) {
  clockid_t clock = 0;
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return std::nullopt;
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  std::error_code failure;
  const std::filesystem::path threads = "/proc/" + std::to_string(process) + "/task";
  for (std::filesystem::directory_iterator thread(threads, failure), end; !failure && thread != end;
       thread.increment(failure)) {
    std::ifstream file(thread->path() / "children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

Duration cpu_time_of_descendants(pid_t process) {
  Duration sum{};
  for (const pid_t child : children_of(process))
    sum += cpu_time(child).value_or(Duration::zero()) + cpu_time_of_descendants(child);
  return sum;
}

}  // namespace

void ActivityWatch::add(tasks::TaskId task, pid_t process) {
  watched_[task] = {process, cpu_time(process).value_or(Duration::zero()), {}, steady_now(), false};
  plan();
}

void ActivityWatch::plan() {
  if (is_planned_ || watched_.empty()) return;
  is_planned_ = true;
  timer_ = loop_.call_after(kWindow, [this] { look(); });
}

void ActivityWatch::look() {
  is_planned_ = false;
  const SteadyTime now = steady_now();
  for (auto& [task, watched] : watched_) {
    const SteadyTime before = std::exchange(watched.looked_at, now);
    const bool is_idle = !has_worked(watched, now - before);
    if (std::exchange(watched.is_idle, is_idle) == is_idle) continue;
    handler_(task, is_idle ? std::optional(before) : std::nullopt);
  }
  plan();
}

// Children are looked at only when the process itself does nothing. One that has come or gone is work too.
bool ActivityWatch::has_worked(Watched& watched, Duration window) {
  const auto own_time = cpu_time(watched.process);
  if (!own_time) return true;  // it ends, which is told otherwise
  const Duration own = *own_time - std::exchange(watched.own_time, *own_time);
  if (own * kLeastShare >= window) return true;
  const Duration children_time = cpu_time_of_descendants(watched.process);
  const Duration children = children_time - std::exchange(watched.children_time, children_time);
  return (own + std::chrono::abs(children)) * kLeastShare >= window;
}

}  // namespace deuteron::worker_pool
