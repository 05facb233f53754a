#include "connect/operations/response_buffer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace deuteron::connect {
namespace {

EncodedResponse response(const std::string& id, size_t bytes = 0) {
  spark::connect::ExecutePlanResponse message;
  message.set_response_id(id);
  message.mutable_arrow_batch()->set_data(std::string(bytes, 'x'));
  return encode_response(std::move(message));
}

std::string read(ResponseBuffer& buffer) {
  const auto message = buffer.next([] {});
  return message == nullptr ? "" : message->id;
}

TEST(ResponseBuffer, GivesResponsesInOrderAndThenTheFinalStatus) {
  ResponseBuffer buffer(true, {});
  ASSERT_TRUE(buffer.append(response("a")).ok());
  ASSERT_TRUE(buffer.append(response("b")).ok());
  buffer.finish(Status());
  EXPECT_FALSE(buffer.final_status().has_value()) << "two responses are unread";
  EXPECT_EQ(read(buffer), "a");
  EXPECT_EQ(read(buffer), "b");
  EXPECT_EQ(read(buffer), "");
  ASSERT_TRUE(buffer.final_status().has_value());
  EXPECT_TRUE(buffer.final_status()->ok());
}

TEST(ResponseBuffer, WakesAConsumerThatFoundNothing) {
  ResponseBuffer buffer(true, {});
  int woken = 0;
  EXPECT_EQ(buffer.next([&] { ++woken; }), nullptr);
  ASSERT_TRUE(buffer.append(response("a")).ok());
  EXPECT_EQ(woken, 1);
  ASSERT_TRUE(buffer.append(response("b")).ok());
  EXPECT_EQ(woken, 1) << "once for each next() that found nothing";
}

TEST(ResponseBuffer, ReadsAgainAfterTheLastResponseThatArrived) {
  ResponseBuffer buffer(true, {});
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(buffer.append(response(id)).ok());
  read(buffer);
  read(buffer);
  ASSERT_TRUE(buffer.rewind("a").ok());
  EXPECT_EQ(read(buffer), "b");
  ASSERT_TRUE(buffer.rewind("").ok());
  EXPECT_EQ(read(buffer), "a");
  EXPECT_EQ(buffer.rewind("nothing of ours").condition(), "INVALID_CURSOR.POSITION_NOT_FOUND");
}

TEST(ResponseBuffer, ForgetsWhatWasReleased) {
  ResponseBuffer buffer(true, {});
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(buffer.append(response(id)).ok());
  read(buffer);
  read(buffer);
  buffer.release_until("a");
  EXPECT_EQ(buffer.rewind("").condition(), "INVALID_CURSOR.POSITION_NOT_AVAILABLE");
  EXPECT_TRUE(buffer.rewind("a").ok()) << "the client goes on after what it released";
  EXPECT_EQ(read(buffer), "b");
  buffer.release_until("c");  // not read yet: stays
  EXPECT_EQ(read(buffer), "c");
}

TEST(ResponseBuffer, KeepsNothingThatWasSentWhenItNeedNot) {
  ResponseBuffer buffer(false, {});
  ASSERT_TRUE(buffer.append(response("a")).ok());
  read(buffer);
  EXPECT_EQ(buffer.rewind("").condition(), "INVALID_CURSOR.POSITION_NOT_AVAILABLE");
}

TEST(ResponseBuffer, BoundsWhatWasSentAndNotReleased) {
  ResponseBuffer buffer(true, {.unsent_bytes = 1 << 20, .sent_bytes = 250});
  for (const char* id : {"a", "b", "c"}) {
    ASSERT_TRUE(buffer.append(response(id, 100)).ok());
    read(buffer);
  }
  EXPECT_EQ(buffer.rewind("").condition(), "INVALID_CURSOR.POSITION_NOT_AVAILABLE");
  EXPECT_TRUE(buffer.rewind("b").ok());
}

TEST(ResponseBuffer, MakesAFastProducerWait) {
  ResponseBuffer buffer(true, {.unsent_bytes = 250, .sent_bytes = 1 << 20});
  std::atomic<int> appended = 0;
  std::thread producer([&] {
    for (const char* id : {"a", "b", "c", "d"}) {
      ASSERT_TRUE(buffer.append(response(id, 100)).ok());
      ++appended;
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_LE(appended, 2);
  int read_count = 0;
  while (read_count < 4) {
    if (!read(buffer).empty()) ++read_count;
  }
  producer.join();
  EXPECT_EQ(appended, 4);
}

TEST(ResponseBuffer, LetsAResponseLargerThanTheLimitPassAlone) {
  ResponseBuffer buffer(true, {.unsent_bytes = 10, .sent_bytes = 10});
  EXPECT_TRUE(buffer.append(response("a", 1000)).ok());
  EXPECT_EQ(read(buffer), "a");
}

TEST(ResponseBuffer, FreesAWaitingProducerWhenItIsClosed) {
  ResponseBuffer buffer(true, {.unsent_bytes = 10, .sent_bytes = 10});
  ASSERT_TRUE(buffer.append(response("a", 100)).ok());
  std::thread producer(
      [&] { EXPECT_EQ(buffer.append(response("b", 100)).condition(), "OPERATION_CANCELED"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  buffer.close();
  producer.join();
}

}  // namespace
}  // namespace deuteron::connect
