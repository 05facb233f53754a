// The verbs of DataFrame.na and DataFrame.stat, and unpivot: written with ordinary expressions.
#include <algorithm>
#include <set>

#include "analyzer/errors.h"
#include "analyzer/relations.h"
#include "functions/coercion.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

enum class Family { kNumber, kString, kBoolean, kOther };

Family family_of(const DataType& type) {
  if (type.is_numeric()) return Family::kNumber;
  if (type.is(TypeId::kString)) return Family::kString;
  return type.is(TypeId::kBoolean) ? Family::kBoolean : Family::kOther;
}

bool is_floating(const DataType& type) { return type.is(TypeId::kDouble) || type.is(TypeId::kFloat); }

std::vector<NamedExpression> keep(const Columns& columns) {
  std::vector<NamedExpression> items;
  for (const Column& column : columns) items.push_back({reference_to(column), column});
  return items;
}

ExpressionPtr cast_to(ExpressionPtr value, const DataType& type, plan::CastMode mode) {
  if (value->type.same_type(type)) return value;
  const bool nullable = value->nullable || functions::cast_may_give_null(value->type, type, mode);
  return resolved::make_expression(resolved::Cast{std::move(value), mode}, type, nullable);
}

std::vector<size_t> all_positions(const Columns& columns) {
  std::vector<size_t> positions(columns.size());
  for (size_t i = 0; i < positions.size(); ++i) positions[i] = i;
  return positions;
}

}  // namespace

Result<std::vector<size_t>> RelationResolver::named_columns(const plan::Names& names, const Input& input) {
  std::vector<size_t> positions;
  for (const std::string& name : names) {
    const size_t before = positions.size();
    for (size_t i = 0; i < input.columns.size(); ++i) {
      if (same_name(input.columns[i].name, name, analysis_.settings.case_sensitive)) positions.push_back(i);
    }
    if (positions.size() == before) return unresolved_column({name}, {&input.columns}, nullptr);
  }
  return positions;
}

Result<Input> RelationResolver::fill_null(const unresolved::FillNull& node, Input input) {
  ASSIGN_OR_RETURN(const auto named, named_columns(node.columns, input));
  const std::vector<size_t> positions = node.columns.empty() ? all_positions(input.columns) : named;
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> items = keep(input.columns);
  for (size_t i = 0; i < positions.size(); ++i) {
    const Column& column = input.columns[positions[i]];
    const types::TypedValue& value = node.values.size() == 1 ? node.values[0] : node.values[i];
    if (node.values.size() == 1 && family_of(value.type) != family_of(column.type)) continue;
    ExpressionPtr current = reference_to(column);
    if (is_floating(column.type)) {
      ASSIGN_OR_RETURN(current, resolver.call("nanvl", {current, make_literal({column.type, {}})}));
    }
    const ExpressionPtr filler = cast_to(make_literal(value), column.type, plan::CastMode::kDefault);
    ASSIGN_OR_RETURN(ExpressionPtr filled, resolver.call("coalesce", {current, filler}));
    items[positions[i]] = {std::move(filled),
                           {analysis_.next_id(), column.name, column.type, column.nullable, {}, ""}};
  }
  return analyzer::project(analysis_, std::move(input), items);
}

