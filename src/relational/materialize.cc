#include "relational/materialize.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

#include "relational/partition_view.h"
#include "relational/partition_writer.h"
#include "relational/partitioning.h"
#include "relational/plain_file.h"
#include "relational/relation_writer.h"

namespace deuteron::relational {

namespace {

using exchange::Partition;
using exchange::StageOutput;
using exchange::StreamFormat;
using exchange::StreamFormatPtr;
using plan::resolved::as;
using plan::resolved::Column;
using plan::resolved::ExchangeScan;
using plan::resolved::ExpressionPtr;
using plan::resolved::RelationPtr;
using plan::resolved::Repartition;
using plan::resolved::Sort;

constexpr int64_t kTemporaryExchange = INT64_MIN;

Result<Target> make_target(const std::shared_ptr<exchange::SharedMemory>& memory, const RelationPtr& fragment,
                           const RunContext& context, const MaterializeRequest& request) {
  Target target{memory,      context.owner, {}, {}, request.hands_over, static_cast<bool>(request.sink.add),
                request.only};
  if (request.max_rows_per_batch > 0) target.stream_options.rows_per_batch = request.max_rows_per_batch;
  if (request.max_bytes_per_batch > 0) {
    uint64_t& bytes = target.stream_options.bytes_per_batch;
    bytes = std::min(bytes, request.max_bytes_per_batch);
  }
  std::vector<ColumnGroupRequest> groups = request.groups;
  if (groups.empty()) {
    groups.emplace_back();
    for (size_t i = 0; i < fragment->output.size(); ++i) groups[0].columns.push_back(static_cast<int32_t>(i));
  }
  for (const ColumnGroupRequest& group : groups) {
    types::Schema schema;
    for (size_t i = 0; i < group.columns.size(); ++i) {
      const auto position = static_cast<size_t>(group.columns[i]);
      if (position >= fragment->output.size())
        return internal_error("a column group names a column that is not there");
      const Column& column = fragment->output[position];
      schema.push_back({i < group.names.size() ? group.names[i] : column.name, column.type, column.nullable,
                        column.metadata_json});
    }
    ASSIGN_OR_RETURN(StreamFormatPtr format, StreamFormat::make(schema, group.layout, context.time_zone));
    target.groups.push_back({group.columns, std::move(format), group.one_row_per_key, group.side});
    if (group.side >= 0) target.stream_options.empty_batch = true;  // a function gets a table of both sides
  }
  return target;
}

std::vector<exchange::ColumnGroup> column_groups(const Target& target) {
  std::vector<exchange::ColumnGroup> groups;
  for (const GroupFormat& group : target.groups)
    groups.push_back({group.format->schema(), group.format->layout()});
  return groups;
}

void append(Partition& to, Partition from) {
  to.resize(std::max(to.size(), from.size()));
  for (size_t group = 0; group < from.size(); ++group)
    std::move(from[group].begin(), from[group].end(), std::back_inserter(to[group]));
}

uint64_t bytes_of(const Partition& partition) {
  uint64_t bytes = 0;
  for (const exchange::Streams& streams : partition) {
    for (const exchange::Stream& stream : streams) bytes += stream.region.length;
  }
  return bytes;
}

// Gathers partitions and tells the caller of them, one at a time. A partition may come in slices, and these
// in pieces; what is told follows the order of the slices.
class Collector {
 public:
  // `slices`: how many each partition has; 0: it is not made.
  Collector(const std::vector<size_t>& slices, const Target& target, const PartitionSink& sink)
      : hands_over_(target.hands_over), sink_(sink) {
    for (const size_t count : slices) partitions_.emplace_back().slices.resize(count);
  }

  Status begin(size_t index, const CancelToken& stop) {
    return sink_.begin ? sink_.begin(static_cast<int32_t>(index), stop) : Status();
  }

  // Streams of a slice of a partition that was begun; `is_end`: there are no more.
  Status add(size_t index, size_t slice, Partition streams, bool is_end) {
    const std::lock_guard lock(mutex_);
    Pending& partition = partitions_[index];
    append(partition.slices[slice].streams, std::move(streams));
    partition.slices[slice].is_complete = is_end;
    Partition next;
    for (; partition.told < partition.slices.size(); ++partition.told) {
      Slice& current = partition.slices[partition.told];
      append(next, std::exchange(current.streams, {}));
      if (!current.is_complete) break;
    }
    const bool is_complete = partition.told == partition.slices.size();
    if (!hands_over_) append(partition.whole, next);
    if (!sink_.add || (next.empty() && !is_complete)) return Status();
    return sink_.add(static_cast<int32_t>(index), next, is_complete);
  }

