// The paths whose speed users feel: a small query, rows to the client, Parquet into shared memory. Needs
// DEUTERON_BENCHMARK_PARQUET (a file of doubles) for the last.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "relational/engine.h"

namespace deuteron::relational {
namespace {

using namespace plan::resolved;  // plans are made by hand here
using types::DataType;
using types::TypeId;

struct Fixture {
  std::shared_ptr<exchange::SharedMemory> memory = exchange::SharedMemory::create({});
  std::unique_ptr<Engine> engine = *make_engine({}, memory);
  RunContext context;
  CancelToken cancel;
};

Fixture& fixture() {
  static Fixture shared;
  return shared;
}

Column column(ColumnId id, TypeId type = TypeId::kLong) {
  return {id, "x" + std::to_string(id), DataType(type), true, {}, ""};
}

RelationPtr file_scan() {
  const char* path = std::getenv("DEUTERON_BENCHMARK_PARQUET");
  if (path == nullptr) return nullptr;
  const auto source = fixture().engine->files().describe("parquet", {path}, {}, {});
  if (!source.ok()) return nullptr;
  Columns output;
  for (const types::StructField& field : source->schema)
    output.push_back({static_cast<ColumnId>(output.size() + 1), field.name, field.type, true, {}, ""});
  return make_relation(FileScan{"parquet", source->paths, {}, source->schema, {}}, output);
}

void small_query(benchmark::State& state) {
  const auto one = make_expression(Literal{types::Value(int64_t{1})}, DataType(TypeId::kLong), false);
  const auto plan = make_relation(Project{make_relation(OneRow{}, {}), {one}}, {column(1)});
  for (auto _ : state) {
    const Status status = fixture().engine->query(
        plan, fixture().context, [](exchange::EncodedBatch) { return Status(); }, fixture().cancel);
    if (!status.ok()) state.SkipWithError(status.to_string().c_str());
  }
}
BENCHMARK(small_query)->Unit(benchmark::kMicrosecond);

void rows_to_client(benchmark::State& state) {
  const auto plan = make_relation(Range{0, 32 << 20, 1, 2}, {column(1)}, 2);
  int64_t bytes = 0;
  for (auto _ : state) {
    const Status status = fixture().engine->query(
        plan, fixture().context,
        [&](const exchange::EncodedBatch& batch) {
          bytes += static_cast<int64_t>(batch.stream.length);
          return Status();
        },
        fixture().cancel);
    if (!status.ok()) state.SkipWithError(status.to_string().c_str());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(rows_to_client)->Unit(benchmark::kMillisecond)->UseRealTime();

void parquet_to_client(benchmark::State& state) {
  const auto plan = file_scan();
  if (plan == nullptr) return state.SkipWithError("no file");
  int64_t bytes = 0;
  for (auto _ : state) {
    const Status status = fixture().engine->query(
        plan, fixture().context,
        [&](const exchange::EncodedBatch& batch) {
          bytes += static_cast<int64_t>(batch.stream.length);
          return Status();
        },
        fixture().cancel);
    if (!status.ok()) state.SkipWithError(status.to_string().c_str());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(parquet_to_client)->Unit(benchmark::kMillisecond)->UseRealTime();

void parquet_to_shared_memory(benchmark::State& state) {
  const auto plan = file_scan();
  if (plan == nullptr) return state.SkipWithError("no file");
  const MaterializeRequest request;
  int64_t bytes = 0;
  for (auto _ : state) {
    const auto output = fixture().engine->materialize(plan, fixture().context, request, fixture().cancel);
    if (!output.ok()) return state.SkipWithError(output.status().to_string().c_str());
    for (const auto& partition : (*output)->partitions) {
      for (const exchange::Stream& stream : partition[0]) bytes += static_cast<int64_t>(stream.region.length);
    }
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(parquet_to_shared_memory)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace deuteron::relational

BENCHMARK_MAIN();
