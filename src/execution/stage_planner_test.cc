#include "execution/stage_planner.h"

#include <gtest/gtest.h>

#include "execution/plan_rewrite.h"

namespace deuteron::execution {
namespace {

using namespace plan::resolved;  // NOLINT

const types::DataType kLong{types::TypeId::kLong};

Column column(ColumnId id, const std::string& name) { return {id, name, kLong, true, {}, ""}; }
RelationPtr range() { return make_relation(Range{0, 10, 1, 2}, {column(1, "id")}, 2); }
RelationPtr three_columns() {
  const auto id = make_expression(ColumnReference{1}, kLong, false);
  return make_relation(Project{range(), {id, id, id}}, {column(2, "a"), column(3, "b"), column(4, "c")}, 2);
}
PythonFunctionPtr function(int32_t type, const std::string& name) {
  auto made = std::make_shared<PythonFunction>();
  made->name = name;
  made->eval_type = type;
  made->command = name;
  made->type = kLong;
  return made;
}
ExpressionPtr call(int32_t type, const std::string& name, Expressions arguments) {
  return make_expression(PythonCall{function(type, name), std::move(arguments), {}}, kLong, true);
}
ExpressionPtr reference(ColumnId id) { return make_expression(ColumnReference{id}, kLong, true); }

class Planner : public ::testing::Test {
 protected:
  Result<RelationPtr> cut(const RelationPtr& relation) {
    StagePlanner planner(
        [this](const PythonStage& stage) -> Result<Exchange> {
          stages_.push_back(stage);
          return Exchange{static_cast<int64_t>(stages_.size()), stage.input->partitions};
        },
        [this](const PositionStage& stage) -> Result<Exchange> {
          position_stages_.push_back(stage);
          return Exchange{static_cast<int64_t>(position_stages_.size()), stage.input->partitions};
        });
    return planner.cut(relation);
  }
  std::vector<PythonStage> stages_;
  std::vector<PositionStage> position_stages_;
};

TEST_F(Planner, CutsWhereThePositionOfRowsCounts) {
  const ExpressionPtr id = make_expression(Call{"monotonically_increasing_id", {}, false}, kLong, false);
  Columns output = range()->output;
  output.push_back(column(9, "id"));
  const auto plan = cut(make_relation(EvaluatePosition{range(), {id}, false}, output, 2));
  ASSERT_TRUE(plan.ok());
  EXPECT_NE(as<ExchangeScan>(*plan), nullptr);
  ASSERT_EQ(position_stages_.size(), 1u);
  EXPECT_EQ(position_stages_[0].calls.size(), 1u);
  EXPECT_TRUE(position_stages_[0].request.keeps_order);
}

TEST_F(Planner, CutsAtASortWithinPartitions) {
  const auto sorted = [](bool is_global) {
    return make_relation(Sort{range(), {}, is_global}, range()->output, 2);
  };
  EXPECT_NE(as<Sort>(*cut(sorted(true))), nullptr);
  EXPECT_NE(as<ExchangeScan>(*cut(sorted(false))), nullptr);
  EXPECT_EQ(position_stages_.size(), 1u);
}

TEST_F(Planner, LeavesRelationalPlansAlone) {
  const RelationPtr plan = three_columns();
  EXPECT_EQ(*cut(plan), plan);
  EXPECT_TRUE(stages_.empty());
}

TEST_F(Planner, CutsAtAGang) {
  const RelationPtr gang =
      make_relation(MapPartitions{range(), function(207, "train"), true}, {column(5, "loss")}, 2);
  const auto plan = cut(make_relation(Limit{gang, 1, 0}, gang->output, 1));
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(stages_.size(), 1u);
  EXPECT_TRUE(stages_[0].is_gang);
  EXPECT_EQ(stages_[0].request.groups[0].layout, exchange::Layout::kStructColumn);
  const auto* scan = as<ExchangeScan>(as<Limit>(*plan)->input);
  ASSERT_NE(scan, nullptr);
  EXPECT_EQ(as<Limit>(*plan)->input->partitions, 2);
}

TEST_F(Planner, OnlyArgumentsTravel) {
  const RelationPtr input = three_columns();
  Columns output = input->output;
  output.push_back(column(9, "f"));
  const auto plan = cut(make_relation(EvaluatePython{input, {call(200, "f", {reference(3)})}}, output, 2));
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(stages_.size(), 1u);
  ASSERT_EQ(stages_[0].request.groups.size(), 2u);
  EXPECT_EQ(stages_[0].request.groups[0].columns, std::vector<int32_t>{1});
  EXPECT_EQ(stages_[0].request.groups[1].columns, (std::vector<int32_t>{0, 2}));
  const auto* scan = as<ExchangeScan>(as<Project>(*plan)->input);
  ASSERT_NE(scan, nullptr);
  EXPECT_EQ(scan->columns, (std::vector<int32_t>{1, 0, 2, 3}));
}

TEST_F(Planner, CallsInsideArgumentsRunFirst) {
  const RelationPtr input = range();
  Columns output = input->output;
  output.push_back(column(9, "f"));
  const auto nested = call(101, "outer", {call(101, "inner", {reference(1)})});
  ASSERT_TRUE(cut(make_relation(EvaluatePython{input, {nested}}, output, 2)).ok());
  ASSERT_EQ(stages_.size(), 2u);
  EXPECT_EQ(stages_[0].name, "inner");
  EXPECT_EQ(stages_[1].name, "outer");
}

TEST_F(Planner, KindsOfFunctionsDoNotShareAStage) {
  const RelationPtr input = range();
  Columns output = {column(1, "id"), column(6, "x"), column(7, "y"), column(8, "z")};
  const auto plan =
      cut(make_relation(EvaluatePython{input,
                                       {call(200, "x", {reference(1)}), call(101, "y", {reference(1)}),
                                        call(200, "z", {reference(1)})}},
                        output, 2));
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(stages_.size(), 2u);
  EXPECT_EQ(stages_[0].functions.size(), 2u);
  EXPECT_EQ(stages_[1].functions.size(), 1u);
  EXPECT_EQ((*plan)->output.size(), 4u);
}

TEST_F(Planner, GroupsTravelWithTheirKeys) {
  const RelationPtr input = three_columns();
  const RelationPtr groups =
      make_relation(GroupMap{input, {3}, {2, 3}, function(201, "g")}, {column(9, "r")}, 4);
  ASSERT_TRUE(cut(groups).ok());
  const PythonStage& stage = stages_.at(0);
  EXPECT_EQ(stage.tables_per_group, 1);
  EXPECT_TRUE(stage.request.stream_per_key);
  EXPECT_EQ(stage.request.groups[0].columns, (std::vector<int32_t>{1, 0}));
  std::vector<int32_t> offsets;
  for (const auto& argument : stage.functions[0].arguments) offsets.push_back(argument.column);
  EXPECT_EQ(offsets, (std::vector<int32_t>{4, 1, 0, 1, 0}));
}

TEST_F(Planner, AFragmentTakesItsDefinitionsAlong) {
  const RelationPtr definition = range();
  const RelationPtr scan = make_relation(CteScan{1, {1}}, {column(5, "id")}, 2);
  const RelationPtr map = make_relation(MapPartitions{scan, function(207, "f"), false}, {column(6, "id")}, 2);
  ASSERT_TRUE(cut(make_relation(WithCte{map, {{1, "t", definition}}}, map->output, 2)).ok());
  EXPECT_NE(as<WithCte>(stages_.at(0).input), nullptr);
}

}  // namespace
}  // namespace deuteron::execution
