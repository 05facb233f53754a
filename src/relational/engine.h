// The embedded relational engine (DuckDB): takes resolved fragments, gives blocks. The only module that sees
// DuckDB. One Engine per process; thread-safe; each call takes connections of its own from a pool and blocks
// until it is done. A fragment is a resolved relation without Python nodes and without ShowString; its leaves
// may be ExchangeScan. A cancelled call returns OPERATION_CANCELED within milliseconds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "catalog/catalog.h"
#include "exchange/block.h"
#include "exchange/shared_memory.h"
#include "exchange/stage_output.h"
#include "plan/resolved.h"

namespace deuteron::relational {

struct EngineOptions {
  int threads = 0;                  // 0: all cores
  uint64_t memory_limit_bytes = 0;  // 0: a share of the machine's memory
  std::string spill_directory;      // exists; "": /tmp
};

// Told the share of the work done, 0 to 1, now and then, by the thread that runs the statement.
using ProgressCallback = std::function<void(double share)>;

// What a run needs beside the fragment.
struct RunContext {
  // By ExchangeScan::exchange_id. Where some of it is lost, a run that reads it ends with STAGE_OUTPUT_LOST;
  // what is lost while the run reads it may also show as another error, or as none (exchange::is_misread).
  std::map<int64_t, exchange::StageOutputPtr> inputs;
  std::map<std::string, std::string>
      settings;  // the session's; only spark.sql.files.* and write settings are read
  std::string time_zone = "UTC";
  int64_t now_micros = 0;           // current_timestamp() of the query
  std::string owner;                // the session: its slabs are never given to another
  int32_t default_parallelism = 1;  // slots; used by Spark's rule that splits files
  ProgressCallback on_progress;     // of query() and write(); may be empty
};

// Called by one thread at a time. May block (back-pressure); an error ends the run with that error.
using BatchSink = std::function<Status(exchange::EncodedBatch)>;

// Hears of partitions while they are made, several at a time. An error ends the run with that error.
struct PartitionSink {
  // Before a partition is begun; may block (back-pressure), but not once `stop` is cancelled. Called by any
  // thread, perhaps more than once for a partition.
  std::function<Status(int32_t index, const CancelToken& stop)> begin;
  // The next streams of a partition that was begun; `is_complete`: there are no more. Called by one thread at
  // a time; must not block.
  std::function<Status(int32_t index, const exchange::Partition& streams, bool is_complete)> add;
  // After streams of a partition were made, by the thread that makes them; may block (back-pressure), but not
  // once `stop` is cancelled. `waiting`: bytes that this thread has made and that cannot be told yet, since
  // the partition's rows before them are being made. `makes_whole`: by this thread alone. Called only where
  // partitions can be made again singly.
  std::function<Status(int32_t index, const std::function<uint64_t()>& waiting, bool makes_whole,
                       const CancelToken& stop)>
      wait_for_room;
  // So many partitions can be under way at once however long they take.
  int32_t at_once = 1;
};

enum class Distribution {
  kAsPlanned,  // what the fragment itself says: its range, files, local rows, Repartition, ExchangeScan
  kSingle,     // one partition, in the plan's order
  kHash,       // rows with equal keys in one partition; needs `partitions`
};

// Columns that go into streams of their own.
struct ColumnGroupRequest {
  std::vector<int32_t> columns;  // positions in the fragment's output
  exchange::Layout layout = exchange::Layout::kFlat;
  std::vector<std::string> names;  // in the Arrow schema; empty: as the fragment's output says
  // With stream_per_key:
  bool one_row_per_key = false;  // the first row of each key, all in one stream
  int32_t side = -1;             // only the rows with this number in side_column; -1: all
};

struct MaterializeRequest {
  Distribution distribution = Distribution::kAsPlanned;
  int32_t partitions = 0;                      // 0: as the fragment says
  std::vector<plan::resolved::ColumnId> keys;  // of kHash: columns of the fragment's output
  // A shuffle whose number of partitions nobody asked for gives one, as Spark's adaptive execution does when
  // there are few rows.
  bool merges_shuffles = false;
  bool keeps_order = false;     // kAsPlanned: one partition after the other, rows are in the plan's order
  bool stream_per_key = false;  // kHash: each set of rows with equal keys is an Arrow stream of its own
  std::vector<plan::resolved::ColumnId> order;  // of rows with equal keys, with stream_per_key
  int32_t side_column = -1;                     // an integer column that tells which side a row is of
  std::vector<ColumnGroupRequest> groups;       // empty: one group of all columns, kFlat
  int64_t max_rows_per_batch = 0;               // 0: 131,072
  uint64_t max_bytes_per_batch = 0;             // about; 0 or more than 8 MiB: that
  PartitionSink sink;                           // its functions may be empty
  // Of these partitions alone: the others are empty in the answer and are not told. Where partitions can be
  // made singly; empty: of all.
  std::function<bool(int32_t index)> only;
  bool hands_over = false;   // the sink alone keeps the partitions: those of the answer are empty
  bool takes_views = false;  // streams may be views (exchange/stream_view.h): nothing scans the answer
};

struct WriteRequest {
  std::string format;  // parquet, csv, json
  std::string path;
  plan::SaveMode mode = plan::SaveMode::kErrorIfExists;
  plan::Names partition_by;
  plan::Options options;
};

class Engine {
 public:
  virtual ~Engine() = default;

