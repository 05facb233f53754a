#include "relational/engine.h"

#include <gtest/gtest.h>
#include <nanoarrow/nanoarrow.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "exchange/stream_reader.h"

namespace deuteron::relational {
namespace {

using namespace plan::resolved;  // plans are made by hand here
using exchange::BatchDecoder;
using exchange::EncodedBatch;
using exchange::StreamReader;
using types::DataType;
using types::TypeId;
using types::Value;

const DataType kLong(TypeId::kLong);
const DataType kDouble(TypeId::kDouble);
const DataType kString(TypeId::kString);
const DataType kBoolean(TypeId::kBoolean);

Column column(ColumnId id, std::string name, DataType type = kLong) {
  return {id, std::move(name), std::move(type), true, {}, ""};
}
ExpressionPtr reference(ColumnId id, DataType type = kLong) {
  return make_expression(ColumnReference{id}, std::move(type), true);
}
ExpressionPtr number(int64_t value) { return make_expression(Literal{Value(value)}, kLong, false); }
ExpressionPtr text(std::string value) {
  return make_expression(Literal{Value(std::move(value))}, kString, false);
}
ExpressionPtr call(std::string function, Expressions arguments, DataType type = kLong) {
  return make_expression(Call{std::move(function), std::move(arguments), true}, std::move(type), true);
}
RelationPtr range(int64_t start, int64_t end, int64_t step, int32_t partitions, ColumnId id = 1) {
  return make_relation(Range{start, end, step, partitions}, {column(id, "id")}, partitions);
}

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    memory_ = exchange::SharedMemory::create({});
    auto engine = make_engine({}, memory_);
    ASSERT_TRUE(engine.ok()) << engine.status().to_string();
    engine_ = *std::move(engine);
    folder_ =
        (std::filesystem::temp_directory_path() / ("deuteron-test-" + std::to_string(getpid()))).string();
    std::filesystem::create_directories(folder_);
    context_.owner = "session";
    context_.default_parallelism = 2;
  }
  void TearDown() override {
    std::error_code failure;
    std::filesystem::remove_all(folder_, failure);
  }

  // The rows as text, "|" between values.
  std::vector<std::string> rows_of(std::string_view stream, bool in_struct = false) {
    std::vector<std::string> rows;
    const auto reader = StreamReader::open(stream);
    EXPECT_TRUE(reader.ok()) << reader.status().to_string();
    if (!reader.ok()) return rows;
    auto decoder = BatchDecoder::make(*reader);
    for (size_t batch = 0; batch < reader->batches(); ++batch) {
      const ArrowArrayView* view = *decoder->decode(batch);
      if (in_struct) view = view->children[0];
      for (int64_t row = 0; row < view->length; ++row) {
        std::string line;
        for (int64_t i = 0; i < view->n_children; ++i)
          line += (i == 0 ? "" : "|") + value_text(view->children[i], row);
        rows.push_back(line);
      }
    }
    return rows;
  }

  static std::string value_text(const ArrowArrayView* view, int64_t row) {
    if (view->storage_type == NANOARROW_TYPE_NA || ArrowArrayViewIsNull(view, row)) return "null";
    switch (view->storage_type) {
      case NANOARROW_TYPE_STRING: {
        const ArrowStringView value = ArrowArrayViewGetStringUnsafe(view, row);
        return std::string(value.data, static_cast<size_t>(value.size_bytes));
      }
      case NANOARROW_TYPE_DOUBLE: return std::to_string(ArrowArrayViewGetDoubleUnsafe(view, row));
      case NANOARROW_TYPE_LIST: {
        std::string list = "[";
        for (int64_t i = ArrowArrayViewListChildOffset(view, row);
             i < ArrowArrayViewListChildOffset(view, row + 1); ++i) {
          list += (list.size() > 1 ? "," : "") + value_text(view->children[0], i);
        }
        return list + "]";
      }
      case NANOARROW_TYPE_STRUCT: {
        std::string fields = "{";
        for (int64_t i = 0; i < view->n_children; ++i)
          fields += (i == 0 ? "" : ",") + value_text(view->children[i], row);
        return fields + "}";
      }
      default: return std::to_string(ArrowArrayViewGetIntUnsafe(view, row));
    }
  }

