// Which addresses of resources are ours: no two servers of a machine give the same GPU to tasks, nor does a
// server that starts after a crash one that a process of the old server still uses.
//
// An address is a file in a folder that all servers of the machine share, and whoever holds its lock has the
// address. Workers get the descriptor of what they use, so that the lock lives as long as the last of them,
// whatever becomes of the server. Programs that a worker has started do not inherit descriptors: they are
// known by a variable in their environment, which is looked for when the file says that its last owner has
// not given it back.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "base/status.h"
#include "tasks/machine.h"

namespace deuteron::resources {

using Address = std::pair<std::string, std::string>;  // "gpu", "0"

// In the environment of tasks: the files of their addresses, with ':' between them.
inline constexpr const char* kClaimsVariable = "DEUTERON_RESOURCE_CLAIMS";

// Thread-safe.
class Claims {
 public:
  // Makes the folder, for all users, when there is none.
  static Result<std::unique_ptr<Claims>> make(const std::string& directory);
  // Gives everything back; processes that still hold a descriptor keep theirs.
  ~Claims();
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  // Empty when it is ours now, else who has it, for people.
  std::string claim(const Address& address);
  // Of an address that is ours; stays open as long as the object.
  int descriptor(const Address& address) const;
  std::string path(const Address& address) const;

 private:
  explicit Claims(std::string directory) : directory_(std::move(directory)) {}
  const std::string directory_;
  mutable std::mutex mutex_;
  std::map<Address, FileDescriptor> files_;  // guarded by mutex_
};

}  // namespace deuteron::resources
