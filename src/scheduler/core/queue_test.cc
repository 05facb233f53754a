#include "scheduler/core/queue.h"

#include <gtest/gtest.h>

#include "scheduler/core/ledger.h"

namespace deuteron::scheduler::core {
namespace {

using std::chrono::seconds;

const SteadyTime kNow{};

Waiting waiting(const Queue& queue, StageId stage, int32_t cpus,
                std::optional<Duration> expected = std::nullopt, const std::string& pool = "default") {
  return {pool, queue.place(stage, 0, kNow), {cpus, {}}, expected};
}

TEST(Queue, PositionsAreThoseOfThePlaces) {
  Queue queue({});
  for (const StageId stage : {3, 1, 2}) queue.add(waiting(queue, stage, 1));
  EXPECT_EQ(queue.head(kNow), 1);
  EXPECT_EQ(queue.position(3), 3);
  queue.remove(2);
  EXPECT_EQ(queue.position(3), 2);
}

TEST(Queue, TheFirstThatFitsIsFoundAmongAllDemands) {
  Queue queue({});
  queue.add(waiting(queue, 1, 8));
  queue.add(waiting(queue, 2, 3, seconds(100)));
  queue.add(waiting(queue, 3, 2, seconds(9)));
  queue.add(waiting(queue, 4, 1, seconds(9)));
  const auto started = [&](int32_t free_cpus, Duration limit) {
    Inventory free({free_cpus, {}, 0});
    Queue copy = queue;
    std::vector<StageId> stages;
    copy.fill(
        free, [&](const Demand&) { return limit; },
        [&](StageId stage) {
          free.take(free.allocate(copy.at(stage).demand));
          copy.remove(stage);
          stages.push_back(stage);
        });
    return stages;
  };
  using Stages = std::vector<StageId>;
  EXPECT_EQ(started(4, kForever), (Stages{2, 4})) << "in order, as long as there is room";
  EXPECT_EQ(started(4, seconds(12)), (Stages{3, 4}));
  EXPECT_EQ(started(1, seconds(12)), (Stages{4}));
  EXPECT_EQ(started(4, seconds(8)), Stages{});
  EXPECT_EQ(started(0, kForever), Stages{});
}

TEST(Queue, ExpectedDurationsAreRoundedUpByLessThanAQuarter) {
  for (const int64_t count : {1, 7, 8, 9, 1000, 1023, 1025, 123456789}) {
    const std::chrono::milliseconds expected(count);
    const Duration held = probable_hold(waiting(Queue({}), 1, 1, expected));
    EXPECT_GE(held, expected);
    EXPECT_LT(held, expected * 5 / 4 + std::chrono::milliseconds(1));
  }
}

TEST(Queue, ATurnStaysWithAGangUntilItIsPassedOn) {
  Queue queue({.mode = QueueMode::kFair});
  Waiting gang = waiting(queue, 1, 1, std::nullopt, "b");
  gang.is_gang = true;
  queue.add(gang);
  EXPECT_EQ(queue.head(kNow), 1);
  queue.add(waiting(queue, 2, 1, std::nullopt, "a"));
  queue.took("b", 5);
  EXPECT_EQ(queue.head(kNow), 1);
  queue.pass_turn();
  EXPECT_EQ(queue.head(kNow), 2);
}

class Reserving : public ::testing::Test {
 protected:
  void hold(HoldId id, int32_t cpus, std::optional<Duration> until) {
    ledger_.take(id, {cpus_of(cpus), until ? std::optional(kNow + *until) : std::nullopt});
  }
  static Demand need(int32_t cpus) { return {{cpus, {}}, 1}; }
  static Allocation cpus_of(int32_t cpus) { return {need(cpus), {}}; }
  Ledger ledger_{tasks::Machine{10, {}}};
};

TEST_F(Reserving, TheStartIsWhenEnoughHasEnded) {
  hold(1, 3, seconds(5));
  hold(2, 3, seconds(9));
  hold(3, 2, std::nullopt);
  const Reservation reservation = reserve(ledger_, 7, need(7), {}, kNow);
  EXPECT_EQ(reservation.start, kNow + seconds(9));
  EXPECT_EQ(reservation.at_start.cpus(), 8) << "one more than it needs";
  EXPECT_FALSE(reserve(ledger_, 7, need(9), {}, kNow).start.has_value()) << "the last has no known end";
}

TEST_F(Reserving, AStartIsMovedForwardsOnly) {
  hold(1, 8, seconds(5));
  hold(2, 2, seconds(20));
  Reservation reservation = reserve(ledger_, 7, need(10), {}, kNow);
  EXPECT_EQ(reservation.start, kNow + seconds(20));
  note_given_back(reservation, ledger_.give_back(2));
  reservation = reserve(ledger_, 7, need(10), reservation, kNow + seconds(1));
  EXPECT_EQ(reservation.start, kNow + seconds(5));
  hold(3, 2, seconds(30));
  reservation.is_stale = true;
  reservation = reserve(ledger_, 7, need(10), reservation, kNow + seconds(2));
  EXPECT_EQ(reservation.start, kNow + seconds(5));
}

TEST(Around, AGangMayTakeAnEighthOfWhatIsLeftOverForEver) {
  Ledger ledger{tasks::Machine{100, {}}};
  const Demand need{{1, {}}, 60};
  ledger.take(1, {{{{1, {}}, 80}, {}}, kNow + seconds(9)});
  const Reservation reservation = reserve(ledger, 7, need, {}, kNow);
  const auto longest = [&](int32_t cpus, int32_t tasks) {
    return longest_hold(reservation, need, ledger.free(), {{cpus, {}}, tasks}, kNow);
  };
  EXPECT_EQ(longest(1, 5), kForever) << "40 are left over";
  EXPECT_EQ(longest(1, 6), seconds(6)) << "two thirds of the time until then";
  EXPECT_EQ(longest(2, 3), seconds(6));
  EXPECT_EQ(longest(20, 1), kForever) << "a task";
}

// Of a resource with addresses, where they are what is short.
TEST(Around, AnEighthOfTheAddressesIsLittleToo) {
  tasks::Resource gpus;
  for (int index = 0; index < 20; ++index) gpus.addresses.push_back(std::to_string(index));
  Ledger ledger{tasks::Machine{1000, {{"gpu", gpus}}}};
  const Slots each{1, {{"gpu", tasks::kWhole}}};
  const Demand held{each, 18}, need{each, 4};
  ledger.take(1, {ledger.free().allocate(held), kNow + seconds(9)});
  const Reservation reservation = reserve(ledger, 7, need, {}, kNow);
  const auto longest = [&](int32_t tasks) {
    return longest_hold(reservation, need, ledger.free(), {each, tasks}, kNow);
  };
  EXPECT_EQ(longest(2), kForever) << "16 are left over";
  const Demand more{each, 5};
  EXPECT_EQ(longest_hold(reserve(ledger, 7, more, {}, kNow), more, ledger.free(), {each, 2}, kNow),
            seconds(6));
}

TEST_F(Reserving, WhatIsFreeAtTheStartIsAccountedFor) {
  hold(1, 8, seconds(5));
  Reservation reservation = reserve(ledger_, 7, need(8), {}, kNow);
  EXPECT_EQ(reservation.at_start.cpus(), 10);
  note_taken(reservation, {cpus_of(1), kNow + seconds(4)}, kNow);
  EXPECT_EQ(reservation.at_start.cpus(), 10) << "it ends before";
  const Hold longer{cpus_of(1), kNow + seconds(6)};
  note_taken(reservation, longer, kNow);
  EXPECT_EQ(reservation.at_start.cpus(), 9);
  note_given_back(reservation, longer);
  EXPECT_EQ(reservation.at_start.cpus(), 10);
}

}  // namespace
}  // namespace deuteron::scheduler::core