  // Runs the fragment and hands its rows to `sink` in the plan's order, at least one batch (of 0 rows when
  // there is none). Memory is bounded: the next batch is made when the sink has returned.
  virtual Status query(const plan::resolved::RelationPtr& fragment, const RunContext& context,
                       const BatchSink& sink, CancelToken& cancel) = 0;

  // Runs the fragment into shared memory. Partitions are made several at a time where the fragment can be
  // cut.
  virtual Result<exchange::StageOutputPtr> materialize(const plan::resolved::RelationPtr& fragment,
                                                       const RunContext& context,
                                                       const MaterializeRequest& request,
                                                       CancelToken& cancel) = 0;

  // Whether a partition of that can be made again by itself: the rows that lie in it follow from the plan.
  // They do not where rows are dealt out as they come, or cut after they were ordered.
  virtual Result<bool> makes_partitions_singly(const plan::resolved::RelationPtr& fragment,
                                               const RunContext& context,
                                               const MaterializeRequest& request) = 0;

  // How many partitions materialize(kAsPlanned) makes of this fragment.
  virtual Result<int32_t> partition_count(const plan::resolved::RelationPtr& fragment,
                                          const RunContext& context) = 0;

  // At most `limit` rows (-1: all) of a fragment whose columns are strings, for show(); null where nullopt.
  using TextRow = std::vector<std::optional<std::string>>;
  virtual Result<std::vector<TextRow>> collect_text(const plan::resolved::RelationPtr& fragment,
                                                    const RunContext& context, int64_t limit,
                                                    CancelToken& cancel) = 0;

  // Writes files into a staging folder, which then takes its place (see writing.h).
  virtual Status write(const plan::resolved::RelationPtr& fragment, const RunContext& context,
                       const WriteRequest& request, CancelToken& cancel) = 0;

  // The SQL text that query() would run.
  virtual Result<std::string> explain(const plan::resolved::RelationPtr& fragment,
                                      const RunContext& context) = 0;

  // Lives as long as the engine.
  virtual catalog::FileSchemaReader& files() = 0;
};

// Project, Filter or Generate without anything that looks at other rows.
bool is_row_wise(const plan::resolved::Relation& relation);

// `memory` holds what materialize() makes; it outlives the engine.
Result<std::unique_ptr<Engine>> make_engine(const EngineOptions& options,
                                            std::shared_ptr<exchange::SharedMemory> memory);

}  // namespace deuteron::relational
