#include "execution/lineage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <mutex>

#include "exchange/integrity.h"
#include "exchange/stream_reader.h"
#include "exchange/stream_writer.h"

namespace deuteron::execution {
namespace {

using Numbers = std::vector<int64_t>;  // a partition's only row each

// A stage of three partitions of one number. What a partition has is made from the same partition of what the
// stage reads.
class Stage : public Maker {
 public:
  std::function<int64_t(int32_t partition)> number;
  bool makes_all = false;
  bool is_final = false;
  std::function<void()> before = [] {};  // each make()
  std::vector<std::string> calls;        // of make(): the partitions
  int times_anew = 0;

  explicit Stage(std::shared_ptr<exchange::SharedMemory> memory) : memory_(std::move(memory)) {}

  Result<exchange::StageOutputPtr> make(const std::optional<Partitions>& wanted) override {
    std::string call;
    if (wanted.has_value()) {
      for (const int32_t partition : *wanted) call += std::to_string(partition);
    }
    calls.push_back(wanted.has_value() ? call : "all");
    before();
    const types::Schema schema{{"n", types::DataType(types::TypeId::kLong), false, ""}};
    auto output = std::make_shared<exchange::StageOutput>();
    output->groups.push_back({schema, exchange::Layout::kFlat});
    output->partitions.resize(3);
    for (int32_t partition = 0; partition < 3; ++partition) {
      if (wanted.has_value() && !makes_all && !wanted->contains(partition)) continue;
      exchange::StreamWriter writer(memory_, "session",
                                    *exchange::StreamFormat::make(schema, exchange::Layout::kFlat, "UTC"));
      RETURN_IF_ERROR(writer.room().status());
      const int64_t value = number(partition);
      if (value < 0) return error("STAGE_OUTPUT_LOST", {{"reason", "what it reads"}});
      std::memcpy(writer.columns()[0].values.extend(8), &value, 8);
      writer.columns()[0].add_valid(1);
      writer.added(1);
      ASSIGN_OR_RETURN(exchange::Stream stream, writer.finish());
      output->partitions[static_cast<size_t>(partition)] = {{std::move(stream)}};
    }
    return exchange::StageOutputPtr(std::move(output));
  }
  Status start_anew() override {
    ++times_anew;
    return is_final ? internal_error("it has written") : Status();
  }

 private:
  const std::shared_ptr<exchange::SharedMemory> memory_;
};

class LineageTest : public testing::Test {
 protected:
  LineageTest() {
    bus_.subscribe([this](const events::Event& event) {
      const std::lock_guard lock(mutex_);
      if (const auto* lost = std::get_if<events::OutputLost>(&event.body))
        told_.push_back(lost->name + " lost " + lost->partitions);
      if (const auto* made = std::get_if<events::OutputMadeAgain>(&event.body))
        told_.push_back(made->name + " made " + made->partitions + (made->same ? "" : " differently"));
    });
  }

  // Partition `partition` of what the stage has left: -1 when it is lost.
  int64_t value(int64_t stage, int32_t partition) {
    const exchange::Stream& stream =
        lineage_.output(stage)->partitions.at(static_cast<size_t>(partition))[0][0];
    if (!exchange::verify(stream).ok()) return -1;
    const auto reader = exchange::StreamReader::open(*stream.region.bytes());
    int64_t value = 0;
    std::memcpy(&value, reader->body_of(0).data(), 8);
    return value;
  }
  Stage& add(const std::string& name, const std::set<int64_t>& reads,
             std::function<int64_t(int32_t)> number) {
    auto stage = std::make_unique<Stage>(memory_);
    Stage& added = *stage;
    added.number = std::move(number);
    const auto id = lineage_.add(name, reads, std::move(stage));
    EXPECT_TRUE(id.ok()) << id.status().to_string();
    return added;
  }
  // a: 10, 11, 12. b: each of a, plus 100.
  void add_two() {
    a_ = &add("a", {}, [](int32_t partition) { return 10 + partition; });
    b_ = &add("b", {1}, [this](int32_t partition) {
      const int64_t read = value(1, partition);
      return read < 0 ? read : 100 + read;
    });
  }
  void lose(int64_t stage, int32_t partition) {
    const auto& region = lineage_.output(stage)->partitions.at(static_cast<size_t>(partition))[0][0].region;
    ASSERT_EQ(ftruncate(region.slab->descriptor(), 0), 0);
  }
  Status read(int64_t stage, Numbers* numbers) {
    return lineage_.reading({stage}, [&]() -> Status {
      numbers->clear();
      for (int32_t partition = 0; partition < 3; ++partition) {
        numbers->push_back(value(stage, partition));
        if (numbers->back() < 0) return error("STAGE_OUTPUT_LOST", {{"reason", "cut off"}});
      }
      return Status();
    });
  }
  std::vector<std::string> told() {
    bus_.flush();
    const std::lock_guard lock(mutex_);
    return told_;
  }

