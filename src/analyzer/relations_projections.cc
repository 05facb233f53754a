// Relations that change columns and keep rows.
#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/python_functions.h"
#include "analyzer/relations.h"
#include "functions/coercion.h"
#include "sql/parser.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::ExpressionPtr;
using types::DataType;

namespace {

// The generator call of a select item, else null.
unresolved::ExpressionPtr generator_of(const unresolved::ExpressionPtr& item) {
  const auto* alias = unresolved::as<unresolved::Alias>(item);
  const unresolved::ExpressionPtr& call = alias == nullptr ? item : alias->child;
  const auto* function = unresolved::as<unresolved::FunctionCall>(call);
  return function != nullptr && is_generator_name(lower_case(function->name.back())) ? call : nullptr;
}

bool is_outer_generator(const unresolved::ExpressionPtr& generator) {
  return lower_case(unresolved::as<unresolved::FunctionCall>(generator)->name.back()).ends_with("_outer");
}

std::vector<NamedExpression> keep(const Columns& columns) {
  std::vector<NamedExpression> items;
  for (const Column& column : columns) items.push_back({reference_to(column), column});
  return items;
}

Result<unresolved::Expressions> parsed(const unresolved::Expressions& items) {
  unresolved::Expressions result;
  for (const auto& item : items) {
    const auto* text = unresolved::as<unresolved::SqlText>(item);
    if (text == nullptr) {
      result.push_back(item);
      continue;
    }
    ASSIGN_OR_RETURN(auto expression, sql::parse_expression(text->text));
    result.push_back(std::move(expression));
  }
  return result;
}

}  // namespace

Result<std::vector<NamedExpression>> RelationResolver::select_list(const unresolved::Expressions& items,
                                                                   const Input& input,
                                                                   const Allowed& allowed) {
  Scope scope = scope_of(input);
  std::vector<LateralAlias> aliases;
  scope.aliases = &aliases;
  ExpressionResolver resolver(analysis_, scope, allowed);
  std::vector<NamedExpression> result;
  for (const auto& item : items) {
    ASSIGN_OR_RETURN(auto resolved_items, resolver.resolve_item(item));
    if (const auto* alias = unresolved::as<unresolved::Alias>(item);
        alias != nullptr && resolved_items.size() == 1) {
      const std::string& name = resolved_items[0].column.name;
      const auto known = std::find_if(aliases.begin(), aliases.end(), [&](const LateralAlias& other) {
        return same_name(other.name, name, scope.case_sensitive);
      });
      if (known != aliases.end()) {
        known->expression = nullptr;
      } else {
        aliases.push_back({name, resolved_items[0].expression});
      }
    }
    std::move(resolved_items.begin(), resolved_items.end(), std::back_inserter(result));
  }
  return result;
}

Result<Input> RelationResolver::project(const unresolved::Project& node, Input input,
                                        const plan::Origin& origin, bool is_grouped) {
  ASSIGN_OR_RETURN(const unresolved::Expressions items, parsed(node.expressions));
  const auto aggregates = [&](const unresolved::ExpressionPtr& item) {
    return contains_aggregate_call(item, analysis_.catalog);
  };
  if (is_grouped || std::any_of(items.begin(), items.end(), aggregates)) {
    unresolved::Aggregate global;
    global.aggregates = items;
    global.output_is_select_list = true;
    return aggregate(global, std::move(input), origin);
  }
  size_t generator = items.size();
  for (size_t i = 0; i < items.size(); ++i) {
    if (generator_of(items[i]) == nullptr) continue;
    if (generator < items.size()) {
      return at(error("UNSUPPORTED_GENERATOR.MULTI_GENERATOR", {{"num", "2"}, {"generators", ""}}), origin);
    }
    generator = i;
  }
  const Allowed allowed{false, true, "", origin};
  if (generator == items.size()) {
    ASSIGN_OR_RETURN(const auto named, select_list(items, input, allowed));
    return analyzer::project(analysis_, std::move(input), named);
  }
  const unresolved::ExpressionPtr call = generator_of(items[generator]);
  const auto* alias = unresolved::as<unresolved::Alias>(items[generator]);
  Columns generated;
  const Columns visible = input.columns;
  ASSIGN_OR_RETURN(Input wider,
                   generate(call, is_outer_generator(call), alias == nullptr ? plan::Names() : alias->names,
                            "", std::move(input), generated));
  wider.columns = visible;
  const auto split = items.begin() + static_cast<long>(generator);
  ASSIGN_OR_RETURN(auto named, select_list({items.begin(), split}, wider, allowed));
  for (auto& item : keep(generated)) named.push_back(std::move(item));
  ASSIGN_OR_RETURN(auto rest, select_list({split + 1, items.end()}, wider, allowed));
  std::move(rest.begin(), rest.end(), std::back_inserter(named));
  return analyzer::project(analysis_, std::move(wider), named);
}