  Result<std::vector<std::string>> try_query(const RelationPtr& plan) {
    std::vector<std::string> rows;
    CancelToken cancel;
    const Status status = engine_->query(
        plan, context_,
        [&](const EncodedBatch& batch) {
          for (std::string& row : rows_of(*batch.stream.bytes())) rows.push_back(std::move(row));
          ++batches_;
          return Status();
        },
        cancel);
    if (!status.ok()) return status;
    return rows;
  }
  std::vector<std::string> query(const RelationPtr& plan) {
    const auto rows = try_query(plan);
    EXPECT_TRUE(rows.ok()) << rows.status().to_string() << *engine_->explain(plan, context_);
    return rows.ok() ? *rows : std::vector<std::string>();
  }
  exchange::StageOutputPtr materialize(const RelationPtr& plan, const MaterializeRequest& request) {
    CancelToken cancel;
    auto output = engine_->materialize(plan, context_, request, cancel);
    EXPECT_TRUE(output.ok()) << output.status().to_string();
    return output.ok() ? *output : nullptr;
  }
  RelationPtr scan(int64_t id, const exchange::StageOutputPtr& output, Columns columns) {
    context_.inputs[id] = output;
    ExchangeScan node{id, {}};
    for (size_t i = 0; i < columns.size(); ++i) node.columns.push_back(static_cast<int32_t>(i));
    return make_relation(node, std::move(columns));
  }
  RelationPtr file_scan(const std::string& format, const std::string& path, plan::Options options = {},
                        types::Schema schema = {}) {
    const auto source = engine_->files().describe(format, {path}, options, schema);
    EXPECT_TRUE(source.ok()) << source.status().to_string();
    if (!source.ok()) return nullptr;
    Columns output;
    for (const types::StructField& field : source->schema)
      output.push_back(column(++next_id_, field.name, field.type));
    return make_relation(FileScan{format, source->paths, options, source->schema, source->partition_columns},
                         output);
  }
  void write_text(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
  }
  Status write(const RelationPtr& plan, const WriteRequest& request) {
    CancelToken cancel;
    return engine_->write(plan, context_, request, cancel);
  }

  std::shared_ptr<exchange::SharedMemory> memory_;
  std::unique_ptr<Engine> engine_;
  RunContext context_;
  std::string folder_;
  int batches_ = 0;
  ColumnId next_id_ = 1000;
};

using Rows = std::vector<std::string>;

TEST_F(EngineTest, Literals) {
  const auto plan = make_relation(Project{make_relation(OneRow{}, {}), {number(1), text("a")}},
                                  {column(1, "1"), column(2, "a", kString)});
  EXPECT_EQ(query(plan), Rows{"1|a"});
}

TEST_F(EngineTest, RangeProjectFilter) {
  auto plan = make_relation(Filter{range(0, 10, 3, 2), call(">", {reference(1), number(2)}, kBoolean)},
                            {column(1, "id")});
  plan = make_relation(Project{plan, {call("+", {reference(1), number(1)}), reference(1)}},
                       {column(2, "x"), column(1, "id")});
  EXPECT_EQ(query(plan), (Rows{"4|3", "7|6", "10|9"}));
  EXPECT_EQ(query(range(5, 0, -2, 1)), (Rows{"5", "3", "1"}));
}

TEST_F(EngineTest, EmptyAnswerIsOneBatch) {
  EXPECT_EQ(query(range(0, 0, 1, 1)), Rows{});
  EXPECT_EQ(batches_, 1);
}

TEST_F(EngineTest, ManyBatchesInOrder) {
  const Rows rows = query(range(0, 3000000, 1, 4));
  ASSERT_EQ(rows.size(), 3000000u);
  for (size_t i = 0; i < rows.size(); i += 9973) ASSERT_EQ(rows[i], std::to_string(i));
  EXPECT_GT(batches_, 3);
}

