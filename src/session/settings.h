// A session's settings: Spark's keys and their defaults (settings_defaults.inc), and what the user has set.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/analyzer.h"
#include "base/status.h"

namespace deuteron::session {

class SessionSettings {
 public:
  // `server_defaults` stand in front of Spark's own defaults (for example the number of slots).
  explicit SessionSettings(std::map<std::string, std::string> server_defaults);
  SessionSettings(const SessionSettings& other);

  // The value set, else the default, which some keys lack; SQL_CONF_NOT_FOUND when nothing is known of the
  // key.
  Result<std::optional<std::string>> get(const std::string& key) const;
  std::optional<std::string> find(const std::string& key) const;
  // The value set, by the user or for the server; else `otherwise`, whatever the default of a spark.sql key
  // is. INVALID_CONF_VALUE when the key cannot take that.
  Result<std::optional<std::string>> get_or(const std::string& key,
                                            const std::optional<std::string>& otherwise) const;
  // CANNOT_MODIFY_STATIC_CONFIG for spark.* keys fixed at start, INVALID_CONF_VALUE for a value that the key
  // cannot take.
  Status set(const std::string& key, const std::string& value);
  Status unset(const std::string& key);
  static bool is_modifiable(const std::string& key);
  // All that is known, sorted by key; only keys that start with `prefix`.
  std::map<std::string, std::string> all(const std::string& prefix = "") const;

  // What the analyzer needs of them.
  analyzer::Settings analyzer_settings() const;

 private:
  std::optional<std::string> find_set(const std::string& key) const;

  mutable std::mutex mutex_;
  std::map<std::string, std::string> server_defaults_;
  std::map<std::string, std::string> values_;
};

}  // namespace deuteron::session
