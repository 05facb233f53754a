// Relations without an input: tables, views, files, local data, ranges, SQL text, WITH.
#include <algorithm>

#include "analyzer/errors.h"
#include "analyzer/local_data.h"
#include "analyzer/relations.h"
#include "analyzer/renumbering.h"
#include "exchange/arrow_schema.h"
#include "functions/coercion.h"
#include "sql/parser.h"

namespace deuteron::analyzer {

using resolved::Column;
using resolved::Columns;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

Columns new_columns(Analysis& analysis, const types::Schema& schema) {
  Columns columns;
  for (const types::StructField& field : schema) {
    columns.push_back({analysis.next_id(), field.name, field.type, field.nullable, {}, field.metadata_json});
  }
  return columns;
}

void qualify(Columns& columns, const plan::Names& qualifier) {
  for (Column& column : columns) column.qualifier = qualifier;
}

// Spark cuts local rows into as many partitions as there are slots, and at least one row each.
int32_t local_partitions(const Analysis& analysis, int64_t rows) {
  return static_cast<int32_t>(
      std::clamp<int64_t>(rows, 1, std::max(1, analysis.settings.default_parallelism)));
}

bool is_file_format(const std::string& name) {
  const std::string format = lower_case(name);
  return format == "parquet" || format == "csv" || format == "json" || format == "text" || format == "orc" ||
         format == "avro" || format == "binaryfile";
}

}  // namespace

Result<Input> RelationResolver::named_table(const unresolved::NamedTable& table, const plan::Origin& origin) {
  if (table.name.size() == 1) {
    const auto& tables = analysis_.common_tables;
    for (auto found = tables.rbegin(); found != tables.rend(); ++found) {
      if (same_name(found->name, table.name[0], analysis_.settings.case_sensitive))
        return common_table(*found);
    }
  }
  if (const auto found = analysis_.catalog.find_view(table.name)) return view(*found, table.name, origin);
  if (table.name.size() == 2 && is_file_format(table.name[0])) {
    return data_source({lower_case(table.name[0]), "", table.options, {table.name[1]}}, origin);
  }
  if (table.name.size() == 2 && analysis_.catalog.find_data_source(table.name[0]) != nullptr) {
    return at(error("UNSUPPORTED_DATASOURCE_FOR_DIRECT_QUERY", {{"dataSourceType", table.name[0]}}), origin);
  }
  return table_not_found(table.name, origin);
}

Status RelationResolver::open_view(const plan::Names& name, const plan::Origin& origin) {
  constexpr size_t kDeepestView = 100;
  std::vector<plan::Names>& views = analysis_.open_views;
  const auto is_same = [&](const plan::Names& other) {
    return std::equal(name.begin(), name.end(), other.begin(), other.end(),
                      [](const auto& a, const auto& b) { return same_name(a, b, false); });
  };
  if (std::any_of(views.begin(), views.end(), is_same)) {
    std::string cycle;
    for (const plan::Names& view : views) cycle += quoted_name(view) + " -> ";
    return error("RECURSIVE_VIEW",
                 {{"viewIdent", quoted_name(name)}, {"newPath", cycle + quoted_name(name)}});
  }
  if (views.size() >= kDeepestView) {
    return at(error("VIEW_EXCEED_MAX_NESTED_DEPTH",
                    {{"viewName", quoted_name(name)}, {"maxNestedDepth", std::to_string(kDeepestView)}}),
              origin);
  }
  views.push_back(name);
  return Status();
}

