// The table that DataFrame.show() prints, in Spark's layout. Pure functions but for show_as_row, which asks
// the engine for the rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "plan/resolved.h"
#include "relational/engine.h"

namespace deuteron::execution {

using TextRow = std::vector<std::optional<std::string>>;  // nullopt: null

struct ShowLayout {
  int32_t rows = 20;      // at most so many are shown
  int32_t truncate = 20;  // cells longer than this are cut and aligned to the right; 0: neither
  bool vertical = false;
  bool html = false;
};

// `rows` may hold one more than the layout shows, which tells that there are more.
std::string show_table(const plan::Names& headings, const std::vector<TextRow>& rows,
                       const ShowLayout& layout);

// A fragment of one row with the table as its only column. The node's input must be without Python.
Result<plan::resolved::RelationPtr> show_as_row(const plan::resolved::ShowString& show,
                                                const plan::resolved::Columns& output,
                                                relational::Engine& engine,
                                                const relational::RunContext& context, CancelToken& cancel);

}  // namespace deuteron::execution
