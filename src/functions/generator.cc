// Functions that make rows. The call's type is the struct of the columns they make; the _outer forms are the
// same functions, the caller keeps rows for which nothing is made.
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

Result<Call> resolve_explode(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const DataType& type = context.type(0);
  if (!type.is(TypeId::kArray) && !type.is(TypeId::kMap)) return context.unexpected_type(0, "array|map");
  const std::string_view name = context.function.name;
  const bool positions = name.substr(0, 3) == "pos";
  const bool outer = name.find("_outer") != std::string_view::npos;
  types::Schema fields;
  if (positions) fields.push_back({"pos", DataType(TypeId::kInteger), outer, ""});
  if (type.is(TypeId::kMap)) {
    fields.push_back({"key", type.key(), outer, ""});
    fields.push_back({"value", type.value(), outer || type.contains_null(), ""});
  } else {
    fields.push_back({"col", type.element(), outer || type.contains_null(), ""});
  }
  return context.call(positions ? "posexplode" : "explode", {type}, DataType::structure(std::move(fields)),
                      false);
}

// inline(array of structs): a row per struct.
Result<Call> resolve_inline(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  const DataType& type = context.type(0);
  if (!type.is(TypeId::kArray) || !type.element().is(TypeId::kStruct)) {
    return context.unexpected_type(0, "\"ARRAY<STRUCT>\"");
  }
  const bool outer = type.contains_null();
  types::Schema fields = type.element().fields();
  for (types::StructField& field : fields) field.nullable |= outer;
  return context.call("inline", {type}, DataType::structure(std::move(fields)), false);
}

// stack(n, a, b, c, …): the values in n rows.
Result<Call> resolve_stack(const Context& context) {
  if (context.size() < 2) return context.wrong_number_nowhere("> 1");
  const auto rows = literal_integer(context.arguments[0]);
  if (!rows) return context.not_foldable(0, "n");
  if (*rows <= 0) {
    return context.mismatch(
        "VALUE_OUT_OF_RANGE",
        {{"exprName", "`n`"}, {"valueRange", "(0, 2147483647]"}, {"currentValue", std::to_string(*rows)}});
  }
  const size_t values = context.size() - 1;
  const size_t columns = (values + static_cast<size_t>(*rows) - 1) / static_cast<size_t>(*rows);
  types::Schema fields;
  for (size_t column = 0; column < columns; ++column) {
    std::vector<DataType> all;
    for (size_t i = column; i < values; i += columns) all.push_back(context.type(i + 1));
    const auto common = widest_without_strings(all);
    if (!common) {
      return context.mismatch("STACK_COLUMN_DIFF_TYPES",
                              {{"columnIndex", std::to_string(column)},
                               {"leftParamIndex", std::to_string(column + 1)},
                               {"leftType", quoted_type(all.front())},
                               {"rightParamIndex", std::to_string(column + columns + 1)},
                               {"rightType", quoted_type(all.back())}});
    }
    fields.push_back({"col" + std::to_string(column), *common, true, ""});
  }
  std::vector<DataType> types = {DataType(TypeId::kInteger)};
  for (size_t i = 0; i < values; ++i) types.push_back(fields[i % columns].type);
  return context.call("stack", std::move(types), DataType::structure(std::move(fields)), false);
}

#define GENERATOR(function, how) \
  { .name = function, .kind = Kind::kGenerator, .resolver = how }

const Function kGenerators[] = {
    GENERATOR("explode", resolve_explode),    GENERATOR("explode_outer", resolve_explode),
    GENERATOR("posexplode", resolve_explode), GENERATOR("posexplode_outer", resolve_explode),
    GENERATOR("inline", resolve_inline),      GENERATOR("stack", resolve_stack),
};

#undef GENERATOR

}  // namespace

DEUTERON_FAMILY(generator, kGenerators)

}  // namespace deuteron::functions
