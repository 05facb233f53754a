#include "sql/parser.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace deuteron::sql {
namespace {

namespace unresolved = plan::unresolved;
using unresolved::ExpressionPtr;

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

std::string condition_of(const std::string& text) { return parse_statement(text).status().condition(); }

TEST(Bounds, DeepNestingIsRefused) {
  constexpr int kDeep = 100'000;
  const std::string texts[] = {
      "select " + repeated("(", kDeep) + "1" + repeated(")", kDeep),
      "select " + repeated("(", kDeep),
      "select " + repeated("not ", kDeep) + "a",
      "select " + repeated("- ", kDeep) + "a",
      "select " + repeated("f(", kDeep) + "1" + repeated(")", kDeep),
      "select " + repeated("substring(", kDeep) + "a" + repeated(", 1)", kDeep),
      "select " + repeated("case when ", kDeep) + "a",
      "select " + repeated("cast(", kDeep) + "a" + repeated(" as int)", kDeep),
      "select cast(a as " + repeated("array<", kDeep) + "int" + repeated(">", kDeep) + ")",
      "select " + repeated("x -> ", kDeep) + "x",
      "select " + repeated("a[", kDeep) + "1" + repeated("]", kDeep),
      repeated("(select * from ", kDeep) + "t" + repeated(")", kDeep),
      "select * from " + repeated("(", kDeep) + "t" + repeated(")", kDeep),
      repeated("with a as (", kDeep) + "select 1" + repeated(") select 1", kDeep),
      "select a from t group by " + repeated("grouping sets (", kDeep) + "a" + repeated(")", kDeep),
      repeated("explain ", kDeep) + "select 1",
  };
  for (const std::string& text : texts) {
    const Status status = parse_statement(text).status();
    EXPECT_FALSE(status.ok() && !text.starts_with("explain")) << text.substr(0, 60);
  }
}

TEST(Bounds, HighTreesAreRefused) {
  EXPECT_EQ(condition_of("select 1" + repeated(" + 1", 900)), "");
  EXPECT_EQ(condition_of("select 1" + repeated(" + 1", 5'000)), "FAILED_TO_PARSE_TOO_COMPLEX");
  EXPECT_EQ(condition_of("select a" + repeated("[1]", 5'000)), "FAILED_TO_PARSE_TOO_COMPLEX");
  EXPECT_EQ(condition_of("select a" + repeated("::int", 5'000)), "FAILED_TO_PARSE_TOO_COMPLEX");
  EXPECT_EQ(condition_of("select 1" + repeated(" union all select 1", 5'000)), "FAILED_TO_PARSE_TOO_COMPLEX");
  EXPECT_EQ(condition_of("select * from t" + repeated(", t", 5'000)), "FAILED_TO_PARSE_TOO_COMPLEX");
  EXPECT_EQ(condition_of("select * from t" + repeated(" join t", 5'000)), "FAILED_TO_PARSE_TOO_COMPLEX");
}

TEST(Bounds, WideTreesAreNot) {
  EXPECT_EQ(condition_of("select a = 1" + repeated(" or a = 1", 20'000)), "");
  EXPECT_EQ(condition_of("select a = 1" + repeated(" and a + 1 = 2", 20'000)), "");
  EXPECT_EQ(condition_of("select 1" + repeated(", a + b", 20'000)), "");
  EXPECT_EQ(condition_of("select a in (1" + repeated(", 1", 20'000) + ")"), "");
  EXPECT_EQ(condition_of("values (1)" + repeated(", (1)", 20'000)), "");
  EXPECT_EQ(condition_of("select case" + repeated(" when a then b", 5'000) + " end"), "");
}

TEST(Origin, CountsCharacters) {
  const auto parsed = parse_expression("'äö😀' + b");
  ASSERT_TRUE(parsed.ok());
  const auto* sum = unresolved::as<unresolved::FunctionCall>(*parsed);
  ASSERT_NE(sum, nullptr);
  EXPECT_EQ((*parsed)->origin->start_index, 0);
  EXPECT_EQ((*parsed)->origin->stop_index, 8);
  EXPECT_EQ(sum->arguments[1]->origin->start_index, 8);
  EXPECT_EQ(sum->arguments[1]->origin->stop_index, 8);
  EXPECT_EQ(sum->arguments[1]->origin->fragment, "b");
  EXPECT_EQ(sum->arguments[0]->origin->fragment, "'äö😀'");
}

TEST(Origin, IncludesTheParenthesesOfOperands) {
  const auto parsed = parse_statement("select (1 + 2) / 0 from t");
  ASSERT_TRUE(parsed.ok());
  const auto* project = unresolved::as<unresolved::Project>(std::get<unresolved::RelationPtr>(*parsed));
  ASSERT_NE(project, nullptr);
  const ExpressionPtr& quotient = project->expressions[0];
  EXPECT_EQ(quotient->origin->fragment, "(1 + 2) / 0");
  EXPECT_EQ(quotient->origin->start_index, 7);
  EXPECT_EQ(quotient->origin->stop_index, 17);
  EXPECT_EQ(unresolved::as<unresolved::FunctionCall>(quotient)->arguments[0]->origin->fragment, "1 + 2");
}

TEST(SyntaxError, ShowsTheLine) {
  const Status status = parse_statement("select a\nfrom t x y\nwhere true").status();
  ASSERT_EQ(status.condition(), "PARSE_SYNTAX_ERROR");
  ASSERT_EQ(status.detail().contexts.size(), 1U);
  EXPECT_EQ(status.detail().contexts[0].summary, "(line 2, pos 9)\n\n== SQL ==\nfrom t x y\n---------^^^\n");
}

TEST(Origin, SummaryMarksTheFragment) {
  const auto parsed =
      parse_statement("select a,\n  1 / 0 as bad, 'a text that is longer than what is shown'\nfrom t");
  ASSERT_TRUE(parsed.ok());
  const auto* project = unresolved::as<unresolved::Project>(std::get<unresolved::RelationPtr>(*parsed));
  ASSERT_NE(project, nullptr);
  const auto* alias = unresolved::as<unresolved::Alias>(project->expressions[1]);
  ASSERT_NE(alias, nullptr);
  EXPECT_EQ(alias->child->origin->summary,
            "== SQL (line 2, position 3) ==\n"
            "  1 / 0 as bad, 'a text that is longer ...\n"
            "  ^^^^^\n");
}

std::string string_of(const std::string& text) {
  const auto parsed = parse_expression(text);
  const auto* literal = parsed.ok() ? unresolved::as<unresolved::Literal>(*parsed) : nullptr;
  return literal == nullptr ? "?" : std::get<std::string>(literal->value.value.data);
}

TEST(String, Escapes) {
  EXPECT_EQ(string_of("'\\0'"), std::string(1, '\0'));
  EXPECT_EQ(string_of("'\\Z\\b\\t'"), "\x1A\b\t");
  EXPECT_EQ(string_of("'\\141\\377'"), "a377");
  EXPECT_EQ(string_of("'\\%\\_'"), "\\%\\_");
  EXPECT_EQ(string_of("'it''s' 'x'"), "it'sx");
  EXPECT_EQ(string_of("r'\\n'"), "\\n");
}

TEST(TpcH, EveryQueryParses) {
  int count = 0;
  for (int number = 1; number <= 22; ++number) {
    const std::string path =
        "bench/tpch/q" + std::string(number < 10 ? "0" : "") + std::to_string(number) + ".sql";
    std::ifstream file(path);
    if (!file) continue;
    std::stringstream text;
    text << file.rdbuf();
    const auto parsed = parse_statement(text.str());
    EXPECT_TRUE(parsed.ok()) << path << ": " << parsed.status().to_string();
    ++count;
  }
  EXPECT_EQ(count, 22);
}

TEST(Schema, TakesJson) {
  const auto schema = parse_schema(
      R"json({"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":"long","containsNull":false},)json"
      R"json("nullable":false,"metadata":{"k":1}},{"name":"b","type":"decimal(10,2)","nullable":true,"metadata":{}}]})json");
  ASSERT_TRUE(schema.ok()) << schema.status().to_string();
  ASSERT_EQ(schema->size(), 2U);
  EXPECT_EQ((*schema)[0].type, types::DataType::array(types::DataType(types::TypeId::kLong), false));
  EXPECT_FALSE((*schema)[0].nullable);
  EXPECT_EQ((*schema)[0].metadata_json, "{\"k\":1}");
  EXPECT_EQ((*schema)[1].type, types::DataType::decimal(10, 2));
  EXPECT_EQ(parse_schema(repeated("{\"type\":", 10'000)).status().condition(), "FAILED_TO_PARSE_TOO_COMPLEX");
  EXPECT_EQ(parse_schema("{\"type\":\"x\"}").status().condition(), "INVALID_JSON_DATA_TYPE");
}

TEST(Name, SplitsAtDots) {
  EXPECT_EQ(*parse_name("a.`b.c`.`d``e`"), (plan::Names{"a", "b.c", "d`e"}));
  EXPECT_FALSE(parse_name("a..b").ok());
  EXPECT_FALSE(parse_name("").ok());
}

}  // namespace
}  // namespace deuteron::sql
