#include "relational/partition_view.h"

#include <algorithm>
#include <iterator>
#include <variant>

namespace deuteron::relational {

namespace {

using exchange::Partition;
using exchange::StageOutput;
using exchange::Streams;
using plan::resolved::ExchangeScan;
using plan::resolved::Relation;
using plan::resolved::RelationPtr;

// Columns of one column group of an exchange.
struct Source {
  size_t group = 0;
  std::vector<int32_t> columns;
};

std::optional<Source> source_of(const RelationPtr& fragment, const Relation& leaf, const StageOutput& output,
                                const std::vector<int32_t>& columns) {
  const auto positions = positions_in_leaf(fragment, leaf);
  const auto& scan = std::get<ExchangeScan>(leaf.node);
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
  const auto source = source_of(fragment, *cutting.leaf, output, columns);
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