Result<Input> RelationResolver::view(const catalog::View& view, const plan::Names& name,
                                     const plan::Origin& origin) {
  if (view.plan != nullptr) {
    Input input = source(renumbered(analysis_, view.plan));
    qualify(input.columns, name);
    return input;
  }
  RETURN_IF_ERROR(open_view(name, origin));
  // Names of this query mean nothing inside the view.
  std::vector<CommonTable> tables;
  std::map<int64_t, unresolved::RelationPtr> references;
  std::swap(tables, analysis_.common_tables);
  std::swap(references, analysis_.references);
  auto result = RelationResolver(analysis_, nullptr).resolve_settled(view.query);
  analysis_.open_views.pop_back();
  std::swap(tables, analysis_.common_tables);
  std::swap(references, analysis_.references);
  if (!result.ok()) return result.status();
  Input input = source(result->plan);
  input.columns = result->columns;
  if (!view.columns.empty()) {
    if (view.columns.size() != input.columns.size()) {
      const bool too_many = input.columns.size() > view.columns.size();
      std::string names;
      for (const std::string& column : view.columns)
        names += (names.empty() ? "" : ", ") + quoted_name(column);
      std::string data;
      for (const Column& column : input.columns)
        data += (data.empty() ? "" : ", ") + quoted_name(column.name);
      return error(too_many ? "CREATE_VIEW_COLUMN_ARITY_MISMATCH.TOO_MANY_DATA_COLUMNS"
                            : "CREATE_VIEW_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS",
                   {{"viewName", quoted_name(name)}, {"viewColumns", names}, {"dataColumns", data}});
    }
    for (size_t i = 0; i < view.columns.size(); ++i) input.columns[i].name = view.columns[i];
  }
  qualify(input.columns, name);
  return input;
}

Result<Input> RelationResolver::common_table(const CommonTable& table) {
  Columns columns = table.columns;
  std::vector<resolved::ColumnId> ids;
  for (Column& column : columns) {
    ids.push_back(column.id);
    column.id = analysis_.next_id();
  }
  for (size_t i = 0; i < table.column_names.size() && i < columns.size(); ++i)
    columns[i].name = table.column_names[i];
  qualify(columns, {table.name});
  return source(
      resolved::make_relation(resolved::CteScan{table.id, std::move(ids)}, columns, table.plan->partitions));
}

Result<Input> RelationResolver::data_source(const unresolved::DataSource& node, const plan::Origin& origin) {
  const std::string format = node.format.empty() ? "parquet" : lower_case(node.format);
  if (const auto registered = analysis_.catalog.find_data_source(format)) {
    types::Schema schema;
    if (!node.schema_text.empty()) {
      ASSIGN_OR_RETURN(schema, parse_schema_text(node.schema_text));
    }
    return python_data_source(node, *unresolved::as<unresolved::PythonCall>(registered), schema, origin);
  }
  if (!is_file_format(format)) {
    return at(error("DATA_SOURCE_NOT_FOUND", {{"provider", node.format}}), origin);
  }
  plan::Names paths = node.paths;
  if (const auto path = node.options.find("path"); paths.empty() && path != node.options.end())
    paths = {path->second};
  types::Schema schema;
  if (!node.schema_text.empty()) {
    ASSIGN_OR_RETURN(schema, parse_schema_text(node.schema_text));
  }
  auto described = analysis_.catalog.files().describe(format, paths, node.options, schema);
  if (!described.ok()) return at(described.status(), origin);
  types::Schema fields = described->schema;
  for (types::StructField& field : fields) {
    field.type = functions::as_nullable(field.type);
    field.nullable = true;
  }
  Columns columns = new_columns(analysis_, fields);
  return source(resolved::make_relation(resolved::FileScan{format, described->paths, node.options,
                                                           std::move(fields), described->partition_columns},
                                        std::move(columns), 0));
}

Result<Input> RelationResolver::local_relation(const plan::Bytes& data, const std::string& schema_text) {
  types::Schema schema;
  if (!schema_text.empty()) {
    ASSIGN_OR_RETURN(schema, parse_schema_text(schema_text));
  } else if (data != nullptr) {
    ASSIGN_OR_RETURN(schema, exchange::schema_of_stream(*data));
  }
  const int64_t rows = data == nullptr ? 0 : count_rows(*data);
  if (schema.empty()) {
    // Rows without columns: only their number matters.
    ASSIGN_OR_RETURN(Input numbers, range({0, rows, 1, local_partitions(analysis_, rows)}));
    return analyzer::project(analysis_, std::move(numbers), {});
  }
  return source(resolved::make_relation(resolved::LocalData{data}, new_columns(analysis_, schema),
                                        local_partitions(analysis_, rows)));
}