  // After add(), while the slice is not at its end.
  Status wait_for_room(size_t index, size_t slice, const CancelToken& stop) {
    if (!sink_.wait_for_room) return Status();
    const auto waiting = [&] {
      const std::lock_guard lock(mutex_);
      return bytes_of(partitions_[index].slices[slice].streams);
    };
    return sink_.wait_for_room(static_cast<int32_t>(index), waiting, partitions_[index].slices.size() == 1,
                               stop);
  }

  Status add_whole(size_t index, Partition partition, const CancelToken& stop) {
    RETURN_IF_ERROR(begin(index, stop));
    return add(index, 0, std::move(partition), true);
  }

  std::vector<Partition> take() {
    std::vector<Partition> partitions;
    for (Pending& partition : partitions_) partitions.push_back(std::move(partition.whole));
    return partitions;
  }

 private:
  struct Slice {
    Partition streams;
    bool is_complete = false;
  };
  struct Pending {
    std::vector<Slice> slices;
    size_t told = 0;  // slices
    Partition whole;  // unless it is handed over
  };
  const bool hands_over_;
  std::mutex mutex_;
  std::vector<Pending> partitions_;
  const PartitionSink& sink_;
};

// Rows as DuckDB gives them out, made by several threads.
Status run_fragment(const EngineParts& parts, const RelationPtr& fragment, const RunContext& context,
                    const KeyColumns* keys, CancelToken& cancel, const ChunkSink& sink) {
  ASSIGN_OR_RETURN(const auto run, FragmentRun::make(parts, fragment, context, {}, keys));
  ASSIGN_OR_RETURN(const Connection connection, parts.database.connect());
  Statement statement(connection, cancel);
  if (!statement.start(run->sql())) return run->status_of(statement.failure(), cancel);
  while (duckdb_data_chunk chunk = statement.next()) RETURN_IF_ERROR(sink(chunk, statement.sources()));
  return statement.failed() ? run->status_of(statement.failure(), cancel) : Status();
}

// One partition's rows, by the thread that makes them.
Status run_cut(const EngineParts& parts, const RelationPtr& fragment, const RunContext& context,
               const CutLeaf& cut, CancelToken& cancel, const ChunkSink& sink) {
  ASSIGN_OR_RETURN(const auto run, FragmentRun::make(parts, fragment, context, cut));
  ASSIGN_OR_RETURN(const Connection connection, parts.database.connect());
  ActiveSink active{&sink, {}, {}};
  const int64_t handle = parts.sinks.add(&active);
  Status status;
  {
    Statement statement(connection, cancel);
    if (statement.start(sink_statement(run->sql(), handle))) {
      while (statement.next() != nullptr) {
      }
    }
    if (!active.status.ok()) {
      status = active.status;
    } else if (statement.failed()) {
      status = run->status_of(statement.failure(), cancel);
    }
  }
  parts.sinks.remove(handle);
  return status;
}

RowRange all_rows(duckdb_data_chunk chunk) {
  return {0, static_cast<int64_t>(duckdb_data_chunk_get_size(chunk)), nullptr};
}

// Runs `work(index)` for 0 … count - 1 on several threads; the first error stops the rest.
Status in_parallel(size_t count, size_t threads, CancelToken& cancel,
                   const std::function<Status(size_t, CancelToken&)>& work) {
  CancelToken stop;
  const CancelToken::Registration registration = cancel.on_cancel([&] { stop.cancel(); });
  std::mutex mutex;
  Status first;
  std::atomic<size_t> next{0};
  const auto body = [&] {
    while (!stop.cancelled()) {
      const size_t index = next.fetch_add(1);
      if (index >= count) return;
      Status status;
      try {
        status = work(index, stop);
      } catch (const std::exception& failure) {
        status = internal_error(failure.what());
      }
      if (status.ok()) continue;
      {
        const std::lock_guard lock(mutex);
        if (first.ok()) first = status;
      }
      stop.cancel();
    }
  };
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < std::min(threads, count); ++i) helpers.emplace_back(body);
  body();
  for (std::thread& helper : helpers) helper.join();
  if (cancel.cancelled()) return cancelled();
  return first;
}

// Whether some step above the leaf puts all rows of a partition in order.
bool sorts_partitions(const RelationPtr& fragment) {
  for (RelationPtr step = fragment; is_partition_wise(*step); step = inputs_of(*step).front()) {
    if (as<Sort>(step) != nullptr) return true;
  }
  return false;
}

// A part of a partition that one thread makes.
struct Slice {
  size_t partition;
  size_t number;
  LeafCut cut;
};

// In the order in which they are made: threads begin with a partition each, so that all of these can be
// worked on at once; but never with more than the sink takes, or the first of them might never end.
Result<std::vector<Slice>> slices_of(const Cutting& cutting, FileSources& files, int32_t threads,
                                     int32_t at_once, bool is_sorted) {
  constexpr int32_t kSlicesPerThread = 4;
  constexpr int32_t kSlicesPerPartition = 16;  // each may take a slab, and a worker takes a few dozen at once
  const auto partitions = static_cast<int32_t>(cutting.cuts.size());
  const int32_t most =
      is_sorted ? 1 : std::min(kSlicesPerPartition, kSlicesPerThread * threads / std::max(1, partitions));
  std::vector<Slice> slices;
  for (size_t i = 0; i < cutting.cuts.size(); ++i) {
    ASSIGN_OR_RETURN(std::vector<LeafCut> cuts, slice_cut(*cutting.leaf, cutting.cuts[i], files, most));
    for (size_t number = 0; number < cuts.size(); ++number)
      slices.push_back({i, number, std::move(cuts[number])});
  }
  const auto together = static_cast<size_t>(std::clamp(at_once, 1, threads));
  std::stable_sort(slices.begin(), slices.end(), [&](const Slice& one, const Slice& other) {
    return std::pair(one.partition / together, one.number) <
           std::pair(other.partition / together, other.number);
  });
  return slices;
}

// The columns of files that the target's are, if these can be read without DuckDB.
std::optional<types::Schema> plain_columns_of(const RelationPtr& fragment,
                                              const plan::resolved::Relation& leaf, const Target& target) {
  if (target.groups.size() != 1) return std::nullopt;
  const GroupFormat& group = target.groups[0];
  if (group.one_row_per_key || group.side >= 0) return std::nullopt;
  return plain_columns(fragment, leaf, group.columns);
}

// Takes the first of the files, as far as they can be read without DuckDB, off the list.
Status add_plain_files(const types::Schema& columns, std::vector<FilePiece>& files, PartitionWriter& writer,
                       const CancelToken& stop) {
  auto next = files.begin();
  for (; next != files.end(); ++next) {
    const std::unique_ptr<PlainFile> file = PlainFile::open(*next, columns);
    if (file == nullptr) break;
    RETURN_IF_ERROR(writer.add(*file, stop));
  }
  files.erase(files.begin(), next);
  return Status();
}

Result<std::vector<Partition>> run_cuts(const EngineParts& parts, const RelationPtr& fragment,
                                        const RunContext& context, const Cutting& cutting,
                                        const Target& target, const PartitionSink& sink,
                                        CancelToken& cancel) {
  const int32_t threads = std::max(1, parts.database.threads());
  ASSIGN_OR_RETURN(std::vector<Slice> slices,
                   slices_of(cutting, parts.files, threads, sink.at_once, sorts_partitions(fragment)));
  std::erase_if(slices, [&](const Slice& slice) { return !target.wants(slice.partition); });
  std::vector<size_t> counts(cutting.cuts.size());
  for (const Slice& slice : slices) ++counts[slice.partition];
  Collector collector(counts, target, sink);
  const auto plain = plain_columns_of(fragment, *cutting.leaf, target);
  const auto make_slice = [&](size_t index, CancelToken& stop) -> Status {
    const Slice& slice = slices[index];
    RETURN_IF_ERROR(collector.begin(slice.partition, stop));
    StreamSink pieces;
    if (target.in_pieces) {
      pieces = [&](Partition streams) -> Status {
        RETURN_IF_ERROR(collector.add(slice.partition, slice.number, std::move(streams), false));
        return collector.wait_for_room(slice.partition, slice.number, stop);
      };
    }
    PartitionWriter writer(target, pieces);
    LeafCut cut = slice.cut;
    if (plain.has_value()) RETURN_IF_ERROR(add_plain_files(*plain, cut.files, writer, stop));
    const bool is_empty_file_cut =
        std::holds_alternative<plan::resolved::FileScan>(cutting.leaf->node) && cut.files.empty();
    if (!is_empty_file_cut && cut.row_count != 0) {
      RETURN_IF_ERROR(run_cut(parts, fragment, context, {cutting.leaf, std::move(cut)}, stop,
                              [&](duckdb_data_chunk chunk, const std::vector<SourceType>& sources) {
                                return writer.add(chunk, sources, all_rows(chunk));
                              }));
    }
    RETURN_IF_ERROR(writer.end_streams());
    return collector.add(slice.partition, slice.number, writer.take(), true);
  };
  RETURN_IF_ERROR(in_parallel(slices.size(), static_cast<size_t>(threads), cancel, make_slice));
  return collector.take();
}

Result<std::vector<Partition>> run_single(const EngineParts& parts, const RelationPtr& fragment,
                                          const RunContext& context, const Target& target,
                                          const PartitionSink& sink, CancelToken& cancel) {
  PartitionWriter writer(target);
  RETURN_IF_ERROR(run_fragment(parts, fragment, context, nullptr, cancel,
                               [&](duckdb_data_chunk chunk, const std::vector<SourceType>& sources) {
                                 return writer.add(chunk, sources, all_rows(chunk));
                               }));
  RETURN_IF_ERROR(writer.end_streams());
  Collector collector({1}, target, sink);
  RETURN_IF_ERROR(collector.add_whole(0, writer.take(), cancel));
  return collector.take();
}

// Each partition gets a slice of every chunk: balanced, in one pass, no order kept across partitions.
Result<std::vector<Partition>> run_dealt(const EngineParts& parts, const RelationPtr& fragment,
                                         const RunContext& context, int32_t partitions, const Target& target,
                                         const PartitionSink& sink, CancelToken& cancel) {
  std::vector<std::unique_ptr<PartitionWriter>> writers;
  for (int32_t i = 0; i < partitions; ++i) writers.push_back(std::make_unique<PartitionWriter>(target));
  int64_t dealt = 0;  // rows so far: where the next slice goes first, so that small chunks are spread too
  RETURN_IF_ERROR(
      run_fragment(parts, fragment, context, nullptr, cancel,
                   [&](duckdb_data_chunk chunk, const std::vector<SourceType>& sources) {
                     const RowRange all = all_rows(chunk);
                     for (int64_t i = 0; i < partitions; ++i) {
                       const int64_t begin = i * all.count / partitions;
                       const int64_t end = (i + 1) * all.count / partitions;
                       if (begin == end) continue;
                       const auto turn = static_cast<size_t>((i + dealt) % partitions);
                       RETURN_IF_ERROR(writers[turn]->add(chunk, sources, {begin, end - begin, nullptr}));
                     }
                     dealt += all.count;
                     return Status();
                   }));
  Collector collector(std::vector<size_t>(writers.size(), 1), target, sink);
  for (size_t i = 0; i < writers.size(); ++i) {
    RETURN_IF_ERROR(writers[i]->end_streams());
    RETURN_IF_ERROR(collector.add_whole(i, writers[i]->take(), cancel));
  }
  return collector.take();
}

template <typename T>
const T* values_of(duckdb_data_chunk chunk, size_t column) {
  return static_cast<const T*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, column)));
}

