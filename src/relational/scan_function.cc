#include "relational/scan_function.h"

#include <nanoarrow/nanoarrow.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>

#include "exchange/arrow_schema.h"
#include "exchange/integrity.h"
#include "exchange/stream_reader.h"
#include "relational/arrow_to_vector.h"

namespace deuteron::relational {

namespace {

using exchange::BatchDecoder;
using exchange::Layout;
using exchange::StreamReader;
using types::DataType;

constexpr int64_t kRowsPerUnit = 131072;

// A stream that has been opened, and how its columns are read.
struct OpenStream {
  OpenStream(StreamReader its_reader, Layout its_layout, const exchange::Stream* its_origin)
      : reader(std::move(its_reader)), layout(its_layout), origin(its_origin) {}

  // By the first thread that reads a row of it, so that threads verify streams side by side.
  Status verify() const {
    std::call_once(once, [this] { found = origin == nullptr ? Status() : exchange::verify(*origin); });
    return found;
  }

  StreamReader reader;
  Layout layout = Layout::kFlat;
  std::vector<ArrowSource> columns;
  const exchange::Stream* origin;
  mutable std::once_flag once;
  mutable Status found;
};

// Rows of one record batch.
struct Piece {
  const OpenStream* stream = nullptr;
  size_t batch = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

// What a thread takes at once: for each column group that is read the same rows.
using Unit = std::vector<std::vector<Piece>>;

struct Projected {
  size_t group = 0;   // index into the groups that are read
  size_t column = 0;  // within the group
  const types::StructField* field = nullptr;
  bool is_checked = false;  // a function's result that may not be null, or has parts that may not be
  idx_t output = 0;
};

struct GlobalState {
  ScanSourcePtr source;
  std::vector<Projected> columns;
  std::vector<std::unique_ptr<OpenStream>> streams;
  std::vector<Unit> units;
  std::atomic<size_t> next_unit{0};
};

// Walks the pieces of one column group.
struct Cursor {
  const std::vector<Piece>* pieces = nullptr;
  size_t piece = 0;
  int64_t row = 0;
  const OpenStream* stream = nullptr;  // that `decoder` reads
  std::optional<BatchDecoder> decoder;
  const ArrowArrayView* batch = nullptr;

  void start(const std::vector<Piece>& all) {
    pieces = &all;
    piece = 0;
    batch = nullptr;
  }
  const Piece& current() const { return (*pieces)[piece]; }
  bool at_end() const { return piece >= pieces->size(); }
  int64_t remaining() const { return current().end - row; }