Result<Input> RelationResolver::cached_local_relation(const unresolved::CachedLocalRelation& relation) {
  const auto fetch = [&](const std::string& hash) { return analysis_.catalog.find_cached_artifact(hash); };
  const auto missing = [](const std::string& hash) {
    return internal_error("the cached artifact " + hash + " is missing");
  };
  if (relation.data_hashes.size() > 1) return unsupported("a cached local relation in several parts");
  plan::Bytes data;
  if (!relation.data_hashes.empty()) {
    data = fetch(relation.data_hashes[0]);
    if (data == nullptr) return missing(relation.data_hashes[0]);
  }
  std::string schema_text;
  if (!relation.schema_hash.empty()) {
    const plan::Bytes schema = fetch(relation.schema_hash);
    if (schema == nullptr) return missing(relation.schema_hash);
    schema_text = *schema;
  }
  return local_relation(data, schema_text);
}

Result<Input> RelationResolver::range(const unresolved::Range& node) {
  if (node.step == 0)
    return error("INVALID_PARAMETER_VALUE.ZERO_STEP", {{"functionName", "`range`"}, {"parameter", "`step`"}});
  const int32_t partitions =
      node.partitions > 0 ? node.partitions : std::max(1, analysis_.settings.default_parallelism);
  Columns columns = {{analysis_.next_id(), "id", DataType(TypeId::kLong), false, {}, ""}};
  return source(resolved::make_relation(resolved::Range{node.start, node.end, node.step, partitions},
                                        std::move(columns), partitions));
}

Result<Input> RelationResolver::sql_text(const unresolved::Sql& sql) {
  ASSIGN_OR_RETURN(const auto statement, parse_sql(sql));
  const auto* relation = std::get_if<unresolved::RelationPtr>(&statement);
  if (relation == nullptr) return unsupported("a command as the input of a query");
  return RelationResolver(analysis_, outer_).resolve(*relation);
}

Result<Input> RelationResolver::values(const unresolved::Values& node, const plan::Origin& origin) {
  if (node.rows.empty()) return local_relation(nullptr, "");
  Scope scope;
  scope.outer = outer_;
  scope.case_sensitive = analysis_.settings.case_sensitive;
  ExpressionResolver resolver(analysis_, scope);
  std::vector<resolved::Expressions> rows;
  const size_t width = node.rows.empty() ? 0 : node.rows[0].size();
  for (const auto& row : node.rows) {
    if (row.size() != width) {
      return at(
          error("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH", {{"expectedNumCols", std::to_string(width)},
                                                              {"actualNumCols", std::to_string(row.size())},
                                                              {"rowIndex", std::to_string(rows.size())}}),
          origin);
    }
    resolved::Expressions values;
    for (const auto& value : row) {
      ASSIGN_OR_RETURN(auto expression, resolver.resolve(value));
      if (contains<resolved::PythonCall>(expression)) {
        return at(error("INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE",
                        {{"expr", quoted_expression(resolver.pretty(value))}}),
                  value->origin);
      }
      values.push_back(std::move(expression));
    }
    rows.push_back(std::move(values));
  }
  Columns columns;
  for (size_t i = 0; i < width; ++i) {
    std::vector<DataType> found;
    bool nullable = false;
    for (const auto& row : rows) {
      found.push_back(row[i]->type);
      nullable |= row[i]->nullable;
    }
    const std::string name = "col" + std::to_string(i + 1);
    const auto type = functions::widest_common_type(found, analysis_.settings.ansi);
    if (!type.has_value()) {
      return at(
          error("INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE", {{"colName", quoted_name(name)}}),
          origin);
    }
    for (auto& row : rows) row[i] = cast_implicitly(row[i], *type);
    columns.push_back({analysis_.next_id(), name, *type, nullable, {}, ""});
  }
  const auto count = static_cast<int64_t>(rows.size());
  return source(resolved::make_relation(resolved::Values{std::move(rows)}, std::move(columns),
                                        local_partitions(analysis_, count)));
}

namespace {
// Table functions without arguments that tell of the session.
const std::map<std::string, SessionTable> kSessionTables = {
    {"python_worker_logs", &catalog::CatalogView::python_worker_logs},
    {"waiting_gangs", &catalog::CatalogView::waiting_gangs},
};
}  // namespace

