// How much memory processes use and the machine has, as /proc tells. All in bytes.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace deuteron::worker_pool {

// Resident memory of a process without what it shares (mapped files, shared memory); 0 when it has gone.
uint64_t private_memory_bytes(pid_t process);
// What this process may use at most: the machine's memory, or less under a control group.
uint64_t machine_memory_bytes();
// What all workers together may use of it.
uint64_t all_workers_memory_bytes();
// "1.5 GiB"
std::string format_bytes(uint64_t bytes);

}  // namespace deuteron::worker_pool
