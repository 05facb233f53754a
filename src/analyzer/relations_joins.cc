// Relations of two inputs: joins and set operations.
#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/relations.h"
#include "functions/coercion.h"

namespace deuteron::analyzer {

using plan::JoinType;
using plan::SetOperationType;
using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;

namespace {

bool keeps_left_only(JoinType type) { return type == JoinType::kLeftSemi || type == JoinType::kLeftAnti; }

void set_nullable(Columns& columns) {
  for (Column& column : columns) column.nullable = true;
}

// The join of both plans; columns and hidden columns of both sides, left's first.
Input join_inputs(const Analysis& analysis, Input left, Input right, JoinType type, ExpressionPtr condition,
                  bool is_lateral) {
  Columns left_output = left.plan->output;
  Columns right_output = right.plan->output;
  if (type == JoinType::kRightOuter || type == JoinType::kFullOuter) {
    for (Columns* columns : {&left_output, &left.columns, &left.hidden}) set_nullable(*columns);
  }
  if (type == JoinType::kLeftOuter || type == JoinType::kFullOuter) {
    for (Columns* columns : {&right_output, &right.columns, &right.hidden}) set_nullable(*columns);
  }
  Columns output = std::move(left_output);
  Input result;
  result.columns = std::move(left.columns);
  result.hidden = std::move(left.hidden);
  result.data_frames = std::move(left.data_frames);
  if (!keeps_left_only(type)) {
    output.insert(output.end(), right_output.begin(), right_output.end());
    result.columns.insert(result.columns.end(), right.columns.begin(), right.columns.end());
    result.hidden.insert(result.hidden.end(), right.hidden.begin(), right.hidden.end());
  }
  std::move(right.data_frames.begin(), right.data_frames.end(), std::back_inserter(result.data_frames));
  if (type == JoinType::kInner && condition == nullptr) type = JoinType::kCross;
  result.plan = resolved::make_relation(
      resolved::Join{std::move(left.plan), std::move(right.plan), type, std::move(condition), is_lateral},
      std::move(output), analysis.settings.shuffle_partitions);
  return result;
}

const Column* find_by_name(const Columns& columns, const std::string& name, bool case_sensitive) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& column) {
    return same_name(column.name, name, case_sensitive);
  });
  return found == columns.end() ? nullptr : &*found;
}

Status missing_using_column(const std::string& name, const Columns& columns, const std::string& side) {
  plan::Names names;
  for (const Column& column : columns) names.push_back(column.name);
  std::sort(names.begin(), names.end());
  std::string suggestion;
  for (const std::string& candidate : names)
    suggestion += (suggestion.empty() ? "" : ", ") + quoted_name(candidate);
  return error("UNRESOLVED_USING_COLUMN_FOR_JOIN",
               {{"colName", quoted_name(name)}, {"side", side}, {"suggestion", suggestion}});
}

Columns without(const Columns& columns, const Columns& keys) {
  Columns rest;
  for (const Column& column : columns) {
    const bool is_key =
        std::any_of(keys.begin(), keys.end(), [&](const Column& key) { return key.id == column.id; });
    if (!is_key) rest.push_back(column);
  }
  return rest;
}

void append(Columns& columns, const Columns& more) {
  columns.insert(columns.end(), more.begin(), more.end());
}

// The same columns as they are after the join (nullability may have changed).
Columns refreshed(const Columns& keys, const Columns& current) {
  Columns result;
  for (const Column& key : keys) {
    for (const Column& column : current) {
      if (column.id == key.id) result.push_back(column);
    }
  }
  return result;
}

}  // namespace

Result<Input> RelationResolver::join(const unresolved::Join& node, Input left, const plan::Origin& origin) {
  std::optional<LateralFunction> function;
  if (node.is_lateral) {
    ASSIGN_OR_RETURN(function, lateral_table_function(node, left, origin));
    if (function.has_value() && function->is_joined) {
      if (node.condition == nullptr) return std::move(function->input);
      return filter({nullptr, node.condition}, std::move(function->input), origin);
    }
  }
  const bool is_lateral = node.is_lateral && !function.has_value();
  Input right;
  if (function.has_value()) {
    right = std::move(function->input);
  } else {
    const Scope left_scope = scope_of(left);
    RelationResolver right_resolver(analysis_, is_lateral ? &left_scope : outer_);
    ASSIGN_OR_RETURN(right, right_resolver.resolve(node.right));
  }
  if (node.is_natural || !node.using_columns.empty())
    return join_using(node, std::move(left), std::move(right), origin);
  ExpressionPtr condition;
  if (node.condition != nullptr) {
    const Scope scope = scope_of(left, right);
    ExpressionResolver resolver(analysis_, scope, {false, false, "JOIN", origin});
    ASSIGN_OR_RETURN(
        condition, resolver.resolve_condition(node.condition, "JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE", origin));
    if (!is_deterministic(condition)) {
      return error("INVALID_NON_DETERMINISTIC_EXPRESSIONS",
                   {{"sqlExprs", quoted_expression(resolver.pretty(node.condition))}});
    }
  }
  if (function.has_value()) condition = both(std::move(function->keys), std::move(condition));
  return join_inputs(analysis_, std::move(left), std::move(right), node.type, std::move(condition),
                     is_lateral);
}