  // Decodes the current piece's batch when that has not been done.
  Status prepare() {
    if (batch != nullptr || at_end()) return Status();
    if (stream != current().stream) {
      RETURN_IF_ERROR(current().stream->verify());
      ASSIGN_OR_RETURN(decoder, BatchDecoder::make(current().stream->reader));
      stream = current().stream;
    }
    ASSIGN_OR_RETURN(batch, decoder->decode(current().batch));
    row = current().begin;
    return Status();
  }
  void advance(int64_t rows) {
    row += rows;
    if (row < current().end) return;
    ++piece;
    batch = nullptr;
  }
};

struct LocalState {
  std::vector<Cursor> cursors;
  bool has_unit = false;
};

struct BindData {
  ScanSourcePtr source;
};

template <typename T>
void destroy(void* object) {
  delete static_cast<T*>(object);
}

std::string type_list(const types::Schema& schema) { return DataType::structure(schema).simple_string(); }

Status mismatch(const ScanSource::Group& group, const std::string& actual) {
  return error("ARROW_TYPE_MISMATCH", {{"operation", "an Arrow stream"},
                                       {"outputTypes", type_list(group.schema)},
                                       {"actualDataTypes", actual}});
}

// The schema whose children are the group's columns.
Result<const ArrowSchema*> column_parent(const ArrowSchema& schema, const ScanSource::Group& group) {
  if (group.layout == Layout::kFlat) return &schema;
  if (schema.n_children != 1) return mismatch(group, std::to_string(schema.n_children) + " columns");
  return schema.children[0];
}

Result<std::unique_ptr<OpenStream>> parse_stream(const ScanSource::Bytes& bytes,
                                                 const ScanSource::Group& group) {
  ASSIGN_OR_RETURN(StreamReader reader, StreamReader::open(bytes.stream));
  ASSIGN_OR_RETURN(const ArrowSchema* parent, column_parent(reader.schema(), group));
  ASSIGN_OR_RETURN(const DataType actual_type, exchange::from_arrow(*parent));
  if (!actual_type.is(types::TypeId::kStruct)) return mismatch(group, actual_type.simple_string());
  const types::Schema& actual = actual_type.fields();
  // As Spark does, columns of a function's result beyond the declared ones are not looked at.
  bool fits = group.layout == Layout::kFlat ? actual.size() == group.schema.size()
                                            : actual.size() >= group.schema.size();
  for (size_t i = 0; fits && i < group.schema.size(); ++i)
    fits = stands_for(actual[i].type, group.schema[i].type);
  if (!fits) return mismatch(group, type_list(actual));
  auto stream = std::make_unique<OpenStream>(std::move(reader), group.layout, bytes.origin);
  for (size_t i = 0; i < group.schema.size(); ++i) {
    ASSIGN_OR_RETURN(ArrowSource column, ArrowSource::of(*parent->children[i]));
    stream->columns.push_back(std::move(column));
  }
  return stream;
}

Result<std::unique_ptr<OpenStream>> open_stream(const ScanSource::Bytes& bytes,
                                                const ScanSource::Group& group) {
  auto stream = parse_stream(bytes, group);
  // What is damaged may look like anything.
  if (!stream.ok() && bytes.origin != nullptr) RETURN_IF_ERROR(exchange::verify(*bytes.origin));
  return stream;
}

// All rows of a column group of a partition, as pieces in order.
Result<std::vector<Piece>> open_group(GlobalState& state, const std::vector<ScanSource::Bytes>& streams,
                                      const ScanSource::Group& group) {
  std::vector<Piece> pieces;
  for (const ScanSource::Bytes& bytes : streams) {
    if (bytes.stream.empty()) continue;
    ASSIGN_OR_RETURN(std::unique_ptr<OpenStream> stream, open_stream(bytes, group));
    for (size_t batch = 0; batch < stream->reader.batches(); ++batch) {
      const int64_t rows = stream->reader.rows_of(batch);
      if (rows > 0) pieces.push_back({stream.get(), batch, 0, rows});
    }
    state.streams.push_back(std::move(stream));
  }
  return pieces;
}

int64_t count_rows(const std::vector<Piece>& pieces) {
  int64_t rows = 0;
  for (const Piece& piece : pieces) rows += piece.end - piece.begin;
  return rows;
}

// A single column group can be cut anywhere: pieces of at most kRowsPerUnit rows, within the rows that were
// asked for.
void add_single_group_units(GlobalState& state, const std::vector<Piece>& pieces) {
  const ScanSource& source = *state.source;
  const int64_t first = source.first_row;
  const int64_t last = source.row_count < 0 ? INT64_MAX : first + source.row_count;
  int64_t position = 0;
  for (const Piece& piece : pieces) {
    const int64_t begin = std::max(piece.begin, first - position + piece.begin);
    const int64_t end = std::min(piece.end, last == INT64_MAX ? piece.end : last - position + piece.begin);
    for (int64_t row = begin; row < end; row += kRowsPerUnit) {
      Piece part = piece;
      part.begin = row;
      part.end = std::min(end, row + kRowsPerUnit);
      state.units.push_back({{part}});
    }
    position += piece.end - piece.begin;
  }
}

Status make_units(GlobalState& state, const std::vector<size_t>& groups) {
  const ScanSource& source = *state.source;
  for (const auto& partition : source.partitions) {
    Unit unit;
    for (const size_t group : groups) {
      ASSIGN_OR_RETURN(std::vector<Piece> pieces, open_group(state, partition[group], source.groups[group]));
      if (!unit.empty() && count_rows(pieces) != count_rows(unit.front())) {
        return internal_error("column groups of one partition have different numbers of rows");
      }
      unit.push_back(std::move(pieces));
    }
    if (groups.size() == 1) {
      add_single_group_units(state, unit.front());
    } else if (!unit.front().empty()) {
      state.units.push_back(std::move(unit));
    }
  }
  return Status();
}

// What lies below a null is not looked at: it may be anything.
bool has_forbidden_null(const ArrowArrayView& array, const DataType& type, bool nullable) {
  if (array.null_count != 0) return !nullable && array.length > 0;
  switch (type.id()) {
    case types::TypeId::kArray:
      return has_forbidden_null(*array.children[0], type.element(), type.contains_null());
    case types::TypeId::kMap:
      return has_forbidden_null(*array.children[0]->children[1], type.value(), type.contains_null());
    case types::TypeId::kStruct:
      for (size_t i = 0; i < type.fields().size(); ++i) {
        const types::StructField& field = type.fields()[i];
        if (has_forbidden_null(*array.children[i], field.type, field.nullable)) return true;
      }
      return false;
    default: return false;
  }
}

Result<std::unique_ptr<GlobalState>> make_global_state(const ScanSourcePtr& source,
                                                       const std::vector<idx_t>& columns) {
  auto state = std::make_unique<GlobalState>();
  state->source = source;
  std::vector<size_t> groups;  // those that are read
  for (idx_t output = 0; output < columns.size(); ++output) {
    size_t column = columns[output];
    size_t group = 0;
    while (group < source->groups.size() && column >= source->groups[group].schema.size()) {
      column -= source->groups[group].schema.size();
      ++group;
    }
    if (group == source->groups.size()) continue;  // a row number that nobody looks at: count(*)
    auto place = std::find(groups.begin(), groups.end(), group);
    if (place == groups.end()) place = groups.insert(groups.end(), group);
    const types::StructField& field = source->groups[group].schema[column];
    const bool is_checked = source->groups[group].is_of_function && has_required_part(field);
    state->columns.push_back(
        {static_cast<size_t>(place - groups.begin()), column, &field, is_checked, output});
  }
  if (groups.empty() && !source->groups.empty()) groups.push_back(0);
  RETURN_IF_ERROR(make_units(*state, groups));
  return state;
}

bool take_unit(GlobalState& global, LocalState& local) {
  const size_t index = global.next_unit.fetch_add(1);
  if (index >= global.units.size()) return false;
  const Unit& unit = global.units[index];
  local.cursors.resize(unit.size());
  for (size_t i = 0; i < unit.size(); ++i) local.cursors[i].start(unit[i]);
  local.has_unit = true;
  return true;
}

Status write_columns(const GlobalState& global, const LocalState& local, int64_t rows,
                     duckdb_data_chunk chunk, int64_t target) {
  for (const Projected& column : global.columns) {
    const Cursor& cursor = local.cursors[column.group];
    const ArrowArrayView* parent =
        cursor.stream->layout == Layout::kFlat ? cursor.batch : cursor.batch->children[0];
    const ArrowArrayView& array = *parent->children[column.column];
    const types::StructField& field = *column.field;
    if (column.is_checked && has_forbidden_null(array, field.type, field.nullable))
      return error("NOT_NULL_ASSERT_VIOLATION", {{"walkedTypePath", field.name}});
    RETURN_IF_ERROR(write_rows(array, cursor.stream->columns[column.column], cursor.row, rows, field.type,
                               duckdb_data_chunk_get_vector(chunk, column.output), target));
  }
  return Status();
}

// Fills the chunk; 0 rows at the end of the scan.
Result<int64_t> fill(GlobalState& global, LocalState& local, duckdb_data_chunk chunk) {
  const auto capacity = static_cast<int64_t>(duckdb_vector_size());
  int64_t filled = 0;
  while (filled < capacity) {
    if (local.has_unit && local.cursors.front().at_end()) local.has_unit = false;
    if (!local.has_unit && !take_unit(global, local)) break;
    int64_t rows = capacity - filled;
    for (Cursor& cursor : local.cursors) {
      if (cursor.at_end())
        return internal_error("column groups of one partition have different numbers of rows");
      RETURN_IF_ERROR(cursor.prepare());
      rows = std::min(rows, cursor.remaining());
    }
    RETURN_IF_ERROR(write_columns(global, local, rows, chunk, filled));
    for (Cursor& cursor : local.cursors) cursor.advance(rows);
    filled += rows;
  }
  return filled;
}

// What DuckDB calls must not throw.
template <typename Action>
Status guarded(Action&& action) {
  try {
    return action();
  } catch (const std::exception& failure) {
    return internal_error(std::string("scan: ") + failure.what());
  }
}

void bind_scan(duckdb_bind_info info) {
  duckdb_value parameter = duckdb_bind_get_parameter(info, 0);
  const int64_t handle = duckdb_get_int64(parameter);
  duckdb_destroy_value(&parameter);
  const auto* registry = static_cast<const ScanRegistry*>(duckdb_bind_get_extra_info(info));
  ScanSourcePtr source = registry->find(handle);
  if (source == nullptr) return duckdb_bind_set_error(info, "no such scan");
  int number = 0;
  for (const ScanSource::Group& group : source->groups) {
    for (const types::StructField& field : group.schema) {
      duckdb_logical_type type = make_carrier(field.type);
      duckdb_bind_add_result_column(info, ("c" + std::to_string(number++)).c_str(), type);
      duckdb_destroy_logical_type(&type);
    }
  }
  if (number == 0) {  // DuckDB wants a column
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_BOOLEAN);
    duckdb_bind_add_result_column(info, "no_column", type);
    duckdb_destroy_logical_type(&type);
  }
  int64_t rows = 0;
  for (const auto& partition : source->partitions) {
    for (const ScanSource::Bytes& stream :
         partition.empty() ? std::vector<ScanSource::Bytes>() : partition.front()) {
      rows = rows < 0 || stream.rows < 0 ? -1 : rows + stream.rows;
    }
  }
  if (source->row_count >= 0) rows = source->row_count;
  if (rows >= 0) duckdb_bind_set_cardinality(info, static_cast<idx_t>(rows), true);
  duckdb_bind_set_bind_data(info, new BindData{std::move(source)}, destroy<BindData>);
}

void init_scan(duckdb_init_info info) {
  const auto& bind = *static_cast<const BindData*>(duckdb_init_get_bind_data(info));
  std::vector<idx_t> columns;
  for (idx_t i = 0; i < duckdb_init_get_column_count(info); ++i)
    columns.push_back(duckdb_init_get_column_index(info, i));
  const Status status = guarded([&]() -> Status {
    ASSIGN_OR_RETURN(std::unique_ptr<GlobalState> state, make_global_state(bind.source, columns));
    duckdb_init_set_max_threads(info, std::max<size_t>(1, state->units.size()));
    duckdb_init_set_init_data(info, state.release(), destroy<GlobalState>);
    return Status();
  });
  if (status.ok()) return;
  bind.source->failure->set(status);
  duckdb_init_set_error(info, status.detail().message.c_str());
}

void init_thread(duckdb_init_info info) {
  duckdb_init_set_init_data(info, new LocalState, destroy<LocalState>);
}

void run_scan(duckdb_function_info info, duckdb_data_chunk chunk) {
  auto& global = *static_cast<GlobalState*>(duckdb_function_get_init_data(info));
  auto& local = *static_cast<LocalState*>(duckdb_function_get_local_init_data(info));
  const Status status = guarded([&]() -> Status {
    ASSIGN_OR_RETURN(const int64_t rows, fill(global, local, chunk));
    duckdb_data_chunk_set_size(chunk, static_cast<idx_t>(rows));
    return Status();
  });
  if (status.ok()) return;
  global.source->failure->set(status);
  duckdb_data_chunk_set_size(chunk, 0);
  duckdb_function_set_error(info, status.detail().message.c_str());
}

}  // namespace

bool has_required_part(const types::StructField& field) {
  const DataType& type = field.type;
  if (!field.nullable) return true;
  switch (type.id()) {
    case types::TypeId::kArray: return has_required_part({"", type.element(), type.contains_null(), ""});
    case types::TypeId::kMap: return has_required_part({"", type.value(), type.contains_null(), ""});
    case types::TypeId::kStruct:
      return std::any_of(type.fields().begin(), type.fields().end(), has_required_part);
    default: return false;
  }
}

void FailureSlot::set(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (status_.ok()) status_ = status;
}

Status FailureSlot::get() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

Result<ScanSourcePtr> scan_of(const exchange::StageOutputPtr& output,
                              const std::vector<int32_t>* partitions) {
  auto source = std::make_shared<ScanSource>();
  source->owners.push_back(output);
  for (const exchange::ColumnGroup& group : output->groups)
    source->groups.push_back({group.schema, group.layout, group.is_of_function});
  const auto add = [&](const exchange::Partition& partition) -> Status {
    if (partition.size() != output->groups.size()) return internal_error("a partition lacks column groups");
    auto& target = source->partitions.emplace_back();
    for (const exchange::Streams& streams : partition) {
      auto& group = target.emplace_back();
      for (const exchange::Stream& stream : streams) {
        ASSIGN_OR_RETURN(const std::string_view bytes, stream.region.bytes());
        group.push_back({bytes, stream.rows, &stream});
      }
    }
    return Status();
  };
  if (partitions == nullptr) {
    for (const exchange::Partition& partition : output->partitions) RETURN_IF_ERROR(add(partition));
  } else {
    for (const int32_t index : *partitions)
      RETURN_IF_ERROR(add(output->partitions.at(static_cast<size_t>(index))));
  }
  return ScanSourcePtr(std::move(source));
}

ScanSourcePtr scan_of(const plan::Bytes& stream, const types::Schema& schema, int64_t first_row,
                      int64_t row_count) {
  auto source = std::make_shared<ScanSource>();
  source->owners.push_back(stream);
  source->groups.push_back({schema, Layout::kFlat});
  source->partitions = {{{{*stream, -1}}}};
  source->first_row = first_row;
  source->row_count = row_count;
  return source;
}

int64_t ScanRegistry::add(ScanSourcePtr source) {
  const std::lock_guard lock(mutex_);
  sources_[next_handle_] = std::move(source);
  return next_handle_++;
}

void ScanRegistry::remove(int64_t handle) {
  ScanSourcePtr dropped;  // outside the lock
  const std::lock_guard lock(mutex_);
  const auto place = sources_.find(handle);
  if (place == sources_.end()) return;
  dropped = std::move(place->second);
  sources_.erase(place);
}

ScanSourcePtr ScanRegistry::find(int64_t handle) const {
  const std::lock_guard lock(mutex_);
  const auto place = sources_.find(handle);
  return place == sources_.end() ? nullptr : place->second;
}

Status register_scan_function(duckdb_connection connection, ScanRegistry& registry) {
  duckdb_table_function function = duckdb_create_table_function();
  duckdb_table_function_set_name(function, "deuteron_scan");
  duckdb_logical_type handle = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
  duckdb_table_function_add_parameter(function, handle);
  duckdb_destroy_logical_type(&handle);
  duckdb_table_function_set_extra_info(function, &registry, nullptr);
  duckdb_table_function_set_bind(function, bind_scan);
  duckdb_table_function_set_init(function, init_scan);
  duckdb_table_function_set_local_init(function, init_thread);
  duckdb_table_function_set_function(function, run_scan);
  duckdb_table_function_supports_projection_pushdown(function, true);
  const bool registered = duckdb_register_table_function(connection, function) == DuckDBSuccess;
  duckdb_destroy_table_function(&function);
  return registered ? Status() : internal_error("cannot register deuteron_scan");
}

}  // namespace deuteron::relational