Result<Input> RelationResolver::drop_null(const unresolved::DropNull& node, Input input) {
  ASSIGN_OR_RETURN(const auto named, named_columns(node.columns, input));
  const std::vector<size_t> positions = node.columns.empty() ? all_positions(input.columns) : named;
  const auto wanted =
      node.minimum_non_null < 0 ? static_cast<int32_t>(positions.size()) : node.minimum_non_null;
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  ExpressionPtr all;
  ExpressionPtr count;
  for (const size_t position : positions) {
    const ExpressionPtr value = reference_to(input.columns[position]);
    ASSIGN_OR_RETURN(ExpressionPtr present, resolver.call("isnotnull", {value}));
    if (is_floating(value->type)) {
      ASSIGN_OR_RETURN(ExpressionPtr is_nan, resolver.call("isnan", {value}));
      ASSIGN_OR_RETURN(ExpressionPtr is_number, resolver.call("not", {is_nan}));
      present = both(std::move(present), std::move(is_number));
    }
    all = both(std::move(all), present);
    ExpressionPtr one = cast_to(present, DataType(TypeId::kInteger), plan::CastMode::kDefault);
    if (count == nullptr) {
      count = std::move(one);
    } else {
      ASSIGN_OR_RETURN(count, resolver.call("+", {count, one}));
    }
  }
  if (all == nullptr || wanted <= 0) return input;
  if (wanted == static_cast<int32_t>(positions.size()))
    return analyzer::filter(std::move(input), std::move(all));
  ASSIGN_OR_RETURN(ExpressionPtr enough, resolver.call(">=", {count, make_integer(wanted)}));
  return analyzer::filter(std::move(input), std::move(enough));
}

Result<Input> RelationResolver::replace(const unresolved::Replace& node, Input input) {
  ASSIGN_OR_RETURN(const auto named, named_columns(node.columns, input));
  const std::vector<size_t> positions = node.columns.empty() ? all_positions(input.columns) : named;
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> items = keep(input.columns);
  for (const size_t position : positions) {
    const Column& column = input.columns[position];
    resolved::Expressions branches;
    for (size_t i = 0; i < node.old_values.size(); ++i) {
      const types::TypedValue& old_value = node.old_values[i];
      const bool by_null = old_value.value.is_null();
      if (!by_null && family_of(old_value.type) != family_of(column.type)) continue;
      const ExpressionPtr old_literal =
          cast_to(make_literal(old_value), column.type, plan::CastMode::kDefault);
      ASSIGN_OR_RETURN(ExpressionPtr match, resolver.call("<=>", {reference_to(column), old_literal}));
      branches.push_back(std::move(match));
      branches.push_back(cast_to(make_literal(node.new_values[i]), column.type, plan::CastMode::kDefault));
    }
    if (branches.empty()) continue;
    branches.push_back(reference_to(column));
    ASSIGN_OR_RETURN(ExpressionPtr replaced, resolver.call("when", std::move(branches)));
    items[position] = {std::move(replaced), {analysis_.next_id(), column.name, column.type, true, {}, ""}};
  }
  return analyzer::project(analysis_, std::move(input), items);
}

// ---- describe and summary
// --------------------------------------------------------------------------------------

namespace {

constexpr int kPercentileAccuracy = 10000;

Result<ExpressionPtr> statistic_of(ExpressionResolver& resolver, const std::string& name,
                                   const Column& column) {
  const DataType real(TypeId::kDouble);
  const ExpressionPtr value = reference_to(column);
  const ExpressionPtr number = column.type.is_numeric() ? value : cast_to(value, real, plan::CastMode::kTry);
  if (name == "count" || name == "min" || name == "max") return resolver.call(name, {value});
  if (name == "mean" || name == "stddev") return resolver.call(name == "mean" ? "avg" : "stddev", {number});
  if (name == "count_distinct" || name == "approx_count_distinct")
    return unsupported("the statistic " + name + " of summary");
  if (name.ends_with("%")) {
    const double share = std::strtod(name.c_str(), nullptr) / 100;
    return resolver.call("percentile_approx", {number, make_literal({real, types::Value(share)}),
                                               make_integer(kPercentileAccuracy)});
  }
  return error("INTERNAL_ERROR", {{"message", name + " is not a recognised statistic"}});
}

}  // namespace