// Rows go where the column after the fragment's own says; a new group number begins a new stream when that
// was asked for.
Result<std::vector<Partition>> run_hashed(const EngineParts& parts, const RelationPtr& fragment,
                                          const RunContext& context, const KeyColumns& keys,
                                          const Target& target, const PartitionSink& sink,
                                          CancelToken& cancel) {
  std::vector<std::unique_ptr<PartitionWriter>> writers;
  for (int32_t i = 0; i < keys.partitions; ++i) writers.push_back(std::make_unique<PartitionWriter>(target));
  const size_t key_column = std::max<size_t>(1, fragment->output.size());
  std::vector<std::vector<uint32_t>> selections(writers.size());
  int64_t group = -1;
  size_t group_writer = 0;
  const auto add_groups = [&](duckdb_data_chunk chunk, const std::vector<SourceType>& sources) -> Status {
    const auto* partition = values_of<int32_t>(chunk, key_column);
    const auto* groups = values_of<int64_t>(chunk, key_column + 1);
    const auto* sides =
        keys.side_column < 0 ? nullptr : values_of<int32_t>(chunk, static_cast<size_t>(keys.side_column));
    const int64_t count = all_rows(chunk).count;
    for (int64_t begin = 0; begin < count;) {
      int64_t end = begin;
      while (end < count && groups[end] == groups[begin]) ++end;
      const bool begins_key = groups[begin] != group;
      if (begins_key) {
        if (group >= 0 && target.wants(group_writer))
          RETURN_IF_ERROR(writers[group_writer]->end_streams_of_key());
        group = groups[begin];
        group_writer = static_cast<size_t>(partition[begin]);
      }
      if (target.wants(group_writer)) {
        RETURN_IF_ERROR(
            writers[group_writer]->add(chunk, sources, {begin, end - begin, nullptr}, begins_key, sides));
      }
      begin = end;
    }
    return Status();
  };
  const auto add_rows = [&](duckdb_data_chunk chunk, const std::vector<SourceType>& sources) -> Status {
    const auto* partition = values_of<int32_t>(chunk, key_column);
    const int64_t count = all_rows(chunk).count;
    for (auto& selection : selections) selection.clear();
    for (int64_t row = 0; row < count; ++row)
      selections[static_cast<size_t>(partition[row])].push_back(static_cast<uint32_t>(row));
    for (size_t i = 0; i < writers.size(); ++i) {
      if (selections[i].empty() || !target.wants(i)) continue;
      RETURN_IF_ERROR(writers[i]->add(chunk, sources,
                                      {0, static_cast<int64_t>(selections[i].size()), selections[i].data()}));
    }
    return Status();
  };
  RETURN_IF_ERROR(
      run_fragment(parts, fragment, context, &keys, cancel,
                   [&](duckdb_data_chunk chunk, const std::vector<SourceType>& sources) -> Status {
                     return keys.ordered_by_group ? add_groups(chunk, sources) : add_rows(chunk, sources);
                   }));
  if (keys.ordered_by_group && group >= 0 && target.wants(group_writer))
    RETURN_IF_ERROR(writers[group_writer]->end_streams_of_key());
  Collector collector(std::vector<size_t>(writers.size(), 1), target, sink);
  for (size_t i = 0; i < writers.size(); ++i) {
    if (!target.wants(i)) continue;
    RETURN_IF_ERROR(keys.ordered_by_group ? writers[i]->end_streams_of_all_keys()
                                          : writers[i]->end_streams());
    RETURN_IF_ERROR(collector.add_whole(i, writers[i]->take(), cancel));
  }
  return collector.take();
}

