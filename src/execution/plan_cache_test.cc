#include "execution/plan_cache.h"

#include <gtest/gtest.h>

#include <thread>

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT: nearly every name here is a node's

RelationPtr range(int64_t end, ColumnId id = 1) {
  return make_relation(Range{0, end, 1, 2},
                       {{id, "id", types::DataType(types::TypeId::kLong), false, {}, ""}}, 2);
}
RelationPtr scan_of(const std::string& path) {
  FileScan scan;
  scan.format = "parquet";
  scan.paths = {path};
  return make_relation(scan, range(1)->output, 0);
}
exchange::StageOutputPtr rows() { return std::make_shared<exchange::StageOutput>(); }

TEST(PlanCache, FindsAPlanByWhatItDoes) {
  PlanCache cache;
  cache.add(range(10), kMemoryAndDisk);
  EXPECT_NE(cache.find(range(10, 7)), nullptr);
  EXPECT_EQ(cache.find(range(11)), nullptr);
  cache.remove(range(10, 3));
  EXPECT_TRUE(cache.empty());
}

TEST(PlanCache, RowsAreMadeOnce) {
  CachedPlan cached(range(10), kMemoryAndDisk);
  CancelToken never;
  int made = 0;
  const auto fill = [&]() -> Result<exchange::StageOutputPtr> {
    ++made;
    return rows();
  };
  EXPECT_EQ(cached.rows_if_made(), nullptr);
  const auto first = cached.rows(fill, never);
  EXPECT_EQ(*cached.rows(fill, never), *first);
  EXPECT_EQ(made, 1);
  cached.forget_rows();
  EXPECT_TRUE(cached.rows(fill, never).ok());
  EXPECT_EQ(made, 2);
}

TEST(PlanCache, AFailureIsNotKept) {
  CachedPlan cached(range(10), kMemoryAndDisk);
  CancelToken never;
  EXPECT_FALSE(
      cached.rows([]() -> Result<exchange::StageOutputPtr> { return internal_error("no"); }, never).ok());
  EXPECT_TRUE(cached.rows([]() -> Result<exchange::StageOutputPtr> { return rows(); }, never).ok());
}

TEST(PlanCache, WhoWaitsCanBeCancelled) {
  CachedPlan cached(range(10), kMemoryAndDisk);
  CancelToken never;
  CancelToken impatient;
  std::atomic<bool> go{false};
  std::atomic<bool> filling{false};
  std::thread filler([&] {
    const auto fill = [&]() -> Result<exchange::StageOutputPtr> {
      filling = true;
      while (!go) std::this_thread::yield();
      return rows();
    };
    EXPECT_TRUE(cached.rows(fill, never).ok());
  });
  while (!filling) std::this_thread::yield();
  std::thread canceller([&] { impatient.cancel(); });
  EXPECT_EQ(cached.rows([]() -> Result<exchange::StageOutputPtr> { return rows(); }, impatient)
                .status()
                .condition(),
            "OPERATION_CANCELED");
  go = true;
  filler.join();
  canceller.join();
}

TEST(PlanCache, ChangedFilesAreReadAgain) {
  PlanCache cache;
  cache.add(scan_of("/data/one/part-0.parquet"), kMemoryAndDisk);
  const CachedPlanPtr cached = cache.find(scan_of("/data/one/part-0.parquet"));
  CancelToken never;
  ASSERT_TRUE(cached->rows([]() -> Result<exchange::StageOutputPtr> { return rows(); }, never).ok());
  cache.forget_files("/data/on");
  EXPECT_NE(cached->rows_if_made(), nullptr);
  cache.forget_files("/data/one");
  EXPECT_EQ(cached->rows_if_made(), nullptr);
}

TEST(PlanCache, TheLargestPartIsReplaced) {
  PlanCache cache;
  cache.add(range(10), kMemoryAndDisk);
  const RelationPtr limit = make_relation(Limit{range(10, 5), 3, 0}, range(10, 5)->output, 1);
  cache.add(limit, kMemoryAndDisk);
  const RelationPtr plan = make_relation(Distinct{limit}, limit->output, 2);
  int scans = 0;
  const auto replaced = replace_cached(plan, cache, [&](const CachedPlanPtr&, const Columns& output) {
    ++scans;
    return Result<RelationPtr>(make_relation(ExchangeScan{1, {0}}, output, 1));
  });
  ASSERT_TRUE(replaced.ok());
  EXPECT_EQ(scans, 1);
  EXPECT_NE(as<ExchangeScan>(as<Distinct>(*replaced)->input), nullptr);
}

}  // namespace
}  // namespace deuteron::execution