TEST_F(EngineTest, PartitionsOfRangesAreSparks) {
  std::mutex mutex;
  std::vector<int32_t> seen;
  MaterializeRequest request;
  request.groups = {{{0}, exchange::Layout::kStructColumn, {}}};
  request.sink.add = [&](int32_t index, const exchange::Partition&, bool is_complete) {
    const std::lock_guard lock(mutex);
    if (is_complete) seen.push_back(index);
    return Status();
  };
  const auto output = materialize(range(0, 10, 1, 4), request);
  ASSERT_EQ(output->partitions.size(), 4u);
  EXPECT_EQ(seen.size(), 4u);
  const Rows expected[] = {{"0", "1"}, {"2", "3", "4"}, {"5", "6"}, {"7", "8", "9"}};
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(rows_of(*output->partitions[i][0][0].region.bytes(), true), expected[i]);
}

// Each partition is told of in the order of its rows, piece by piece.
TEST_F(EngineTest, PartitionsAreToldOfInPieces) {
  struct Told {
    int64_t rows = 0;
    int32_t pieces = 0;
    bool is_begun = false;
    bool is_complete = false;
  };
  std::mutex mutex;
  std::map<int32_t, Told> told;
  MaterializeRequest request;
  request.groups = {{{0}, exchange::Layout::kFlat, {}}};
  request.hands_over = true;
  request.sink.at_once = 2;
  request.sink.begin = [&](int32_t index, const CancelToken&) {
    const std::lock_guard lock(mutex);
    told[index].is_begun = true;
    return Status();
  };
  request.sink.add = [&](int32_t index, const exchange::Partition& streams, bool is_complete) {
    const std::lock_guard lock(mutex);
    Told& partition = told[index];
    EXPECT_TRUE(partition.is_begun && !partition.is_complete);
    for (const exchange::Stream& stream : streams[0]) {
      if (stream.rows == 0) continue;
      EXPECT_EQ(rows_of(*stream.region.bytes())[0], std::to_string(index * 4'000'000 + partition.rows));
      partition.rows += stream.rows;
    }
    ++partition.pieces;
    partition.is_complete = is_complete;
    return Status();
  };
  const auto output = materialize(range(0, 12'000'000, 1, 3), request);
  ASSERT_EQ(told.size(), 3u);
  for (const auto& [index, partition] : told) {
    EXPECT_EQ(partition.rows, 4'000'000);
    EXPECT_GT(partition.pieces, 3);
    EXPECT_TRUE(partition.is_complete);
    EXPECT_TRUE(output->partitions[static_cast<size_t>(index)].empty());
  }
}

TEST_F(EngineTest, ColumnGroupsAreJoinedBack) {
  const auto plan = make_relation(
      Project{range(0, 300000, 1, 3),
              {reference(1), call("*", {reference(1), number(2)}), call("+", {reference(1), number(5)})}},
      {column(1, "a"), column(2, "b"), column(3, "c")});
  MaterializeRequest request;
  request.groups = {{{0, 2}, exchange::Layout::kFlat, {}}, {{1}, exchange::Layout::kStructColumn, {}}};
  const auto output = materialize(plan, request);
  const auto back = scan(7, output, {column(11, "a"), column(12, "c"), column(13, "b")});
  const Rows rows = query(back);
  ASSERT_EQ(rows.size(), 300000u);
  for (size_t i = 0; i < rows.size(); i += 997) {
    ASSERT_EQ(rows[i], std::to_string(i) + "|" + std::to_string(i + 5) + "|" + std::to_string(2 * i));
  }
}

TEST_F(EngineTest, HashKeepsKeysTogether) {
  const auto plan =
      make_relation(Project{range(0, 10000, 1, 2), {reference(1), call("%", {reference(1), number(7)})}},
                    {column(1, "id"), column(2, "k")});
  MaterializeRequest request;
  request.distribution = Distribution::kHash;
  request.partitions = 3;
  request.keys = {2};
  request.stream_per_key = true;
  const auto output = materialize(plan, request);
  ASSERT_EQ(output->partitions.size(), 3u);
  size_t streams = 0;
  int64_t rows = 0;
  for (const auto& partition : output->partitions) {
    for (const auto& stream : partition[0]) {
      ++streams;
      rows += stream.rows;
      const Rows lines = rows_of(*stream.region.bytes());
      for (const std::string& line : lines)
        EXPECT_EQ(line.substr(line.find('|')), lines[0].substr(lines[0].find('|')));
    }
  }
  EXPECT_EQ(streams, 7u);
  EXPECT_EQ(rows, 10000);
}

