#include "plan/equality.h"

#include <gtest/gtest.h>

namespace deuteron::plan::resolved {
namespace {

const types::DataType kLong(types::TypeId::kLong);

Column column(ColumnId id, const std::string& name) { return {id, name, kLong, false, {}, ""}; }
RelationPtr range(ColumnId id, int64_t end) {
  return make_relation(Range{0, end, 1, 2}, {column(id, "id")}, 2);
}
ExpressionPtr reference(ColumnId id) { return make_expression(ColumnReference{id}, kLong, false); }
RelationPtr times(ColumnId from, ColumnId to, const std::string& name, int64_t factor) {
  const ExpressionPtr literal = make_expression(Literal{types::Value(factor)}, kLong, false);
  return make_relation(
      Project{range(from, 10), {make_expression(Call{"*", {reference(from), literal}, true}, kLong, false)}},
      {column(to, name)}, 2);
}
RelationPtr joined(ColumnId left, ColumnId right, ColumnId kept) {
  const RelationPtr join =
      make_relation(Join{range(left, 10), range(right, 10), JoinType::kCross, nullptr, false},
                    {column(left, "id"), column(right, "id")}, 2);
  return make_relation(Project{join, {reference(kept)}}, {column(kept, "id")}, 2);
}

TEST(SamePlan, NumbersAndNamesOfColumnsDoNotMatter) {
  EXPECT_TRUE(same_plan(times(1, 2, "a", 3), times(7, 9, "b", 3)));
}

TEST(SamePlan, SourcesAndConstantsMatter) {
  EXPECT_FALSE(same_plan(range(1, 10), range(1, 11)));
  EXPECT_FALSE(same_plan(times(1, 2, "a", 3), times(1, 2, "a", 4)));
  EXPECT_FALSE(same_plan(times(1, 2, "a", 3), range(1, 10)));
}

TEST(SamePlan, EachColumnStandsForOneOther) {
  EXPECT_TRUE(same_plan(joined(1, 2, 1), joined(5, 4, 5)));
  EXPECT_FALSE(same_plan(joined(1, 2, 1), joined(5, 4, 4)));
}

TEST(SamePlan, LocalDataAreComparedByTheirBytes) {
  const auto local = [](const std::string& bytes) {
    return make_relation(LocalData{std::make_shared<const std::string>(bytes)}, {column(1, "id")}, 1);
  };
  EXPECT_TRUE(same_plan(local("one"), local("one")));
  EXPECT_FALSE(same_plan(local("one"), local("two")));
}

}  // namespace
}  // namespace deuteron::plan::resolved
