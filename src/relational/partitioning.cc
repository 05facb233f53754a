#include "relational/partitioning.h"

#include <algorithm>
#include <charconv>

#include "exchange/stream_reader.h"
#include "relational/relation_writer.h"

namespace deuteron::relational {

using namespace plan::resolved;  // the nodes that this file is about

namespace {

constexpr int64_t kSmallestSliceRows = int64_t{1} << 20;

// Cuts `rows` as Spark does: partition i of n has the rows from i * rows / n to (i + 1) * rows / n.
std::vector<LeafCut> cut_rows(int64_t rows, int64_t partitions) {
  std::vector<LeafCut> cuts;
  for (int64_t i = 0; i < partitions; ++i) {
    const auto begin = static_cast<int64_t>(static_cast<__int128>(i) * rows / partitions);
    const auto end = static_cast<int64_t>(static_cast<__int128>(i + 1) * rows / partitions);
    LeafCut cut;
    cut.first_row = begin;
    cut.row_count = end - begin;
    cuts.push_back(std::move(cut));
  }
  return cuts;
}

int64_t rows_of_range(const Range& range) {
  const __int128 span = static_cast<__int128>(range.end) - range.start;
  if (range.step == 0 || span == 0 || (span > 0) != (range.step > 0)) return 0;
  return static_cast<int64_t>((span + range.step - (range.step > 0 ? 1 : -1)) / range.step);
}

LeafCut merged(const std::vector<LeafCut>& cuts, size_t begin, size_t end) {
  LeafCut merged = cuts[begin];
  for (size_t i = begin + 1; i < end; ++i) {
    if (merged.row_count >= 0) merged.row_count += cuts[i].row_count;
    merged.files.insert(merged.files.end(), cuts[i].files.begin(), cuts[i].files.end());
    merged.partitions.insert(merged.partitions.end(), cuts[i].partitions.begin(), cuts[i].partitions.end());
  }
  return merged;
}

Result<std::vector<LeafCut>> cut_leaf(const Relation& leaf, const RunContext& context, FileSources& files) {
  if (const auto* range = std::get_if<Range>(&leaf.node)) {
    const int32_t planned = range->partitions > 0 ? range->partitions
                            : leaf.partitions > 0 ? leaf.partitions
                                                  : context.default_parallelism;
    return cut_rows(rows_of_range(*range), std::max(planned, 1));
  }
  if (const auto* local = std::get_if<LocalData>(&leaf.node)) {
    int64_t rows = 0;
    if (local->data != nullptr) {
      ASSIGN_OR_RETURN(const exchange::StreamReader reader, exchange::StreamReader::open(*local->data));
      rows = reader.rows();
    }
    const int64_t wanted = leaf.partitions > 0 ? leaf.partitions : context.default_parallelism;
    return cut_rows(rows, std::max<int64_t>(1, leaf.partitions > 0 ? wanted : std::min(wanted, rows)));
  }
  std::vector<LeafCut> cuts;
  if (const auto* scan = std::get_if<FileScan>(&leaf.node)) {
    ASSIGN_OR_RETURN(auto partitions, files.split(*scan, context));
    for (auto& pieces : partitions) {
      cuts.emplace_back();
      cuts.back().files = std::move(pieces);
    }
    if (cuts.empty()) cuts.emplace_back();
    return cuts;
  }
  const auto& scan = std::get<ExchangeScan>(leaf.node);
  const auto input = context.inputs.find(scan.exchange_id);
  if (input == context.inputs.end())
    return internal_error("exchange " + std::to_string(scan.exchange_id) + " is missing");
  for (size_t i = 0; i < input->second->partitions.size(); ++i) {
    cuts.emplace_back();
    cuts.back().partitions.push_back(static_cast<int32_t>(i));
  }
  return cuts;
}

bool is_leaf(const Relation& relation) {
  return std::holds_alternative<Range>(relation.node) || std::holds_alternative<LocalData>(relation.node) ||
         std::holds_alternative<FileScan>(relation.node) ||
         std::holds_alternative<ExchangeScan>(relation.node);
}

}  // namespace

bool is_row_wise(const Relation& relation) {
  if (!std::holds_alternative<Project>(relation.node) && !std::holds_alternative<Filter>(relation.node) &&
      !std::holds_alternative<Generate>(relation.node)) {
    return false;
  }
  bool row_wise = true;
  for (const ExpressionPtr& expression : expressions_of(relation)) {
    for_each_expression(expression, [&](const Expression& part) {
      if (std::holds_alternative<Window>(part.node) || std::holds_alternative<ScalarSubquery>(part.node) ||
          std::holds_alternative<ExistsSubquery>(part.node) ||
          std::holds_alternative<InSubquery>(part.node)) {
        row_wise = false;
      }
    });
  }
  return row_wise;
}

bool is_partition_wise(const Relation& relation) {
  const auto* sort = std::get_if<Sort>(&relation.node);
  return sort == nullptr ? is_row_wise(relation) : !sort->is_global;
}

Result<std::optional<Cutting>> cut_fragment(const RelationPtr& fragment, const RunContext& context,
                                            FileSources& files) {
  if (is_leaf(*fragment)) {
    ASSIGN_OR_RETURN(std::vector<LeafCut> cuts, cut_leaf(*fragment, context, files));
    if (cuts.empty()) return std::optional<Cutting>();
    return std::optional<Cutting>(Cutting{fragment.get(), std::move(cuts)});
  }
  if (const auto* repartition = as<Repartition>(fragment); repartition != nullptr && !repartition->shuffle) {
    ASSIGN_OR_RETURN(std::optional<Cutting> cutting, cut_fragment(repartition->input, context, files));
    const auto wanted = static_cast<size_t>(std::max(1, fragment->partitions));
    if (!cutting.has_value() || cutting->cuts.size() <= wanted) return cutting;
    std::vector<LeafCut> cuts;
    for (size_t i = 0; i < wanted; ++i) {
      cuts.push_back(
          merged(cutting->cuts, i * cutting->cuts.size() / wanted, (i + 1) * cutting->cuts.size() / wanted));
    }
    cutting->cuts = std::move(cuts);
    return cutting;
  }
  if (!is_partition_wise(*fragment)) return std::optional<Cutting>();
  return cut_fragment(inputs_of(*fragment).front(), context, files);
}

Result<std::vector<LeafCut>> slice_cut(const Relation& leaf, const LeafCut& cut, FileSources& files,
                                       int32_t most) {
  std::vector<LeafCut> slices;
  if (const auto* scan = std::get_if<FileScan>(&leaf.node)) {
    ASSIGN_OR_RETURN(auto runs, files.slice(*scan, cut.files, most));
    for (auto& run : runs) {
      slices.emplace_back();
      slices.back().files = std::move(run);
    }
    return slices;
  }
  const int64_t count = std::min<int64_t>(most, cut.row_count / kSmallestSliceRows);
  if (!std::holds_alternative<Range>(leaf.node) || count < 2) return std::vector<LeafCut>{cut};
  slices = cut_rows(cut.row_count, count);
  for (LeafCut& slice : slices) slice.first_row += cut.first_row;
  return slices;
}

std::optional<std::vector<int32_t>> positions_in_leaf(const RelationPtr& fragment, const Relation& leaf) {
  std::vector<int32_t> positions;
  if (fragment.get() == &leaf) {
    for (size_t i = 0; i < leaf.output.size(); ++i) positions.push_back(static_cast<int32_t>(i));
    return positions;
  }
  if (const auto* repartition = as<Repartition>(fragment)) return positions_in_leaf(repartition->input, leaf);
  const auto* project = as<Project>(fragment);
  if (project == nullptr) return std::nullopt;
  const auto below = positions_in_leaf(project->input, leaf);
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

int32_t partitions_of_whole(const RelationPtr& fragment, const RunContext& context) {
  if (fragment->partitions > 0) return fragment->partitions;
  if (as<Limit>(fragment) != nullptr || as<Tail>(fragment) != nullptr || as<OneRow>(fragment) != nullptr)
    return 1;
  if (const auto* aggregate = as<Aggregate>(fragment); aggregate != nullptr && aggregate->grouping.empty())
    return 1;
  if (is_partition_wise(*fragment)) return partitions_of_whole(inputs_of(*fragment).front(), context);
  const auto setting = context.settings.find("spark.sql.shuffle.partitions");
  int32_t partitions = 0;
  if (setting != context.settings.end()) {
    std::from_chars(setting->second.data(), setting->second.data() + setting->second.size(), partitions);
  }
  return std::max(1, partitions > 0 ? partitions : context.default_parallelism);
}

}  // namespace deuteron::relational