// One aggregation into one row; then a row per statistic, all of them read from that one.
Result<Input> RelationResolver::describe(const unresolved::Describe& node, Input input) {
  plan::Names statistics = node.statistics;
  if (statistics.empty()) {
    statistics = node.is_summary ? plan::Names{"count", "mean", "stddev", "min", "25%", "50%", "75%", "max"}
                                 : plan::Names{"count", "mean", "stddev", "min", "max"};
  }
  std::vector<Column> described;
  ASSIGN_OR_RETURN(const auto named, named_columns(node.columns, input));
  for (const size_t position : node.columns.empty() ? all_positions(input.columns) : named) {
    const Column& column = input.columns[position];
    if (column.type.is_numeric() || column.type.is(TypeId::kString)) described.push_back(column);
  }
  auto parts = std::make_shared<AggregateParts>();
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope, {true, false, ""});
  const DataType string(TypeId::kString);
  std::vector<NamedExpression> cells;
  for (const Column& column : described) {
    for (const std::string& statistic : statistics) {
      ASSIGN_OR_RETURN(ExpressionPtr value, statistic_of(resolver, statistic, column));
      value = cast_implicitly(std::move(value), string);
      cells.push_back({value, {analysis_.next_id(), column.name + "_" + statistic, string, true, {}, ""}});
    }
  }
  parts->input = std::move(input);
  for (NamedExpression& cell : cells) {
    ASSIGN_OR_RETURN(cell.expression, over_aggregate(analysis_, *parts, cell.expression));
  }
  if (cells.empty()) cells.push_back({make_string(""), {analysis_.next_id(), "none", string, false, {}, ""}});
  parts->items = cells;
  const Input one_row = source(build_aggregate_plan(analysis_, *parts));
  // inline(array(struct('count', cell, …), …))
  resolved::Expressions rows;
  for (size_t s = 0; s < statistics.size(); ++s) {
    resolved::Expressions fields = {make_string("summary"), make_string(statistics[s])};
    for (size_t c = 0; c < described.size(); ++c) {
      fields.push_back(make_string(described[c].name));
      fields.push_back(reference_to(one_row.columns[c * statistics.size() + s]));
    }
    ASSIGN_OR_RETURN(ExpressionPtr row, resolver.call("named_struct", std::move(fields)));
    rows.push_back(std::move(row));
  }
  ASSIGN_OR_RETURN(ExpressionPtr table, resolver.call("array", std::move(rows)));
  ASSIGN_OR_RETURN(const ExpressionPtr generator, resolver.call("inline", {std::move(table)}));
  Columns output = one_row.columns;
  Columns visible;
  visible.push_back({analysis_.next_id(), "summary", string, true, {}, ""});
  for (const Column& column : described)
    visible.push_back({analysis_.next_id(), column.name, string, true, {}, ""});
  output.insert(output.end(), visible.begin(), visible.end());
  Input result = source(
      resolved::make_relation(resolved::Generate{one_row.plan, generator, false}, std::move(output), 1));
  result.columns = std::move(visible);
  return settle(std::move(result));
}

// ---- unpivot
// ---------------------------------------------------------------------------------------------------

namespace {

bool mixes_strings(const std::vector<DataType>& types) {
  const auto strings =
      std::count_if(types.begin(), types.end(), [](const DataType& t) { return t.is(TypeId::kString); });
  const auto nulls =
      std::count_if(types.begin(), types.end(), [](const DataType& t) { return t.is(TypeId::kNull); });
  return strings > 0 && strings + nulls != static_cast<long>(types.size());
}

}  // namespace

Result<Input> RelationResolver::unpivot(const unresolved::Unpivot& node, Input input) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> ids;
  std::vector<NamedExpression> values;
  const auto resolve_all = [&](const unresolved::Expressions& expressions,
                               std::vector<NamedExpression>& result) -> Status {
    for (const auto& expression : expressions) {
      ASSIGN_OR_RETURN(auto named, resolver.resolve_item(expression));
      std::move(named.begin(), named.end(), std::back_inserter(result));
    }
    return Status();
  };
  RETURN_IF_ERROR(resolve_all(node.ids, ids));
  RETURN_IF_ERROR(resolve_all(node.values, values));
  if (!node.has_values) {
    for (const Column& column : input.columns) {
      const bool is_id =
          std::any_of(ids.begin(), ids.end(), [&](const auto& id) { return id.column.id == column.id; });
      if (!is_id) values.push_back({reference_to(column), column});
    }
  }
  return unpivoted(std::move(input), std::move(ids), values, node.variable_column, node.value_column);
}

