// The commands: views, functions, settings, writes.
#include <algorithm>
#include <type_traits>

#include "relational/file_listing.h"
#include "session/catalog_view.h"
#include "session/name_pattern.h"
#include "session/session.h"

namespace deuteron::session {
namespace {

namespace unresolved = plan::unresolved;
namespace resolved = plan::resolved;
using types::DataType;
using types::TypeId;
using types::Value;

types::StructField text_column(std::string name, bool nullable = false) {
  return {std::move(name), DataType(TypeId::kString), nullable, ""};
}

Value text(std::string value) { return Value(std::move(value)); }

std::string joined_name(const plan::Names& name) {
  std::string quoted;
  for (const std::string& part : name) quoted += (quoted.empty() ? "`" : ".`") + part + "`";
  return quoted;
}

// Keeps the one batch that a small answer has.
class BatchCollector : public execution::ResultSink {
 public:
  Status on_batch(exchange::EncodedBatch batch) override {
    if (batches_++ > 0) return internal_error("a command's answer does not fit into one batch");
    batch_ = std::move(batch);
    return {};
  }
  void on_progress(const std::vector<execution::StageProgress>&, int64_t) override {}
  exchange::EncodedBatch take() { return std::move(batch_); }

 private:
  int batches_ = 0;
  exchange::EncodedBatch batch_;
};

}  // namespace

Result<Rows> Session::run(const unresolved::Command& command, const std::string& operation_id,
                          execution::ProgressSink& sink, CancelToken& cancel) {
  return std::visit(
      [&](const auto& node) -> Result<Rows> {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, unresolved::WriteFiles>) {
          return write_files(node, operation_id, sink, cancel);
        } else if constexpr (std::is_same_v<Node, unresolved::CacheTable>) {
          return cache_table(node, operation_id, cancel);
        } else if constexpr (std::is_same_v<Node, unresolved::UnsupportedCommand>) {
          return unsupported(node.feature);
        } else if constexpr (std::is_same_v<Node, unresolved::WriteTable>) {
          return unsupported("tables in a catalog (saveAsTable, insertInto, writeTo)");
        } else if constexpr (std::is_same_v<Node, std::monostate>) {
          return internal_error("a command without content");
        } else {
          return run_command(node);
        }
      },
      command.node);
}

Result<Rows> Session::run_command(const unresolved::CreateView& command) {
  if (command.name.empty()) return error("INVALID_TEMP_OBJ_QUALIFIER", {{"name", ""}});
  // Errors show when the view is made, as in Spark.
  catalog::View view;
  if (command.is_query_text) {
    view = {nullptr, command.input, command.columns};
    RETURN_IF_ERROR(check_view(command, view));
  } else {
    ASSIGN_OR_RETURN(view.plan, analyze(command.input));
  }
  Views& views = command.is_global ? environment_.global_views : views_;
  if (!views.create(command.name.back(), std::move(view), command.replace)) {
    return error("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", {{"relationName", joined_name(command.name)}});
  }
  return Rows{};
}

// Looks at the view as it will be: one that reads itself shows.
Status Session::check_view(const unresolved::CreateView& command, const catalog::View& view) const {
  plan::Names name = {command.name.back()};
  if (command.is_global) name.insert(name.begin(), kGlobalDatabase);
  Catalog catalog = this->catalog();
  catalog.add(name, view);
  return analyze(unresolved::make_relation(unresolved::NamedTable{name, {}}), catalog).status();
}

// What the view was made of is no longer cached either.
bool Session::drop_view(const std::string& name, bool is_global) {
  plan::Names parts = {name};
  if (is_global) parts.insert(parts.begin(), kGlobalDatabase);
  const auto plan = analyze(unresolved::make_relation(unresolved::NamedTable{parts, {}}));
  if (!(is_global ? environment_.global_views : views_).drop(name)) return false;
  if (plan.ok()) cache_->remove(*plan);
  return true;
}

Result<Rows> Session::run_command(const unresolved::DropView& command) {
  const bool is_global = command.name.size() == 2 && command.name[0] == kGlobalDatabase;
  if (!drop_view(command.name.back(), is_global) && !command.if_exists) {
    return error("TABLE_OR_VIEW_NOT_FOUND", {{"relationName", joined_name(command.name)}});
  }
  return Rows{};
}

