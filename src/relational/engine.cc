#include "relational/engine.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "exchange/stream_writer.h"
#include "relational/database.h"
#include "relational/file_source.h"
#include "relational/fragment_run.h"
#include "relational/materialize.h"
#include "relational/scan_function.h"
#include "relational/writing.h"

namespace deuteron::relational {

namespace {

using exchange::StreamFormat;
using exchange::StreamFormatPtr;
using plan::resolved::RelationPtr;

// What a client gets at once: a stream of one batch, whose slab is free again when the client has it.
constexpr exchange::StreamWriterOptions kClientStreams{.rows_per_batch = int64_t{1} << 20,
                                                       .bytes_per_batch = uint64_t{4} << 20,
                                                       .packed_bytes = 0,
                                                       .use = exchange::SlabUse::kClient,
                                                       .empty_batch = true};

bool reads_all_first(const plan::resolved::Relation& relation);

class DuckEngine : public Engine {
 public:
  DuckEngine(std::unique_ptr<Database> database, std::shared_ptr<exchange::SharedMemory> memory)
      : database_(std::move(database)), memory_(std::move(memory)), files_(*database_) {}

  Status start() {
    ASSIGN_OR_RETURN(const Connection connection, database_->connect());
    RETURN_IF_ERROR(register_scan_function(connection.handle(), scans_));
    return register_sink_function(connection.handle(), sinks_);
  }

  Status query(const RelationPtr& fragment, const RunContext& context, const BatchSink& sink,
               CancelToken& cancel) override;
  Result<exchange::StageOutputPtr> materialize(const RelationPtr& fragment, const RunContext& context,
                                               const MaterializeRequest& request,
                                               CancelToken& cancel) override {
    return relational::materialize(parts(), memory_, fragment, context, request, cancel);
  }
  Result<bool> makes_partitions_singly(const RelationPtr& fragment, const RunContext& context,
                                       const MaterializeRequest& request) override {
    return relational::makes_partitions_singly(parts(), fragment, context, request);
  }
  Result<int32_t> partition_count(const RelationPtr& fragment, const RunContext& context) override {
    return relational::partition_count(parts(), fragment, context);
  }
  Result<std::vector<TextRow>> collect_text(const RelationPtr& fragment, const RunContext& context,
                                            int64_t limit, CancelToken& cancel) override;
  Status write(const RelationPtr& fragment, const RunContext& context, const WriteRequest& request,
               CancelToken& cancel) override {
    return write_files(parts(), fragment, context, request, cancel);
  }
  Result<std::string> explain(const RelationPtr& fragment, const RunContext& context) override {
    ASSIGN_OR_RETURN(const auto run, FragmentRun::make(parts(), fragment, context, {}, nullptr, false,
                                                       reads_all_first(*fragment)));
    return run->sql();
  }
  catalog::FileSchemaReader& files() override { return files_; }

 private:
  // `needs_wide_decimals`: nothing was sent, and the fragment must be run without narrow decimals.
  Status query_once(const RelationPtr& fragment, const RunContext& context, const BatchSink& sink,
                    CancelToken& cancel, bool narrow_decimals, bool& needs_wide_decimals);
  EngineParts parts() { return {*database_, scans_, sinks_, files_}; }