// Runs `inner` into shared memory and puts a scan of that in its place. The scan keeps the columns' ids, so
// that `outer`, a chain of row-wise steps over `inner`, stays as it is.
RelationPtr replace_input(const RelationPtr& outer, const RelationPtr& inner, const RelationPtr& scan) {
  if (outer == inner) return scan;
  const auto rebuild = [&](auto node) {
    node.input = replace_input(node.input, inner, scan);
    return plan::resolved::make_relation(std::move(node), outer->output, outer->partitions);
  };
  if (const auto* project = as<plan::resolved::Project>(outer)) return rebuild(*project);
  if (const auto* filter = as<plan::resolved::Filter>(outer)) return rebuild(*filter);
  if (const auto* generate = as<plan::resolved::Generate>(outer)) return rebuild(*generate);
  if (const auto* sort = as<Sort>(outer)) return rebuild(*sort);
  return outer;
}

// The relation whose rows must meet, below a chain of steps that look at a row, or a partition, alone.
RelationPtr base_of(const RelationPtr& fragment) {
  RelationPtr base = fragment;
  while (is_partition_wise(*base)) base = inputs_of(*base).front();
  return base;
}

RelationPtr temporary_scan(const RelationPtr& of) {
  ExchangeScan scan;
  scan.exchange_id = kTemporaryExchange;
  for (size_t i = 0; i < of->output.size(); ++i) scan.columns.push_back(static_cast<int32_t>(i));
  return plan::resolved::make_relation(std::move(scan), of->output);
}

