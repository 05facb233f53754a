// The state of one analysis: its inputs, the ids it gives out, the names that WITH defines. Used by one
// thread.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "analyzer/analyzer.h"
#include "analyzer/scope.h"

namespace deuteron::analyzer {

// A WITH definition; analyzed when the WITH is, read by CteScan.
struct CommonTable {
  std::string name;
  int64_t id = 0;
  resolved::RelationPtr plan;
  resolved::Columns columns;
  plan::Names column_names;  // given in the definition; empty: the plan's own
};

class Analysis {
 public:
  Analysis(const Settings& settings, const catalog::CatalogView& catalog)
      : settings(settings), catalog(catalog) {}

  const Settings& settings;
  const catalog::CatalogView& catalog;

  // WITH definitions in sight, innermost last.
  std::vector<CommonTable> common_tables;
  // DataFrames that sub-query expressions name by plan id.
  std::map<int64_t, unresolved::RelationPtr> references;
  // Views of SQL text that are being looked into, outermost first.
  std::vector<plan::Names> open_views;
  // Columns that a projection gives a second time, under an id of their own: second id -> first id.
  Duplicates duplicates;

  resolved::ColumnId next_id() { return next_id_++; }
  int64_t next_cte_id() { return next_cte_id_++; }

  // Counts nesting while it lives; ok() is false beyond what the stack can bear.
  class Nesting {
   public:
    explicit Nesting(Analysis& analysis) : depth_(analysis.depth_) { ++depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    ~Nesting() { --depth_; }
    Status check() const;

   private:
    int& depth_;
  };

 private:
  resolved::ColumnId next_id_ = 1;
  int64_t next_cte_id_ = 1;
  int depth_ = 0;
};

}  // namespace deuteron::analyzer
