#include "execution/queue_settings.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "base/duration_text.h"

namespace deuteron::execution {
namespace {

using namespace scheduler::core;  // NOLINT

// Longer, or more, counts as that: sums of times must not overflow.
constexpr Duration kLongest = std::chrono::hours(24 * 3650);
constexpr int32_t kMostTimes = 1000;
constexpr std::string_view kPoolPrefix = "spark.deuteron.scheduler.pool.";

Status wrong_type(const std::string& key, const std::string& value, const std::string& type) {
  return error("INVALID_CONF_VALUE.TYPE_MISMATCH",
               {{"confName", "\"" + key + "\""}, {"confValue", "'" + value + "'"}, {"confType", type}});
}

Status no_option(const std::string& key, const std::string& value, const std::string& options) {
  return error("INVALID_CONF_VALUE.OUT_OF_RANGE_OF_OPTIONS",
               {{"confName", key}, {"confValue", value}, {"confOptions", options}});
}

Status too_low(const std::string& key, const std::string& value, int32_t lowest) {
  return error("INVALID_CONF_VALUE.REQUIREMENT",
               {{"confName", key},
                {"confValue", value},
                {"confRequirement", "It must be at least " + std::to_string(lowest) + "."}});
}

// Reads one setting after the other; the first value that cannot be taken is the error.
class Reader {
 public:
  explicit Reader(const Settings& settings) : settings_(settings) {}

  // Not set, or "": `into` stays as it is.
  void duration(const std::string& key, Duration unit, std::optional<Duration>& into) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    const auto parsed = parse_duration(*text, unit);
    if (!parsed) return fail(wrong_type(key, *text, "duration"));
    into = std::min(*parsed, kLongest);
  }
  void duration(const std::string& key, Duration unit, Duration& into) {
    std::optional<Duration> found = into;
    duration(key, unit, found);
    into = *found;
  }
  void number(const std::string& key, int32_t lowest, int32_t& into) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    int32_t value = 0;
    const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (failure != std::errc() || end != text->data() + text->size())
      return fail(wrong_type(key, *text, "int"));
    if (value < lowest) return fail(too_low(key, *text, lowest));
    into = value;
  }
  void flag(const std::string& key, bool& into) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    if (*text != "true" && *text != "false") return fail(wrong_type(key, *text, "boolean"));
    into = *text == "true";
  }
  template <typename Value>
  void choice(const std::string& key, const std::map<std::string, Value>& options, Value& into) {
    const std::string* text = find(key);
    if (text == nullptr) return;
    const auto found = options.find(*text);
    if (found != options.end()) {
      into = found->second;
      return;
    }
    std::string names;
    for (const auto& [name, value] : options) names += (names.empty() ? "" : ", ") + name;
    fail(no_option(key, *text, names));
  }
  void text(const std::string& key, std::string& into) {
    if (const std::string* found = find(key)) into = *found;
  }
  const Status& status() const { return status_; }

 private:
  const std::string* find(const std::string& key) const {
    const auto found = settings_.find(key);
    return found == settings_.end() || found->second.empty() ? nullptr : &found->second;
  }
  void fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  const Settings& settings_;
  Status status_;
};

}  // namespace

Result<QueuePolicy> queue_policy(const Settings& settings) {
  QueuePolicy policy;
  Reader reader(settings);
  reader.choice("spark.scheduler.mode", {{"FAIR", QueueMode::kFair}, {"FIFO", QueueMode::kFifo}},
                policy.mode);
  reader.duration("spark.deuteron.scheduler.ageing", std::chrono::seconds(1), policy.ageing);
  reader.duration("spark.deuteron.scheduler.patience", std::chrono::seconds(1), policy.patience);
  for (auto entry = settings.lower_bound(std::string(kPoolPrefix));
       entry != settings.end() && entry->first.starts_with(kPoolPrefix); ++entry) {
    const std::string_view rest = std::string_view(entry->first).substr(kPoolPrefix.size());
    const size_t dot = rest.rfind('.');
    if (dot == std::string_view::npos) continue;
    PoolRules& pool = policy.pools[std::string(rest.substr(0, dot))];
    if (rest.substr(dot) == ".weight") reader.number(entry->first, 1, pool.weight);
    if (rest.substr(dot) == ".minShare") reader.number(entry->first, 0, pool.min_share);
  }
  RETURN_IF_ERROR(reader.status());
  return policy;
}

Result<QueueRules> queue_rules(const Settings& settings) {
  QueueRules rules;
  Reader reader(settings);
  reader.text("spark.scheduler.pool", rules.pool);
  reader.number("spark.deuteron.scheduler.priority", std::numeric_limits<int32_t>::min(), rules.priority);
  RETURN_IF_ERROR(reader.status());
  return rules;
}

Result<GangRules> gang_rules(const Settings& settings) {
  GangRules rules;
  Reader reader(settings);
  reader.number("spark.stage.maxConsecutiveAttempts", 1, rules.max_attempts);
  reader.duration("spark.barrier.sync.timeout", std::chrono::seconds(1), rules.barrier_timeout);
  reader.duration("spark.deuteron.gang.timeLimit", std::chrono::seconds(1), rules.time_limit);
  reader.duration("spark.deuteron.gang.expectedDuration", std::chrono::seconds(1), rules.expected);
  reader.duration("spark.deuteron.gang.backoff", std::chrono::milliseconds(1), rules.backoff);
  // Who says how many attempts there are gets them.
  rules.stops_on_same_failure = !settings.contains("spark.stage.maxConsecutiveAttempts");
  reader.flag("spark.deuteron.gang.stopOnSameFailure", rules.stops_on_same_failure);
  reader.number("spark.deuteron.gang.minRanks", 0, rules.min_ranks);
  reader.flag("spark.deuteron.gang.preemptible", rules.is_preemptible);
  reader.duration("spark.deuteron.gang.preemption.notice", std::chrono::seconds(1), rules.notice);
  reader.choice(
      "spark.deuteron.gang.hang.policy",
      {{"fail", HangPolicy::kFail}, {"relaunch", HangPolicy::kRelaunch}, {"warn", HangPolicy::kWarn}},
      rules.hang.policy);
  reader.duration("spark.deuteron.gang.hang.timeout", std::chrono::milliseconds(1), rules.hang.timeout);
  reader.number("spark.deuteron.gang.hang.factor", 1, rules.hang.factor);
  RETURN_IF_ERROR(reader.status());
  rules.hang.factor = std::min(rules.hang.factor, kMostTimes);
  if (rules.hang.timeout == Duration::zero()) rules.hang.timeout.reset();
  return rules;
}

}  // namespace deuteron::execution
