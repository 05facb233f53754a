// The wall around each RPC: what its work throws (no memory, a bug of ours) becomes an error of that call
// alone, and the server goes on. (What is thrown before a call has a thread of ours, gRPC turns into
// UNKNOWN.)
#pragma once

#include <exception>
#include <string>

#include "base/status.h"

namespace deuteron::connect {

template <typename Work>
Status behind_wall(Work&& work) {
  try {
    return work();
  } catch (const std::exception& thrown) {
    return internal_error(std::string("the server failed at this request: ") + thrown.what());
  }
}

}  // namespace deuteron::connect
