// The executor with real Python workers and an engine that only knows ranges. The interpreter is
// $DEUTERON_PYTHON, or build/venv's.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "exchange/stream_writer.h"
#include "execution/executor.h"

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT
using std::chrono::milliseconds;

const types::DataType kLong{types::TypeId::kLong};

std::string interpreter() {
  const char* configured = std::getenv("DEUTERON_PYTHON");
  return std::filesystem::absolute(configured != nullptr ? configured : "build/venv/bin/python");
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

double milliseconds_since(SteadyTime time) {
  return std::chrono::duration<double, std::milli>(steady_now() - time).count();
}

int descendants_of(pid_t process) {
  int count = 0;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  std::error_code ended;  // a process may end while it is looked at
  for (const auto& thread : std::filesystem::directory_iterator(tasks, ended)) {
    std::istringstream children(content_of(thread.path() / "children"));
    for (pid_t child; children >> child;) count += 1 + descendants_of(child);
  }
  return count;
}

// Materializes ranges; answers a scan with the streams as they are, one batch each.
class RangeEngine : public relational::Engine {
 public:
  explicit RangeEngine(std::shared_ptr<exchange::SharedMemory> memory) : memory_(std::move(memory)) {}

  Status query(const RelationPtr& fragment, const relational::RunContext& context,
               const relational::BatchSink& sink, CancelToken&) override {
    const auto& output = context.inputs.at(as<ExchangeScan>(fragment)->exchange_id);
    for (const exchange::Partition& partition : output->partitions) {
      RETURN_IF_ERROR(sink({1, partition[0][0].region}));
    }
    return Status();
  }
  Result<exchange::StageOutputPtr> materialize(const RelationPtr& fragment, const relational::RunContext&,
                                               const relational::MaterializeRequest& request,
                                               CancelToken&) override {
    const Range& range = *as<Range>(fragment);
    auto output = std::make_shared<exchange::StageOutput>();
    const types::Schema schema = to_schema(fragment->output);
    output->groups.push_back({schema, request.groups[0].layout});
    ASSIGN_OR_RETURN(const auto format,
                     exchange::StreamFormat::make(schema, request.groups[0].layout, "UTC"));
    output->partitions.reserve(static_cast<size_t>(range.partitions));
    for (int32_t index = 0; index < range.partitions; ++index) {
      exchange::StreamWriter writer(memory_, "session", format);
      if (request.only && !request.only(index)) {
        output->partitions.emplace_back();
        continue;
      }
      if (between_pieces) {
        RETURN_IF_ERROR(request.sink.begin(index, CancelToken()));
        for (const bool is_complete : {false, true}) {
          ASSIGN_OR_RETURN(exchange::Stream piece, ten_rows(writer));
          RETURN_IF_ERROR(request.sink.add(index, {{std::move(piece)}}, is_complete));
          if (!is_complete) between_pieces();
        }
        output->partitions.emplace_back();
        continue;
      }
      ASSIGN_OR_RETURN(exchange::Stream stream, writer.finish());
      stream.rows = -1;
      output->partitions.push_back({{std::move(stream)}});
      if (!request.sink.add) continue;
      RETURN_IF_ERROR(request.sink.begin(index, CancelToken()));
      RETURN_IF_ERROR(request.sink.add(index, output->partitions.back(), true));
    }
    return exchange::StageOutputPtr(output);
  }
  Result<bool> makes_partitions_singly(const RelationPtr&, const relational::RunContext&,
                                       const relational::MaterializeRequest&) override {
    return true;
  }
  Result<int32_t> partition_count(const RelationPtr& fragment, const relational::RunContext&) override {
    return as<Range>(fragment)->partitions;
  }
  Result<std::vector<TextRow>> collect_text(const RelationPtr&, const relational::RunContext&, int64_t,
                                            CancelToken&) override {
    return unsupported("text");
  }
  Status write(const RelationPtr&, const relational::RunContext&, const relational::WriteRequest&,
               CancelToken&) override {
    return unsupported("writing");
  }
  Result<std::string> explain(const RelationPtr&, const relational::RunContext&) override {
    return std::string("RANGE");
  }
  catalog::FileSchemaReader& files() override { std::abort(); }

  // Set: partitions have two pieces of ten rows, and this is called between them.
  std::function<void()> between_pieces;

 private:
  static Result<exchange::Stream> ten_rows(exchange::StreamWriter& writer) {
    RETURN_IF_ERROR(writer.room().status());
    exchange::ColumnBuilder& column = writer.columns()[0];
    std::memset(column.values.extend(80), 0, 80);
    column.add_valid(10);
    writer.added(10);
    return writer.finish();
  }

  const std::shared_ptr<exchange::SharedMemory> memory_;
};

// The last four 8-byte buffers of a stream of one row of four longs hold its values, 64 bytes or 8 bytes
// apart.
class Rows : public ResultSink {
 public:
  Status on_batch(exchange::EncodedBatch batch) override {
    streams.emplace_back(*batch.stream.bytes());
    return Status();
  }
  void on_progress(const std::vector<StageProgress>&, int64_t) override {}
  // pyarrow pads buffers of 8 bytes to 8: the body is a, b, c, d before the end mark of 8 bytes.
  int64_t value(size_t row, size_t column) const {
    const std::string& stream = streams.at(row);
    int64_t value = 0;
    std::memcpy(&value, stream.data() + stream.size() - 8 - 8 * (4 - column), sizeof value);
    return value;
  }
  std::vector<std::string> streams;
};

class LocalExecutorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char folder[] = "/tmp/deuteron-functions-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    functions_ = folder;
    const std::string command = interpreter() + " tests/execution/write_functions.py " + functions_;
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(functions_); }

  void SetUp() override {
    memory_ = exchange::SharedMemory::create({uint64_t{1} << 30, 0, ""});
    engine_ = std::make_unique<RangeEngine>(memory_);
    ExecutorOptions options;
    options.cpus = 2;
    options.python_interpreter = interpreter();
    options.python_folder = std::filesystem::absolute("python");
    auto executor = make_executor(options, *engine_, memory_, bus_);
    ASSERT_TRUE(executor.ok()) << executor.status().to_string();
    executor_ = *std::move(executor);
    request_.session_id = "session";
    bus_.subscribe([this](const events::Event& event) {
      std::lock_guard lock(mutex_);
      log_ += events::to_json(event) + "\n";
    });
  }
  void TearDown() override { executor_.reset(); }

  static RelationPtr map(const std::string& name, int32_t partitions, bool is_barrier) {
    auto function = std::make_shared<PythonFunction>();
    function->name = name;
    function->eval_type = 207;
    function->command = content_of(functions_ + "/" + name + ".command");
    function->python_version = content_of(functions_ + "/version");
    Columns output;
    for (const char* column : {"a", "b", "c", "d"})
      output.push_back({10 + static_cast<ColumnId>(output.size()), column, kLong, true, {}, ""});
    const RelationPtr range =
        make_relation(Range{0, 0, 1, partitions}, {{1, "id", kLong, false, {}, ""}}, partitions);
    return make_relation(MapPartitions{range, function, is_barrier}, output, partitions);
  }
  Status run(const RelationPtr& plan, Rows& rows) { return executor_->run(plan, request_, rows, cancel_); }
  double timed(const RelationPtr& plan, Rows& rows) {
    const SteadyTime start = steady_now();
    const Status status = run(plan, rows);
    EXPECT_TRUE(status.ok()) << status.to_string();
    return milliseconds_since(start);
  }

  static std::string functions_;
  std::mutex mutex_;
  std::string log_;
  events::Bus bus_;
  std::shared_ptr<exchange::SharedMemory> memory_;
  std::unique_ptr<RangeEngine> engine_;
  Request request_;
  CancelToken cancel_;
  std::unique_ptr<Executor> executor_;
};
std::string LocalExecutorTest::functions_;