Result<Input> RelationResolver::with_columns(const unresolved::WithColumns& node, Input input) {
  const bool case_sensitive = analysis_.settings.case_sensitive;
  std::vector<NamedExpression> added;
  for (const auto& item : node.columns) {
    const unresolved::ExpressionPtr generator = generator_of(item);
    if (generator == nullptr) continue;
    if (node.columns.size() > 1)
      return at(unsupported("a generator among several columns of withColumns"), item->origin);
    Columns generated;
    const Columns visible = input.columns;
    ASSIGN_OR_RETURN(
        input, generate(generator, is_outer_generator(generator),
                        unresolved::as<unresolved::Alias>(item)->names, "", std::move(input), generated));
    input.columns = visible;
    added = keep(generated);
  }
  if (added.empty()) {
    const Scope scope = scope_of(input);
    ExpressionResolver resolver(analysis_, scope, {false, true, ""});
    for (const auto& item : node.columns) {
      ASSIGN_OR_RETURN(auto named, resolver.resolve_item(item));
      std::move(named.begin(), named.end(), std::back_inserter(added));
    }
  }
  std::vector<NamedExpression> items = keep(input.columns);
  std::vector<bool> used(items.size(), false);
  for (size_t i = 0; i < added.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (same_name(added[i].column.name, added[j].column.name, case_sensitive)) {
        return error("COLUMN_ALREADY_EXISTS",
                     {{"columnName", quoted_name(lower_case(added[i].column.name))}});
      }
    }
    bool replaced = false;
    for (size_t j = 0; j < input.columns.size(); ++j) {
      if (!same_name(input.columns[j].name, added[i].column.name, case_sensitive)) continue;
      items[j] = added[i];
      replaced = true;
    }
    if (!replaced) items.push_back(added[i]);
  }
  return analyzer::project(analysis_, std::move(input), items);
}

Result<Input> RelationResolver::with_columns_renamed(const unresolved::WithColumnsRenamed& node,
                                                     Input input) {
  std::vector<NamedExpression> items = keep(input.columns);
  for (const plan::Rename& rename : node.renames) {
    for (NamedExpression& item : items) {
      if (!same_name(item.column.name, rename.from, analysis_.settings.case_sensitive)) continue;
      item.column.id = analysis_.next_id();
      item.column.name = rename.to;
      item.column.qualifier.clear();
    }
  }
  return analyzer::project(analysis_, std::move(input), items);
}

Result<Input> RelationResolver::drop(const unresolved::Drop& node, Input input) {
  const Scope scope = scope_of(input);
  ColumnIds dropped;
  plan::Names names = node.names;
  for (const auto& expression : node.columns) {
    const auto* attribute = unresolved::as<unresolved::Attribute>(expression);
    if (attribute == nullptr) continue;
    std::optional<Match> match;
    if (attribute->plan_id >= 0) {
      ASSIGN_OR_RETURN(match,
                       find_in_data_frame(scope, attribute->plan_id, attribute->parts, expression->origin));
    } else {
      ASSIGN_OR_RETURN(match, find_in_inputs(scope, attribute->parts, expression->origin));
    }
    if (match.has_value() && match->fields.empty()) dropped.insert(match->column.id);
  }
  std::vector<NamedExpression> items;
  for (const Column& column : input.columns) {
    const bool by_name = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return same_name(column.name, name, scope.case_sensitive);
    });
    if (!by_name && !dropped.contains(column.id)) items.push_back({reference_to(column), column});
  }
  if (items.size() == input.columns.size()) return input;
  return analyzer::project(analysis_, std::move(input), items);
}