TEST_F(EngineTest, RepartitionAndCoalesce) {
  const auto shuffled = make_relation(Repartition{range(0, 1000, 1, 2), {}, true}, {column(1, "id")}, 5);
  EXPECT_EQ(*engine_->partition_count(shuffled, context_), 5);
  const auto output = materialize(shuffled, {});
  ASSERT_EQ(output->partitions.size(), 5u);
  for (const auto& partition : output->partitions) EXPECT_EQ(partition[0][0].rows, 200);
  const auto narrowed = make_relation(Filter{shuffled, call(">=", {reference(1), number(500)}, kBoolean)},
                                      {column(1, "id")}, 5);
  EXPECT_EQ(materialize(narrowed, {})->partitions.size(), 5u);
  const auto coalesced = make_relation(Repartition{range(0, 1000, 1, 8), {}, false}, {column(1, "id")}, 2);
  const auto halves = materialize(coalesced, {});
  ASSERT_EQ(halves->partitions.size(), 2u);
  EXPECT_EQ(halves->partitions[0][0][0].rows, 500);
}

TEST_F(EngineTest, SortedPartitionsKeepTheOrder) {
  const auto sorted =
      make_relation(Sort{range(0, 5000, 1, 2), {{reference(1), false, true}}, true}, {column(1, "id")}, 3);
  const auto output = materialize(sorted, {});
  ASSERT_EQ(output->partitions.size(), 3u);
  EXPECT_EQ(rows_of(*output->partitions[0][0][0].region.bytes())[0], "4999");
  EXPECT_EQ(rows_of(*output->partitions[2][0][0].region.bytes()).back(), "0");
}

