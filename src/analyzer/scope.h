// What names mean: the columns that a relation offers, and the places where an expression may look for a
// name.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/rewrite.h"
#include "base/status.h"

namespace deuteron::analyzer {

struct AggregateParts;
using Duplicates = std::map<resolved::ColumnId, resolved::ColumnId>;

// A DataFrame that the client knows by number, somewhere in a subtree.
struct DataFrame {
  int64_t plan_id = -1;
  std::shared_ptr<const resolved::Columns> columns;
  int32_t depth = 0;  // nodes between it and the root of the subtree
};

// What lies below a relation and may still be named above it, by ORDER BY and HAVING.
struct Below {
  resolved::Columns columns;
  resolved::Columns hidden;
  std::shared_ptr<const Below> below;
};

// A relation as it is being built. `plan` outputs `columns`, then perhaps `hidden`, in any order.
struct Input {
  resolved::RelationPtr plan;
  resolved::Columns columns;  // what `*` gives
  resolved::Columns hidden;   // only by qualified name: the other side's keys of a USING join
  std::vector<DataFrame> data_frames;
  std::shared_ptr<const Below> below;               // null: nothing below may be named
  std::shared_ptr<const AggregateParts> aggregate;  // set while plan is an aggregation that may still grow
};

// A select-list alias that later items may use.
struct LateralAlias {
  std::string name;
  resolved::ExpressionPtr expression;  // null: defined more than once
};

// Where an expression looks for names, nearest first.
struct Scope {
  std::vector<const Input*> inputs;
  const Scope* outer = nullptr;  // of the enclosing query, in a sub-query
  std::vector<LateralAlias>* aliases = nullptr;
  const Duplicates* duplicates = nullptr;  // columns that are one and the same
  bool look_below = false;                 // ORDER BY, HAVING
  bool case_sensitive = false;
};

// A column and the struct fields that follow it.
struct Match {
  resolved::Column column;
  plan::Names fields;
};

bool same_name(const std::string& left, const std::string& right, bool case_sensitive);
std::string lower_case(std::string text);

// The columns that `parts` may mean: with qualifier first, then as column and fields. Empty when there is
// none. Error: AMBIGUOUS_REFERENCE.
Result<std::optional<Match>> find_column(const std::vector<const resolved::Columns*>& places,
                                         const plan::Names& parts, bool case_sensitive,
                                         const plan::Origin& origin, const Duplicates* duplicates = nullptr);
// The same among the inputs of one level, hidden columns included.
Result<std::optional<Match>> find_in_inputs(const Scope& scope, const plan::Names& parts,
                                            const plan::Origin& origin);
// Columns whose qualifier ends in `target`; for `t.*`.
resolved::Columns qualified_columns(const Scope& scope, const plan::Names& target);
bool qualifier_matches(const plan::Names& qualifier, const plan::Names& target, bool case_sensitive);

// The column of a DataFrame named by number. CANNOT_RESOLVE_DATAFRAME_COLUMN, AMBIGUOUS_COLUMN_REFERENCE.
Result<std::optional<Match>> find_in_data_frame(const Scope& scope, int64_t plan_id, const plan::Names& parts,
                                                const plan::Origin& origin);

}  // namespace deuteron::analyzer
