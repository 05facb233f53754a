// Which files a data source has: paths, folders, globs and key=value partition folders, by Spark's rules.
// Stateless; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "plan/tree.h"
#include "types/data_type.h"

namespace deuteron::relational {

struct ListedFile {
  std::string path;
  uint64_t bytes = 0;
  std::vector<std::pair<std::string, std::string>> partition;  // key, value (decoded), outermost first
};

struct FileListing {
  std::vector<ListedFile> files;  // sorted by path
  types::Schema partition_columns;
};

// A path as users write it ("file:/x", relative) -> absolute. UNSUPPORTED for stores that are not this
// machine's file system.
Result<std::string> local_path(const std::string& path);

// Hidden files (_x, .x) are left out. Errors: PATH_NOT_FOUND. `options`: recursivefilelookup, pathglobfilter,
// basepath.
Result<FileListing> list_files(const plan::Names& paths, const plan::Options& options);

}  // namespace deuteron::relational