Result<Rows> Session::run_command(const unresolved::CallCatalog& command) {
  const auto& call = std::get<unresolved::CatalogCall>(command.call->node);
  if (command.if_exists && !catalog().find_view(call.name).has_value()) return Rows{};
  RETURN_IF_ERROR(run_catalog_call(call).status());
  return Rows{};
}

Result<Rows> Session::run_command(const unresolved::RegisterFunction& command) {
  std::lock_guard lock(functions_mutex_);
  functions_[lower_case(command.name)] = command.function;
  return Rows{};
}

Result<Rows> Session::run_command(const unresolved::RegisterDataSource& command) {
  constexpr std::string_view kOwn[] = {"avro", "binaryfile", "csv", "jdbc", "json", "orc", "parquet", "text"};
  if (std::find(std::begin(kOwn), std::end(kOwn), lower_case(command.name)) != std::end(kOwn))
    return error("DATA_SOURCE_ALREADY_EXISTS", {{"provider", command.name}});
  std::lock_guard lock(functions_mutex_);
  data_sources_[lower_case(command.name)] = command.source;
  return Rows{};
}

Result<Rows> Session::run_command(const unresolved::SetSetting& command) {
  Rows rows{{text_column("key"), text_column("value")}, {}};
  if (command.key.empty()) {
    for (const auto& [key, value] : settings_.all()) rows.rows.push_back({text(key), text(value)});
    return rows;
  }
  if (command.has_value) RETURN_IF_ERROR(settings_.set(command.key, command.value));
  rows.rows.push_back({text(command.key), text(settings_.find(command.key).value_or("<undefined>"))});
  return rows;
}

Result<Rows> Session::run_command(const unresolved::Explain& command) {
  ASSIGN_OR_RETURN(std::string plan, explain(command.input, command.mode.empty() ? "simple" : command.mode));
  return Rows{{text_column("plan")}, {{text(std::move(plan))}}};
}

Result<Rows> Session::run_command(const unresolved::ShowTables& command) {
  Rows rows{{text_column("namespace"),
             text_column("tableName"),
             {"isTemporary", DataType(TypeId::kBoolean), false, ""}},
            {}};
  for (const auto& [name, view] : *views_.snapshot()) {
    if (matches_pattern(name, command.pattern)) {
      rows.rows.push_back({text(""), text(name), Value(true)});
    }
  }
  return rows;
}

Result<Rows> Session::run_command(const unresolved::DescribeTable& command) {
  ASSIGN_OR_RETURN(const auto resolved, analyze(command.input));
  Rows rows{{text_column("col_name"), text_column("data_type"), text_column("comment", true)}, {}};
  for (const auto& column : resolved->output) {
    rows.rows.push_back({text(column.name), text(column.type.simple_string()), Value()});
  }
  return rows;
}

Result<Rows> Session::write_files(const unresolved::WriteFiles& command, const std::string& operation_id,
                                  execution::ProgressSink& sink, CancelToken& cancel) {
  if (const auto registered = catalog().find_data_source(command.format)) {
    const auto& source = std::get<unresolved::PythonCall>(registered->node);
    return write_data_source(command, source, operation_id, sink, cancel);
  }
  ASSIGN_OR_RETURN(const auto resolved, analyze(command.input));
  execution::WriteTarget target{command.format.empty() ? "parquet" : command.format, command.path,
                                command.mode, command.partition_by, command.options};
  RETURN_IF_ERROR(environment_.executor->write(resolved, target, request(operation_id), sink, cancel));
  ASSIGN_OR_RETURN(const std::string path, relational::local_path(command.path));
  cache_->forget_files(path);
  return Rows{};
}

resolved::RelationPtr to_relation(const Rows& rows) {
  resolved::Columns output;
  for (const types::StructField& field : rows.schema) {
    output.push_back(
        {static_cast<resolved::ColumnId>(output.size() + 1), field.name, field.type, field.nullable, {}, ""});
  }
  resolved::Values values;
  for (const auto& row : rows.rows) {
    resolved::Expressions cells;
    for (size_t i = 0; i < row.size(); ++i) {
      cells.push_back(
          resolved::make_expression(resolved::Literal{row[i]}, rows.schema[i].type, rows.schema[i].nullable));
    }
    values.rows.push_back(std::move(cells));
  }
  return resolved::make_relation(std::move(values), std::move(output), 1);
}

Result<exchange::EncodedBatch> Session::encode(const Rows& rows) {
  BatchCollector collector;
  CancelToken never;
  RETURN_IF_ERROR(run(to_relation(rows), "", collector, never));
  return collector.take();
}

}  // namespace deuteron::session