Result<Input> RelationResolver::table_function(const unresolved::TableFunction& node,
                                               const plan::Origin& origin) {
  const std::string name = lower_case(node.name.back());
  if (const auto give = kSessionTables.find(name); give != kSessionTables.end())
    return session_table(node, name, give->second, origin);
  if (name != "range") {
    const functions::Function* function = functions::find(name);
    const bool is_generator =
        is_generator_name(name) ||
        (function != nullptr && functions::kind_of(*function) == functions::Kind::kGenerator);
    if (!is_generator) {
      if (analysis_.catalog.find_function(name) != nullptr)
        return at(error("NOT_A_TABLE_FUNCTION", {{"functionName", quoted_name(node.name)}}), origin);
      return at(error("UNRESOLVABLE_TABLE_VALUED_FUNCTION", {{"name", quoted_name(node.name)}}), origin);
    }
    unresolved::FunctionCall call;
    call.name = {name};
    call.arguments = node.arguments;
    Input one = source(resolved::make_relation(resolved::OneRow{}, {}, 1));
    Columns generated;
    ASSIGN_OR_RETURN(Input input, generate(unresolved::make_expression(call, origin), false, {}, "",
                                           std::move(one), generated));
    return source(input.plan);
  }
  Scope scope;
  scope.outer = outer_;
  ExpressionResolver resolver(analysis_, scope);
  std::vector<int64_t> numbers;
  for (const auto& argument : node.arguments) {
    ASSIGN_OR_RETURN(const auto value, resolver.resolve(argument));
    const types::Value* literal = literal_value(value);
    const auto* number = literal == nullptr ? nullptr : std::get_if<int64_t>(&literal->data);
    if (number == nullptr) return at(unsupported("an argument of range that is no integer literal"), origin);
    numbers.push_back(*number);
  }
  switch (numbers.size()) {
    case 1: return range({0, numbers[0], 1, 0});
    case 2: return range({numbers[0], numbers[1], 1, 0});
    case 3: return range({numbers[0], numbers[1], numbers[2], 0});
    case 4: return range({numbers[0], numbers[1], numbers[2], static_cast<int32_t>(numbers[3])});
    default:
      return at(
          error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", {{"functionName", "`range`"},
                                                      {"expectedNum", "[1, 2, 3, 4]"},
                                                      {"actualNum", std::to_string(numbers.size())},
                                                      {"docroot", "https://spark.apache.org/docs/latest"}}),
          origin);
  }
}

Result<Input> RelationResolver::session_table(const unresolved::TableFunction& node, const std::string& name,
                                              SessionTable give, const plan::Origin& origin) {
  if (!node.arguments.empty()) {
    return at(
        error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", {{"functionName", "`" + name + "`"},
                                                    {"expectedNum", "0"},
                                                    {"actualNum", std::to_string(node.arguments.size())},
                                                    {"docroot", "https://spark.apache.org/docs/latest"}}),
        origin);
  }
  auto table = (analysis_.catalog.*give)();
  if (!table.ok()) return at(table.status(), origin);
  return source(renumbered(analysis_, *table));
}

// ---- WITH
// ------------------------------------------------------------------------------------------------------

