// GROUP BY and HAVING. ROLLUP, CUBE and GROUPING SETS that stand alone keep their kind; where they are mixed
// with others, or nested, every combination is written out as grouping sets.
#include <algorithm>
#include <bit>

#include "sql/parser_state.h"

namespace deuteron::sql {

namespace unresolved = plan::unresolved;
using plan::GroupType;

namespace {

constexpr size_t kMaximumGroupingSets = 4096;
constexpr size_t kMaximumCubeColumns = 12;

std::vector<Expressions> rollup_sets(const std::vector<Expressions>& parts) {
  std::vector<Expressions> sets;
  for (size_t count = parts.size() + 1; count-- > 0;) {
    Expressions set;
    for (size_t i = 0; i < count; ++i) set.insert(set.end(), parts[i].begin(), parts[i].end());
    sets.push_back(std::move(set));
  }
  return sets;
}

std::vector<Expressions> cube_sets(const std::vector<Expressions>& parts) {
  std::vector<Expressions> sets;
  for (size_t mask = size_t{1} << parts.size(); mask-- > 0;) {
    Expressions set;
    for (size_t i = 0; i < parts.size(); ++i) {
      if ((mask >> (parts.size() - 1 - i) & 1) != 0) set.insert(set.end(), parts[i].begin(), parts[i].end());
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace

// The sets that an element stands for.
std::vector<Expressions> Parser::GroupingElement::sets() const {
  if (type == GroupType::kRollup) return rollup_sets(parts);
  if (type == GroupType::kCube) return cube_sets(parts);
  return parts;
}

Expressions Parser::grouping_set() {
  if (at("(") && !at_lambda() && !at_query(position_ + 1)) {
    advance();
    Expressions set;
    if (!at(")")) set = expression_list();
    expect(")");
    return set;
  }
  return {expression()};
}

// ( a, (b, c), ROLLUP (d) … )
std::vector<Expressions> Parser::grouping_sets() {
  const Level level(*this);
  std::vector<Expressions> sets;
  expect("(");
  if (!at(")")) {
    do {
      const bool is_nested = (at_any({"ROLLUP", "CUBE"}) && at("(", 1)) || (at("GROUPING") && at("SETS", 1));
      const std::vector<Expressions> read =
          is_nested ? grouping_element().sets() : std::vector<Expressions>{grouping_set()};
      sets.insert(sets.end(), read.begin(), read.end());
    } while (accept(","));
  }
  expect(")");
  return sets;
}

Parser::GroupingElement Parser::grouping_element() {
  GroupingElement element;
  if (at_any({"ROLLUP", "CUBE"}) && at("(", 1)) {
    element.type = at("ROLLUP") ? GroupType::kRollup : GroupType::kCube;
    advance();
    element.parts = grouping_sets();
  } else if (accept("GROUPING", "SETS")) {
    element.type = GroupType::kGroupingSets;
    element.parts = grouping_sets();
  } else {
    element.parts = {{expression()}};
  }
  const size_t most = element.type == GroupType::kCube ? kMaximumCubeColumns : kMaximumGroupingSets;
  if (element.parts.size() > most) {
    fail(error("FAILED_TO_PARSE_TOO_COMPLEX"));
    element.parts.clear();
  }
  return element;
}

void Parser::set_grouping(unresolved::Aggregate& node, const std::vector<GroupingElement>& elements) {
  const auto is_plain = [](const GroupingElement& e) { return e.type == GroupType::kGroupBy; };
  const auto is_simple = [](const Expressions& part) { return part.size() == 1; };
  if (std::all_of(elements.begin(), elements.end(), is_plain)) {
    for (const GroupingElement& element : elements) node.grouping.push_back(element.parts[0][0]);
    if (accept("WITH", "ROLLUP")) node.group_type = GroupType::kRollup;
    if (accept("WITH", "CUBE")) node.group_type = GroupType::kCube;
    if (accept("GROUPING", "SETS")) {
      node.group_type = GroupType::kGroupingSets;
      node.grouping_sets = grouping_sets();
    }
    return;
  }
  const GroupingElement& first = elements[0];
  if (elements.size() == 1 && first.type != GroupType::kGroupingSets &&
      std::all_of(first.parts.begin(), first.parts.end(), is_simple)) {
    node.group_type = first.type;
    for (const Expressions& part : first.parts) node.grouping.push_back(part[0]);
    return;
  }
  node.group_type = GroupType::kGroupingSets;
  node.grouping_sets = {{}};
  for (const GroupingElement& element : elements) {
    const std::vector<Expressions> sets = element.sets();
    if (sets.size() * node.grouping_sets.size() > kMaximumGroupingSets)
      return fail(error("FAILED_TO_PARSE_TOO_COMPLEX"));
    std::vector<Expressions> combined;
    for (const Expressions& left : node.grouping_sets) {
      for (const Expressions& right : sets) {
        combined.push_back(left);
        combined.back().insert(combined.back().end(), right.begin(), right.end());
      }
    }
    node.grouping_sets = std::move(combined);
  }
  for (const GroupingElement& element : elements) {
    for (const Expressions& part : element.parts)
      node.grouping.insert(node.grouping.end(), part.begin(), part.end());
  }
}

// The select list over the input: a projection, or an aggregation when there is GROUP BY or HAVING.
RelationPtr Parser::aggregate(RelationPtr input, Expressions select_list, size_t start) {
  grow();
  const bool is_grouped = at("GROUP") && at_clause();
  const bool has_condition = at("HAVING") && at_clause();
  if (!is_grouped && !has_condition) {
    return relation(unresolved::Project{std::move(input), std::move(select_list)}, start);
  }
  unresolved::Aggregate node;
  node.input = std::move(input);
  node.aggregates = std::move(select_list);
  node.output_is_select_list = true;
  if (accept("GROUP", "BY")) {
    std::vector<GroupingElement> elements;
    do elements.push_back(grouping_element());
    while (accept(","));
    if (failure_.ok()) set_grouping(node, elements);
  }
  RelationPtr result = relation(std::move(node), start);
  if (at("HAVING") && at_clause()) {
    advance();
    ExpressionPtr condition = expression();
    grow();
    result = relation(unresolved::Having{std::move(result), std::move(condition)}, start);
  }
  return result;
}

}  // namespace deuteron::sql