Result<Input> RelationResolver::to_data_frame(const unresolved::ToDataFrame& node, Input input,
                                              const plan::Origin& origin) {
  if (node.names.size() != input.columns.size()) {
    return at(error("ASSIGNMENT_ARITY_MISMATCH", {{"numExpr", std::to_string(node.names.size())},
                                                  {"numTarget", std::to_string(input.columns.size())}}),
              origin);
  }
  std::vector<NamedExpression> items = keep(input.columns);
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].column.id = analysis_.next_id();
    items[i].column.name = node.names[i];
    items[i].column.qualifier.clear();
  }
  return analyzer::project(analysis_, std::move(input), items);
}

Result<Input> RelationResolver::to_schema(const unresolved::ToSchema& node, Input input) {
  std::vector<NamedExpression> items;
  for (const types::StructField& field : node.schema.fields()) {
    ASSIGN_OR_RETURN(const auto match,
                     find_column({&input.columns}, {field.name}, analysis_.settings.case_sensitive, nullptr));
    Column column{analysis_.next_id(), field.name, field.type, field.nullable, {}, field.metadata_json};
    if (!match.has_value()) {
      if (!field.nullable) return unresolved_column({field.name}, {&input.columns}, nullptr);
      items.push_back({make_literal({field.type, {}}), std::move(column)});
      continue;
    }
    const Column& found = match->column;
    if (!field.nullable && found.nullable) {
      return error("NULLABLE_COLUMN_OR_FIELD", {{"name", quoted_name(field.name)}});
    }
    if (!found.type.same_type(field.type) && !functions::can_up_cast(found.type, field.type) &&
        !functions::can_store(found.type, field.type)) {
      return error("INVALID_COLUMN_OR_FIELD_DATA_TYPE", {{"name", quoted_name(field.name)},
                                                         {"type", quoted_type(found.type)},
                                                         {"expectedType", quoted_type(field.type)}});
    }
    items.push_back({cast_implicitly(reference_to(found), field.type), std::move(column)});
  }
  return analyzer::project(analysis_, std::move(input), items);
}

Result<Input> RelationResolver::subquery_alias(const unresolved::SubqueryAlias& node, Input input,
                                               const plan::Origin& origin) {
  if (!node.column_aliases.empty()) {
    if (const auto* function = unresolved::as<unresolved::TableFunction>(node.input)) {
      RETURN_IF_ERROR(
          at(check_alias_count(function->name, node.column_aliases.size(), input.columns.size()), origin));
    }
    if (node.column_aliases.size() != input.columns.size()) {
      if (unresolved::as<unresolved::Values>(node.input) != nullptr) {
        return at(error("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
                        {{"rowIndex", "0"},
                         {"expectedNumCols", std::to_string(node.column_aliases.size())},
                         {"actualNumCols", std::to_string(input.columns.size())}}),
                  origin);
      }
      return at(error("ASSIGNMENT_ARITY_MISMATCH", {{"numExpr", std::to_string(node.column_aliases.size())},
                                                    {"numTarget", std::to_string(input.columns.size())}}),
                origin);
    }
    std::vector<NamedExpression> items = keep(input.columns);
    for (size_t i = 0; i < items.size(); ++i) {
      items[i].column.id = analysis_.next_id();
      items[i].column.name = node.column_aliases[i];
    }
    input = analyzer::project(analysis_, std::move(input), items);
  }
  const plan::Names qualifier = node.alias.empty() ? plan::Names() : plan::Names{node.alias};
  for (Column& column : input.columns) column.qualifier = qualifier;
  input.hidden.clear();
  input.below = nullptr;
  input.aggregate = nullptr;
  return input;
}

}  // namespace deuteron::analyzer
