#include "connect/decode/plan_decoder.h"

#include <gtest/gtest.h>

#include "connect/decode/attribute_name.h"

namespace deuteron::connect::decode {
namespace {

namespace protocol = spark::connect;
namespace unresolved = plan::unresolved;
using types::DataType;
using types::TypeId;
using types::Value;

protocol::Relation range(int64_t end) {
  protocol::Relation relation;
  relation.mutable_common()->set_plan_id(7);
  relation.mutable_range()->set_end(end);
  relation.mutable_range()->set_step(1);
  return relation;
}

protocol::Expression column(const std::string& name) {
  protocol::Expression expression;
  expression.mutable_unresolved_attribute()->set_unparsed_identifier(name);
  return expression;
}

protocol::Expression integer(int value) {
  protocol::Expression expression;
  expression.mutable_literal()->set_integer(value);
  return expression;
}

template <typename Node>
const Node& node_of(const Result<unresolved::RelationPtr>& result) {
  EXPECT_TRUE(result.ok()) << result.status().to_string();
  static const Node kNone;
  const Node* node = result.ok() ? unresolved::as<Node>(*result) : nullptr;
  EXPECT_NE(node, nullptr);
  return node == nullptr ? kNone : *node;
}

TEST(DecodeRelation, KeepsPlanIdAndOptionalFields) {
  const auto decoded = decode_relation(range(10));
  const auto& node = node_of<unresolved::Range>(decoded);
  EXPECT_EQ((*decoded)->plan_id, 7);
  EXPECT_EQ(node.end, 10);
  EXPECT_EQ(node.partitions, -1);
}

TEST(DecodeRelation, FilterOverRange) {
  protocol::Relation filter;
  *filter.mutable_filter()->mutable_input() = range(10);
  auto& call = *filter.mutable_filter()->mutable_condition()->mutable_unresolved_function();
  call.set_function_name("==");
  *call.add_arguments() = column("id");
  *call.add_arguments() = integer(3);
  const auto decoded = decode_relation(filter);
  const auto& node = node_of<unresolved::Filter>(decoded);
  const auto* condition = unresolved::as<unresolved::FunctionCall>(node.condition);
  ASSERT_NE(condition, nullptr);
  EXPECT_EQ(condition->name, plan::Names{"=="});
  EXPECT_EQ(unresolved::as<unresolved::Attribute>(condition->arguments[0])->parts, plan::Names{"id"});
}

TEST(DecodeRelation, OriginOfTheClient) {
  protocol::Expression expression = column("a");
  auto& origin = *expression.mutable_common()->mutable_origin()->mutable_python_origin();
  origin.set_fragment("divide");
  origin.set_call_site("/home/user/job.py:12");
  const auto decoded = decode_expression(expression);
  ASSERT_TRUE(decoded.ok());
  ASSERT_NE((*decoded)->origin, nullptr);
  EXPECT_EQ((*decoded)->origin->kind, QueryContext::Kind::kDataFrame);
  EXPECT_EQ((*decoded)->origin->fragment, "divide");
  EXPECT_EQ((*decoded)->origin->call_site, "/home/user/job.py:12");
}

TEST(DecodeRelation, UnknownOnesKeepTheirName) {
  protocol::Relation relation;
  *relation.mutable_freq_items()->mutable_input() = range(1);
  EXPECT_EQ(node_of<unresolved::UnsupportedRelation>(decode_relation(relation)).feature, "stat.freqItems");
}

TEST(DecodeRelation, MissingPartsAreInvalid) {
  EXPECT_EQ(decode_relation(protocol::Relation()).status().condition(),
            "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");
  protocol::Relation filter;
  *filter.mutable_filter()->mutable_input() = range(1);
  EXPECT_EQ(decode_relation(filter).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");
  EXPECT_FALSE(decode_plan(protocol::Plan()).ok());
}

TEST(DecodeRelation, DeepNestingIsRefused) {
  protocol::Relation relation = range(1);
  for (int i = 0; i < kMaximumDepth + 10; ++i) {
    protocol::Relation limit;
    limit.mutable_limit()->set_limit(1);
    limit.mutable_limit()->mutable_input()->Swap(&relation);
    relation.Swap(&limit);
  }
  EXPECT_EQ(decode_relation(relation).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");
}

TEST(DecodeRelation, CatalogCalls) {
  protocol::Relation relation;
  relation.mutable_catalog()->mutable_drop_temp_view()->set_view_name("v");
  const auto decoded = decode_relation(relation);
  const auto& node = node_of<unresolved::CatalogCall>(decoded);
  EXPECT_EQ(node.function, "dropTempView");
  EXPECT_EQ(node.name, plan::Names{"v"});
}

TEST(DecodeRelation, BarrierMapPartitions) {
  protocol::Relation relation;
  auto& map = *relation.mutable_map_partitions();
  *map.mutable_input() = range(4);
  map.set_is_barrier(true);
  map.mutable_func()->set_function_name("train");
  auto& function = *map.mutable_func()->mutable_python_udf();
  function.set_eval_type(207);
  function.set_command("pickled");
  function.set_python_ver("3.11");
  function.mutable_output_type()->mutable_unparsed()->set_data_type_string("struct<loss: double>");
  const auto decoded = decode_relation(relation);
  const auto& node = node_of<unresolved::MapPartitions>(decoded);
  EXPECT_TRUE(node.is_barrier);
  const auto* call = unresolved::as<unresolved::PythonCall>(node.function);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(call->eval_type, 207);
  EXPECT_EQ(call->command, "pickled");
  EXPECT_EQ(call->type, DataType::structure({{"loss", DataType(TypeId::kDouble), true, ""}}));
}

TEST(DecodePlan, SqlCommandIsAQuery) {
  protocol::Plan plan;
  auto& sql = *plan.mutable_command()->mutable_sql_command()->mutable_input()->mutable_sql();
  sql.set_query("select :a");
  (*sql.mutable_named_arguments())["a"] = integer(1);
  const auto decoded = decode_plan(plan);
  ASSERT_TRUE(decoded.ok());
  const auto& node = node_of<unresolved::Sql>(Result(std::get<unresolved::RelationPtr>(*decoded)));
  EXPECT_EQ(node.text, "select :a");
  EXPECT_EQ(node.named_arguments.size(), 1U);
}

TEST(DecodePlan, WriteToFiles) {
  protocol::Plan plan;
  auto& write = *plan.mutable_command()->mutable_write_operation();
  *write.mutable_input() = range(1);
  write.set_source("parquet");
  write.set_path("/data/out");
  write.set_mode(protocol::WriteOperation::SAVE_MODE_OVERWRITE);
  (*write.mutable_options())["Compression"] = "zstd";
  const auto decoded = decode_plan(plan);
  ASSERT_TRUE(decoded.ok());
  const auto* node = std::get_if<unresolved::WriteFiles>(&std::get<unresolved::Command>(*decoded).node);
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->mode, plan::SaveMode::kOverwrite);
  EXPECT_EQ(node->options, (plan::Options{{"compression", "zstd"}}));
}

TEST(DecodeExpression, Stars) {
  protocol::Expression star;
  star.mutable_unresolved_star()->set_unparsed_target("a.`b.c`.*");
  const auto decoded = decode_expression(star);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(unresolved::as<unresolved::Star>(*decoded)->target, (plan::Names{"a", "b.c"}));
}

TEST(DecodeExpression, JavaFunctionsAreNot) {
  protocol::Expression expression;
  expression.mutable_common_inline_user_defined_function()->mutable_java_udf()->set_class_name("a.B");
  EXPECT_EQ(decode_expression(expression).status().condition(), "UNSUPPORTED_FEATURE");
}

struct DecimalCase {
  const char* text;
  int precision;
  int scale;
  const char* digits;
};

TEST(DecodeLiteral, DecimalsTakeTheWiderOfTextAndType) {
  const DecimalCase cases[] = {{"1.50", 10, 2, "1.50"},
                               {"-0.001", 10, 3, "-0.001"},
                               {"1E+3", 10, 0, "1000"},
                               {"12345678901.5", 12, 1, "12345678901.5"},
                               {"0", 10, 0, "0"}};
  for (const DecimalCase& one : cases) {
    protocol::Expression::Literal literal;
    literal.mutable_decimal()->set_value(one.text);
    literal.mutable_decimal()->set_precision(10);
    literal.mutable_decimal()->set_scale(0);
    const auto decoded = decode_literal(literal);
    ASSERT_TRUE(decoded.ok()) << one.text << decoded.status().to_string();
    EXPECT_EQ(decoded->type, DataType::decimal(one.precision, one.scale)) << one.text;
    EXPECT_EQ(types::decimal_to_string(std::get<types::Int128>(decoded->value.data), one.scale), one.digits);
  }
  for (const char* text :
       {"", "x", "1.2.3", "1e", "1e99999999", "-", ".", "999999999999999999999999999999999999999"}) {
    protocol::Expression::Literal literal;
    literal.mutable_decimal()->set_value(text);
    EXPECT_FALSE(decode_literal(literal).ok()) << text;
  }
}

TEST(DecodeLiteral, ArraysOfBothForms) {
  protocol::Expression::Literal literal;
  literal.mutable_array()->mutable_element_type()->mutable_integer();
  literal.mutable_array()->add_elements()->set_integer(1);
  const auto array = decode_literal(literal);
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(array->type, DataType::array(DataType(TypeId::kInteger)));
  EXPECT_EQ(std::get<std::vector<Value>>(array->value.data).size(), 1U);

  protocol::Expression::Literal special;
  special.mutable_specialized_array()->mutable_doubles()->add_values(0.5);
  const auto doubles = decode_literal(special);
  ASSERT_TRUE(doubles.ok());
  EXPECT_EQ(doubles->type.element(), DataType(TypeId::kDouble));
}

TEST(DecodeType, RefusesWhatCannotBe) {
  protocol::DataType decimal;
  decimal.mutable_decimal()->set_precision(40);
  EXPECT_FALSE(decode_type(decimal).ok());
  protocol::DataType variant;
  variant.mutable_variant();
  EXPECT_EQ(decode_type(variant).status().condition(), "UNSUPPORTED_FEATURE");
}

TEST(AttributeName, FollowsSparksRules) {
  EXPECT_EQ(*parse_attribute_name("a"), plan::Names{"a"});
  EXPECT_EQ(*parse_attribute_name("a b.sum(x)"), (plan::Names{"a b", "sum(x)"}));
  EXPECT_EQ(*parse_attribute_name("`a.b`.`c``d`"), (plan::Names{"a.b", "c`d"}));
  for (const char* name : {"a.", ".a", "a..b", "`a", "a`b`", "`a`b"}) {
    EXPECT_EQ(parse_attribute_name(name).status().condition(), "INVALID_ATTRIBUTE_NAME_SYNTAX") << name;
  }
}

protocol::Expression::Literal decimal_literal(const std::string& text) {
  protocol::Expression::Literal literal;
  literal.mutable_decimal()->set_value(text);
  return literal;
}

protocol::Expression::Literal array_of(const protocol::Expression::Literal& element) {
  protocol::Expression::Literal array;
  *array.mutable_array()->add_elements() = element;
  return array;
}

TEST(DecodeLiteral, ElementsTakeTheDeclaredScale) {
  protocol::Expression::Literal array = array_of(decimal_literal("1.5"));
  auto& declared = *array.mutable_data_type()->mutable_array()->mutable_element_type()->mutable_decimal();
  declared.set_precision(10);
  declared.set_scale(3);
  const auto decoded = decode_literal(array);
  ASSERT_TRUE(decoded.ok()) << decoded.status().to_string();
  EXPECT_EQ(decoded->value, Value(std::vector<Value>{Value(types::Int128{1500})}));
  declared.set_scale(0);
  EXPECT_EQ(decode_literal(array).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");
}

TEST(DecodeLiteral, PartsOfAnotherTypeThanDeclaredAreRefused) {
  protocol::Expression::Literal array = array_of(decimal_literal("1.5"));
  array.mutable_data_type()->mutable_array()->mutable_element_type()->mutable_string();
  EXPECT_EQ(decode_literal(array).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");
  array.mutable_data_type()->mutable_map()->mutable_key_type()->mutable_string();
  EXPECT_EQ(decode_literal(array).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");

  protocol::Expression::Literal structure;
  *structure.mutable_struct_()->add_elements() = decimal_literal("1.5");
  auto& field = *structure.mutable_data_type()->mutable_struct_()->add_fields();
  field.set_name("a");
  field.mutable_data_type()->mutable_boolean();
  EXPECT_EQ(decode_literal(structure).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");

  protocol::Expression::Literal interval;
  interval.set_day_time_interval(1);
  interval.mutable_data_type()->mutable_string();
  EXPECT_EQ(decode_literal(interval).status().condition(), "CONNECT_INVALID_PLAN.ASSERTION_FAILURE");
}

}  // namespace
}  // namespace deuteron::connect::decode