Result<KeyColumns> key_columns(const RelationPtr& fragment, const MaterializeRequest& request,
                               const RunContext& context) {
  KeyColumns keys;
  keys.partitions = request.partitions > 0 ? request.partitions : partitions_of_whole(fragment, context);
  keys.ordered_by_group = request.stream_per_key;
  keys.side_column = request.side_column;
  const auto reference = [&](plan::resolved::ColumnId id) -> Result<ExpressionPtr> {
    const auto column = std::find_if(fragment->output.begin(), fragment->output.end(),
                                     [&](const Column& candidate) { return candidate.id == id; });
    if (column == fragment->output.end()) return internal_error("a key is not in the fragment's output");
    return plan::resolved::make_expression(plan::resolved::ColumnReference{id}, column->type,
                                           column->nullable);
  };
  for (const plan::resolved::ColumnId id : request.keys) {
    ASSIGN_OR_RETURN(keys.keys.emplace_back(), reference(id));
  }
  for (const plan::resolved::ColumnId id : request.order) {
    ASSIGN_OR_RETURN(keys.order.emplace_back(), reference(id));
  }
  return keys;
}

class Materializer {
 public:
  Materializer(const EngineParts& parts, std::shared_ptr<exchange::SharedMemory> memory,
               const RunContext& context, const MaterializeRequest& request, CancelToken& cancel)
      : parts_(parts), memory_(std::move(memory)), context_(context), request_(request), cancel_(cancel) {}

