// Temporary views by name, without regard to case. Readers get an immutable snapshot; thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "catalog/catalog.h"

namespace deuteron::session {

class Views {
 public:
  using Snapshot = std::shared_ptr<const std::map<std::string, catalog::View>>;

  Views() : views_(std::make_shared<const std::map<std::string, catalog::View>>()) {}
  Views(const Views& other) : views_(other.snapshot()) {}

  Snapshot snapshot() const;
  // False when a view of that name exists and `replace` is not given.
  bool create(const std::string& name, catalog::View view, bool replace);
  // False when there is none.
  bool drop(const std::string& name);

  static std::optional<catalog::View> find(const Snapshot& snapshot, const std::string& name);

 private:
  mutable std::mutex mutex_;
  Snapshot views_;
};

}  // namespace deuteron::session