// The partitions of the plan, each made alone, have what they have when all are made.
TEST_F(EngineTest, PartitionsCanBeMadeSingly) {
  const auto keyed =
      make_relation(Project{range(0, 3000, 1, 3), {reference(1), call("%", {reference(1), number(7)})}},
                    {column(1, "id"), column(2, "k")});
  const auto narrowed = make_relation(Repartition{range(0, 1000, 1, 8), {}, false}, {column(1, "id")}, 2);
  const auto hashed =
      make_relation(Repartition{range(0, 3000, 1, 2), {reference(1)}, true}, {column(1, "id")}, 4);
  const auto both = make_relation(
      SetOperation{range(0, 10, 1, 2), range(10, 30, 1, 3, 2), plan::SetOperationType::kUnion, true},
      {column(3, "id")});
  MaterializeRequest by_key;
  by_key.distribution = Distribution::kHash;
  by_key.partitions = 3;
  by_key.keys = {2};
  MaterializeRequest by_key_in_streams = by_key;
  by_key_in_streams.stream_per_key = true;
  const std::pair<RelationPtr, MaterializeRequest> cases[] = {
      {keyed, {}}, {keyed, by_key}, {keyed, by_key_in_streams}, {narrowed, {}}, {hashed, {}}, {both, {}}};
  const auto rows_in = [&](const exchange::Partition& partition) {
    Rows rows;
    for (const exchange::Stream& stream : partition[0]) {
      for (std::string& row : rows_of(*stream.region.bytes())) rows.push_back(std::move(row));
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  };
  for (const auto& [plan, asked] : cases) {
    EXPECT_TRUE(*engine_->makes_partitions_singly(plan, context_, asked));
    const auto all = materialize(plan, asked);
    for (size_t wanted = 0; wanted < all->partitions.size(); ++wanted) {
      MaterializeRequest request = asked;
      request.only = [&](int32_t index) { return index == static_cast<int32_t>(wanted); };
      const auto one = materialize(plan, request);
      ASSERT_EQ(one->partitions.size(), all->partitions.size());
      for (size_t index = 0; index < one->partitions.size(); ++index) {
        if (index == wanted) {
          EXPECT_EQ(rows_in(one->partitions[index]), rows_in(all->partitions[index]));
        } else {
          EXPECT_TRUE(one->partitions[index].empty());
        }
      }
    }
  }
}

TEST_F(EngineTest, RowsThatAreDealtOutOrCutAfterASortAreNotMadeSingly) {
  const auto dealt = make_relation(Repartition{range(0, 1000, 1, 2), {}, true}, {column(1, "id")}, 5);
  const auto sorted =
      make_relation(Sort{range(0, 5000, 1, 2), {{reference(1), false, true}}, true}, {column(1, "id")}, 3);
  EXPECT_FALSE(*engine_->makes_partitions_singly(dealt, context_, {}));
  EXPECT_FALSE(*engine_->makes_partitions_singly(sorted, context_, {}));
}

TEST_F(EngineTest, WhatIsLostIsNotRead) {
  memory_ = exchange::SharedMemory::create({.budget_bytes = 1, .pooled_bytes = 0, .spill_directory = ""});
  engine_ = *make_engine({}, memory_);
  const auto output = materialize(range(0, 3000, 1, 3), {});
  const auto back = scan(7, output, {column(11, "a")});
  EXPECT_EQ(query(back).size(), 3000u);
  const exchange::Region& region = output->partitions[1][0][0].region;
  uint8_t byte = 0;
  const auto place = static_cast<off_t>(region.offset + region.length - 100);
  ASSERT_EQ(pread(region.slab->descriptor(), &byte, 1, place), 1);
  byte ^= 4;
  ASSERT_EQ(pwrite(region.slab->descriptor(), &byte, 1, place), 1);
  EXPECT_EQ(try_query(back).status().condition(), "STAGE_OUTPUT_LOST");
  ASSERT_EQ(ftruncate(region.slab->descriptor(), 100), 0);
  EXPECT_EQ(try_query(back).status().condition(), "STAGE_OUTPUT_LOST");
}

TEST_F(EngineTest, Relations) {
  const auto five = range(0, 5, 1, 1, 1);
  const auto other = range(3, 8, 1, 1, 2);
  const auto equal = call("==", {reference(1), reference(2)}, kBoolean);
  const auto join = [&](plan::JoinType type, Columns output) {
    return make_relation(Sort{make_relation(Join{five, other, type, equal, false}, output),
                              {{reference(output[0].id), true, true}},
                              true},
                         output);
  };
  EXPECT_EQ(query(join(plan::JoinType::kInner, {column(1, "a"), column(2, "b")})), (Rows{"3|3", "4|4"}));
  EXPECT_EQ(query(join(plan::JoinType::kLeftSemi, {column(1, "a")})), (Rows{"3", "4"}));
  EXPECT_EQ(query(join(plan::JoinType::kLeftAnti, {column(1, "a")})), (Rows{"0", "1", "2"}));
  EXPECT_EQ(query(join(plan::JoinType::kLeftOuter, {column(1, "a"), column(2, "b")})),
            (Rows{"0|null", "1|null", "2|null", "3|3", "4|4"}));
  const auto both =
      make_relation(SetOperation{five, other, plan::SetOperationType::kIntersect, false}, {column(9, "x")});
  EXPECT_EQ(query(make_relation(Sort{both, {{reference(9), true, true}}, true}, {column(9, "x")})),
            (Rows{"3", "4"}));
  const auto all =
      make_relation(SetOperation{five, other, plan::SetOperationType::kUnion, true}, {column(9, "x")});
  EXPECT_EQ(query(all), (Rows{"0", "1", "2", "3", "4", "3", "4", "5", "6", "7"}));
  EXPECT_EQ(query(make_relation(Limit{all, 2, 3}, {column(9, "x")})), (Rows{"3", "4"}));
  EXPECT_EQ(query(make_relation(Tail{all, 2}, {column(9, "x")})), (Rows{"6", "7"}));
  EXPECT_EQ(query(make_relation(Distinct{all}, {column(9, "x")})).size(), 8u);
  const auto count =
      make_expression(AggregateCall{"count", {reference(9)}, false, nullptr, false, {}, true}, kLong, false);
  const auto grouped = make_relation(Aggregate{all, {call("%", {reference(9), number(2)})}, {count}, {}},
                                     {column(20, "k"), column(21, "n")});
  EXPECT_EQ(query(make_relation(Sort{grouped, {{reference(20), true, true}}, true}, grouped->output)),
            (Rows{"0|5", "1|5"}));
}

TEST_F(EngineTest, LongChainsOfColumns) {
  RelationPtr plan = range(0, 3, 1, 1);
  ColumnId last = 1;
  for (ColumnId id = 2; id < 502; ++id) {
    Columns output = plan->output;
    Expressions expressions;
    for (const Column& each : output) expressions.push_back(reference(each.id));
    output.push_back(column(id, "x" + std::to_string(id)));
    expressions.push_back(call("+", {reference(last), number(1)}));
    plan = make_relation(Project{plan, expressions}, output);
    last = id;
  }
  const auto tail = make_relation(Project{plan, {reference(last)}}, {column(last, "x")});
  EXPECT_EQ(query(tail), (Rows{"500", "501", "502"}));
}

TEST_F(EngineTest, ErrorsAreSparks) {
  const auto plan =
      make_relation(Project{range(0, 3, 1, 1),
                            {call("/",
                                  {make_expression(Cast{reference(1), plan::CastMode::kAnsi}, kDouble, true),
                                   make_expression(Cast{reference(1), plan::CastMode::kAnsi}, kDouble, true)},
                                  kDouble)}},
                    {column(2, "x", kDouble)});
  const auto rows = try_query(plan);
  ASSERT_FALSE(rows.ok());
  EXPECT_EQ(rows.status().condition(), "DIVIDE_BY_ZERO");
}

TEST_F(EngineTest, CancelStopsAJoinOfATrillionPairs) {
  // A join of 10^12 pairs.
  const auto pairs = make_relation(
      Join{range(0, 1000000, 1, 1, 1), range(0, 1000000, 1, 1, 2), plan::JoinType::kCross, nullptr, false},
      {column(1, "a"), column(2, "b")});
  const auto sum = make_expression(
      AggregateCall{"count", {call("+", {reference(1), reference(2)})}, false, nullptr, false, {}, true},
      kLong, true);
  const auto plan = make_relation(Aggregate{pairs, {}, {sum}, {}}, {column(3, "s")});
  CancelToken cancel;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel.cancel();
  });
  const Status status = engine_->query(
      plan, context_, [](EncodedBatch) { return Status(); }, cancel);
  canceller.join();
  EXPECT_EQ(status.condition(), "OPERATION_CANCELED");
  EXPECT_EQ(query(range(0, 1, 1, 1)), Rows{"0"});
}

