#include "relational/partition_view.h"

#include <algorithm>
#include <iterator>

namespace deuteron::relational {

namespace {

using exchange::Partition;
using exchange::StageOutput;
using exchange::Streams;
using plan::resolved::as;
using plan::resolved::Column;
using plan::resolved::ColumnReference;
using plan::resolved::ExchangeScan;
using plan::resolved::ExpressionPtr;
using plan::resolved::Project;
using plan::resolved::RelationPtr;
using plan::resolved::Repartition;

// For each column of the output its position in the output of the leaf; nullopt when something is computed,
// or rows are left out.
std::optional<std::vector<int32_t>> positions_in_leaf(const RelationPtr& relation) {
  std::vector<int32_t> positions;
  if (as<ExchangeScan>(relation) != nullptr) {
    for (size_t i = 0; i < relation->output.size(); ++i) positions.push_back(static_cast<int32_t>(i));
    return positions;
  }
  if (const auto* repartition = as<Repartition>(relation)) return positions_in_leaf(repartition->input);
  const auto* project = as<Project>(relation);
  if (project == nullptr) return std::nullopt;
  const auto below = positions_in_leaf(project->input);
  if (!below.has_value()) return std::nullopt;
  for (const ExpressionPtr& expression : project->expressions) {
    const auto* reference = as<ColumnReference>(expression);
    if (reference == nullptr) return std::nullopt;
    const auto& output = project->input->output;
    const auto found = std::find_if(output.begin(), output.end(),
                                    [&](const Column& column) { return column.id == reference->id; });
    if (found == output.end()) return std::nullopt;
    positions.push_back((*below)[static_cast<size_t>(found - output.begin())]);
  }
  return positions;
}

// Columns of one column group of an exchange.
struct Source {
  size_t group = 0;
  std::vector<int32_t> columns;
};

std::optional<Source> source_of(const RelationPtr& fragment, const ExchangeScan& scan,
                                const StageOutput& output, const std::vector<int32_t>& columns) {
  const auto positions = positions_in_leaf(fragment);
  if (!positions.has_value() || columns.empty()) return std::nullopt;
  std::optional<Source> source;
  for (const int32_t column : columns) {
    const auto in_leaf = static_cast<size_t>((*positions)[static_cast<size_t>(column)]);
    auto place = scan.columns.empty() ? in_leaf : static_cast<size_t>(scan.columns[in_leaf]);
    size_t group = 0;
    while (group < output.groups.size() && place >= output.groups[group].schema.size())
      place -= output.groups[group++].schema.size();
    if (group == output.groups.size()) return std::nullopt;
    if (!source.has_value()) source = Source{group, {}};
    if (source->group != group) return std::nullopt;
    source->columns.push_back(static_cast<int32_t>(place));
  }
  return source;
}

}  // namespace

Result<std::optional<std::vector<Partition>>> view_partitions(const RelationPtr& fragment,
                                                              const Cutting& cutting,
                                                              const RunContext& context,
                                                              const std::vector<int32_t>& columns,
                                                              exchange::StreamViews& views) {
  const std::optional<std::vector<Partition>> none;
  const auto* scan = std::get_if<ExchangeScan>(&cutting.leaf->node);
  const auto input = scan == nullptr ? context.inputs.end() : context.inputs.find(scan->exchange_id);
  if (input == context.inputs.end()) return none;
  const StageOutput& output = *input->second;
  const auto source = source_of(fragment, *scan, output, columns);
  if (!source.has_value()) return none;
  // A scan looks for nulls that a function declared not to leave.
  const exchange::ColumnGroup& group = output.groups[source->group];
  if (group.is_of_function && std::any_of(group.schema.begin(), group.schema.end(), has_required_part))
    return none;

  std::vector<Partition> partitions;
  for (const LeafCut& cut : cutting.cuts) {
    if (cut.partitions.empty()) return none;  // rows
    Streams streams;
    for (const int32_t partition : cut.partitions) {
      const Streams& there = output.partitions[static_cast<size_t>(partition)][source->group];
      std::copy(there.begin(), there.end(), std::back_inserter(streams));
    }
    ASSIGN_OR_RETURN(auto seen, views.view(streams, output.groups[source->group].layout, source->columns));
    if (!seen.has_value()) return none;
    partitions.push_back({std::move(*seen)});
  }
  return std::optional<std::vector<Partition>>(std::move(partitions));
}

}  // namespace deuteron::relational