  Result<exchange::StageOutputPtr> run(const RelationPtr& fragment) {
    ASSIGN_OR_RETURN(const Target target, make_target(memory_, fragment, context_, request_));
    ASSIGN_OR_RETURN(std::vector<Partition> partitions, make(fragment, target));
    auto output = std::make_shared<StageOutput>();
    output->groups = column_groups(target);
    output->partitions = std::move(partitions);
    return exchange::StageOutputPtr(std::move(output));
  }

  // The ways of make() in which a partition's rows do not depend on the order in which rows come.
  Result<bool> makes_singly(const RelationPtr& fragment) const {
    if (request_.distribution != Distribution::kAsPlanned) return true;
    ASSIGN_OR_RETURN(const std::optional<Cutting> cutting, cut_fragment(fragment, context_, parts_.files));
    if (cutting.has_value()) return true;
    const RelationPtr base = base_of(fragment);
    if (is_union(base)) {
      const auto* set = as<plan::resolved::SetOperation>(base);
      for (const RelationPtr& side : {set->left, set->right}) {
        ASSIGN_OR_RETURN(const bool singly,
                         makes_singly(replace_input(fragment, base, as_side(side, base->output))));
        if (!singly) return false;
      }
      return true;
    }
    const auto* repartition = as<Repartition>(base);
    if (repartition != nullptr && !repartition->shuffle && base->partitions > 1)
      return makes_singly(repartition->input);
    if (count_partitions(fragment, repartition) == 1) return true;
    return repartition != nullptr && !repartition->keys.empty();
  }

