#include "execution/show_string.h"

#include <gtest/gtest.h>

namespace deuteron::execution {
namespace {

TEST(ShowTable, AlignsToTheRightWhenItTruncates) {
  EXPECT_EQ(show_table({"id", "name"}, {{"1", "a"}, {"22", std::nullopt}}, {}),
            "+---+----+\n"
            "| id|name|\n"
            "+---+----+\n"
            "|  1|   a|\n"
            "| 22|NULL|\n"
            "+---+----+\n");
  EXPECT_EQ(show_table({"id"}, {{"1"}}, {20, 0, false, false}),
            "+---+\n"
            "|id |\n"
            "+---+\n"
            "|1  |\n"
            "+---+\n");
}

TEST(ShowTable, CutsLongCells) {
  EXPECT_NE(show_table({"s"}, {{std::string(30, 'x')}}, {}).find("|xxxxxxxxxxxxxxxxx...|"),
            std::string::npos);
  EXPECT_NE(show_table({"s"}, {{"abcdef"}}, {20, 3, false, false}).find("|abc|"), std::string::npos);
  EXPECT_NE(show_table({"s"}, {{"a\nb"}}, {}).find("|a\\nb|"), std::string::npos);
}

TEST(ShowTable, WideCharactersTakeTwoColumns) {
  EXPECT_EQ(show_table({"s"}, {{"数据"}}, {}),
            "+----+\n"
            "|   s|\n"
            "+----+\n"
            "|数据|\n"
            "+----+\n");
}

TEST(ShowTable, TellsThatThereIsMore) {
  const std::string one = show_table({"id"}, {{"0"}, {"1"}}, {1, 20, false, false});
  EXPECT_NE(one.find("only showing top 1 row"), std::string::npos);
  const std::string none = show_table({"id"}, {{"0"}}, {0, 20, false, false});
  EXPECT_EQ(none, "+---+\n| id|\n+---+\n+---+\nonly showing top 0 rows");
}

TEST(ShowTable, VerticalRecords) {
  EXPECT_EQ(show_table({"id", "name"}, {{"1", "abc"}}, {20, 20, true, false}),
            "-RECORD 0---\n"
            " id   | 1   \n"
            " name | abc \n");
  EXPECT_EQ(show_table({"id"}, {}, {20, 20, true, false}), "(0 rows)");
}

TEST(ShowTable, Html) {
  EXPECT_EQ(show_table({"a<b"}, {{"1"}}, {20, 20, false, true}),
            "<table border='1'>\n<tr><th>a&lt;b</th></tr>\n<tr><td>1</td></tr>\n</table>\n");
}

}  // namespace
}  // namespace deuteron::execution