TEST_F(EngineTest, ParquetInAndOut) {
  const auto plan =
      make_relation(Project{range(0, 100000, 1, 4), {reference(1), call("%", {reference(1), number(3)})}},
                    {column(1, "id"), column(2, "k")});
  ASSERT_TRUE(write(plan, {"parquet", folder_ + "/p", plan::SaveMode::kErrorIfExists, {}, {}}).ok());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/p/_SUCCESS"));
  EXPECT_EQ(write(plan, {"parquet", folder_ + "/p", plan::SaveMode::kErrorIfExists, {}, {}}).condition(),
            "PATH_ALREADY_EXISTS");
  const auto back = file_scan("parquet", folder_ + "/p");
  ASSERT_NE(back, nullptr);
  const Rows rows = query(back);
  ASSERT_EQ(rows.size(), 100000u);
  EXPECT_EQ(rows[77777], "77777|" + std::to_string(77777 % 3));
  ASSERT_TRUE(write(plan, {"parquet", folder_ + "/p", plan::SaveMode::kAppend, {}, {}}).ok());
  EXPECT_EQ(query(file_scan("parquet", folder_ + "/p")).size(), 200000u);
  ASSERT_TRUE(write(plan, {"parquet", folder_ + "/p", plan::SaveMode::kOverwrite, {"k"}, {}}).ok());
  const auto keyed = file_scan("parquet", folder_ + "/p");
  ASSERT_NE(keyed, nullptr);
  EXPECT_EQ(keyed->output[1].name, "k");
  EXPECT_EQ(keyed->output[1].type, DataType(TypeId::kInteger));
  EXPECT_EQ(query(keyed).size(), 100000u);
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/p/k=2"));
}