 private:
  Result<std::vector<Partition>> make(const RelationPtr& fragment, const Target& target) {
    const PartitionSink& sink = request_.sink;
    if (request_.distribution == Distribution::kSingle)
      return run_single(parts_, fragment, context_, target, sink, cancel_);
    if (request_.distribution == Distribution::kHash) {
      ASSIGN_OR_RETURN(const KeyColumns keys, key_columns(fragment, request_, context_));
      return run_hashed(parts_, fragment, context_, keys, target, sink, cancel_);
    }
    ASSIGN_OR_RETURN(const std::optional<Cutting> cutting, cut_fragment(fragment, context_, parts_.files));
    if (cutting.has_value()) {
      ASSIGN_OR_RETURN(auto views, view(fragment, *cutting, target));
      if (views.has_value()) return hand_out(std::move(*views), target, sink);
      return run_cuts(parts_, fragment, context_, *cutting, target, sink, cancel_);
    }
    const RelationPtr base = base_of(fragment);
    if (is_union(base)) return run_union(fragment, base, target);
    const auto* repartition = as<Repartition>(base);
    if (repartition != nullptr && !repartition->shuffle && base->partitions > 1)
      return run_over(fragment, base, repartition->input, target);
    const int32_t partitions = count_partitions(fragment, repartition);
    if (partitions == 1) return run_single(parts_, fragment, context_, target, sink, cancel_);
    if (repartition != nullptr && base != fragment) return run_over(fragment, base, base, target);
    if (repartition != nullptr && !repartition->keys.empty()) {
      // The keys are written over the input's columns, which are this relation's own.
      return run_hashed(parts_, fragment, context_, {repartition->keys, partitions, false}, target, sink,
                        cancel_);
    }
    if (as<Sort>(base) != nullptr || (request_.keeps_order && repartition == nullptr))
      return run_in_order(fragment, partitions, target);
    return run_dealt(parts_, fragment, context_, partitions, target, sink, cancel_);
  }

  Result<std::optional<std::vector<Partition>>> view(const RelationPtr& fragment, const Cutting& cutting,
                                                     const Target& target) const {
    if (!request_.takes_views || target.groups.size() != 1) return std::optional<std::vector<Partition>>();
    const GroupFormat& group = target.groups[0];
    exchange::StreamViews views(memory_, context_.owner, group.format, target.stream_options);
    return view_partitions(fragment, cutting, context_, group.columns, views);
  }

  Result<std::vector<Partition>> hand_out(std::vector<Partition> partitions, const Target& target,
                                          const PartitionSink& sink) const {
    Collector collector(std::vector<size_t>(partitions.size(), 1), target, sink);
    for (size_t i = 0; i < partitions.size(); ++i) {
      if (cancel_.cancelled()) return cancelled();
      if (!target.wants(i)) continue;
      RETURN_IF_ERROR(collector.add_whole(i, std::move(partitions[i]), cancel_));
    }
    return collector.take();
  }

  static bool is_union(const RelationPtr& relation) {
    const auto* set = as<plan::resolved::SetOperation>(relation);
    return set != nullptr && set->type == plan::SetOperationType::kUnion && set->is_all;
  }

  int32_t count_partitions(const RelationPtr& fragment, const Repartition* repartition) const {
    if (request_.partitions > 0) return request_.partitions;
    const bool is_asked_for = repartition != nullptr && !repartition->is_adaptive;
    return request_.merges_shuffles && !is_asked_for ? 1 : partitions_of_whole(fragment, context_);
  }

  // One side of a union, with the columns of the whole.
  static RelationPtr as_side(const RelationPtr& side, const plan::resolved::Columns& output) {
    plan::resolved::Expressions columns;
    for (const Column& column : side->output) {
      columns.push_back(plan::resolved::make_expression(plan::resolved::ColumnReference{column.id},
                                                        column.type, column.nullable));
    }
    return plan::resolved::make_relation(plan::resolved::Project{side, std::move(columns)}, output,
                                         side->partitions);
  }

  // The partitions of one side, then those of the other.
  Result<std::vector<Partition>> run_union(const RelationPtr& fragment, const RelationPtr& base,
                                           const Target& target) {
    std::vector<Partition> partitions;
    const auto* set = as<plan::resolved::SetOperation>(base);
    bool waits = static_cast<bool>(request_.sink.wait_for_room);
    if (waits) {
      ASSIGN_OR_RETURN(waits, makes_singly(fragment));
    }
    for (const RelationPtr& side : {set->left, set->right}) {
      MaterializeRequest request = request_;
      const auto before = static_cast<int32_t>(partitions.size());
      Target of_side = target;
      if (target.only) of_side.only = [&, before](int32_t index) { return target.only(before + index); };
      if (request_.sink.begin) {
        request.sink.begin = [&, before](int32_t index, const CancelToken& stop) {
          return request_.sink.begin(before + index, stop);
        };
      }
      request.sink.wait_for_room = nullptr;
      if (waits) {
        request.sink.wait_for_room = [&, before](int32_t index, const std::function<uint64_t()>& waiting,
                                                 bool makes_whole, const CancelToken& stop) {
          return request_.sink.wait_for_room(before + index, waiting, makes_whole, stop);
        };
      }
      if (request_.sink.add) {
        request.sink.add = [&, before](int32_t index, const Partition& streams, bool is_complete) {
          return request_.sink.add(before + index, streams, is_complete);
        };
      }
      ASSIGN_OR_RETURN(std::vector<Partition> made,
                       Materializer(parts_, memory_, context_, request, cancel_)
                           .make(replace_input(fragment, base, as_side(side, base->output)), of_side));
      std::move(made.begin(), made.end(), std::back_inserter(partitions));
    }
    return partitions;
  }