TEST_F(LocalExecutorTest, RunsAGangWarm) {
  Rows cold;
  timed(map("gather", 2, true), cold);
  std::this_thread::sleep_for(milliseconds(300));  // spares come up
  double best = 1e9;
  for (int count = 0; count < 5; ++count) {
    Rows rows;
    best = std::min(best, timed(map("gather", 2, true), rows));
    ASSERT_EQ(rows.streams.size(), 2u);
    EXPECT_EQ(rows.value(0, 0), 0);
    EXPECT_EQ(rows.value(1, 0), 1);
    EXPECT_EQ(rows.value(1, 3), 1);
  }
  RecordProperty("gang_ms", std::to_string(best));
  std::cout << "warm gang of 2: " << best << " ms\n";
}

TEST_F(LocalExecutorTest, TwentyBarriers) {
  Rows rows;
  timed(map("twenty_barriers", 2, true), rows);
  Rows warm;
  timed(map("twenty_barriers", 2, true), warm);
  std::cout << "20 barriers: " << static_cast<double>(warm.value(0, 3)) / 1000 << " ms\n";
}

TEST_F(LocalExecutorTest, AKilledRankRestartsTheGang) {
  Rows first;
  timed(map("gather", 2, true), first);
  std::this_thread::sleep_for(milliseconds(300));
  Rows rows;
  timed(map("killed_once", 2, true), rows);
  ASSERT_EQ(rows.streams.size(), 2u);
  for (size_t rank = 0; rank < 2; ++rank) {
    EXPECT_EQ(rows.value(rank, 1), 1) << "the attempt";
    std::cout << "rank " << rank << " in user code " << static_cast<double>(rows.value(rank, 3)) / 1000
              << " ms after the kill\n";
  }
  bus_.flush();
  std::lock_guard lock(mutex_);
  EXPECT_NE(log_.find("GangAttemptFailed"), std::string::npos);
  EXPECT_NE(log_.find(R"("event":"GangAttemptStarted","stage":2,"attempt":1)"), std::string::npos) << log_;
}