// USING and NATURAL: the keys come once, first; the other side's keys stay reachable by their qualified
// names.
Result<Input> RelationResolver::join_using(const unresolved::Join& node, Input left, Input right,
                                           const plan::Origin& origin) {
  const bool case_sensitive = analysis_.settings.case_sensitive;
  plan::Names names = node.using_columns;
  if (node.is_natural) {
    for (const Column& column : left.columns) {
      if (find_by_name(right.columns, column.name, case_sensitive) != nullptr) names.push_back(column.name);
    }
  }
  const Scope scope = scope_of(left, right);
  ExpressionResolver resolver(analysis_, scope);
  ExpressionPtr condition;
  Columns left_keys;
  Columns right_keys;
  for (const std::string& name : names) {
    const Column* left_key = find_by_name(left.columns, name, case_sensitive);
    if (left_key == nullptr) return missing_using_column(name, left.columns, "left");
    const Column* right_key = find_by_name(right.columns, name, case_sensitive);
    if (right_key == nullptr) return missing_using_column(name, right.columns, "right");
    ASSIGN_OR_RETURN(ExpressionPtr equal,
                     resolver.call("==", {reference_to(*left_key), reference_to(*right_key)},
                                   "(" + left_key->name + " = " + right_key->name + ")", origin));
    condition = both(std::move(condition), std::move(equal));
    left_keys.push_back(*left_key);
    right_keys.push_back(*right_key);
  }
  Columns left_rest = without(left.columns, left_keys);
  Columns right_rest = without(right.columns, right_keys);
  Input result =
      join_inputs(analysis_, std::move(left), std::move(right), node.type, std::move(condition), false);
  const Columns joined = result.columns;
  left_keys = refreshed(left_keys, joined);
  right_keys = refreshed(right_keys, joined);
  left_rest = refreshed(left_rest, joined);
  right_rest = refreshed(right_rest, joined);
  if (keeps_left_only(node.type)) {
    result.columns = left_keys;
    append(result.columns, left_rest);
    return result;
  }
  if (node.type == JoinType::kFullOuter) {
    // Either side's key, whichever is there.
    resolved::Expressions expressions;
    Columns output = result.plan->output;
    for (const Column& column : output) expressions.push_back(reference_to(column));
    Columns keys;
    for (size_t i = 0; i < left_keys.size(); ++i) {
      ASSIGN_OR_RETURN(ExpressionPtr key,
                       resolver.call("coalesce", {reference_to(left_keys[i]), reference_to(right_keys[i])}));
      keys.push_back({analysis_.next_id(), left_keys[i].name, key->type, true, {}, ""});
      expressions.push_back(std::move(key));
    }
    append(output, keys);
    const int32_t partitions = result.plan->partitions;
    result.plan = resolved::make_relation(resolved::Project{result.plan, std::move(expressions)},
                                          std::move(output), partitions);
    result.columns = keys;
    append(result.hidden, left_keys);
    append(result.hidden, right_keys);
  } else {
    const bool right_leads = node.type == JoinType::kRightOuter;
    result.columns = right_leads ? right_keys : left_keys;
    append(result.hidden, right_leads ? left_keys : right_keys);
  }
  append(result.columns, left_rest);
  append(result.columns, right_rest);
  return result;
}

// ---- set operations
// --------------------------------------------------------------------------------------------

namespace {

std::string operator_name(const unresolved::SetOperation& node) {
  const char* name = node.type == SetOperationType::kUnion       ? "UNION"
                     : node.type == SetOperationType::kIntersect ? "INTERSECT"
                                                                 : "EXCEPT";
  return std::string(name) + (node.is_all && node.type != SetOperationType::kUnion ? " ALL" : "");
}

std::string ordinal(size_t number) {
  static const char* const kNames[] = {"zeroth", "first",   "second", "third", "fourth", "fifth",
                                       "sixth",  "seventh", "eighth", "ninth", "tenth"};
  return number < std::size(kNames) ? kNames[number] : std::to_string(number) + "th";
}

Input cast_columns(Analysis& analysis, Input input, const std::vector<types::DataType>& types,
                   const plan::Origin& origin) {
  std::vector<NamedExpression> items;
  bool changed = false;
  for (size_t i = 0; i < types.size(); ++i) {
    Column column = input.columns[i];
    ExpressionPtr value = cast_implicitly(reference_to(column), types[i], origin);
    if (resolved::as<resolved::ColumnReference>(value) == nullptr) {
      column.id = analysis.next_id();
      changed = true;
    }
    items.push_back({std::move(value), std::move(column)});
  }
  return changed ? project(analysis, std::move(input), items) : settle(std::move(input));
}

}  // namespace

