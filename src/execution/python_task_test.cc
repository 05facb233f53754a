#include "execution/python_task.h"

#include <gtest/gtest.h>

#include <thread>

#include "exchange/shared_memory.h"

namespace deuteron::execution {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNoTime{0};
constexpr milliseconds kLong{60'000};
constexpr uint64_t kPiece = 100;
constexpr uint64_t kWindow = 3 * kPiece;

class PythonInputTest : public testing::Test {
 protected:
  // Each has a slab of its own.
  void add_piece(bool is_complete = false) {
    const exchange::SlabPtr slab = *memory_->acquire("session", kPiece);
    slabs_.push_back(slab);
    input_.add({exchange::Region{slab, 0, kPiece}}, {}, is_complete);
  }
  // Adds pieces until no more may be made.
  int fill() {
    int pieces = 0;
    for (; input_.wait_for_room(0, false, kNoTime); ++pieces) add_piece();
    return pieces;
  }
  void begin_reading() {
    told_ = 0;
    input_.read([this](const std::vector<InputPart>& parts, bool) { told_ += parts.size(); });
  }
  bool is_kept(size_t piece) const { return !slabs_[piece].expired(); }

  const std::shared_ptr<exchange::SharedMemory> memory_ =
      exchange::SharedMemory::create({.budget_bytes = 1 << 30, .pooled_bytes = 1, .spill_directory = ""});
  PythonInput input_{kWindow};
  std::vector<std::weak_ptr<exchange::Slab>> slabs_;
  size_t told_ = 0;
};

TEST_F(PythonInputTest, NoMoreIsMadeThanTheWindowAllows) {
  begin_reading();
  EXPECT_EQ(fill(), 4);
  EXPECT_EQ(told_, 4u);
  input_.was_read({2, {}});
  EXPECT_EQ(fill(), 2);
  EXPECT_FALSE(input_.wait_for_room(0, false, kNoTime));
  input_.was_read({4, {}});
  EXPECT_TRUE(input_.wait_for_room(kPiece, false, kNoTime));
  EXPECT_FALSE(input_.wait_for_room(2 * kPiece, false, kNoTime));
}

TEST_F(PythonInputTest, WhatIsReadWithinTheWindowIsKept) {
  begin_reading();
  ASSERT_TRUE(input_.wait_for_room(0, false, kNoTime));
  for (int i = 0; i < 3; ++i) add_piece(i == 2);
  input_.was_read({3, {0, 1, 2}});
  EXPECT_TRUE(is_kept(0) && is_kept(1) && is_kept(2));
  EXPECT_FALSE(input_.exceeds_window());
  input_.reader_ended(false);
  begin_reading();
  EXPECT_EQ(told_, 3u);
  input_.reader_ended(true);
  EXPECT_FALSE(is_kept(0) || is_kept(1) || is_kept(2));
}

TEST_F(PythonInputTest, OfALargeOneWhatNobodyLooksAtGoes) {
  begin_reading();
  fill();
  input_.was_read({3, {1}});
  EXPECT_TRUE(input_.is_let_go());
  EXPECT_TRUE(is_kept(0) && is_kept(2) && is_kept(3));
  EXPECT_FALSE(is_kept(1));
  EXPECT_EQ(input_.bytes(), 4 * kPiece);
}

TEST_F(PythonInputTest, WhatWasReadBeforeItBecameLargeGoesThen) {
  begin_reading();
  ASSERT_TRUE(input_.wait_for_room(0, false, kNoTime));
  for (int i = 0; i < 3; ++i) add_piece();
  input_.was_read({1, {0}});
  EXPECT_FALSE(input_.is_let_go());
  add_piece();
  EXPECT_TRUE(input_.is_let_go());
  EXPECT_FALSE(is_kept(0));
}

TEST_F(PythonInputTest, WhereNobodyWaitsEverythingIsKept) {
  begin_reading();
  for (int i = 0; i < 9; ++i) add_piece();
  input_.was_read({9, {0, 1, 2, 3}});
  EXPECT_TRUE(is_kept(0));
  EXPECT_FALSE(input_.is_let_go());
  EXPECT_FALSE(input_.exceeds_window());
}

TEST_F(PythonInputTest, AWorkersWordIsNotTakenForMoreThanThereIs) {
  begin_reading();
  fill();
  input_.was_read({1'000'000, {3, 3, 1'000'000, UINT64_MAX}});
  EXPECT_FALSE(is_kept(3));
  EXPECT_TRUE(is_kept(0));
  EXPECT_TRUE(input_.wait_for_room(0, false, kNoTime));
}

TEST_F(PythonInputTest, AnotherReaderReadsFromTheBeginning) {
  begin_reading();
  fill();
  input_.was_read({2, {}});
  input_.reader_ended(false);
  begin_reading();
  EXPECT_EQ(told_, 4u);
  EXPECT_FALSE(input_.wait_for_room(0, false, kNoTime));
}

TEST_F(PythonInputTest, WhoNeedsAReaderWaitsForNoneThatIsNotThere) {
  fill();
  EXPECT_TRUE(input_.wait_for_room(0, true, kNoTime));
  begin_reading();
  EXPECT_FALSE(input_.wait_for_room(0, true, kNoTime));
  input_.reader_ended(false);
  EXPECT_TRUE(input_.wait_for_room(0, true, kNoTime));
}

// None of these waits lasts until its time is over.
TEST_F(PythonInputTest, AWaitEndsWhenSomethingIsReadOrTheLastReaderEndsOrItIsGivenUp) {
  begin_reading();
  fill();
  const auto wakes = [&](const std::function<void()>& action) {
    std::thread other([&] {
      std::this_thread::sleep_for(milliseconds(20));
      action();
    });
    const bool has_room = input_.wait_for_room(0, false, kLong);
    other.join();
    return has_room;
  };
  EXPECT_TRUE(wakes([&] { input_.was_read({1, {}}); }));
  add_piece();
  EXPECT_FALSE(wakes([&] { add_piece(); }));  // the waiting bytes are to be looked at again
  EXPECT_TRUE(wakes([&] { input_.reader_ended(true); }));
  PythonInput given_up(kWindow);
  given_up.give_up();
  EXPECT_TRUE(given_up.wait_for_room(2 * kWindow, false, kLong));
}

}  // namespace
}  // namespace deuteron::execution