namespace {

// Applies `replace` to every CteScan of definition `id`, in sub-queries too.
RelationPtr rewrite_scans(const RelationPtr& plan, int64_t id, const RelationRewrite& replace) {
  if (const auto* scan = resolved::as<resolved::CteScan>(plan))
    return scan->cte_id == id ? replace(plan) : plan;
  const auto inside = [&](const resolved::ExpressionPtr& expression) {
    const std::function<resolved::ExpressionPtr(const resolved::ExpressionPtr&)> descend =
        [&](const resolved::ExpressionPtr& part) {
          resolved::ExpressionPtr next = part;
          if (const RelationPtr subquery = subquery_plan(part)) {
            const RelationPtr changed = rewrite_scans(subquery, id, replace);
            if (changed != subquery) next = with_subquery_plan(part, changed);
          }
          return map_children(next, descend);
        };
    return descend(expression);
  };
  const RelationPtr inputs =
      map_inputs(plan, [&](const RelationPtr& input) { return rewrite_scans(input, id, replace); });
  return map_expressions(inputs, inside);
}

int count_scans(const RelationPtr& plan, int64_t id) {
  int count = 0;
  rewrite_scans(plan, id, [&](const RelationPtr& scan) {
    ++count;
    return scan;
  });
  return count;
}

// The definition itself, under the ids and names of the scan.
RelationPtr inlined(const RelationPtr& scan, const RelationPtr& definition) {
  resolved::Expressions expressions;
  for (const resolved::ColumnId id : resolved::as<resolved::CteScan>(scan)->definition_columns) {
    const auto found = std::find_if(definition->output.begin(), definition->output.end(),
                                    [&](const Column& column) { return column.id == id; });
    expressions.push_back(reference_to(*found));
  }
  return resolved::make_relation(resolved::Project{definition, std::move(expressions)}, scan->output,
                                 definition->partitions);
}

}  // namespace

Result<Input> RelationResolver::with_cte(const unresolved::WithCte& with, const plan::Origin& origin) {
  if (with.is_recursive) return at(unsupported("WITH RECURSIVE"), origin);
  const size_t outer_count = analysis_.common_tables.size();
  const auto leave = [&] { analysis_.common_tables.resize(outer_count); };
  std::vector<resolved::CteDefinition> definitions;
  for (const unresolved::CteDefinition& definition : with.definitions) {
    auto analyzed = RelationResolver(analysis_, outer_).resolve_settled(definition.relation);
    if (!analyzed.ok()) {
      leave();
      return analyzed.status();
    }
    if (!definition.columns.empty() && definition.columns.size() != analyzed->columns.size()) {
      leave();
      return at(error("ASSIGNMENT_ARITY_MISMATCH", {{"numExpr", std::to_string(definition.columns.size())},
                                                    {"numTarget", std::to_string(analyzed->columns.size())}}),
                definition.origin);
    }
    const int64_t id = analysis_.next_cte_id();
    definitions.push_back({id, definition.name, analyzed->plan});
    analysis_.common_tables.push_back(
        {definition.name, id, analyzed->plan, analyzed->columns, definition.columns});
  }
  auto body = resolve(with.input);
  leave();
  if (!body.ok()) return body.status();
  RelationPtr plan = body->plan;
  std::vector<resolved::CteDefinition> kept;
  for (auto definition = definitions.rbegin(); definition != definitions.rend(); ++definition) {
    int uses = count_scans(plan, definition->id);
    for (const auto& later : kept) uses += count_scans(later.relation, definition->id);
    if (uses == 0) continue;
    if (uses > 1) {
      kept.insert(kept.begin(), *definition);
      continue;
    }
    const auto inline_it = [&](const RelationPtr& scan) { return inlined(scan, definition->relation); };
    plan = rewrite_scans(plan, definition->id, inline_it);
    for (auto& later : kept) later.relation = rewrite_scans(later.relation, definition->id, inline_it);
  }
  if (!kept.empty()) {
    Columns output = plan->output;
    const int32_t partitions = plan->partitions;
    plan = resolved::make_relation(resolved::WithCte{plan, std::move(kept)}, std::move(output), partitions);
    body->below = nullptr;
  }
  return with_plan(*std::move(body), std::move(plan));
}

Result<Input> RelationResolver::with_relations(const unresolved::WithRelations& with) {
  auto references = analysis_.references;
  for (const unresolved::RelationPtr& reference : with.references) {
    if (reference->plan_id >= 0) analysis_.references[reference->plan_id] = reference;
  }
  // A reference under an alias is also a table of that name for SQL text.
  unresolved::WithCte tables;
  tables.input = with.input;
  for (const unresolved::RelationPtr& reference : with.references) {
    const auto* alias = unresolved::as<unresolved::SubqueryAlias>(reference);
    if (alias != nullptr) tables.definitions.push_back({alias->alias, {}, alias->input});
  }
  auto result = tables.definitions.empty() ? resolve(with.input) : with_cte(tables, nullptr);
  analysis_.references = std::move(references);
  return result;
}

}  // namespace deuteron::analyzer