namespace {

// unionByName: the right side's columns in the left's order; with missing ones as null on either side.
Status align_by_name(Analysis& analysis, const unresolved::SetOperation& node, Input& left, Input& right) {
  const bool case_sensitive = analysis.settings.case_sensitive;
  std::vector<NamedExpression> left_items;
  std::vector<NamedExpression> right_items;
  for (const Column& column : left.columns) {
    left_items.push_back({reference_to(column), column});
    const Column* other = find_by_name(right.columns, column.name, case_sensitive);
    if (other != nullptr) {
      right_items.push_back({reference_to(*other), *other});
    } else if (node.allow_missing_columns) {
      right_items.push_back(
          {make_literal({column.type, {}}), {analysis.next_id(), column.name, column.type, true, {}, ""}});
    } else {
      std::string names;
      for (const Column& candidate : right.columns) names += (names.empty() ? "" : ", ") + candidate.name;
      return error("UNRESOLVED_COLUMN_AMONG_FIELD_NAMES", {{"colName", column.name}, {"fieldNames", names}});
    }
  }
  for (const Column& column : right.columns) {
    if (find_by_name(left.columns, column.name, case_sensitive) != nullptr) continue;
    if (!node.allow_missing_columns) break;  // the difference in number is reported below
    left_items.push_back(
        {make_literal({column.type, {}}), {analysis.next_id(), column.name, column.type, true, {}, ""}});
    right_items.push_back({reference_to(column), column});
  }
  if (!node.allow_missing_columns && left.columns.size() != right.columns.size()) return Status();
  left = project(analysis, std::move(left), left_items);
  right = project(analysis, std::move(right), right_items);
  return Status();
}

}  // namespace

Result<Input> RelationResolver::set_operation(const unresolved::SetOperation& node, Input left,
                                              const plan::Origin& origin) {
  ASSIGN_OR_RETURN(Input right, RelationResolver(analysis_, outer_).resolve_settled(node.right));
  left = settle(std::move(left));
  if (node.by_name) RETURN_IF_ERROR(align_by_name(analysis_, node, left, right));
  const size_t width = left.columns.size();
  if (right.columns.size() != width) {
    return at(error("NUM_COLUMNS_MISMATCH", {{"operator", operator_name(node)},
                                             {"firstNumColumns", std::to_string(width)},
                                             {"invalidOrdinalNum", "second"},
                                             {"invalidNumColumns", std::to_string(right.columns.size())}}),
              origin);
  }
  std::vector<types::DataType> types;
  for (size_t i = 0; i < width; ++i) {
    const auto type =
        functions::widest_common_type(left.columns[i].type, right.columns[i].type, analysis_.settings.ansi);
    if (!type.has_value()) {
      return at(error("INCOMPATIBLE_COLUMN_TYPE", {{"operator", operator_name(node)},
                                                   {"columnOrdinalNumber", ordinal(i + 1)},
                                                   {"tableOrdinalNumber", "second"},
                                                   {"dataType1", quoted_type(right.columns[i].type)},
                                                   {"dataType2", quoted_type(left.columns[i].type)},
                                                   {"hint", ""}}),
                origin);
    }
    types.push_back(*type);
  }
  left = cast_columns(analysis_, std::move(left), types, origin);
  right = cast_columns(analysis_, std::move(right), types, origin);
  Columns output = left.columns;
  for (size_t i = 0; i < width; ++i) {
    const bool other = right.columns[i].nullable;
    if (node.type == SetOperationType::kUnion) output[i].nullable |= other;
    if (node.type == SetOperationType::kIntersect) output[i].nullable = output[i].nullable && other;
    output[i].qualifier.clear();
  }
  const bool known = left.plan->partitions > 0 && right.plan->partitions > 0;
  const bool keeps_partitions = node.type == SetOperationType::kUnion && node.is_all;
  const int32_t partitions = !keeps_partitions ? analysis_.settings.shuffle_partitions
                             : known           ? left.plan->partitions + right.plan->partitions
                                               : 0;
  Input result;
  result.plan = resolved::make_relation(resolved::SetOperation{left.plan, right.plan, node.type, node.is_all},
                                        output, partitions);
  result.columns = std::move(output);
  result.data_frames = std::move(left.data_frames);
  std::move(right.data_frames.begin(), right.data_frames.end(), std::back_inserter(result.data_frames));
  return result;
}

}  // namespace deuteron::analyzer
