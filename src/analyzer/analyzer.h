// Unresolved plan -> resolved plan, or Spark's error with its place. A pure function of its arguments;
// thread-safe.
#pragma once

#include <map>
#include <string>

#include "catalog/catalog.h"
#include "plan/resolved.h"
#include "plan/unresolved.h"

namespace deuteron::analyzer {

// The settings that change what a plan means, taken once per analysis.
struct Settings {
  bool ansi = true;                              // spark.sql.ansi.enabled
  bool case_sensitive = false;                   // spark.sql.caseSensitive
  std::string time_zone = "UTC";                 // spark.sql.session.timeZone
  std::string timestamp_type = "TIMESTAMP_LTZ";  // spark.sql.timestampType
  int32_t default_parallelism = 1;               // slots
  int32_t shuffle_partitions = 1;                // spark.sql.shuffle.partitions, else the slots
  bool group_by_ordinal = true;
  bool order_by_ordinal = true;
  bool python_filter_pushdown = false;  // spark.sql.python.filterPushdown.enabled
  std::string user = "deuteron";        // current_user()
  std::string session_id;
};

// A query. The result validates (plan/validator.h).
Result<plan::resolved::RelationPtr> analyze(const plan::unresolved::RelationPtr& relation,
                                            const Settings& settings, const catalog::CatalogView& catalog);

// A statement inside Sql{text}: what it is once parsed, so that session/ can tell a command from a query.
// Parameters are bound.
Result<plan::unresolved::Statement> parse_sql(const plan::unresolved::Sql& sql);

}  // namespace deuteron::analyzer