  std::unique_ptr<Database> database_;
  std::shared_ptr<exchange::SharedMemory> memory_;
  ScanRegistry scans_;
  SinkRegistry sinks_;
  FileSources files_;
};

// Whether no row comes out before all input has been read: then a run that fails can be made again with other
// text.
bool reads_all_first(const plan::resolved::Relation& relation) {
  using namespace plan::resolved;
  if (std::holds_alternative<Aggregate>(relation.node) || std::holds_alternative<Sort>(relation.node))
    return true;
  if (const auto* project = std::get_if<Project>(&relation.node)) return reads_all_first(*project->input);
  if (const auto* filter = std::get_if<Filter>(&relation.node)) return reads_all_first(*filter->input);
  if (const auto* limit = std::get_if<Limit>(&relation.node)) return reads_all_first(*limit->input);
  if (const auto* with = std::get_if<WithCte>(&relation.node)) return reads_all_first(*with->body);
  return false;
}

Status DuckEngine::query(const RelationPtr& fragment, const RunContext& context, const BatchSink& sink,
                         CancelToken& cancel) {
  if (reads_all_first(*fragment)) {
    bool needs_wide_decimals = false;
    Status status = query_once(fragment, context, sink, cancel, true, needs_wide_decimals);
    if (!needs_wide_decimals) return status;
  }
  bool again = false;
  return query_once(fragment, context, sink, cancel, false, again);
}

Status DuckEngine::query_once(const RelationPtr& fragment, const RunContext& context, const BatchSink& sink,
                              CancelToken& cancel, bool narrow_decimals, bool& needs_wide_decimals) {
  ASSIGN_OR_RETURN(
      const StreamFormatPtr format,
      StreamFormat::make(to_schema(fragment->output), exchange::Layout::kFlat, context.time_zone));
  ASSIGN_OR_RETURN(const auto run,
                   FragmentRun::make(parts(), fragment, context, {}, nullptr, false, narrow_decimals));
  ASSIGN_OR_RETURN(const Connection connection, database_->connect());
  Statement statement(connection, cancel, context.on_progress);
  if (!statement.start(run->sql())) {
    needs_wide_decimals = run->uses_narrow_decimals() && !statement.failure().cancelled;
    return needs_wide_decimals ? Status() : run->status_of(statement.failure(), cancel);
  }
  if (statement.columns() < format->schema().size())
    return internal_error("DuckDB gave fewer columns than the plan has");
  exchange::StreamWriter writer(memory_, context.owner, format, kClientStreams);
  bool sent = false;
  const auto send = [&]() -> Status {
    ASSIGN_OR_RETURN(exchange::Stream stream, writer.finish());
    sent = true;
    return sink({stream.rows, std::move(stream.region)});
  };
  while (duckdb_data_chunk chunk = statement.next()) {
    const auto count = static_cast<int64_t>(duckdb_data_chunk_get_size(chunk));
    for (int64_t done = 0; done < count;) {
      if (writer.batch_is_full()) RETURN_IF_ERROR(send());
      ASSIGN_OR_RETURN(const int64_t room, writer.room());
      const int64_t rows = std::min(room, count - done);
      for (size_t i = 0; i < writer.columns().size(); ++i) {
        RETURN_IF_ERROR(append_rows(duckdb_data_chunk_get_vector(chunk, i), statement.source(i),
                                    {done, rows, nullptr}, writer.columns()[i]));
      }
      writer.added(rows);
      done += rows;
    }
  }
  if (statement.failed()) {
    needs_wide_decimals = run->uses_narrow_decimals() && !sent && !statement.failure().cancelled;
    return needs_wide_decimals ? Status() : run->status_of(statement.failure(), cancel);
  }
  return writer.rows() > 0 || !sent ? send() : Status();
}

Result<std::vector<Engine::TextRow>> DuckEngine::collect_text(const RelationPtr& fragment,
                                                              const RunContext& context, int64_t limit,
                                                              CancelToken& cancel) {
  ASSIGN_OR_RETURN(const auto run, FragmentRun::make(parts(), fragment, context));
  ASSIGN_OR_RETURN(const Connection connection, database_->connect());
  Statement statement(connection, cancel);
  if (!statement.start(run->sql())) return run->status_of(statement.failure(), cancel);
  std::vector<TextRow> rows;
  while (duckdb_data_chunk chunk = statement.next()) {
    const idx_t count = duckdb_data_chunk_get_size(chunk);
    for (idx_t row = 0; row < count; ++row) {
      if (limit >= 0 && static_cast<int64_t>(rows.size()) >= limit) return rows;
      TextRow& values = rows.emplace_back();
      for (size_t column = 0; column < fragment->output.size(); ++column) {
        duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, column);
        if (statement.source(column).id != DUCKDB_TYPE_VARCHAR)
          return internal_error("collect_text of a column that is no string");
        uint64_t* validity = duckdb_vector_get_validity(vector);
        if (validity != nullptr && !duckdb_validity_row_is_valid(validity, row)) {
          values.emplace_back();
          continue;
        }
        auto& text = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector))[row];
        values.emplace_back(std::string(duckdb_string_t_data(&text), duckdb_string_t_length(text)));
      }
    }
  }
  if (statement.failed()) return run->status_of(statement.failure(), cancel);
  return rows;
}

}  // namespace

Result<std::unique_ptr<Engine>> make_engine(const EngineOptions& options,
                                            std::shared_ptr<exchange::SharedMemory> memory) {
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::open(options));
  auto engine = std::make_unique<DuckEngine>(std::move(database), std::move(memory));
  RETURN_IF_ERROR(engine->start());
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace deuteron::relational
