#include "session/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "base/byte_size.h"
#include "base/clock.h"
#include "base/duration_text.h"

namespace deuteron::session {
namespace {

enum class Kind { kText, kBoolean, kInteger, kDuration, kHangPolicy, kProfiler, kTimeZone, kBytes, kFixed };

struct Default {
  std::string_view key;
  std::optional<std::string_view> value;  // none: it is known, and not set
  Kind kind;
};

constexpr Default kDefaults[] = {
#include "session/settings_defaults.inc"
};

// Fixed when the server starts; a session may read them only.
constexpr std::string_view kStaticKeys[] = {
    "spark.deuteron.scheduler.ageing", "spark.deuteron.scheduler.patience", "spark.master",
    "spark.executor.memory",           "spark.python.worker.reuse",         "spark.scheduler.mode",
    "spark.sql.catalogImplementation", "spark.sql.warehouse.dir",
};

const Default* find_default(std::string_view key) {
  const auto* found = std::find_if(std::begin(kDefaults), std::end(kDefaults),
                                   [&](const Default& entry) { return entry.key == key; });
  return found == std::end(kDefaults) ? nullptr : found;
}

bool is_zone_offset(const std::string& text) {
  if (text == "Z") return true;
  return text.size() >= 2 && (text[0] == '+' || text[0] == '-') &&
         text.find_first_not_of("0123456789:", 1) == std::string::npos;
}

bool is_time_zone(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find("..") != std::string::npos) return false;
  if (name == "UTC" || name == "GMT" || is_zone_offset(name)) return true;
  std::error_code ignored;
  return std::filesystem::is_regular_file(std::filesystem::path("/usr/share/zoneinfo") / name, ignored);
}

bool equals_ignoring_case(const std::string& value, std::string_view lower) {
  return std::equal(value.begin(), value.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

bool accepts(Kind kind, const std::string& value) {
  switch (kind) {
    case Kind::kText: return true;
    case Kind::kBoolean: return value == "true" || value == "false";
    case Kind::kInteger: {
      int64_t number = 0;
      const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
      return code == std::errc() && end == value.data() + value.size();
    }
    case Kind::kDuration: return parse_duration(value, std::chrono::seconds(1)).has_value();
    case Kind::kHangPolicy: return value == "warn" || value == "relaunch" || value == "fail";
    case Kind::kProfiler: return equals_ignoring_case(value, "perf") || equals_ignoring_case(value, "memory");
    case Kind::kTimeZone: return is_time_zone(value);
    case Kind::kBytes: return parse_byte_size(value).ok();
    case Kind::kFixed: return false;
  }
  return false;
}

Status invalid_value(const std::string& key, const std::string& value, Kind kind) {
  switch (kind) {
    case Kind::kFixed: return unsupported("the setting " + key + "=" + value);
    case Kind::kBytes:
      return error(
          "INVALID_CONF_VALUE.TYPE_MISMATCH",
          {{"confName", "\"" + key + "\""}, {"confValue", "'" + value + "'"}, {"confType", "bytes in BYTE"}});
    case Kind::kTimeZone:
      return error("INVALID_CONF_VALUE.TIME_ZONE",
                   {{"confName", "\"" + key + "\""}, {"confValue", "'" + value + "'"}});
    case Kind::kBoolean:
      return error(
          "INVALID_CONF_VALUE.TYPE_MISMATCH",
          {{"confName", "\"" + key + "\""}, {"confValue", "'" + value + "'"}, {"confType", "boolean"}});
    case Kind::kHangPolicy:
      return error("INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS",
                   {{"confName", key}, {"confValue", value}, {"confOptions", "warn, relaunch, fail"}});
    case Kind::kProfiler:
      return error("INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS",
                   {{"confName", key}, {"confValue", value}, {"confOptions", "perf, memory"}});
    default:
      return error("INVALID_CONF_VALUE.TYPE_MISMATCH",
                   {{"confName", "\"" + key + "\""},
                    {"confValue", "'" + value + "'"},
                    {"confType", kind == Kind::kDuration ? "duration" : "int"}});
  }
}

int32_t to_count(const std::optional<std::string>& text, int32_t otherwise) {
  int32_t value = 0;
  if (!text.has_value()) return otherwise;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
  return code == std::errc() && value > 0 ? value : otherwise;
}

}  // namespace

SessionSettings::SessionSettings(std::map<std::string, std::string> server_defaults)
    : server_defaults_(std::move(server_defaults)) {}

SessionSettings::SessionSettings(const SessionSettings& other) {
  std::lock_guard lock(other.mutex_);
  server_defaults_ = other.server_defaults_;
  values_ = other.values_;
}

std::optional<std::string> SessionSettings::find_set(const std::string& key) const {
  std::lock_guard lock(mutex_);
  if (auto found = values_.find(key); found != values_.end()) return found->second;
  if (auto found = server_defaults_.find(key); found != server_defaults_.end()) return found->second;
  return std::nullopt;
}

Result<std::optional<std::string>> SessionSettings::get_or(
    const std::string& key, const std::optional<std::string>& otherwise) const {
  if (std::optional<std::string> value = find_set(key); value.has_value()) return value;
  const Default* entry = find_default(key);
  const bool is_of_server = !key.starts_with("spark.sql.");
  if (is_of_server && entry != nullptr && entry->value.has_value())
    return std::optional(std::string(*entry->value));
  if (entry != nullptr && otherwise.has_value() && !accepts(entry->kind, *otherwise))
    return invalid_value(key, *otherwise, entry->kind);
  return otherwise;
}

std::optional<std::string> SessionSettings::find(const std::string& key) const {
  if (std::optional<std::string> value = find_set(key); value.has_value()) return value;
  const Default* entry = find_default(key);
  if (entry != nullptr && entry->value.has_value()) return std::string(*entry->value);
  return std::nullopt;
}

Result<std::optional<std::string>> SessionSettings::get(const std::string& key) const {
  auto value = find(key);
  if (value.has_value() || find_default(key) != nullptr) return value;
  return error("SQL_CONF_NOT_FOUND", {{"sqlConf", "\"" + key + "\""}});
}

Status SessionSettings::set(const std::string& key, const std::string& value) {
  if (!is_modifiable(key)) return error("CANNOT_MODIFY_STATIC_CONFIG", {{"key", "\"" + key + "\""}});
  const Default* entry = find_default(key);
  const bool is_default = entry != nullptr && entry->value == value;
  if (entry != nullptr && !is_default && !accepts(entry->kind, value))
    return invalid_value(key, value, entry->kind);
  std::lock_guard lock(mutex_);
  values_[key] = value;
  return {};
}

Status SessionSettings::unset(const std::string& key) {
  if (!is_modifiable(key)) return error("CANNOT_MODIFY_STATIC_CONFIG", {{"key", "\"" + key + "\""}});
  std::lock_guard lock(mutex_);
  values_.erase(key);
  return {};
}

bool SessionSettings::is_modifiable(const std::string& key) {
  return std::find(std::begin(kStaticKeys), std::end(kStaticKeys), key) == std::end(kStaticKeys);
}

std::map<std::string, std::string> SessionSettings::all(const std::string& prefix) const {
  std::lock_guard lock(mutex_);
  std::map<std::string, std::string> merged = values_;
  merged.insert(server_defaults_.begin(), server_defaults_.end());
  for (const Default& entry : kDefaults) {
    if (entry.value.has_value()) merged.emplace(entry.key, *entry.value);
  }
  std::erase_if(merged, [&](const auto& item) { return !item.first.starts_with(prefix); });
  return merged;
}

analyzer::Settings SessionSettings::analyzer_settings() const {
  analyzer::Settings settings;
  settings.ansi = find("spark.sql.ansi.enabled") == "true";
  settings.case_sensitive = find("spark.sql.caseSensitive") == "true";
  settings.time_zone = *find("spark.sql.session.timeZone");
  settings.timestamp_type = *find("spark.sql.timestampType");
  settings.group_by_ordinal = find("spark.sql.groupByOrdinal") == "true";
  settings.order_by_ordinal = find("spark.sql.orderByOrdinal") == "true";
  settings.python_filter_pushdown = find("spark.sql.python.filterPushdown.enabled") == "true";
  settings.default_parallelism = to_count(find("spark.default.parallelism"), 1);
  settings.shuffle_partitions = to_count(find("spark.sql.shuffle.partitions"), settings.default_parallelism);
  return settings;
}

}  // namespace deuteron::session
