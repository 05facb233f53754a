#include "exchange/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>

namespace deuteron::exchange {
namespace {

// By the stretch of addresses in which a mapping begins: what a signal handler can look up without a lock.
constexpr uint64_t kAddressBits = 47;
constexpr size_t kStretches = (uint64_t{1} << kAddressBits) / MappingGuard::kMappedBytes;
std::array<std::atomic<MappingGuard*>, kStretches> guards;

struct sigaction before;

size_t stretch_of(const uint8_t* address) {
  return reinterpret_cast<uintptr_t>(address) / MappingGuard::kMappedBytes;
}

bool replace_page(uint8_t* address) {
  const size_t stretch = stretch_of(address);
  for (const size_t candidate : {stretch, stretch - 1}) {
    if (candidate >= kStretches) continue;
    MappingGuard* guard = guards[candidate].load(std::memory_order_acquire);
    if (guard != nullptr && guard->replace_page(address)) return true;
  }
  return false;
}

void on_bus_error(int, siginfo_t* info, void*) {
  const int saved = errno;
  // Of anything else: what would have happened without us happens when the instruction is tried again.
  if (!replace_page(static_cast<uint8_t*>(info->si_addr))) sigaction(SIGBUS, &before, nullptr);
  errno = saved;
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
  });
}

}  // namespace

void MappingGuard::watch(uint8_t* begin) {
  install_handler();
  begin_ = begin;
  if (const size_t stretch = stretch_of(begin); stretch < kStretches)
    guards[stretch].store(this, std::memory_order_release);
}

MappingGuard::~MappingGuard() {
  if (begin_ == nullptr) return;
  if (const size_t stretch = stretch_of(begin_); stretch < kStretches)
    guards[stretch].store(nullptr, std::memory_order_release);
}

bool MappingGuard::replace_page(uint8_t* address) {
  if (address < begin_ || address >= begin_ + kMappedBytes) return false;
  static const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t begin = static_cast<uint64_t>(address - begin_) / page_bytes * page_bytes;
  const uint64_t end = begin + page_bytes;
  for (uint64_t known = damage_begin_; begin < known && !damage_begin_.compare_exchange_weak(known, begin);) {
  }
  for (uint64_t known = damage_end_; end > known && !damage_end_.compare_exchange_weak(known, end);) {
  }
  return mmap(begin_ + begin, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0) != MAP_FAILED;
}

}  // namespace deuteron::exchange
