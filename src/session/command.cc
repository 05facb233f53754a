// The commands: views, functions, settings, writes.
#include <algorithm>
#include <type_traits>

#include "session/catalog_view.h"
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

// `*` and `|` as in SHOW TABLES LIKE.
bool matches_pattern(const std::string& name, const std::string& pattern, size_t n = 0, size_t p = 0) {
  for (; p < pattern.size(); ++p, ++n) {
    if (pattern[p] == '*') {
      for (size_t rest = n; rest <= name.size(); ++rest) {
        if (matches_pattern(name, pattern, rest, p + 1)) return true;
      }
      return false;
    }
    if (n >= name.size() || name[n] != pattern[p]) return false;
  }
  return n == name.size();
}

}  // namespace

Result<Rows> Session::run(const unresolved::Command& command, const std::string& operation_id,
                          execution::ProgressSink& sink, CancelToken& cancel) {
  return std::visit(
      [&](const auto& node) -> Result<Rows> {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, unresolved::WriteFiles>) {
          return write_files(node, operation_id, sink, cancel);
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
  // Errors in the plan show when the view is made, as in Spark.
  RETURN_IF_ERROR(analyze(command.input).status());
  Views& views = command.is_global ? environment_.global_views : views_;
  if (!views.create(command.name.back(), {command.input, command.columns}, command.replace)) {
    return error("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS", {{"relationName", joined_name(command.name)}});
  }
  return Rows{};
}

Result<Rows> Session::run_command(const unresolved::DropView& command) {
  const bool global = command.name.size() == 2 && command.name[0] == "global_temp";
  const bool dropped = (global ? environment_.global_views : views_).drop(command.name.back());
  if (!dropped && !command.if_exists) {
    return error("TABLE_OR_VIEW_NOT_FOUND", {{"relationName", joined_name(command.name)}});
  }
  return Rows{};
}

Result<Rows> Session::run_command(const unresolved::RegisterFunction& command) {
  std::string name = command.name;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::lock_guard lock(functions_mutex_);
  functions_[name] = command.function;
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
    if (command.pattern.empty() || matches_pattern(name, command.pattern)) {
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
  ASSIGN_OR_RETURN(const auto resolved, analyze(command.input));
  execution::WriteTarget target{command.format.empty() ? "parquet" : command.format, command.path,
                                command.mode, command.partition_by, command.options};
  RETURN_IF_ERROR(environment_.executor->write(resolved, target, request(operation_id), sink, cancel));
  return Rows{};
}

Result<exchange::EncodedBatch> Session::encode(const Rows& rows) {
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
  BatchCollector collector;
  CancelToken never;
  RETURN_IF_ERROR(
      run(resolved::make_relation(std::move(values), std::move(output), 1), "", collector, never));
  return collector.take();
}

}  // namespace deuteron::session