  // Partitions that are runs of the plan's order: the rows must be counted before they are cut.
  Result<std::vector<Partition>> run_in_order(const RelationPtr& fragment, int32_t partitions,
                                              const Target& target) {
    MaterializeRequest whole;
    whole.distribution = Distribution::kSingle;
    ASSIGN_OR_RETURN(exchange::StageOutputPtr sorted,
                     Materializer(parts_, memory_, context_, whole, cancel_).run(fragment));
    const int64_t rows = sorted->partitions[0][0][0].rows;
    const RelationPtr scan = temporary_scan(fragment);
    RunContext context = context_;
    context.inputs[kTemporaryExchange] = std::move(sorted);
    PartitionSink sink = request_.sink;
    sink.wait_for_room = nullptr;  // all of it has been made
    Cutting cutting{scan.get(), {}};
    for (int64_t i = 0; i < partitions; ++i) {
      LeafCut cut;
      cut.first_row = i * rows / partitions;
      cut.row_count = (i + 1) * rows / partitions - cut.first_row;
      cutting.cuts.push_back(std::move(cut));
    }
    return run_cuts(parts_, scan, context, cutting, target, sink, cancel_);
  }

  // `inner`, which is `base` or its input, is run by itself; the steps above it then run partition by
  // partition.
  Result<std::vector<Partition>> run_over(const RelationPtr& fragment, const RelationPtr& base,
                                          const RelationPtr& inner, const Target& target) {
    MaterializeRequest request;
    request.merges_shuffles = request_.merges_shuffles;
    request.keeps_order = request_.keeps_order;
    ASSIGN_OR_RETURN(exchange::StageOutputPtr made,
                     Materializer(parts_, memory_, context_, request, cancel_).run(inner));
    RunContext context = context_;
    context.inputs[kTemporaryExchange] = std::move(made);
    RelationPtr read = temporary_scan(inner);
    if (inner != base)
      read =
          plan::resolved::make_relation(Repartition{read, {}, false, false}, base->output, base->partitions);
    const RelationPtr rest = replace_input(fragment, base, read);
    ASSIGN_OR_RETURN(const std::optional<Cutting> cutting, cut_fragment(rest, context, parts_.files));
    if (!cutting.has_value()) return internal_error("a chain of row-wise steps cannot be cut");
    PartitionSink sink = request_.sink;
    sink.wait_for_room = nullptr;
    return run_cuts(parts_, rest, context, *cutting, target, sink, cancel_);
  }

  EngineParts parts_;
  std::shared_ptr<exchange::SharedMemory> memory_;
  const RunContext& context_;
  const MaterializeRequest& request_;
  CancelToken& cancel_;
};

}  // namespace

Result<exchange::StageOutputPtr> materialize(const EngineParts& parts,
                                             const std::shared_ptr<exchange::SharedMemory>& memory,
                                             const RelationPtr& fragment, const RunContext& context,
                                             const MaterializeRequest& request, CancelToken& cancel) {
  return Materializer(parts, memory, context, request, cancel).run(fragment);
}

Result<bool> makes_partitions_singly(const EngineParts& parts, const RelationPtr& fragment,
                                     const RunContext& context, const MaterializeRequest& request) {
  CancelToken never;
  return Materializer(parts, nullptr, context, request, never).makes_singly(fragment);
}

Result<int32_t> partition_count(const EngineParts& parts, const RelationPtr& fragment,
                                const RunContext& context) {
  ASSIGN_OR_RETURN(const std::optional<Cutting> cutting, cut_fragment(fragment, context, parts.files));
  if (cutting.has_value()) return static_cast<int32_t>(cutting->cuts.size());
  return partitions_of_whole(fragment, context);
}

}  // namespace deuteron::relational
