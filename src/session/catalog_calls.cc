// What spark.catalog offers. There is one catalog with one database, "default", without tables of its own:
// what can be listed are temporary views.
#include <algorithm>
#include <map>

#include "functions/registry.h"
#include "session/catalog_view.h"
#include "session/name_pattern.h"
#include "session/session.h"

namespace deuteron::session {
namespace {

using plan::unresolved::CatalogCall;
using types::DataType;
using types::TypeId;
using types::Value;

constexpr const char* kCatalog = "spark_catalog";
constexpr const char* kDatabase = "default";

types::StructField text(std::string name) { return {std::move(name), DataType(TypeId::kString), true, ""}; }
types::StructField flag(std::string name) { return {std::move(name), DataType(TypeId::kBoolean), false, ""}; }

Rows one_text(const std::string& value) { return {{text("value")}, {{Value(value)}}}; }
Rows one_flag(bool value) { return {{flag("value")}, {{Value(value)}}}; }
Rows nothing() { return {{}, {}}; }

types::Schema table_columns() {
  return {text("name"),
          text("catalog"),
          {"namespace", DataType::array(DataType(TypeId::kString)), true, ""},
          text("description"),
          text("tableType"),
          flag("isTemporary")};
}

std::vector<Value> view_row(const std::string& name, bool is_global) {
  std::vector<Value> database;
  if (is_global) database.emplace_back(std::string(kGlobalDatabase));
  return {Value(name), Value(), Value(std::move(database)), Value(), Value(std::string("TEMPORARY")),
          Value(true)};
}

Status schema_not_found(const std::string& database) {
  return error("SCHEMA_NOT_FOUND", {{"schemaName", "`" + std::string(kCatalog) + "`.`" + database + "`"}});
}

// The catalog looks for a table in other places than a query does, and says so.
Status table_not_found(const plan::Names& name) {
  std::string quoted;
  for (const std::string& part : name) quoted += (quoted.empty() ? "`" : ".`") + part + "`";
  return error("TABLE_OR_VIEW_NOT_FOUND",
               {{"relationName", quoted}, {"searchPath", "[`system`.`session`, `spark_catalog`.`default`]"}});
}

Status check_database(const std::string& name) {
  return lower_case(name) == kDatabase ? Status() : schema_not_found(name);
}

}  // namespace

Result<plan::resolved::RelationPtr> Session::analyze_table(const CatalogCall& call) {
  return analyze(plan::unresolved::make_relation(plan::unresolved::NamedTable{call.name, {}}));
}

Result<Rows> Session::list_tables(const CatalogCall& call) {
  const bool is_global = lower_case(call.database) == kGlobalDatabase;
  if (!call.database.empty() && !is_global) RETURN_IF_ERROR(check_database(call.database));
  Rows rows{table_columns(), {}};
  const auto list = [&](const Views& views, bool global) {
    for (const auto& [name, view] : *views.snapshot()) {
      if (matches_pattern(name, call.pattern)) rows.rows.push_back(view_row(name, global));
    }
  };
  if (is_global) list(environment_.global_views, true);
  list(views_, false);
  return rows;
}

Result<Rows> Session::get_table(const CatalogCall& call) {
  if (!catalog().find_view(call.name).has_value()) return table_not_found(call.name);
  return Rows{table_columns(), {view_row(call.name.back(), call.name.size() > 1)}};
}

Result<Rows> Session::list_columns(const CatalogCall& call) {
  if (!catalog().find_view(call.name).has_value()) return table_not_found(call.name);
  ASSIGN_OR_RETURN(const auto table, analyze_table(call));
  Rows rows{{text("name"), text("description"), text("dataType"), flag("nullable"), flag("isPartition"),
             flag("isBucket"), flag("isCluster")},
            {}};
  for (const plan::resolved::Column& column : table->output) {
    rows.rows.push_back({Value(column.name), Value(), Value(column.type.simple_string()),
                         Value(column.nullable), Value(false), Value(false), Value(false)});
  }
  return rows;
}

Result<Rows> Session::list_databases(const CatalogCall& call) {
  const std::string pattern = call.function == "getDatabase" ? kDatabase : call.pattern;
  if (call.function == "getDatabase") RETURN_IF_ERROR(check_database(call.name.back()));
  Rows rows{{text("name"), text("catalog"), text("description"), text("locationUri")}, {}};
  if (matches_pattern(kDatabase, pattern)) {
    rows.rows.push_back({Value(std::string(kDatabase)), Value(std::string(kCatalog)),
                         Value(std::string("default database")),
                         Value("file:" + *settings_.find("spark.sql.warehouse.dir"))});
  }
  return rows;
}

Result<Rows> Session::function_exists(const CatalogCall& call) {
  const std::string& name = call.name.back();
  return one_flag(call.name.size() == 1 &&
                  (functions::find(name) != nullptr || catalog().find_function(name) != nullptr));
}

Result<Rows> Session::cache_table(const CatalogCall& call) {
  ASSIGN_OR_RETURN(const auto table, analyze_table(call));
  if (call.function == "isCached") return one_flag(cache_->find(table) != nullptr);
  if (call.function == "cacheTable") cache_->add(table, execution::kMemoryAndDisk);
  if (call.function == "uncacheTable") cache_->remove(table);
  if (call.function == "refreshTable") {
    if (const auto cached = cache_->find(table)) cached->forget_rows();
  }
  return nothing();
}

Result<Rows> Session::run_catalog_call(const CatalogCall& call) {
  using Handler = Result<Rows> (*)(Session&, const CatalogCall&);
  static const std::map<std::string, Handler> kHandlers = {
      {"currentCatalog", [](Session&, const CatalogCall&) -> Result<Rows> { return one_text(kCatalog); }},
      {"currentDatabase", [](Session&, const CatalogCall&) -> Result<Rows> { return one_text(kDatabase); }},
      {"setCurrentCatalog",
       [](Session&, const CatalogCall& call) -> Result<Rows> {
         if (call.name.back() == kCatalog) return nothing();
         return error("CATALOG_NOT_FOUND", {{"catalogName", "`" + call.name.back() + "`"},
                                            {"config", "\"spark.sql.catalog." + call.name.back() + "\""}});
       }},
      {"setCurrentDatabase",
       [](Session&, const CatalogCall& call) -> Result<Rows> {
         RETURN_IF_ERROR(check_database(call.name.back()));
         return nothing();
       }},
      {"listCatalogs",
       [](Session&, const CatalogCall& call) -> Result<Rows> {
         Rows rows{{text("name"), text("description")}, {}};
         if (matches_pattern(kCatalog, call.pattern))
           rows.rows.push_back({Value(std::string(kCatalog)), Value()});
         return rows;
       }},
      {"listDatabases",
       [](Session& session, const CatalogCall& call) { return session.list_databases(call); }},
      {"getDatabase", [](Session& session, const CatalogCall& call) { return session.list_databases(call); }},
      {"databaseExists",
       [](Session&, const CatalogCall& call) -> Result<Rows> {
         return one_flag(lower_case(call.name.back()) == kDatabase);
       }},
      {"listTables", [](Session& session, const CatalogCall& call) { return session.list_tables(call); }},
      {"getTable", [](Session& session, const CatalogCall& call) { return session.get_table(call); }},
      {"tableExists",
       [](Session& session, const CatalogCall& call) -> Result<Rows> {
         return one_flag(session.catalog().find_view(call.name).has_value());
       }},
      {"listColumns", [](Session& session, const CatalogCall& call) { return session.list_columns(call); }},
      {"functionExists",
       [](Session& session, const CatalogCall& call) { return session.function_exists(call); }},
      {"dropTempView",
       [](Session& session, const CatalogCall& call) -> Result<Rows> {
         return one_flag(session.drop_view(call.name.back(), false));
       }},
      {"dropGlobalTempView",
       [](Session& session, const CatalogCall& call) -> Result<Rows> {
         return one_flag(session.drop_view(call.name.back(), true));
       }},
      {"isCached", [](Session& session, const CatalogCall& call) { return session.cache_table(call); }},
      {"cacheTable", [](Session& session, const CatalogCall& call) { return session.cache_table(call); }},
      {"uncacheTable", [](Session& session, const CatalogCall& call) { return session.cache_table(call); }},
      {"refreshTable", [](Session& session, const CatalogCall& call) { return session.cache_table(call); }},
      {"refreshByPath",
       [](Session& session, const CatalogCall& call) -> Result<Rows> {
         session.cache_->forget_files(call.name.back());
         return nothing();
       }},
      {"clearCache",
       [](Session& session, const CatalogCall&) -> Result<Rows> {
         session.cache_->clear();
         return nothing();
       }},
  };
  const auto handler = kHandlers.find(call.function);
  if (handler == kHandlers.end()) return unsupported("spark.catalog." + call.function);
  return handler->second(*this, call);
}

}  // namespace deuteron::session
