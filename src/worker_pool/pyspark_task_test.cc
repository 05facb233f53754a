#include "worker_pool/pyspark_task.h"

#include <gtest/gtest.h>

namespace deuteron::worker_pool {
namespace {

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  int64_t integer(int size) {
    int64_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes_.at(position_++));
    return value;
  }
  std::string text() {
    const size_t length = integer(4);
    position_ += length;
    return bytes_.substr(position_ - length, length);
  }
  bool at_end() const { return position_ == bytes_.size(); }

 private:
  std::string bytes_;
  size_t position_ = 0;
};

TEST(PySparkTask, HeaderHasTheFieldsInPySparksOrder) {
  PySparkTask task;
  task.evaluation_type = EvaluationType::kScalarPandas;
  task.context = {.job = 1, .stage = 7, .task = 42, .partition = 3, .attempt = 1, .ranks = 4};
  task.barrier_path = "/run/barrier-42";
  task.addresses = {"127.0.0.1:1", "127.0.0.1:2"};
  task.resource_addresses = {{"gpu", {"0"}}};
  task.files_directory = "/files";
  task.includes = {"a.zip"};
  task.runner_conf = {{"key", "value"}};
  task.functions = {
      {.arguments = {{2, std::nullopt}, {5, "named"}}, .commands = {"first", "second"}, .result_id = 9}};

  Reader reader(build_task_header(task));
  EXPECT_EQ(reader.integer(4), 3);
  EXPECT_EQ(reader.text(), "3.11");
  EXPECT_EQ(
      reader.text(),
      R"({"attemptNumber":1,"connInfo":"/run/barrier-42","cpus":1,"isBarrier":true,)"
      R"("localProperties":{"addresses":"127.0.0.1:1,127.0.0.1:2","deuteron.gang.epoch":"0"},"partitionId":3,)"
      R"("resources":{"gpu":{"addresses":["0"],"name":"gpu"}},"secret":null,"stageId":7,"taskAttemptId":42})");
  EXPECT_EQ(reader.text(), "/files");
  EXPECT_EQ(reader.integer(4), 1);
  EXPECT_EQ(reader.text(), "a.zip");
  EXPECT_EQ(reader.integer(1), 0);
  EXPECT_EQ(reader.integer(4), 0);
  EXPECT_EQ(reader.integer(4), 200);
  EXPECT_EQ(reader.integer(4), 1);
  EXPECT_EQ(reader.text(), "key");
  EXPECT_EQ(reader.text(), "value");
  EXPECT_EQ(reader.integer(4), 0);
  EXPECT_EQ(reader.integer(4), 1);
  EXPECT_EQ(reader.integer(4), 2);
  EXPECT_EQ(reader.integer(4), 2);
  EXPECT_EQ(reader.integer(1), 0);
  EXPECT_EQ(reader.integer(4), 5);
  EXPECT_EQ(reader.integer(1), 1);
  EXPECT_EQ(reader.text(), "named");
  EXPECT_EQ(reader.integer(4), 2);
  EXPECT_EQ(reader.text(), "first");
  EXPECT_EQ(reader.text(), "second");
  EXPECT_EQ(reader.integer(8), 9);
  EXPECT_TRUE(reader.at_end());
}

}  // namespace
}  // namespace deuteron::worker_pool
