// What a client has uploaded to its session: Python files and archives (put on the workers' sys.path), plain
// files and unpacked archives (which lie where the workers run), and cached local relations. Files lie in a
// directory of the session's own (0700), removed with the session. Thread-safe. Names come from the client
// and are not trusted: anything but a plain relative path is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "plan/tree.h"

namespace deuteron::session {

class Artifacts {
 public:
  // Unpacks an archive into a folder that is not there yet; what it holds may take `limit_bytes`.
  using Unpack =
      std::function<Status(const std::string& archive, const std::string& folder, uint64_t limit_bytes)>;

  // `directory` is made at the first file; all artifacts together may take `limit_bytes`.
  Artifacts(std::string directory, uint64_t limit_bytes, Unpack unpack);
  ~Artifacts();

  // name: "cache/<sha256>", "pyfiles/x.py", "files/x", "archives/x.zip", "archives/x.zip#folder".
  // ARTIFACT_ALREADY_EXISTS when it holds other content.
  Status add(const std::string& name, std::string content);
  bool exists(const std::string& name) const;
  plan::Bytes find_cached(const std::string& hash) const;
  // Directories and archives for sys.path, in the order of upload.
  std::vector<std::string> python_paths() const;
  // Where files lie under their names, and archives unpacked under theirs (or the one behind #). "" before
  // the first of them.
  std::string files_directory() const;

 private:
  Status store_file(const std::string& name, const std::string& content);
  Status write_file(const std::string& name, const std::string& content) const;
  Status unpack_archive(const std::string& name);
  void add_python_path(const std::string& name);

  const std::string directory_;
  const uint64_t limit_bytes_;
  const Unpack unpack_;
  mutable std::mutex mutex_;
  uint64_t used_bytes_ = 0;
  std::map<std::string, plan::Bytes> cached_;
  std::map<std::string, uint64_t> files_;  // name -> hash of the content
  std::vector<std::string> python_paths_;
  bool has_files_ = false;
};

}  // namespace deuteron::session