TEST_F(LocalExecutorTest, AttemptsEndWithTheTracebackOfTheRankThatFailed) {
  Rows rows;
  const Status status = run(map("raising", 2, true), rows);
  EXPECT_EQ(status.condition(), "BARRIER_STAGE_FAILED");
  EXPECT_NE(status.detail().message.find("ValueError: rank one gives up in attempt 3"), std::string::npos)
      << status.to_string();
}

TEST_F(LocalExecutorTest, AnImpossibleGangIsRefusedAtOnce) {
  Rows rows;
  EXPECT_EQ(run(map("gather", 3, true), rows).condition(), "BARRIER_STAGE_TOO_LARGE");
}

TEST_F(LocalExecutorTest, ARankThatLeavesEarlyBreaksTheBarrier) {
  request_.settings["spark.stage.maxConsecutiveAttempts"] = "1";
  Rows rows;
  const Status status = run(map("leaving_early", 2, true), rows);
  EXPECT_EQ(status.condition(), "BARRIER_STAGE_FAILED");
  EXPECT_NE(status.detail().message.find("in vain"), std::string::npos) << status.to_string();
}

TEST_F(LocalExecutorTest, MorePartitionsThanSlots) {
  Rows rows;
  timed(map("plain", 7, false), rows);
  ASSERT_EQ(rows.streams.size(), 7u);
  for (size_t partition = 0; partition < 7; ++partition)
    EXPECT_EQ(rows.value(partition, 0), static_cast<int64_t>(partition));
}

// Waits for a file; false if it does not come.
bool appears(const std::string& path) {
  for (int count = 0; count < 6000 && !std::filesystem::exists(path); ++count)
    std::this_thread::sleep_for(milliseconds(10));
  return std::filesystem::exists(path);
}

TEST_F(LocalExecutorTest, ATaskStartsBeforeItsInputIsComplete) {
  int seen = 0;
  engine_->between_pieces = [&] { seen += appears(functions_ + "/begun-0") ? 1 : 0; };
  Rows rows;
  timed(map("beginning", 1, false), rows);
  EXPECT_EQ(seen, 1);
  ASSERT_EQ(rows.streams.size(), 1u);
  EXPECT_EQ(rows.value(0, 3), 20);
}

TEST_F(LocalExecutorTest, AnotherAttemptReadsGrowingInputFromTheBeginning) {
  std::ofstream(functions_ + "/dies").close();
  int seen = 0;
  engine_->between_pieces = [&] { seen += appears(functions_ + "/begun-1") ? 1 : 0; };
  Rows rows;
  timed(map("beginning", 1, false), rows);
  EXPECT_EQ(seen, 1);
  ASSERT_EQ(rows.streams.size(), 1u);
  EXPECT_EQ(rows.value(0, 1), 1) << "the attempt";
  EXPECT_EQ(rows.value(0, 3), 20);
}

TEST_F(LocalExecutorTest, AFunctionThatKillsItsProcess) {
  Rows rows;
  const Status status = run(map("exiting", 2, false), rows);
  EXPECT_EQ(status.condition(), "TASK_FAILED");
  EXPECT_NE(status.detail().message.find("exited unexpectedly"), std::string::npos) << status.to_string();
  Rows after;
  timed(map("plain", 2, false), after);
}

TEST_F(LocalExecutorTest, CancelEndsTasksAndGangs) {
  Rows first;
  timed(map("plain", 2, false), first);
  for (const bool is_barrier : {false, true}) {
    CancelToken cancel;
    auto ended = std::async(std::launch::async, [&] {
      Rows rows;
      return executor_->run(map("sleeping", 2, is_barrier), request_, rows, cancel);
    });
    std::this_thread::sleep_for(milliseconds(200));
    cancel.cancel();  // the functions would sleep for longer than a test may take
    EXPECT_EQ(ended.get().condition(), "OPERATION_CANCELED");
  }
}

TEST_F(LocalExecutorTest, ClosedSessionsLeaveNoProcess) {
  Rows rows;
  timed(map("plain", 2, false), rows);
  EXPECT_GT(descendants_of(getpid()), 1);
  executor_->close_session("session");
  // The template stays: the next session's processes are forked from it.
  for (int count = 0; count < 1000 && descendants_of(getpid()) > 1; ++count)
    std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(descendants_of(getpid()), 1);
  Rows again;
  timed(map("plain", 2, false), again);
}

}  // namespace
}  // namespace deuteron::execution
