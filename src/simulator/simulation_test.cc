#include "simulator/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <stdexcept>

#include "simulator/line.h"
#include "simulator/profile.h"
#include "simulator/report.h"

namespace deuteron::simulator {
namespace {

using std::chrono::seconds;

SteadyTime at(int64_t second) { return SteadyTime{} + seconds(second); }

Gang gang(int64_t id, int64_t submitted, int32_t gpus, int64_t runs, int64_t limit) {
  return {id, at(submitted), gpus, seconds(runs), seconds(limit)};
}

// Requires that all have started.
std::vector<double> starts(const std::string& policy, int32_t gpus, const std::vector<Gang>& gangs) {
  std::vector<double> found;
  for (const Outcome& outcome : simulate(1, gpus, gangs, *find_policy(policy)).outcomes)
    found.push_back(std::chrono::duration<double>(outcome.started.value() - SteadyTime{}).count());
  return found;
}

// Of 16 nodes one fails every 90 minutes, and of 128 GPUs' gangs one hangs every few hours.
const FaultRules kManyFaults{.node_days = 1, .repair_hours = 2, .hang_hours = 500, .checkpoint_minutes = 10};

WorkloadRules small_rules(uint64_t seed, double load = 1) {
  return {.nodes = 16, .gpus_per_node = 8, .gangs = 500, .load = load, .seed = seed};
}

TEST(Workload, TheSameSeedGivesTheSameGangs) {
  const auto one = make_workload(small_rules(1)), same = make_workload(small_rules(1));
  const auto other = make_workload(small_rules(2));
  const auto facts = [](const std::vector<Gang>& gangs) {
    std::vector<std::tuple<SteadyTime, int32_t, Duration, Duration>> facts;
    for (const Gang& gang : gangs) facts.emplace_back(gang.submitted, gang.gpus, gang.runs, gang.limit);
    return facts;
  };
  EXPECT_EQ(facts(one), facts(same));
  EXPECT_NE(facts(one), facts(other));
}

TEST(Workload, HasTheLoadAndTheSizesThatWereAskedFor) {
  WorkloadRules rules{.nodes = 1000, .gangs = 20000, .load = 0.8, .largest = 1000};
  const auto gangs = make_workload(rules);
  double work = 0;
  int64_t small = 0;
  int32_t largest = 0;
  for (const Gang& gang : gangs) {
    work += gang.gpus * std::chrono::duration<double>(gang.runs).count();
    small += gang.gpus <= 8;
    largest = std::max(largest, gang.gpus);
    ASSERT_GE(gang.gpus, 1);
    ASSERT_GT(gang.limit, gang.runs);
    if (gang.id > 0) {
      ASSERT_GE(gang.submitted, gangs[static_cast<size_t>(gang.id) - 1].submitted);
    }
  }
  const double span = std::chrono::duration<double>(gangs.back().submitted - SteadyTime{}).count();
  EXPECT_NEAR(work / (span * 8000), 0.8, 1e-6);
  EXPECT_GT(small, 20000 * 0.85);
  EXPECT_LE(largest, 1000);
  EXPECT_GT(largest, 512);
}

TEST(Workload, RefusesWhatIsNone) {
  EXPECT_TRUE(check(WorkloadRules{}).ok());
  EXPECT_EQ(check(WorkloadRules{.nodes = 0}).condition(), "INVALID_OPTION");
  EXPECT_EQ(check(WorkloadRules{.gangs = 0}).condition(), "INVALID_OPTION");
  EXPECT_EQ(check(WorkloadRules{.gangs = 1000000000}).condition(), "INVALID_OPTION");
  EXPECT_EQ(check(WorkloadRules{.load = 0}).condition(), "INVALID_OPTION");
}

TEST(Workload, MayBeOneGang) {
  const auto gangs = make_workload({.nodes = 1, .gangs = 1});
  for (const auto& kind : policies()) EXPECT_EQ(starts(kind.name, 8, gangs).size(), 1u) << kind.name;
}

TEST(Line, FindsTheFirstThatFits) {
  const std::vector<Gang> gangs = {gang(0, 0, 4, 1, 10), gang(1, 0, 2, 1, 100), gang(2, 0, 2, 1, 5),
                                   gang(3, 0, 1, 1, 100)};
  Line line(gangs);
  EXPECT_EQ(line.first(), nullptr);
  for (const Gang& gang : gangs) line.add(gang);
  const auto found = [&](int64_t from, Line::Room room) {
    const Gang* gang = line.next(from, room);
    return gang == nullptr ? -1 : gang->id;
  };
  EXPECT_EQ(line.first()->id, 0);
  EXPECT_EQ(line.next(0, 3)->id, 1);
  EXPECT_EQ(found(0, {3, 0, seconds(5)}), 2);
  EXPECT_EQ(found(0, {3, 1, seconds(1)}), 3);
  EXPECT_EQ(found(3, {3, 0, seconds(50)}), -1);
  line.remove(gangs[0]);
  EXPECT_EQ(line.first()->id, 1);
  EXPECT_EQ(line.size(), 3u);
}

TEST(Profile, FindsTheEarliestRoom) {
  Profile profile(4);
  profile.reserve(at(0), at(10), 3);
  profile.reserve(at(20), at(30), 4);
  EXPECT_EQ(profile.earliest(at(0), 1, seconds(20)), at(0));
  EXPECT_EQ(profile.earliest(at(0), 1, seconds(21)), at(30));
  EXPECT_EQ(profile.earliest(at(0), 2, seconds(10)), at(10));
  EXPECT_EQ(profile.earliest(at(0), 2, seconds(11)), at(30));
  profile.give_back(at(20), at(30), 4);
  EXPECT_EQ(profile.earliest(at(0), 2, seconds(11)), at(10));
  EXPECT_EQ(profile.free_at(at(5)), 1);
  profile.forget_before(at(12));
  EXPECT_EQ(profile.free_at(at(12)), 4);
}

// The blocks against a plain list of seconds.
TEST(Profile, IsTheSameAsAPlainList) {
  Random random(5);
  Profile profile(1000);
  std::vector<int64_t> plain(3000, 1000);
  std::vector<std::tuple<int64_t, int64_t, int64_t>> reserved;
  for (int count = 0; count < 3000; ++count) {
    if (!reserved.empty() && random.uniform() < 0.4) {
      std::swap(reserved[static_cast<size_t>(random.below(static_cast<int64_t>(reserved.size())))],
                reserved.back());
      const auto [from, to, gpus] = reserved.back();
      reserved.pop_back();
      profile.give_back(at(from), at(to), gpus);
      for (int64_t second = from; second < to; ++second) plain[static_cast<size_t>(second)] += gpus;
    } else {
      const int64_t from = random.below(2000), to = from + 1 + random.below(200), gpus = random.below(30);
      reserved.emplace_back(from, to, gpus);
      profile.reserve(at(from), at(to), gpus);
      for (int64_t second = from; second < to; ++second) plain[static_cast<size_t>(second)] -= gpus;
    }
    const int64_t look = random.below(2000), gpus = 1 + random.below(1000), time = 1 + random.below(300);
    const int64_t until = look + random.below(1000);
    ASSERT_EQ(profile.free_at(at(look)), plain[static_cast<size_t>(look)]);
    int64_t start = look;
    for (int64_t second = look; second < std::min(start + time, until); ++second)
      if (plain[static_cast<size_t>(second)] < gpus) start = second + 1;
    ASSERT_EQ(profile.earliest(at(look), gpus, seconds(time), at(until)), at(std::min(start, until)));
  }
}

TEST(Cluster, RefusesWhatThereIsNot) {
  const std::vector<Gang> gangs = {gang(0, 0, 3, 10, 10), gang(1, 0, 2, 10, 10), gang(2, 5, 1, 10, 10)};
  const Faults none;
  Cluster cluster(1, 4, gangs, none);
  cluster.start(gangs[0]);
  EXPECT_THROW(cluster.start(gangs[0]), std::logic_error);
  EXPECT_THROW(cluster.start(gangs[1]), std::logic_error);
  EXPECT_THROW(cluster.start(gangs[2]), std::logic_error) << "it has not come yet";
  cluster.take(gangs[1], 1);
  EXPECT_THROW(cluster.give_back(gangs[0]), std::logic_error) << "it runs";
  EXPECT_EQ(cluster.free(), 0);
  EXPECT_THROW(cluster.stop(gangs[0]), std::logic_error) << "it makes progress";
  cluster.advance(cluster.next_change()->time);
  EXPECT_EQ(cluster.next_change()->gang, &gangs[0]);
  cluster.pass_change();
  EXPECT_THROW(cluster.start(gangs[0]), std::logic_error) << "it has ended";
  cluster.start(gangs[1]);
  EXPECT_EQ(cluster.free(), 2);
}

// 4 GPUs. The first takes 3 of them until 100 (it said 200), the second needs all.
const std::vector<Gang> kHistory = {gang(0, 0, 3, 100, 200), gang(1, 1, 4, 100, 200), gang(2, 2, 1, 50, 150),
                                    gang(3, 3, 1, 500, 1000)};

TEST(Policies, FifoLetsNobodyGoAround) {
  EXPECT_EQ(starts("fifo", 4, kHistory), (std::vector<double>{0, 100, 200, 200}));
}

// The second came at 1, so the first look is at 31: the third ends by 181, before the second would start.
TEST(Policies, EasyLetsOthersGoAroundEvery30Seconds) {
  EXPECT_EQ(starts("easy", 4, kHistory), (std::vector<double>{0, 100, 31, 200}));
}

TEST(Policies, ConservativeReservesForEverybody) {
  EXPECT_EQ(starts("conservative", 4, kHistory), (std::vector<double>{0, 100, 2, 200}));
}

// The last one would end by 20, when the second is due, but the first asked for all GPUs from 10 on.
TEST(Policies, ConservativeKeepsEveryPromise) {
  const std::vector<Gang> gangs = {gang(0, 0, 3, 10, 10), gang(1, 1, 4, 10, 10), gang(2, 2, 4, 10, 10),
                                   gang(3, 3, 1, 17, 17)};
  EXPECT_EQ(starts("conservative", 4, gangs), (std::vector<double>{0, 10, 20, 30}));
}

// It is 198 s until the second would start, of which others get 132.
TEST(Policies, DeuteronLetsOthersGoAroundAtOnce) {
  std::vector<Gang> gangs = kHistory;
  EXPECT_EQ(starts("deuteron", 4, gangs), (std::vector<double>{0, 100, 200, 200}));
  gangs[2].limit = seconds(100);
  EXPECT_EQ(starts("deuteron", 4, gangs), (std::vector<double>{0, 100, 2, 200}));
}

// The fourth finds room at 63 and keeps it until 563; the second asks at 1, 16, ... 571.
TEST(Policies, PollingStartsWhoAsksWhenThereIsRoom) {
  EXPECT_EQ(starts("polling", 4, kHistory), (std::vector<double>{0, 571, 2, 63}));
}

TEST(Policies, PollingFailsAfter40Retries) {
  std::vector<Gang> gangs = kHistory;
  gangs[3].runs = gangs[3].limit = seconds(900);
  const auto outcomes = simulate(1, 4, gangs, *find_policy("polling")).outcomes;
  EXPECT_FALSE(outcomes[1].started);
  EXPECT_TRUE(outcomes[3].ended);
}

TEST(Policies, OneGroupStartsWhoeverFits) {
  EXPECT_EQ(starts("one-group", 4, kHistory), (std::vector<double>{0, 552, 2, 52}));
}

// The second holds the fourth GPU from 1 to 301. Then the third has it until 351, and then again the second.
TEST(Policies, PermitIsGivenBackAfter5Minutes) {
  std::vector<Gang> gangs = kHistory;
  EXPECT_EQ(starts("permit", 4, gangs), (std::vector<double>{0, 100, 200, 200}));
  gangs[0].runs = gangs[0].limit = seconds(400);
  EXPECT_EQ(starts("permit", 4, gangs), (std::vector<double>{0, 400, 301, 500}));
}

// The second holds the fourth GPU from 1 to 901, and then stands behind the others.
TEST(Policies, PlaceholdersAreGivenBackAfter15Minutes) {
  std::vector<Gang> gangs = kHistory;
  EXPECT_EQ(starts("placeholders", 4, gangs), (std::vector<double>{0, 100, 200, 200}));
  gangs[0].runs = gangs[0].limit = seconds(1200);
  EXPECT_EQ(starts("placeholders", 4, gangs), (std::vector<double>{0, 1451, 901, 951}));
}

std::string test_name(std::string policy) {
  std::replace(policy.begin(), policy.end(), '-', '_');
  return policy;
}

class EachPolicy : public ::testing::TestWithParam<std::string> {};

TEST_P(EachPolicy, GivesTheSameResultAgain) {
  const auto gangs = make_workload(small_rules(3));
  const auto run = [&](uint64_t seed) {
    Simulated simulated = simulate(16, 8, gangs, *find_policy(GetParam()), Faults(kManyFaults, 16, seed));
    simulated.seconds = 0;
    return to_json({}, {}, {summarise(GetParam(), gangs, simulated)});
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// The cluster itself refuses that GPUs are used twice; this counts again, from what became of the gangs.
TEST_P(EachPolicy, UsesNoMoreGpusThanThereAreAndStartsEverybodyWhole) {
  for (const double load : {0.7, 1.1}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const auto gangs = make_workload(small_rules(seed, load));
      const Simulated simulated = simulate(16, 8, gangs, *find_policy(GetParam()));
      std::map<SteadyTime, int64_t> changes;
      for (const Gang& gang : gangs) {
        const Outcome& outcome = simulated.outcomes[static_cast<size_t>(gang.id)];
        ASSERT_EQ(outcome.started.has_value(), outcome.ended.has_value()) << gang.id;
        if (!outcome.started && GetParam() == "polling") continue;  // it gives up
        ASSERT_TRUE(outcome.started) << gang.id;
        ASSERT_GE(*outcome.started, gang.submitted);
        ASSERT_EQ(*outcome.ended - *outcome.started, gang.runs);
        changes[*outcome.started] += gang.gpus;
        changes[*outcome.ended] -= gang.gpus;
      }
      int64_t used = 0;
      for (const auto& [time, change] : changes) ASSERT_LE(used += change, 128);
      EXPECT_EQ(used, 0);
      EXPECT_GT(simulated.utilisation(), 0.3);
      EXPECT_LE(simulated.utilisation(), 1);
    }
  }
}

// Every GPU second is accounted for, and what has become finished work is what the gangs that ended needed.
TEST_P(EachPolicy, LosesNoGpuTimeFromTheAccounts) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    const auto gangs = make_workload(small_rules(seed));
    const Simulated simulated =
        simulate(16, 8, gangs, *find_policy(GetParam()), Faults(kManyFaults, 16, seed));
    double needed = 0;
    int64_t restarts = 0, lost = 0;
    for (const Gang& gang : gangs) {
      const Outcome& outcome = simulated.outcomes[static_cast<size_t>(gang.id)];
      const bool was_given_up = !outcome.started && GetParam() == "polling";
      ASSERT_EQ(outcome.ended.has_value() + outcome.is_lost + was_given_up, 1) << gang.id;
      if (outcome.ended) needed += gang.gpus * std::chrono::duration<double>(gang.runs).count();
      restarts += outcome.restarts;
      lost += outcome.is_lost;
    }
    const Account& whole = simulated.whole;
    const double in_use = whole.finished + whole.lost_to(Loss::kNodes) + whole.lost_to(Loss::kHangs);
    const double all = 128 * simulated.virtual_seconds;
    EXPECT_NEAR(whole.finished / needed, 1, 1e-6);
    EXPECT_NEAR(whole.used / in_use, 1, 1e-6);
    EXPECT_NEAR((in_use + whole.held_idle + whole.down + whole.free) / all, 1, 1e-6);
    for (const double part : {whole.lost_to(Loss::kNodes), whole.lost_to(Loss::kHangs), whole.down})
      EXPECT_GT(part, 0);
    if (GetParam() == "deuteron") {
      EXPECT_EQ(lost, 0);
    }
    if (GetParam() == "polling") {
      EXPECT_EQ(restarts, 0);
      EXPECT_GT(lost, 0);
    } else {
      EXPECT_GT(restarts, 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachPolicy, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& kind : policies()) names.push_back(kind.name);
                           return names;
                         }()),
                         [](const auto& info) { return test_name(info.param); });

// ---- faults

struct Expected {
  std::string policy;
  std::vector<double> starts, ends;  // of a gang's first attempt; -1: not at all
  double lost = 0;                   // GPU seconds
};

void PrintTo(const Expected& expected, std::ostream* out) { *out << expected.policy; }

class WithAFault : public ::testing::TestWithParam<Expected> {
 protected:
  // 2 nodes of 4 GPUs, checkpoints every 10 minutes. The first gang needs all for an hour; the second comes
  // when the first has hung or lost a node, and needs a node.
  void run(Loss loss, std::vector<NodeFailure> failures, std::map<int64_t, Duration> hangs) {
    const std::vector<Gang> gangs = {gang(0, 0, 8, 3600, 7200), gang(1, 2500, 4, 1000, 1500)};
    const Faults faults(std::chrono::minutes(10), std::move(failures), std::move(hangs));
    const Simulated simulated = simulate(2, 4, gangs, *find_policy(GetParam().policy), faults);
    std::vector<double> starts, ends;
    const auto seconds_of = [](std::optional<SteadyTime> time) {
      return time ? std::chrono::duration<double>(*time - SteadyTime{}).count() : -1;
    };
    for (const Outcome& outcome : simulated.outcomes) {
      starts.push_back(seconds_of(outcome.started));
      ends.push_back(seconds_of(outcome.ended));
    }
    EXPECT_EQ(starts, GetParam().starts);
    EXPECT_EQ(ends, GetParam().ends);
    EXPECT_NEAR(simulated.whole.lost_to(loss), GetParam().lost, 1e-3);
    EXPECT_EQ(simulated.outcomes[0].is_lost, GetParam().policy == "polling");
  }
};

// At 2000 a node fails, for 4000 s. The first gang has a checkpoint of 1800, is found out later, and needs
// another 1800 s from 6000 on, when the node is back.
class WithAFailedNode : public WithAFault {};
TEST_P(WithAFailedNode, EndsAsCalculated) { run(Loss::kNodes, {{at(2000), 1, seconds(4000)}}, {}); }

INSTANTIATE_TEST_SUITE_P(Policies, WithAFailedNode,
                         ::testing::Values(
                             // Nobody goes around the first.
                             Expected{"fifo", {0, 7800}, {7800, 8800}, 8 * (200 + 300)},
                             // It is lost at 2120, with all that it has done.
                             Expected{"polling", {0, 2500}, {-1, 3500}, 8 * 2120},
                             // It holds the other node from 2340 to 2640, which is then the second's, and
                             // again from 3640 on, for 300 of 310 s.
                             Expected{"permit", {0, 2640}, {7800, 3640}, 8 * (200 + 340)},
                             // The same from 2340 to 3240, and then from 4240.
                             Expected{"placeholders", {0, 3240}, {7800, 4240}, 8 * (200 + 340)},
                             Expected{"one-group", {0, 2500}, {7800, 3500}, 8 * (200 + 340)},
                             // The first look at or after 2500 of those every 30 s from 2300 on.
                             Expected{"easy", {0, 2510}, {7800, 3510}, 8 * (200 + 300)},
                             Expected{"conservative", {0, 2500}, {7800, 3500}, 8 * (200 + 300)},
                             Expected{"deuteron", {0, 2500}, {7800, 3500}, 8 * (200 + 30)}),
                         [](const auto& info) { return test_name(info.param.policy); });

// After 2000 s the first gang hangs. From its checkpoint it needs another 1800 s.
class WithAHang : public WithAFault {};
TEST_P(WithAHang, EndsAsCalculated) { run(Loss::kHangs, {}, {{0, seconds(2000)}}); }

constexpr double kFoundOut = 3800;  // after 30 minutes
INSTANTIATE_TEST_SUITE_P(
    Policies, WithAHang,
    ::testing::Values(
        Expected{"fifo", {0, kFoundOut + 1800}, {kFoundOut + 1800, kFoundOut + 2800}, 8 * (200 + 1800)},
        // Nobody notices until the limit; the second has asked for the last time at 3100.
        Expected{"polling", {0, -1}, {-1, -1}, 8 * 7200},
        Expected{"permit", {0, kFoundOut + 1800}, {kFoundOut + 1800, kFoundOut + 2800}, 8 * (200 + 1800)},
        Expected{
            "placeholders", {0, kFoundOut + 1800}, {kFoundOut + 1800, kFoundOut + 2800}, 8 * (200 + 1800)},
        Expected{"one-group", {0, kFoundOut + 1800}, {kFoundOut + 1800, kFoundOut + 2800}, 8 * (200 + 1800)},
        Expected{"easy", {0, kFoundOut + 1800}, {kFoundOut + 1800, kFoundOut + 2800}, 8 * (200 + 1800)},
        Expected{
            "conservative", {0, kFoundOut + 1800}, {kFoundOut + 1800, kFoundOut + 2800}, 8 * (200 + 1800)},
        // Flagged after 1.5 s.
        Expected{"deuteron", {0, 3801.5}, {3801.5, 4801.5}, 8 * (200 + 1.5)}),
    [](const auto& info) { return test_name(info.param.policy); });

TEST(Faults, AreTheSameWhateverHappens) {
  const FaultRules rules{.node_days = 10, .hang_hours = 100};
  Faults one(rules, 100, 7), same(rules, 100, 7), other(rules, 100, 8);
  const Gang small = gang(3, 0, 1, 100, 200), large = gang(4, 0, 64, 100, 200);
  double days = 0;
  for (int count = 0; count < 10000; ++count) {
    ASSERT_EQ(one.next()->time, same.next()->time);
    ASSERT_EQ(one.next()->node, same.next()->node);
    ASSERT_EQ(one.next()->repair, same.next()->repair);
    ASSERT_NE(one.next()->time, other.next()->time);
    ASSERT_EQ(one.hangs_after(small, count), same.hangs_after(small, count));
    days = std::chrono::duration<double>(one.next()->time - SteadyTime{}).count() / 86400;
    for (Faults* faults : {&one, &same, &other}) faults->pass();
  }
  EXPECT_NEAR(days, 10000 * 10 / 100, 50);
  double hours = 0;
  for (int count = 0; count < 10000; ++count)
    hours += 64 * std::chrono::duration<double>(*one.hangs_after(large, count)).count() / 3600;
  EXPECT_NEAR(hours / 10000, 100, 5);
}

TEST(Faults, RefusesWhatIsNone) {
  EXPECT_TRUE(check(FaultRules{}).ok());
  EXPECT_EQ(check(FaultRules{.node_days = -1}).condition(), "INVALID_OPTION");
  EXPECT_EQ(check(FaultRules{.repair_hours = -1}).condition(), "INVALID_OPTION");
  EXPECT_EQ(check(FaultRules{.hang_hours = 0.1}).condition(), "INVALID_OPTION");
  EXPECT_EQ(check(FaultRules{.checkpoint_minutes = -1}).condition(), "INVALID_OPTION");
}

TEST(Nodes, GivesOutWholeNodesFirstAndThenTheSmallestRest) {
  Nodes nodes(3, 4, 10);
  nodes.take(0, 3);
  nodes.take(1, 6);  // a whole one, and half of the other
  nodes.take(2, 1);  // fits beside the first
  EXPECT_EQ(nodes.held(1, 1), 4);
  EXPECT_EQ(nodes.held(1, 2), 2);
  EXPECT_EQ(nodes.held(2, 0), 1);
  EXPECT_EQ(nodes.free(), 2);
  nodes.fail(2);
  EXPECT_EQ(nodes.free(), 0);
  EXPECT_EQ(nodes.down(), 2);
  EXPECT_EQ(nodes.holders(2), std::vector<int64_t>{1});
  nodes.give_back(1);
  EXPECT_EQ(nodes.free(), 4);
  EXPECT_EQ(nodes.down(), 4);
  nodes.repair(2);
  EXPECT_EQ(nodes.free(), 8);
  EXPECT_EQ(nodes.down(), 0);
}

TEST(Report, TellsWaitsBySize) {
  const std::vector<Gang> gangs = {gang(0, 0, 1, 10, 10), gang(1, 0, 1, 10, 10), gang(2, 0, 8, 10, 10),
                                   gang(3, 0, 600, 10, 10)};
  Simulated simulated;
  simulated.outcomes = {{at(10), at(20)}, {at(30), at(40)}, {at(0), at(10)}, {}};
  const Summary summary = summarise("fifo", gangs, simulated);
  ASSERT_EQ(summary.waits.size(), 6u);
  EXPECT_EQ(summary.waits[0].gangs, 4);
  EXPECT_EQ(summary.waits[0].never_started, 1);
  EXPECT_EQ(summary.waits[1].mean, 20);
  EXPECT_EQ(summary.waits[1].p50, 10);
  EXPECT_EQ(summary.waits[1].longest, 30);
  EXPECT_EQ(summary.waits[2].gangs, 1);
  EXPECT_EQ(summary.waits[5].never_started, 1);
  EXPECT_NE(to_table({summary}).find("fifo"), std::string::npos);
}

TEST(Report, DescribesTimes) {
  EXPECT_EQ(describe(0), "0");
  EXPECT_EQ(describe(0.25), "0.2s");
  EXPECT_EQ(describe(45), "45s");
  EXPECT_EQ(describe(600), "10m");
  EXPECT_EQ(describe(9000), "2.5h");
}

}  // namespace
}  // namespace deuteron::simulator