// Columns that are not named identify the row.
Result<Input> RelationResolver::unpivot_others(const unresolved::UnpivotOthers& node, Input input) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  std::vector<NamedExpression> values;
  std::set<resolved::ColumnId> used;
  for (const auto& expression : node.values) {
    ASSIGN_OR_RETURN(auto named, resolver.resolve_item(expression));
    for (NamedExpression& value : named) {
      if (const auto* column = resolved::as<resolved::ColumnReference>(value.expression))
        used.insert(column->id);
      values.push_back(std::move(value));
    }
  }
  std::vector<NamedExpression> ids;
  for (const Column& column : input.columns) {
    if (!used.contains(column.id)) ids.push_back({reference_to(column), column});
  }
  ASSIGN_OR_RETURN(Input result, unpivoted(std::move(input), std::move(ids), values, node.variable_column,
                                           node.value_column));
  if (node.include_nulls) return result;
  const Scope result_scope = scope_of(result);
  ASSIGN_OR_RETURN(
      ExpressionPtr present,
      ExpressionResolver(analysis_, result_scope).call("isnotnull", {reference_to(result.columns.back())}));
  result = analyzer::filter(std::move(result), std::move(present));
  result.columns.back().nullable = false;
  return result;
}

Result<Input> RelationResolver::unpivoted(Input input, std::vector<NamedExpression> ids,
                                          const std::vector<NamedExpression>& values,
                                          const std::string& variable_column,
                                          const std::string& value_column) {
  const Scope scope = scope_of(input);
  ExpressionResolver resolver(analysis_, scope);
  if (values.empty()) return error("UNPIVOT_REQUIRES_VALUE_COLUMNS");
  std::vector<DataType> types;
  for (const NamedExpression& value : values) types.push_back(value.expression->type);
  const auto type = functions::widest_common_type(types, analysis_.settings.ansi);
  // Strings are not brought together with anything else here.
  if (!type.has_value() || mixes_strings(types)) {
    std::map<std::string, std::string> by_type;
    for (const NamedExpression& value : values) {
      std::string& names = by_type[quoted_type(value.expression->type)];
      names += (names.empty() ? "" : ", ") + quoted_name(value.column.name);
    }
    std::string text;
    for (const auto& [name, columns] : by_type)
      text += (text.empty() ? "" : ", ") + name + " (" + columns + ")";
    return error("UNPIVOT_VALUE_DATA_TYPE_MISMATCH", {{"types", text}});
  }
  resolved::Expressions rows;
  const bool nullable =
      std::any_of(values.begin(), values.end(), [](const auto& value) { return value.expression->nullable; });
  for (const NamedExpression& value : values) {
    ASSIGN_OR_RETURN(
        ExpressionPtr row,
        resolver.call("named_struct", {make_string(variable_column), make_string(value.column.name),
                                       make_string(value_column), cast_implicitly(value.expression, *type)}));
    rows.push_back(std::move(row));
  }
  ASSIGN_OR_RETURN(ExpressionPtr table, resolver.call("array", std::move(rows)));
  ASSIGN_OR_RETURN(const ExpressionPtr generator, resolver.call("inline", {std::move(table)}));
  Columns output = input.plan->output;
  const Columns generated = {{analysis_.next_id(), variable_column, DataType(TypeId::kString), false, {}, ""},
                             {analysis_.next_id(), value_column, *type, nullable, {}, ""}};
  output.insert(output.end(), generated.begin(), generated.end());
  const int32_t partitions = input.plan->partitions;
  RelationPtr plan = resolved::make_relation(resolved::Generate{input.plan, generator, false},
                                             std::move(output), partitions);
  for (NamedExpression& column : keep(generated)) ids.push_back(std::move(column));
  return analyzer::project(analysis_, with_plan(std::move(input), std::move(plan)), ids);
}

}  // namespace deuteron::analyzer
