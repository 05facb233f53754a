#include "analyzer/errors.h"

#include <algorithm>
#include <numeric>

namespace deuteron::analyzer {
namespace {

using plan::Names;

constexpr const char* kSearchPath = "[`system`.`builtin`, `system`.`session`, `spark_catalog`.`default`]";

bool is_plain(const std::string& name) {
  if (name.empty()) return false;
  bool all_digits = true;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if (!(c == '_' || digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return false;
    all_digits = all_digits && digit;
  }
  return !all_digits;
}

std::string quote(const std::string& name) {
  std::string quoted = "`";
  for (const char c : name) quoted.append(c == '`' ? 2 : 1, c);
  return quoted + "`";
}

size_t edit_distance(const std::string& left, const std::string& right) {
  std::vector<size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= left.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= right.size(); ++j) {
      const size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// Drops what all candidates share in front of their last `kept` parts, when it is the same for all.
bool strip_shared_prefix(std::vector<Names>& candidates, size_t kept) {
  const auto prefix = [&](const Names& name) {
    return Names(name.begin(), name.size() > kept ? name.end() - static_cast<long>(kept) : name.begin());
  };
  for (const Names& name : candidates) {
    if (prefix(name) != prefix(candidates.front())) return false;
  }
  for (Names& name : candidates)
    name.erase(name.begin(), name.begin() + static_cast<long>(prefix(name).size()));
  return true;
}

}  // namespace

std::string quoted_name(const Names& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ".") + quote(part);
  return text;
}
std::string quoted_name(const std::string& name) { return quote(name); }

std::string plain_name(const Names& parts) {
  std::string text;
  for (const std::string& part : parts)
    text += (text.empty() ? "" : ".") + (is_plain(part) ? part : quote(part));
  return text;
}

std::string quoted_type(const types::DataType& type) { return "\"" + type.sql() + "\""; }
std::string quoted_expression(const std::string& pretty) { return "\"" + pretty + "\""; }

Status at(Status status, const plan::Origin& origin) {
  if (status.ok() || origin == nullptr || !status.detail().contexts.empty()) return status;
  return status.with_context(*origin);
}

std::string proposal(const Names& wanted, std::vector<Names> candidates) {
  if (candidates.empty()) return "";
  if (!(wanted.size() == 1 && strip_shared_prefix(candidates, 1)) && wanted.size() <= 2) {
    strip_shared_prefix(candidates, 2);
  }
  const std::string target = plain_name(wanted);
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const Names& name : candidates) {
    std::string quoted = quoted_name(name);
    const size_t distance = edit_distance(quoted, target);
    ranked.emplace_back(distance, std::move(quoted));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  constexpr size_t kMost = 5;
  std::string text;
  for (size_t i = 0; i < std::min(kMost, ranked.size()); ++i) text += (i == 0 ? "" : ", ") + ranked[i].second;
  return text;
}

Status unresolved_column(const Names& name, const std::vector<const plan::resolved::Columns*>& candidates,
                         const plan::Origin& origin) {
  std::vector<std::pair<std::string, Names>> sorted;
  for (const plan::resolved::Columns* columns : candidates) {
    for (const plan::resolved::Column& column : *columns) {
      Names full = column.qualifier;
      full.push_back(column.name);
      sorted.emplace_back(column.name, std::move(full));
    }
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Names> names;
  names.reserve(sorted.size());
  for (auto& [_, full] : sorted) names.push_back(std::move(full));
  const std::string text = proposal(name, std::move(names));
  if (text.empty())
    return at(error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", {{"objectName", quoted_name(name)}}), origin);
  return at(
      error("UNRESOLVED_COLUMN.WITH_SUGGESTION", {{"objectName", quoted_name(name)}, {"proposal", text}}),
      origin);
}

Status unresolved_field(const std::string& field, const types::Schema& fields, const plan::Origin& origin) {
  std::string names;
  for (const types::StructField& candidate : fields)
    names += (names.empty() ? "" : ", ") + quote(candidate.name);
  return at(error("FIELD_NOT_FOUND", {{"fieldName", quote(field)}, {"fields", names}}), origin);
}

Status ambiguous_reference(const Names& name, const plan::resolved::Columns& candidates,
                           const plan::Origin& origin) {
  std::string names;
  for (const plan::resolved::Column& column : candidates) {
    Names full = column.qualifier;
    full.push_back(column.name);
    names += (names.empty() ? "" : ", ") + quoted_name(full);
  }
  return at(
      error("AMBIGUOUS_REFERENCE", {{"name", quoted_name(name)}, {"referenceNames", "[" + names + "]"}}),
      origin);
}

Status unresolved_routine(const Names& name, const plan::Origin& origin) {
  return at(error("UNRESOLVED_ROUTINE", {{"routineName", quoted_name(name)}, {"searchPath", kSearchPath}}),
            origin);
}

Status table_not_found(const Names& name, const plan::Origin& origin) {
  return at(
      error("TABLE_OR_VIEW_NOT_FOUND", {{"relationName", quoted_name(name)}, {"searchPath", kSearchPath}}),
      origin);
}

}  // namespace deuteron::analyzer
