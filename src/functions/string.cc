// Functions of text.
#include <algorithm>
#include <iterator>

#include "functions/family.h"

namespace deuteron::functions {
namespace {

using types::DataType;
using types::TypeId;

// Arrays, binaries, or anything else as text.
Result<Call> resolve_concat(const Context& context) {
  const DataType text(TypeId::kString);
  if (context.size() == 0) return context.call("concat", {}, text, false);
  std::vector<DataType> all;
  bool all_binary = true, any_array = false;
  for (const Argument& argument : context.arguments) {
    all.push_back(argument.type);
    all_binary &= argument.type.is(TypeId::kBinary) || argument.type.is(TypeId::kNull);
    any_array |= argument.type.is(TypeId::kArray);
    if (argument.type.is(TypeId::kMap) || argument.type.is(TypeId::kStruct)) {
      return context.unexpected_type(static_cast<size_t>(&argument - context.arguments.data()),
                                     "string|binary|array");
    }
  }
  if (any_array) {
    for (DataType& type : all) {
      if (type.is(TypeId::kNull)) type = text;
    }
    const auto common = widest_without_strings(all);
    if (!common || !common->is(TypeId::kArray)) return context.differing_types("concat", all, false);
    return context.call("concat", std::vector<DataType>(all.size(), *common), *common,
                        context.any_nullable());
  }
  const bool only_nulls =
      std::all_of(all.begin(), all.end(), [](const DataType& type) { return type.is(TypeId::kNull); });
  const DataType type = all_binary && !only_nulls ? DataType(TypeId::kBinary) : text;
  return context.call("concat", std::vector<DataType>(all.size(), type), type, context.any_nullable());
}

// Texts and arrays of texts; only a null separator makes it null.
Result<Call> resolve_concat_ws(const Context& context) {
  if (context.size() == 0) return context.wrong_number_nowhere("> 0");
  std::vector<DataType> types;
  for (size_t i = 0; i < context.size(); ++i) {
    const DataType& type = context.type(i);
    if (i > 0 && type.is(TypeId::kArray)) {
      types.push_back(DataType::array(DataType(TypeId::kString), type.contains_null()));
      continue;
    }
    ASSIGN_OR_RETURN(DataType accepted, context.coerce(i, "string"));
    types.push_back(std::move(accepted));
  }
  return context.call("concat_ws", std::move(types), DataType(TypeId::kString),
                      context.arguments[0].nullable);
}

// a LIKE b [ESCAPE 'c']
std::string like_text(std::string_view name, const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return plain_call(name, arguments);
  const std::string text = arguments[0] + " LIKE " + arguments[1];
  return arguments.size() == 2 || arguments[2] == "\\" ? text : text + " ESCAPE '" + arguments[2] + "'";
}

// trim(a), and trim(characters, a) as SQL's TRIM(characters FROM a).
std::string trim_text(std::string_view name, const std::vector<std::string>& arguments) {
  if (arguments.size() != 2) return plain_call(name, arguments);
  const std::string_view side = name == "trim" ? "BOTH" : name == "ltrim" ? "LEADING" : "TRAILING";
  return "TRIM(" + std::string(side) + " " + arguments[0] + " FROM " + arguments[1] + ")";
}

Result<Call> resolve_reverse(const Context& context) {
  if (context.size() != 1) return context.wrong_number("1");
  ASSIGN_OR_RETURN(DataType type, context.coerce(0, "string|array"));
  return context.call("reverse", {type}, type, context.any_nullable());
}

// Binary when both are; otherwise both are texts.
Result<Call> resolve_position_test(const Context& context) {
  const bool binary =
      context.size() == 2 && context.type(0).is(TypeId::kBinary) && context.type(1).is(TypeId::kBinary);
  return resolve_by(binary ? "(binary, binary) -> boolean" : "(string, string) -> boolean", context);
}

// Binary when the value and the padding, if there is one, are.
Result<Call> resolve_pad(const Context& context) {
  const bool binary = context.size() > 1 && context.type(0).is(TypeId::kBinary) &&
                      (context.size() == 2 || context.type(2).is(TypeId::kBinary));
  return resolve_by(binary ? "(binary, int, binary?) -> binary" : "(string, int, string?) -> string",
                    context);
}

// Any number is taken as a whole one.
Result<Call> resolve_hex(const Context& context) {
  const bool number = context.size() == 1 && context.type(0).is_numeric();
  return resolve_by(number ? "(bigint) -> string" : "(bigint|binary|string) -> string", context);
}

Result<Call> resolve_overlay(const Context& context) {
  ASSIGN_OR_RETURN(Call call, resolve_by_signature(context));
  if (!call.argument_types[0].same_type(call.argument_types[1]))
    return context.differing_types("overlay", {call.argument_types[0], call.argument_types[1]}, false);
  return call;
}

// elt(index, value, …): binaries when all values are, otherwise texts.
Result<Call> resolve_elt(const Context& context) {
  if (context.size() < 2) return context.wrong_number_nowhere("> 1");
  bool all_binary = true;
  for (size_t i = 1; i < context.size(); ++i) all_binary &= context.type(i).is(TypeId::kBinary);
  const DataType type(all_binary ? TypeId::kBinary : TypeId::kString);
  ASSIGN_OR_RETURN(DataType index, context.coerce(0, "int"));
  std::vector<DataType> types = {std::move(index)};
  std::string values, found;
  bool all_taken = true;
  for (size_t i = 1; i < context.size(); ++i) {
    const std::string separator = i > 1 ? "," : "";
    values += separator + "\"" + context.arguments[i].sql + "\"";
    found += separator + quoted_type(context.type(i));
    all_taken &= accept(context.type(i), all_binary ? "binary" : "string").has_value();
    types.push_back(type);
  }
  if (!all_taken) {
    return context.mismatch("UNEXPECTED_INPUT_TYPE", {{"paramIndex", "second..."},
                                                      {"requiredType", "\"STRING\" or \"BINARY\""},
                                                      {"inputSql", values},
                                                      {"inputType", found}});
  }
  return context.call("elt", std::move(types), type, true);
}

// decode(bytes, charset), or decode(value, search, result, …, default).
Result<Call> resolve_decode(const Context& context) {
  if (context.size() < 2) return context.wrong_number("2");
  if (context.size() == 2) return resolve_by("(binary, string) -> string", context);
  std::vector<DataType> compared = {context.type(0)}, results;
  const bool has_default = context.size() % 2 == 0;
  bool nullable = !has_default;
  for (size_t i = 1; i < context.size(); ++i) {
    const bool is_result = i % 2 == 0 || i + 1 == context.size();
    (is_result ? results : compared).push_back(context.type(i));
    nullable |= is_result && context.arguments[i].nullable;
  }
  if (!has_default) results.emplace_back(TypeId::kString);
  const auto value = widest_common_type(compared);
  const auto result = widest_common_type(results);
  for (size_t i = 1; i < compared.size(); ++i) {
    const auto pair = widest_common_type(compared[0], compared[i]);
    const bool alike = value && pair && (pair->same_type(*value) || pair->is(TypeId::kNull));
    if (!alike || !is_comparable(*value))
      return unsupported("decode with values to search for of different types");
  }
  if (!result) return context.differing_types("decode", results, true);
  std::vector<DataType> types = {*value};
  for (size_t i = 1; i < context.size(); ++i)
    types.push_back(i % 2 == 0 || i + 1 == context.size() ? *result : *value);
  return context.call("decode", std::move(types), *result, nullable);
}

// The position, when given, is a constant above zero.
Result<Call> resolve_regexp_replace(const Context& context) {
  ASSIGN_OR_RETURN(Call call, resolve_by_signature(context));
  if (context.size() < 4) return call;
  if (context.arguments[3].literal == nullptr) return context.not_foldable(3, "position");
  const auto position = literal_integer(context.arguments[3]);
  if (position && *position <= 0) {
    return context.mismatch("VALUE_OUT_OF_RANGE", {{"exprName", "position"},
                                                   {"valueRange", "(0, 2147483647]"},
                                                   {"currentValue", std::to_string(*position)}});
  }
  return call;
}

Result<Call> resolve_format_string(const Context& context) {
  if (context.size() == 0) return context.wrong_number_nowhere("> 0");
  std::vector<DataType> types;
  for (const Argument& argument : context.arguments) types.push_back(argument.type);
  ASSIGN_OR_RETURN(types[0], context.coerce(0, "string"));
  return context.call("format_string", std::move(types), DataType(TypeId::kString),
                      context.arguments[0].nullable);
}

const Function kStrings[] = {
    {.name = "concat", .aliases = "", .resolver = resolve_concat},
    {.name = "concat_ws", .resolver = resolve_concat_ws},
    {.name = "substring",
     .signature = "(string|binary, int, int?) -> 0",
     .aliases = "substr",
     .defaults = "3:2147483647"},
    {.name = "left", .signature = "(string|binary, int) -> 0"},
    {.name = "right", .signature = "(string, int) -> 0", .nulls = Nulls::kAlways},
    {.name = "length", .signature = "(string|binary) -> int", .aliases = "char_length character_length len"},
    {.name = "octet_length", .signature = "(string|binary) -> int"},
    {.name = "bit_length", .signature = "(string|binary) -> int"},
    {.name = "upper", .signature = "(string) -> string", .aliases = "ucase"},
    {.name = "lower", .signature = "(string) -> string", .aliases = "lcase"},
    {.name = "initcap", .signature = "(string) -> string"},
    {.name = "trim", .signature = "(string, string?) -> string", .shown = trim_text},
    {.name = "ltrim", .signature = "(string, string?) -> string", .shown = trim_text},
    {.name = "rtrim", .signature = "(string, string?) -> string", .shown = trim_text},
    {.name = "btrim", .signature = "(string, string?) -> string"},
    {.name = "like", .signature = "(string, string, string?) -> boolean", .shown = like_text},
    {.name = "ilike", .signature = "(string, string, string?) -> boolean", .display = "ilike({0}, {1})"},
    {.name = "like any", .signature = "(string, string*) -> boolean", .display = "likeany({0})"},
    {.name = "like all", .signature = "(string, string*) -> boolean", .display = "likeall({0})"},
    {.name = "not like any", .signature = "(string, string*) -> boolean", .display = "notlikeany({0})"},
    {.name = "not like all", .signature = "(string, string*) -> boolean", .display = "notlikeall({0})"},
    {.name = "rlike",
     .signature = "(string, string) -> boolean",
     .aliases = "regexp regexp_like",
     .shown = upper_case_call},
    {.name = "startswith", .resolver = resolve_position_test},
    {.name = "endswith", .resolver = resolve_position_test},
    {.name = "contains", .resolver = resolve_position_test},
    {.name = "replace", .signature = "(string, string, string?) -> string", .defaults = "3:"},
    {.name = "translate", .signature = "(string, string, string) -> string"},
    {.name = "split", .signature = "(string, string, int?) -> array<string>", .defaults = "3:-1"},
    {.name = "split_part", .signature = "(string, string, int) -> string", .nulls = Nulls::kAlways},
    {.name = "substring_index", .signature = "(string, string, int) -> string"},
    {.name = "lpad", .defaults = "3: ", .binary_defaults = "3:X'00'", .resolver = resolve_pad},
    {.name = "rpad", .defaults = "3: ", .binary_defaults = "3:X'00'", .resolver = resolve_pad},
    {.name = "instr", .signature = "(string, string) -> int"},
    {.name = "locate",
     .signature = "(string, string, int?) -> int",
     .aliases = "position",
     .defaults = "3:1"},
    {.name = "reverse", .resolver = resolve_reverse},
    {.name = "repeat", .signature = "(string, int) -> string"},
    {.name = "ascii", .signature = "(string) -> int"},
    {.name = "chr", .signature = "(bigint) -> string", .aliases = "char"},
    {.name = "space", .signature = "(int) -> string"},
    {.name = "levenshtein", .signature = "(string, string, int?) -> int"},
    {.name = "md5", .signature = "(binary) -> string"},
    {.name = "sha1", .signature = "(binary) -> string", .aliases = "sha"},
    {.name = "sha2", .signature = "(binary, int) -> string", .nulls = Nulls::kAlways},
    {.name = "hex", .resolver = resolve_hex},
    {.name = "unhex", .signature = "(string) -> binary", .nulls = Nulls::kAlways},
    {.name = "bin", .signature = "(bigint) -> string"},
    {.name = "base64", .signature = "(binary) -> string"},
    {.name = "unbase64", .signature = "(string) -> binary"},
    {.name = "regexp_replace",
     .signature = "(string, string, string, int?) -> string",
     .defaults = "4:1",
     .resolver = resolve_regexp_replace},
    {.name = "regexp_extract", .signature = "(string, string, int?) -> string", .defaults = "3:1"},
    {.name = "regexp_extract_all", .signature = "(string, string, int?) -> array<string>", .defaults = "3:1"},
    {.name = "regexp_count", .signature = "(string, string) -> int"},
    {.name = "regexp_substr", .signature = "(string, string) -> string", .nulls = Nulls::kAlways},
    {.name = "regexp_instr", .signature = "(string, string, int?) -> int", .defaults = "3:0"},
    {.name = "overlay",
     .signature = "(string|binary, string|binary, int, int?) -> 0",
     .defaults = "4:-1",
     .resolver = resolve_overlay},
    {.name = "find_in_set", .signature = "(string, string) -> int"},
    {.name = "soundex", .signature = "(=string) -> string"},
    {.name = "crc32", .signature = "(binary) -> bigint"},
    {.name = "elt", .resolver = resolve_elt},
    {.name = "encode", .signature = "(string, string) -> binary", .nulls = Nulls::kAlways},
    {.name = "decode", .nulls = Nulls::kAlways, .resolver = resolve_decode},
    {.name = "format_number", .signature = "(=numeric, =int|string) -> string", .nulls = Nulls::kAlways},
    {.name = "format_string", .aliases = "printf", .resolver = resolve_format_string},
};

}  // namespace

DEUTERON_FAMILY(string, kStrings)

}  // namespace deuteron::functions
