#include "relational/fragment_run.h"

#include <algorithm>

#include "relational/relation_writer.h"

namespace deuteron::relational {

using plan::resolved::ColumnReference;
using plan::resolved::ExchangeScan;
using plan::resolved::FileScan;
using plan::resolved::LocalData;
using plan::resolved::Range;
using plan::resolved::Relation;
using plan::resolved::RelationPtr;

namespace {

std::string column_name(plan::resolved::ColumnId id) { return "c" + std::to_string(id); }

std::string empty_rows(const Relation& leaf) {
  std::string columns;
  for (const plan::resolved::Column& column : leaf.output) {
    columns += (columns.empty() ? "" : ", ") + std::string("CAST(NULL AS ") + duckdb_type(column.type) +
               ") AS " + column_name(column.id);
  }
  return "(SELECT " + (columns.empty() ? "NULL AS no_column" : columns) + " WHERE false)";
}

int64_t range_length(const Range& range) {
  const __int128 span = static_cast<__int128>(range.end) - range.start;
  if (range.step == 0 || (span > 0) != (range.step > 0) || span == 0) return 0;
  const __int128 step = range.step;
  return static_cast<int64_t>((span + step - (step > 0 ? 1 : -1)) / step);
}

std::string range_sql(const Relation& leaf, const Range& range, const LeafCut* cut) {
  int64_t start = range.start;
  int64_t count = range_length(range);
  if (cut != nullptr) {
    start = static_cast<int64_t>(range.start + static_cast<__int128>(cut->first_row) * range.step);
    count = cut->row_count;
  }
  if (count <= 0) return empty_rows(leaf);
  const __int128 end = start + static_cast<__int128>(count) * range.step;
  // The end may lie beyond the type's limit by less than a step.
  const __int128 limit = range.step > 0 ? INT64_MAX : INT64_MIN;
  const bool beyond = range.step > 0 ? end > limit : end < limit;
  const std::string column = column_name(leaf.output[0].id);
  if (beyond) {
    return "(SELECT " + std::to_string(start) + "::BIGINT + range * " + std::to_string(range.step) +
           "::BIGINT AS " + column + " FROM range(" + std::to_string(count) + "))";
  }
  return "(SELECT range AS " + column + " FROM range(" + std::to_string(start) + "::BIGINT, " +
         std::to_string(static_cast<int64_t>(end)) + "::BIGINT, " + std::to_string(range.step) + "::BIGINT))";
}

}  // namespace

FragmentRun::~FragmentRun() {
  for (const int64_t handle : handles_) parts_.scans.remove(handle);
}

std::string FragmentRun::scan_sql(const Relation& leaf, const ScanSourcePtr& source,
                                  const std::vector<int32_t>& columns) {
  const int64_t handle = parts_.scans.add(source);
  handles_.push_back(handle);
  sources_.push_back(source);
  std::string text;
  for (size_t i = 0; i < leaf.output.size(); ++i) {
    const size_t column = columns.empty() ? i : static_cast<size_t>(columns[i]);
    text += (i == 0 ? "c" : ", c") + std::to_string(column) + " AS " + column_name(leaf.output[i].id);
  }
  return "(SELECT " + (text.empty() ? "NULL AS no_column" : text) + " FROM deuteron_scan(" +
         std::to_string(handle) + "))";
}

Result<std::string> FragmentRun::write_leaf(const Relation& leaf) {
  const LeafCut* cut = cut_.leaf == &leaf ? &cut_.cut : nullptr;
  if (const auto* range = std::get_if<Range>(&leaf.node)) return range_sql(leaf, *range, cut);
  if (const auto* scan = std::get_if<FileScan>(&leaf.node)) {
    return parts_.files.scan_sql(leaf, *scan, context_.time_zone, cut == nullptr ? nullptr : &cut->files);
  }
  if (const auto* local = std::get_if<LocalData>(&leaf.node)) {
    if (local->data == nullptr) return empty_rows(leaf);
    return scan_sql(leaf,
                    scan_of(local->data, to_schema(leaf.output), cut == nullptr ? 0 : cut->first_row,
                            cut == nullptr ? -1 : cut->row_count),
                    {});
  }
  const auto& scan = std::get<ExchangeScan>(leaf.node);
  const auto input = context_.inputs.find(scan.exchange_id);
  if (input == context_.inputs.end())
    return internal_error("exchange " + std::to_string(scan.exchange_id) + " is missing");
  const bool some = cut != nullptr && !cut->partitions.empty();
  ASSIGN_OR_RETURN(ScanSourcePtr source, scan_of(input->second, some ? &cut->partitions : nullptr));
  if (cut != nullptr && !some) {
    auto rows = std::make_shared<ScanSource>(*source);
    rows->first_row = cut->first_row;
    rows->row_count = cut->row_count;
    source = std::move(rows);
  }
  std::vector<int32_t> columns = scan.columns;
  if (columns.empty()) {
    for (size_t i = 0; i < leaf.output.size(); ++i) columns.push_back(static_cast<int32_t>(i));
  }
  return scan_sql(leaf, source, columns);
}

Result<std::unique_ptr<FragmentRun>> FragmentRun::make(const EngineParts& parts, const RelationPtr& relation,
                                                       const RunContext& context, const CutLeaf& cut,
                                                       const KeyColumns* keys, bool diagnosing,
                                                       bool narrow_decimals) {
  std::unique_ptr<FragmentRun> run(new FragmentRun(parts, relation, context, cut));
  run->diagnosing_ = diagnosing;
  const auto ansi = context.settings.find("spark.sql.ansi.enabled");
  const bool is_ansi = ansi == context.settings.end() || ansi->second != "false";
  run->options_ = {context.time_zone, context.now_micros, diagnosing, narrow_decimals, is_ansi};
  RelationWriter writer(run->fragment_, run->options_,
                        [&](const Relation& leaf) { return run->write_leaf(leaf); });
  ASSIGN_OR_RETURN(run->sql_, writer.write(relation));
  if (keys != nullptr) {
    std::string list;
    for (const plan::resolved::ExpressionPtr& key : keys->keys) {
      ASSIGN_OR_RETURN(const std::string text, writer.write_key(key));
      list += (list.empty() ? "" : ", ") + text;
    }
    std::string partition = "0";
    if (!list.empty()) {
      // As Spark: the remainder of its hash, never negative.
      const plan::resolved::ExpressionPtr hash = plan::resolved::make_expression(
          plan::resolved::Call{"hash", keys->keys, true}, types::DataType(types::TypeId::kInteger), false);
      ASSIGN_OR_RETURN(const std::string text, writer.write_key(hash));
      const std::string count = std::to_string(keys->partitions);
      partition = "((" + text + ") % " + count + " + " + count + ") % " + count;
    }
    std::string sql = "SELECT *, CAST(" + partition + " AS INTEGER) AS partition_number, ";
    sql +=
        keys->ordered_by_group && !list.empty() ? "dense_rank() OVER (ORDER BY " + list + ")" : "0::BIGINT";
    sql += " AS group_number FROM (" + run->sql_ + ") AS keyed";
    if (keys->ordered_by_group) sql += " ORDER BY group_number";
    for (const plan::resolved::ExpressionPtr& column : keys->order) {
      ASSIGN_OR_RETURN(const std::string text, writer.write_key(column));
      sql += ", " + text;
    }
    run->sql_ = std::move(sql);
  }
  RETURN_IF_ERROR(parts.database.ensure_kernels(run->fragment_.kernels()));
  return run;
}

Status FragmentRun::diagnose(CancelToken& cancel) const {
  ASSIGN_OR_RETURN(const auto again, make(parts_, relation_, context_, cut_, nullptr, true));
  ASSIGN_OR_RETURN(const Connection connection, parts_.database.connect());
  Statement statement(connection, cancel);
  if (statement.start(again->sql())) {
    while (statement.next() != nullptr) {
    }
  }
  if (!statement.failed()) return Status();
  return again->status_of(statement.failure(), cancel);
}

Status FragmentRun::status_of(const EngineFailure& failure, CancelToken& cancel) const {
  if (failure.cancelled) return cancelled();
  for (const ScanSourcePtr& source : sources_) RETURN_IF_ERROR(source->failure->get());
  const std::optional<Fragment::Diagnosis> diagnosis = fragment_.status_of(failure.message);
  if (!diagnosis.has_value()) return relational::status_of(failure);
  if (diagnosis->needs_diagnosis && !diagnosing_) {
    Status precise = diagnose(cancel);
    if (!precise.ok()) return precise;
  }
  return diagnosis->status;
}

}  // namespace deuteron::relational
