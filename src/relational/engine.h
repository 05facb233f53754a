// The embedded relational engine (DuckDB): takes resolved fragments, gives blocks. The only module that sees DuckDB.
// One Engine per process; thread-safe; each execution takes a connection of its own from a pool.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "catalog/catalog.h"
#include "exchange/block.h"
#include "plan/resolved.h"

namespace deuteron::relational {

struct EngineOptions {
  int threads = 0;                // 0: all cores
  uint64_t memory_limit_bytes = 0;  // 0: a share of the machine's memory
  std::string spill_directory;
};

class Engine;
Result<std::unique_ptr<Engine>> make_engine(const EngineOptions& options);

}  // namespace deuteron::relational
