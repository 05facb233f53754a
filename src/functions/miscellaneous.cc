// What belongs to no other family.
#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

Result<Call> resolve_typeof(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  return context.call(DataType(TypeId::kString), false);
}

// int(x), string(x) …: a cast by the name of its type.
Result<Call> resolve_cast(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  static const std::unordered_map<std::string_view, DataType> kTypes = {
      {"boolean", DataType(TypeId::kBoolean)}, {"tinyint", DataType(TypeId::kByte)},
      {"smallint", DataType(TypeId::kShort)},  {"int", DataType(TypeId::kInteger)},
      {"bigint", DataType(TypeId::kLong)},     {"float", DataType(TypeId::kFloat)},
      {"double", DataType(TypeId::kDouble)},   {"decimal", DataType::decimal(10, 0)},
      {"date", DataType(TypeId::kDate)},       {"timestamp", DataType(TypeId::kTimestamp)},
      {"binary", DataType(TypeId::kBinary)},   {"string", DataType(TypeId::kString)}};
  const DataType& from = context.type(0);
  const DataType& to = kTypes.at(context.function.name);
  if (!can_cast(from, to, plan::CastMode::kDefault, context.options.ansi)) {
    return context.mismatch("CAST_WITHOUT_SUGGESTION",
                            {{"srcType", quoted_type(from)}, {"targetType", quoted_type(to)}});
  }
  return context.call(to, context.any_nullable() ||
                              cast_may_give_null(from, to, plan::CastMode::kDefault, context.options.ansi));
}

// The kernel sees a struct without fields as the Boolean that carries it.
bool has_empty_struct(const DataType& type) {
  if (type.is(TypeId::kArray)) return has_empty_struct(type.element());
  if (!type.is(TypeId::kStruct)) return false;
  return type.fields().empty() || std::any_of(type.fields().begin(), type.fields().end(),
                                              [](const auto& field) { return has_empty_struct(field.type); });
}

Result<Call> resolve_hash(const Context& context) {
  if (context.size() == 0) return context.wrong_number_nowhere("> 0");
  const std::string name(context.function.name);
  for (const Argument& argument : context.arguments) {
    if (!is_comparable(argument.type))
      return context.mismatch("HASH_MAP_TYPE", {{"functionName", "`" + name + "`"}});
    if (has_empty_struct(argument.type)) return unsupported(name + " of a struct without fields");
  }
  return context.call(DataType(name == "hash" ? TypeId::kInteger : TypeId::kLong), false);
}

// rand([seed]), randn([seed]): a seed is a constant; null counts as 0.
Result<Call> resolve_random(const Context& context) {
  if (context.size() > 1) return context.wrong_number("[0, 1]");
  if (context.size() == 0) return context.call(DataType(TypeId::kDouble), false);
  const DataType& seed = context.type(0);
  if (!seed.is_integral() && !seed.is(TypeId::kNull)) return context.unexpected_type(0, "int|bigint");
  if (context.arguments[0].literal == nullptr && !seed.is(TypeId::kNull)) {
    return error("SEED_EXPRESSION_IS_UNFOLDABLE", {{"seedExpr", "\"" + context.arguments[0].sql + "\""},
                                                   {"exprWithSeed", "\"" + context.display() + "\""}});
  }
  return context.call(context.function.name, {DataType(TypeId::kLong)}, DataType(TypeId::kDouble), false);
}

#define CAST(type) \
  { .name = type, .display = "{0}", .resolver = resolve_cast }

const Function kMiscellaneous[] = {
    CAST("boolean"),
    CAST("tinyint"),
    CAST("smallint"),
    CAST("int"),
    CAST("bigint"),
    CAST("float"),
    CAST("double"),
    CAST("decimal"),
    CAST("date"),
    CAST("timestamp"),
    CAST("binary"),
    CAST("string"),
    // CAST has a syntax of its own; what is called without it takes nothing.
    {.name = "cast",
     .resolver = [](const Context& context) -> Result<Call> { return context.wrong_number("0"); }},
    {.name = "typeof", .resolver = resolve_typeof},
    {.name = "hash", .resolver = resolve_hash},
    {.name = "xxhash64", .resolver = resolve_hash},
    {.name = "spark_partition_id",
     .signature = "() -> int",
     .display = "SPARK_PARTITION_ID()",
     .deterministic = false},
    {.name = "monotonically_increasing_id", .signature = "() -> bigint", .deterministic = false},
    {.name = "rand", .aliases = ":random", .resolver = resolve_random, .deterministic = false},
    {.name = "randn", .resolver = resolve_random, .deterministic = false},
};

#undef CAST

}  // namespace

DEUTERON_FAMILY(miscellaneous, kMiscellaneous)

}  // namespace deuteron::functions
