#include "analyzer/scope.h"

#include <algorithm>

#include "analyzer/errors.h"

namespace deuteron::analyzer {

using plan::Names;
using resolved::Column;
using resolved::Columns;

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// How many leading parts of `parts` qualify `column`, when the part after them is its name; -1 when it does
// not match.
bool matches_with_qualifier(const Column& column, const Names& parts, size_t qualifiers,
                            bool case_sensitive) {
  if (parts.size() <= qualifiers || !same_name(column.name, parts[qualifiers], case_sensitive)) return false;
  if (qualifiers == 0) return true;
  return qualifier_matches(
      column.qualifier, Names(parts.begin(), parts.begin() + static_cast<long>(qualifiers)), case_sensitive);
}

resolved::ColumnId first_id(resolved::ColumnId id, const Duplicates* duplicates) {
  if (duplicates == nullptr) return id;
  const auto found = duplicates->find(id);
  return found == duplicates->end() ? id : found->second;
}

}  // namespace

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), lower);
  return text;
}

bool same_name(const std::string& left, const std::string& right, bool case_sensitive) {
  if (left.size() != right.size()) return false;
  if (case_sensitive) return left == right;
  return std::equal(left.begin(), left.end(), right.begin(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

bool qualifier_matches(const Names& qualifier, const Names& target, bool case_sensitive) {
  if (target.size() > qualifier.size() || target.empty()) return false;
  return std::equal(target.rbegin(), target.rend(), qualifier.rbegin(),
                    [&](const auto& a, const auto& b) { return same_name(a, b, case_sensitive); });
}

Result<std::optional<Match>> find_column(const std::vector<const Columns*>& places, const Names& parts,
                                         bool case_sensitive, const plan::Origin& origin,
                                         const Duplicates* duplicates) {
  const size_t most_qualifiers = std::min<size_t>(parts.size() - 1, 3);
  for (size_t qualifiers = most_qualifiers + 1; qualifiers-- > 0;) {
    Columns found;
    for (const Columns* columns : places) {
      for (const Column& column : *columns) {
        if (!matches_with_qualifier(column, parts, qualifiers, case_sensitive)) continue;
        const bool known = std::any_of(found.begin(), found.end(), [&](const Column& c) {
          return first_id(c.id, duplicates) == first_id(column.id, duplicates);
        });
        if (!known) found.push_back(column);
      }
    }
    if (found.empty()) continue;
    if (found.size() > 1) return ambiguous_reference(parts, found, origin);
    return std::optional<Match>(
        Match{found[0], Names(parts.begin() + static_cast<long>(qualifiers) + 1, parts.end())});
  }
  return std::optional<Match>();
}

Result<std::optional<Match>> find_in_inputs(const Scope& scope, const Names& parts,
                                            const plan::Origin& origin) {
  std::vector<const Columns*> places;
  bool has_hidden = false;
  for (const Input* input : scope.inputs) {
    places.push_back(&input->columns);
    has_hidden |= !input->hidden.empty();
  }
  ASSIGN_OR_RETURN(auto match, find_column(places, parts, scope.case_sensitive, origin, scope.duplicates));
  if (match.has_value() || !has_hidden || parts.size() < 2) return match;
  places.clear();
  for (const Input* input : scope.inputs) places.push_back(&input->hidden);
  return find_column(places, parts, scope.case_sensitive, origin, scope.duplicates);
}

Columns qualified_columns(const Scope& scope, const Names& target) {
  Columns found;
  const auto add = [&](const Columns& columns) {
    for (const Column& column : columns) {
      if (qualifier_matches(column.qualifier, target, scope.case_sensitive)) found.push_back(column);
    }
  };
  for (const Input* input : scope.inputs) {
    add(input->hidden);
    add(input->columns);
  }
  return found;
}

namespace {

struct Candidate {
  Match match;
  int32_t depth = 0;
};

const Column* with_id(const Columns& columns, resolved::ColumnId id) {
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& column) { return column.id == id; });
  return found == columns.end() ? nullptr : &*found;
}

// The column as it is now (a join may have made it nullable); null when the scope does not offer it.
const Column* offered(const Scope& scope, resolved::ColumnId id) {
  for (const Input* input : scope.inputs) {
    if (const Column* column = with_id(input->columns, id)) return column;
    if (const Column* column = with_id(input->hidden, id)) return column;
    if (!scope.look_below) continue;
    for (const Below* below = input->below.get(); below != nullptr; below = below->below.get()) {
      if (const Column* column = with_id(below->columns, id)) return column;
      if (const Column* column = with_id(below->hidden, id)) return column;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::optional<Match>> find_in_data_frame(const Scope& scope, int64_t plan_id, const Names& parts,
                                                const plan::Origin& origin) {
  std::vector<Candidate> candidates;
  bool known = false;
  for (const Input* input : scope.inputs) {
    for (const DataFrame& frame : input->data_frames) {
      if (frame.plan_id != plan_id) continue;
      known = true;
      ASSIGN_OR_RETURN(auto match, find_column({frame.columns.get()}, parts, scope.case_sensitive, origin,
                                               scope.duplicates));
      const Column* current = match.has_value() ? offered(scope, match->column.id) : nullptr;
      if (current == nullptr) continue;
      match->column = *current;
      const bool repeated = std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& c) {
        return c.match.column.id == match->column.id;
      });
      if (!repeated) candidates.push_back({*std::move(match), frame.depth});
    }
  }
  if (!known || candidates.empty()) return std::optional<Match>();
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.depth < b.depth; });
  if (candidates.size() > 1 && candidates[0].depth == candidates[1].depth) {
    return at(error("AMBIGUOUS_COLUMN_REFERENCE", {{"name", quoted_expression(plain_name(parts))}}), origin);
  }
  return std::optional<Match>(candidates[0].match);
}

}  // namespace deuteron::analyzer
