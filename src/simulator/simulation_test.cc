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
std::vector<double> starts(const std::string& policy, int64_t gpus, const std::vector<Gang>& gangs) {
  std::vector<double> found;
  for (const Outcome& outcome : simulate(gpus, gangs, *find_policy(policy)).outcomes)
    found.push_back(std::chrono::duration<double>(outcome.started.value() - SteadyTime{}).count());
  return found;
}

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

TEST(Cluster, RefusesWhatThereIsNot) {
  const std::vector<Gang> gangs = {gang(0, 0, 3, 10, 10), gang(1, 0, 2, 10, 10), gang(2, 5, 1, 10, 10)};
  Cluster cluster(4, gangs);
  cluster.start(gangs[0]);
  EXPECT_THROW(cluster.start(gangs[0]), std::logic_error);
  EXPECT_THROW(cluster.start(gangs[1]), std::logic_error);
  EXPECT_THROW(cluster.start(gangs[2]), std::logic_error) << "it has not come yet";
  cluster.take(gangs[1], 1);
  EXPECT_THROW(cluster.give_back(gangs[0]), std::logic_error) << "it runs";
  EXPECT_EQ(cluster.free(), 0);
  cluster.advance(*cluster.next_end());
  EXPECT_EQ(&cluster.end_next(), &gangs[0]);
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

TEST(Policies, DeuteronLetsOthersGoAroundAtOnce) {
  EXPECT_EQ(starts("deuteron", 4, kHistory), (std::vector<double>{0, 100, 2, 200}));
}

// The fourth finds room at 63 and keeps it until 563; the second asks at 1, 16, ... 571.
TEST(Policies, PollingStartsWhoAsksWhenThereIsRoom) {
  EXPECT_EQ(starts("polling", 4, kHistory), (std::vector<double>{0, 571, 2, 63}));
}

TEST(Policies, PollingFailsAfter40Retries) {
  std::vector<Gang> gangs = kHistory;
  gangs[3].runs = gangs[3].limit = seconds(900);
  const auto outcomes = simulate(4, gangs, *find_policy("polling")).outcomes;
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

class EachPolicy : public ::testing::TestWithParam<std::string> {};

TEST_P(EachPolicy, GivesTheSameResultAgain) {
  const auto gangs = make_workload(small_rules(3));
  const auto run = [&] {
    const WorkloadRules rules;
    Simulated simulated = simulate(128, gangs, *find_policy(GetParam()));
    simulated.seconds = 0;
    return to_json(rules, {summarise(GetParam(), gangs, simulated)});
  };
  EXPECT_EQ(run(), run());
}

// The cluster itself refuses that GPUs are used twice; this counts again, from what became of the gangs.
TEST_P(EachPolicy, UsesNoMoreGpusThanThereAreAndStartsEverybodyWhole) {
  for (const double load : {0.7, 1.1}) {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
      const auto gangs = make_workload(small_rules(seed, load));
      const Simulated simulated = simulate(128, gangs, *find_policy(GetParam()));
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
      EXPECT_GT(simulated.utilisation, 0.3);
      EXPECT_LE(simulated.utilisation, 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachPolicy, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& kind : policies()) names.push_back(kind.name);
                           return names;
                         }()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

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