// Footers are kept between queries, and must not outlive their file.
TEST_F(EngineTest, ReplacedParquetFileIsReadAnew) {
  const std::string path = folder_ + "/same.parquet";
  for (const int64_t rows : {10, 3000, 20}) {
    const std::string made = folder_ + "/made-" + std::to_string(rows);
    ASSERT_TRUE(write(range(0, rows, 1, 1), {"parquet", made, plan::SaveMode::kErrorIfExists, {}, {}}).ok());
    for (const auto& file : std::filesystem::directory_iterator(made)) {
      if (file.path().extension() == ".parquet") std::filesystem::rename(file.path(), path);
    }
    EXPECT_EQ(query(file_scan("parquet", path)).size(), static_cast<size_t>(rows));
    EXPECT_EQ(query(file_scan("parquet", path)).back(), std::to_string(rows - 1));
  }
}

TEST_F(EngineTest, MissingAndBrokenFiles) {
  EXPECT_EQ(engine_->files().describe("parquet", {folder_ + "/none"}, {}, {}).status().condition(),
            "PATH_NOT_FOUND");
  std::filesystem::create_directories(folder_ + "/empty");
  EXPECT_EQ(engine_->files().describe("parquet", {folder_ + "/empty"}, {}, {}).status().condition(),
            "UNABLE_TO_INFER_SCHEMA");
  write_text("broken.parquet", "PAR1 this is no Parquet file");
  const auto broken = engine_->files().describe("parquet", {folder_ + "/broken.parquet"}, {}, {});
  ASSERT_FALSE(broken.ok());
  EXPECT_TRUE(broken.status().condition().starts_with("FAILED_READ_FILE")) << broken.status().to_string();
}

TEST_F(EngineTest, CsvByHeaderAndInference) {
  write_text("a.csv", "id,name,score,day,flag\n1,\"x, y\",1.5,2020-01-02,true\n2,,-3,2021-12-31,false\n");
  const auto plain = file_scan("csv", folder_ + "/a.csv", {{"header", "true"}});
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(query(plain), (Rows{"1|x, y|1.5|2020-01-02|true", "2|null|-3|2021-12-31|false"}));
  const auto typed = file_scan("csv", folder_ + "/a.csv", {{"header", "true"}, {"inferschema", "true"}});
  ASSERT_NE(typed, nullptr);
  EXPECT_EQ(types::DataType::structure(to_schema(typed->output)).simple_string(),
            "struct<id:int,name:string,score:double,day:date,flag:boolean>");
  EXPECT_EQ(query(typed)[0].substr(0, 16), "1|x, y|1.500000|");
}

TEST_F(EngineTest, JsonLines) {
  write_text("a.json", "{\"b\": 1, \"a\": \"x\", \"c\": {\"d\": [1, 2]}}\n{\"b\": 2.5, \"a\": null}\n");
  const auto plan = file_scan("json", folder_ + "/a.json");
  ASSERT_NE(plan, nullptr);
  EXPECT_EQ(types::DataType::structure(to_schema(plan->output)).simple_string(),
            "struct<a:string,b:double,c:struct<d:array<bigint>>>");
  EXPECT_EQ(query(plan), (Rows{"x|1.000000|{[1,2]}", "null|2.500000|null"}));
  ASSERT_TRUE(write(plan, {"json", folder_ + "/j", plan::SaveMode::kOverwrite, {}, {}}).ok());
  EXPECT_EQ(query(file_scan("json", folder_ + "/j")), query(plan));
  ASSERT_TRUE(
      write(range(0, 3, 1, 1), {"csv", folder_ + "/c", plan::SaveMode::kOverwrite, {}, {{"header", "true"}}})
          .ok());
  EXPECT_EQ(query(file_scan("csv", folder_ + "/c", {{"header", "true"}})), (Rows{"0", "1", "2"}));
}

}  // namespace
}  // namespace deuteron::relational