  std::shared_ptr<exchange::SharedMemory> memory_ =
      exchange::SharedMemory::create({.budget_bytes = 1, .pooled_bytes = 0, .spill_directory = ""});
  std::mutex mutex_;
  std::vector<std::string> told_;
  events::Bus bus_;
  Lineage lineage_{bus_, "session", "operation", 3};
  Stage* a_ = nullptr;
  Stage* b_ = nullptr;
};

using Calls = std::vector<std::string>;

TEST_F(LineageTest, OnlyWhatWasLostIsMadeAgain) {
  add_two();
  lose(2, 1);
  Numbers numbers;
  EXPECT_TRUE(read(2, &numbers).ok());
  EXPECT_EQ(numbers, (Numbers{110, 111, 112}));
  EXPECT_EQ(a_->calls, Calls{"all"});
  EXPECT_EQ(b_->calls, (Calls{"all", "1"}));
  EXPECT_EQ(told(), (Calls{"b lost 1", "b made 1"}));
}

TEST_F(LineageTest, WhatTheLostPartitionWasMadeFromIsMadeAgainFirst) {
  add_two();
  lose(2, 1);
  lose(1, 1);
  Numbers numbers;
  EXPECT_TRUE(read(2, &numbers).ok());
  EXPECT_EQ(numbers, (Numbers{110, 111, 112}));
  EXPECT_EQ(a_->calls, (Calls{"all", "1"}));
  EXPECT_EQ(b_->calls, (Calls{"all", "1", "1"}));  // the first found its input lost
  EXPECT_EQ(b_->times_anew, 0);
  EXPECT_EQ(told(), (Calls{"b lost 1", "a lost 1", "a made 1", "b made 1"}));
}

TEST_F(LineageTest, WhatNobodyReadsAgainIsNotMissed) {
  add_two();
  lose(1, 0);
  Numbers numbers;
  EXPECT_TRUE(read(2, &numbers).ok());
  EXPECT_EQ(a_->calls, Calls{"all"});
}

TEST_F(LineageTest, WhoHasReadWhatComesOutDifferentlyBeginsAnew) {
  add_two();
  lose(1, 2);
  a_->number = [](int32_t partition) { return 20 + partition; };
  Numbers numbers;
  EXPECT_TRUE(read(1, &numbers).ok());
  EXPECT_EQ(numbers, (Numbers{10, 11, 22}));
  EXPECT_EQ(b_->times_anew, 1);
  EXPECT_TRUE(read(2, &numbers).ok());
  EXPECT_EQ(numbers, (Numbers{110, 111, 122}));
  EXPECT_EQ(b_->calls, (Calls{"all", "012"}));
  EXPECT_EQ(told(), (Calls{"a lost 2", "a made 2 differently", "b made 0, 1, 2 differently"}));
}

TEST_F(LineageTest, WhoCannotBeginAnewFailsRatherThanMixVersions) {
  add_two();
  b_->is_final = true;
  lose(1, 2);
  a_->number = [](int32_t partition) { return 20 + partition; };
  Numbers numbers;
  const Status status = read(1, &numbers);
  EXPECT_EQ(status.condition(), "INDETERMINATE_STAGE_OUTPUT_LOST");
  EXPECT_NE(status.to_string().find("partition 2 of stage 1 (a)"), std::string::npos) << status.to_string();
  EXPECT_NE(status.to_string().find("what b has read"), std::string::npos) << status.to_string();
}

TEST_F(LineageTest, AStageThatMakesAllReplacesAll) {
  add_two();
  b_->makes_all = true;
  lose(2, 0);
  Numbers numbers;
  EXPECT_TRUE(read(2, &numbers).ok());
  EXPECT_EQ(b_->calls, (Calls{"all", "0"}));
  EXPECT_EQ(told(), (Calls{"b lost 0", "b made 0, 1, 2"}));
}

TEST_F(LineageTest, APartitionThatIsLostAgainAndAgainFailsWithItsName) {
  add_two();
  Numbers numbers;
  Status status;
  for (int times = 0; times < 3; ++times) {
    EXPECT_TRUE(status.ok());
    lose(2, 1);
    status = read(2, &numbers);
  }
  EXPECT_EQ(status.condition(), "STAGE_OUTPUT_LOST_TOO_OFTEN");
  EXPECT_NE(status.to_string().find("stage 2 (b) has left for partition 1 was lost 3 times"),
            std::string::npos)
      << status.to_string();
  EXPECT_EQ(b_->calls, (Calls{"all", "1", "1"}));
}

TEST_F(LineageTest, WhatWasReleasedIsMadeAgainForWhoReadsItAfterAll) {
  add_two();
  lineage_.release(1);
  EXPECT_EQ(lineage_.outputs().size(), 1u);
  lose(2, 1);
  Numbers numbers;
  EXPECT_TRUE(read(2, &numbers).ok());
  EXPECT_EQ(numbers, (Numbers{110, 111, 112}));
  EXPECT_EQ(a_->calls, (Calls{"all", "all"}));
  EXPECT_EQ(b_->calls, (Calls{"all", "1"}));
}

TEST_F(LineageTest, ALossThatNobodyFindsEnds) {
  add_two();
  int times = 0;
  const Status status = lineage_.reading({2}, [&]() -> Status {
    ++times;
    return error("STAGE_OUTPUT_LOST", {{"reason", "of its own"}});
  });
  EXPECT_TRUE(exchange::is_lost(status));
  EXPECT_EQ(times, 3);
  EXPECT_EQ(b_->calls, Calls{"all"});
}

TEST_F(LineageTest, OtherErrorsEndAtOnce) {
  add_two();
  lose(2, 1);
  int times = 0;
  const Status status = lineage_.reading({2}, [&]() -> Status {
    ++times;
    return internal_error("other");
  });
  EXPECT_EQ(status.condition(), "INTERNAL_ERROR");
  EXPECT_EQ(times, 1);
}

// Somebody cuts the file off while a stage reads it: it reads zeros, and does not fail.
TEST_F(LineageTest, WhatWasMadeFromZerosDoesNotCount) {
  a_ = &add("a", {}, [](int32_t partition) { return 10 + partition; });
  bool is_cut = false;
  auto stage = std::make_unique<Stage>(memory_);
  b_ = stage.get();
  b_->number = [&](int32_t partition) {
    const auto& stream = lineage_.output(1)->partitions.at(static_cast<size_t>(partition))[0][0];
    const std::string_view bytes = *stream.region.bytes();
    if (partition == 1 && !std::exchange(is_cut, true)) lose(1, 1);
    int64_t sum = 0;
    for (const char byte : bytes) sum += byte;
    return sum + 10'000;
  };
  ASSERT_TRUE(lineage_.add("b", {1}, std::move(stage)).ok());
  EXPECT_EQ(b_->calls, (Calls{"all", "all"}));
  EXPECT_EQ(b_->times_anew, 1);
  EXPECT_EQ(value(2, 2) - value(2, 1), 1);
  EXPECT_EQ(value(2, 1) - value(2, 0), 1);
  EXPECT_EQ(told(), (Calls{"a lost 1", "a made 1"}));
}

}  // namespace
}  // namespace deuteron::execution
