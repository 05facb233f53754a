// Arrays, maps, structs, lambdas and generators.
#include <cctype>
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

std::string join(const Texts& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (&text == &texts.front() ? "" : ", ") + text;
  return joined;
}

Result<std::string> lower_array(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return cast_to("[" + join(texts) + "]", call.result());
}

Result<std::string> lower_map(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  Texts keys, values;
  std::string null_key;
  for (size_t i = 0; i < texts.size(); ++i) {
    (i % 2 == 0 ? keys : values).push_back(texts[i]);
    if (i % 2 == 0 && call.nullable(i)) null_key += (null_key.empty() ? "" : " OR ") + texts[i] + " IS NULL";
  }
  std::string sql = cast_to("map([" + join(keys) + "], [" + join(values) + "])", call.result());
  if (!null_key.empty()) {
    sql = "CASE WHEN " + null_key + " THEN " + call.raise_without_context("NULL_MAP_KEY", {}) + " ELSE " +
          sql + " END";
  }
  if (keys.size() > 1) {
    const std::string list = "[" + join(keys) + "]";
    const std::string failure = call.raise_without_context(
        "DUPLICATED_MAP_KEY", {{"key", "{0}"}, {"mapKeyDedupPolicy", "\"spark.sql.mapKeyDedupPolicy\""}},
        {"list_filter(" + list + ", lambda k, i: list_contains(" + list + "[1:i-1], k))[1]"});
    sql = "CASE WHEN len(list_distinct(" + list + ")) < " + std::to_string(keys.size()) + " THEN " + failure +
          " ELSE " + sql + " END";
  }
  return sql;
}

Result<std::string> lower_struct(CallWriter& call) {
  std::string fields;
  for (size_t i = 0; i < call.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string value, call.argument(i));
    fields += (fields.empty() ? "" : ", ") + quote_name(call.result().fields()[i].name) + " := " + value;
  }
  return "struct_pack(" + fields + ")";
}

std::string map_value(const std::string& map, const std::string& key) { return "(" + map + ")[" + key + "]"; }

// a[i] from 0: outside is an error under ANSI. m[k]: null where there is no such key.
Result<std::string> lower_item(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (call.type(0).is(TypeId::kMap)) return map_value(texts[0], texts[1]);
  const std::string sql = "list_extract(" + texts[0] + ", CASE WHEN " + texts[1] + " >= 0 THEN CAST(" +
                          texts[1] + " AS BIGINT) + 1 END)";
  if (call.function == "get" || !call.ansi) return sql;
  const std::string failure = call.raise("INVALID_ARRAY_INDEX", {{"indexValue", "{0}"}, {"arraySize", "{1}"}},
                                         {texts[1], "len(" + texts[0] + ")"});
  return "CASE WHEN " + texts[1] + " < 0 OR " + texts[1] + " >= len(" + texts[0] + ") THEN " + failure +
         " ELSE " + sql + " END";
}

// element_at(a, i): from 1, negative from the end.
Result<std::string> lower_element_at(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (call.type(0).is(TypeId::kMap)) return map_value(texts[0], texts[1]);
  const std::string zero = call.raise("INVALID_INDEX_OF_ZERO", {});
  const std::string sql = "list_extract(" + texts[0] + ", " + texts[1] + ")";
  const bool tries = call.function == "try_element_at" || !call.ansi;
  const std::string outside =
      tries ? "NULL"
            : call.raise("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", {{"indexValue", "{0}"}, {"arraySize", "{1}"}},
                         {texts[1], "len(" + texts[0] + ")"});
  return "CASE WHEN " + texts[1] + " = 0 AND " + texts[0] + " IS NOT NULL THEN " + zero + " WHEN abs(" +
         texts[1] + ") > len(" + texts[0] + ") THEN " + outside + " ELSE " + sql + " END";
}

Result<std::string> lower_size(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  return cast_to((call.type(0).is(TypeId::kMap) ? "cardinality(" : "len(") + value + ")", "INTEGER");
}

Result<std::string> lower_contains(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string found = "list_contains(" + texts[0] + ", " + texts[1] + ")";
  if (!call.type(0).contains_null()) return "CASE WHEN " + texts[1] + " IS NOT NULL THEN " + found + " END";
  const std::string name = call.fresh_name();
  const std::string has_null =
      "len(list_filter(" + texts[0] + ", lambda " + name + ": " + name + " IS NULL)) > 0";
  return "CASE WHEN " + texts[0] + " IS NULL OR " + texts[1] + " IS NULL THEN NULL WHEN " + found +
         " THEN true WHEN " + has_null + " THEN NULL ELSE false END";
}

Result<std::string> lower_position(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return "CASE WHEN " + texts[0] + " IS NOT NULL AND " + texts[1] +
         " IS NOT NULL THEN CAST(coalesce(list_position(" + texts[0] + ", " + texts[1] +
         "), 0) AS BIGINT) END";
}

Result<std::string> lower_remove(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string name = call.fresh_name();
  return "CASE WHEN " + texts[1] + " IS NOT NULL THEN list_filter(" + texts[0] + ", lambda " + name +
         ": coalesce(" + name + " <> " + texts[1] + ", true)) END";
}

Result<std::string> lower_append(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string sql = call.function == "array_append"
                              ? "list_concat(" + texts[0] + ", [" + texts[1] + "])"
                              : "list_concat([" + texts[1] + "], " + texts[0] + ")";
  return "CASE WHEN " + texts[0] + " IS NOT NULL THEN " + sql + " END";
}

// Distinct elements in the order of their first appearance, null counted as one.
std::string distinct_in_order(CallWriter& call, const std::string& list) {
  const std::string element = call.fresh_name(), index = call.fresh_name();
  return "list_filter(" + list + ", lambda " + element + ", " + index + ": list_position(" + list + ", " +
         element + ") = " + index + ")";
}

Result<std::string> lower_distinct(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  return distinct_in_order(call, list);
}

Result<std::string> lower_set(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string present = texts[0] + " IS NOT NULL AND " + texts[1] + " IS NOT NULL";
  const std::string name = call.fresh_name();
  std::string sql;
  if (call.function == "array_union") {
    sql = distinct_in_order(call, "list_concat(" + texts[0] + ", " + texts[1] + ")");
  } else {
    const std::string test = call.function == "array_except" ? " IS NULL" : " IS NOT NULL";
    sql = "list_filter(" + distinct_in_order(call, texts[0]) + ", lambda " + name + ": list_position(" +
          texts[1] + ", " + name + ")" + test + ")";
  }
  return "CASE WHEN " + present + " THEN " + sql + " END";
}

Result<std::string> lower_overlap(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string a = call.fresh_name();
  const auto without_null = [&](const std::string& list) {
    return "list_filter(" + list + ", lambda " + a + ": " + a + " IS NOT NULL)";
  };
  const std::string any = "list_has_any(" + without_null(texts[0]) + ", " + without_null(texts[1]) + ")";
  const std::string unknown = "len(" + texts[0] + ") > 0 AND len(" + texts[1] + ") > 0 AND (len(" +
                              without_null(texts[0]) + ") < len(" + texts[0] + ") OR len(" +
                              without_null(texts[1]) + ") < len(" + texts[1] + "))";
  return "CASE WHEN " + texts[0] + " IS NULL OR " + texts[1] + " IS NULL THEN NULL WHEN " + any +
         " THEN true WHEN " + unknown + " THEN NULL ELSE false END";
}

Result<std::string> lower_compact(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  const std::string name = call.fresh_name();
  return "list_filter(" + list + ", lambda " + name + ": " + name + " IS NOT NULL)";
}

Result<std::string> lower_flatten(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  if (!call.type(0).contains_null()) return "flatten(" + list + ")";
  const std::string name = call.fresh_name();
  return "CASE WHEN len(list_filter(" + list + ", lambda " + name + ": " + name +
         " IS NULL)) > 0 THEN NULL ELSE flatten(" + list + ") END";
}

// Nulls come first when ascending and last when descending.
Result<std::string> lower_sort(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  bool ascending = true;
  if (call.size() > 1) {
    const types::Value* flag = call.literal(1);
    const bool* value = flag == nullptr ? nullptr : std::get_if<bool>(&flag->data);
    if (value == nullptr) return unsupported("sort_array with an order that is not a constant");
    ascending = *value;
  }
  return "list_sort(" + list + (ascending ? ", 'ASC', 'NULLS FIRST')" : ", 'DESC', 'NULLS LAST')");
}

Result<std::string> lower_join(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string name = call.fresh_name();
  const std::string items =
      texts.size() > 2
          ? "list_transform(" + texts[0] + ", lambda " + name + ": coalesce(" + name + ", " + texts[2] + "))"
          : "list_filter(" + texts[0] + ", lambda " + name + ": " + name + " IS NOT NULL)";
  std::string missing;
  for (const std::string& text : texts) missing += (missing.empty() ? "" : " OR ") + text + " IS NULL";
  return "CASE WHEN " + missing + " THEN NULL ELSE coalesce(array_to_string(" + items + ", " + texts[1] +
         "), '') END";
}

Result<std::string> lower_array_repeat(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string name = call.fresh_name();
  return "CASE WHEN " + texts[1] + " IS NOT NULL THEN " +
         cast_to("list_transform(range(greatest(CAST(" + texts[1] + " AS BIGINT), 0)), lambda " + name +
                     ": " + texts[0] + ")",
                 call.result()) +
         " END";
}

Result<std::string> lower_slice(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string &list = texts[0], &start = texts[1], &length = texts[2];
  const auto failure = [&](std::string condition, std::string_view parameter) {
    return call.raise_without_context(
        std::move(condition),
        {{"parameter", "`" + std::string(parameter) + "`"}, {"functionName", "`slice`"}});
  };
  const std::string from =
      "CASE WHEN " + start + " < 0 THEN len(" + list + ") + " + start + " + 1 ELSE " + start + " END";
  return "CASE WHEN " + list + " IS NULL OR " + start + " IS NULL OR " + length + " IS NULL THEN NULL WHEN " +
         start + " = 0 THEN " + failure("INVALID_PARAMETER_VALUE.START", "start") + " WHEN " + length +
         " < 0 THEN " + failure("INVALID_PARAMETER_VALUE.LENGTH", "length") + " WHEN (" + from + ") < 1 OR " +
         length + " = 0 THEN " + cast_to("[]", call.result()) + " ELSE list_slice(" + list + ", " + from +
         ", (" + from + ") + " + length + " - 1) END";
}

Result<std::string> lower_sequence(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string step =
      texts.size() > 2 ? texts[2] : "CASE WHEN " + texts[1] + " >= " + texts[0] + " THEN 1 ELSE -1 END";
  std::string sql = cast_to("generate_series(CAST(" + texts[0] + " AS BIGINT), CAST(" + texts[1] +
                                " AS BIGINT), CAST(" + step + " AS BIGINT))",
                            call.result());
  if (texts.size() > 2) {
    const std::string failure = call.raise_without_context(
        "ILLEGAL_SEQUENCE_BOUNDARIES", {{"start", "{0}"}, {"stop", "{1}"}, {"step", "{2}"}},
        {texts[0], texts[1], texts[2]});
    sql = "CASE WHEN (" + step + " > 0 AND " + texts[0] + " > " + texts[1] + ") OR (" + step + " < 0 AND " +
          texts[0] + " < " + texts[1] + ") OR (" + step + " = 0 AND " + texts[0] + " <> " + texts[1] +
          ") THEN " + failure + " ELSE " + sql + " END";
  }
  return sql;
}

Result<std::string> lower_map_part(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string map, call.argument(0));
  return std::string(call.function) + "(" + map + ")";
}

Result<std::string> lower_map_from_arrays(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return "CASE WHEN " + texts[0] + " IS NOT NULL AND " + texts[1] + " IS NOT NULL THEN map(" + texts[0] +
         ", " + texts[1] + ") END";
}

Result<std::string> lower_lambda(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const bool indexed = std::get<plan::resolved::Lambda>(call.expression(1)->node).parameters.size() > 1;
  std::string lambda = texts[1];
  if (indexed) {
    // DuckDB counts from 1, Spark from 0: the second parameter is bound to one less.
    const size_t comma = lambda.find(", "), colon = lambda.find(": ");
    const std::string name = lambda.substr(comma + 2, colon - comma - 2);
    const std::string shifted = name + "i";
    std::string body = lambda.substr(colon + 2);
    for (size_t at = body.find(name); at != std::string::npos; at = body.find(name, at)) {
      const bool bounded =
          (at == 0 || (!std::isalnum(static_cast<unsigned char>(body[at - 1])) && body[at - 1] != '"')) &&
          (at + name.size() == body.size() ||
           !std::isalnum(static_cast<unsigned char>(body[at + name.size()])));
      const std::string with = bounded ? "CAST(" + shifted + " - 1 AS INTEGER)" : name;
      body.replace(at, name.size(), with);
      at += with.size();
    }
    lambda = lambda.substr(0, comma + 2) + shifted + ": " + body;
  }
  if (call.function == "transform")
    return cast_to("list_transform(" + texts[0] + ", " + lambda + ")", call.result());
  if (call.function == "filter") return "list_filter(" + texts[0] + ", " + lambda + ")";
  const std::string tests = "list_transform(" + texts[0] + ", " + lambda + ")";
  const bool exists = call.function == "exists";
  const std::string decisive = exists ? "true" : "false", otherwise = exists ? "false" : "true";
  const std::string name = call.fresh_name();
  return "CASE WHEN " + texts[0] + " IS NULL THEN NULL WHEN list_contains(" + tests + ", " + decisive +
         ") THEN " + decisive + " WHEN len(list_filter(" + tests + ", lambda " + name + ": " + name +
         " IS NULL)) > 0 THEN NULL ELSE " + otherwise + " END";
}

Result<std::string> lower_aggregate(CallWriter& call) {
  const DataType& state = call.type(1);
  const auto& merge = std::get<plan::resolved::Lambda>(call.expression(2)->node);
  if (!call.type(0).element().same_type(state)) {
    return unsupported("aggregate whose state has another type than the elements");
  }
  static_cast<void>(merge);
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  ASSIGN_OR_RETURN(const std::string start, call.argument(1));
  ASSIGN_OR_RETURN(const std::string step, call.argument(2));
  const std::string reduced = "list_reduce(" + list + ", " + step + ", " + start + ")";
  if (call.size() == 3) return cast_to(reduced, call.result());
  ASSIGN_OR_RETURN(const std::string finish, call.argument(3));
  return "CASE WHEN " + list + " IS NOT NULL THEN list_transform([" + reduced + "], " + finish + ")[1] END";
}

Result<std::string> lower_typeof(CallWriter& call) { return quote_text(call.type(0).simple_string()); }

const CallRule kRules[] = {
    {.function = "array", .lower = lower_array},
    {.function = "map", .lower = lower_map},
    {.function = "struct", .lower = lower_struct},
    {.function = "getitem", .lower = lower_item},
    {.function = "get_array_item", .lower = lower_item},
    {.function = "get", .lower = lower_item},
    {.function = "element_at", .lower = lower_element_at},
    {.function = "try_element_at", .lower = lower_element_at},
    {.function = "size", .lower = lower_size},
    {.function = "array_contains", .lower = lower_contains},
    {.function = "array_position", .lower = lower_position},
    {.function = "array_remove", .lower = lower_remove},
    {.function = "array_append", .lower = lower_append},
    {.function = "array_prepend", .lower = lower_append},
    {.function = "array_union", .lower = lower_set},
    {.function = "array_intersect", .lower = lower_set},
    {.function = "array_except", .lower = lower_set},
    {.function = "arrays_overlap", .lower = lower_overlap},
    {.function = "array_distinct", .lower = lower_distinct},
    {.function = "array_compact", .lower = lower_compact},
    {.function = "array_max", .text = "list_max({0})"},
    {.function = "array_min", .text = "list_min({0})"},
    {.function = "flatten", .lower = lower_flatten},
    {.function = "sort_array", .lower = lower_sort},
    {.function = "array_join", .lower = lower_join},
    {.function = "array_repeat", .lower = lower_array_repeat},
    {.function = "slice", .lower = lower_slice},
    {.function = "sequence", .lower = lower_sequence},
    {.function = "map_keys", .lower = lower_map_part},
    {.function = "map_values", .lower = lower_map_part},
    {.function = "map_entries", .lower = lower_map_part},
    {.function = "map_from_arrays", .lower = lower_map_from_arrays},
    {.function = "map_contains_key", .text = "list_contains(map_keys({0}), {1})"},
    {.function = "transform", .lower = lower_lambda},
    {.function = "filter", .lower = lower_lambda},
    {.function = "exists", .lower = lower_lambda},
    {.function = "forall", .lower = lower_lambda},
    {.function = "aggregate", .lower = lower_aggregate},
    {.function = "typeof", .lower = lower_typeof},
};

}  // namespace

RuleTable collection_rules() { return {std::begin(kRules), std::end(kRules)}; }

// A generator as a list of structs whose fields are its output columns.
Result<std::string> ExpressionWriter::write_generator(const plan::resolved::ExpressionPtr& generator) {
  const auto* node = std::get_if<plan::resolved::Call>(&generator->node);
  if (node == nullptr) return internal_error("a generator that is no call");
  CallWriter call(*this, *generator, node->arguments, node->function, node->ansi);
  ASSIGN_OR_RETURN([[maybe_unused]] const std::string carrier, carrier_of(generator->type));
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const auto& fields = generator->type.fields();
  const auto field = [&](size_t i) { return quote_name(fields[i].name); };
  const std::string element = call.fresh_name(), index = call.fresh_name();
  if (node->function == "inline") {
    std::string renamed;
    const auto& sources = call.type(0).element().fields();
    for (size_t i = 0; i < fields.size(); ++i) {
      renamed += (i == 0 ? "" : ", ") + field(i) + " := struct_extract(" + element + ", " +
                 quote_text(sources[i].name) + ")";
    }
    return "list_transform(" + texts[0] + ", lambda " + element + ": struct_pack(" + renamed + "))";
  }
  if (node->function == "stack") {
    std::string rows;
    const size_t columns = fields.size();
    for (size_t start = 1; start < texts.size(); start += columns) {
      std::string row;
      for (size_t i = 0; i < columns; ++i) {
        const std::string value =
            start + i < texts.size() ? texts[start + i] : "CAST(NULL AS " + duckdb_type(fields[i].type) + ")";
        row += (i == 0 ? "" : ", ") + field(i) + " := " + value;
      }
      rows += (rows.empty() ? "" : ", ") + std::string("struct_pack(") + row + ")";
    }
    return "[" + rows + "]";
  }
  const bool positions = node->function == "posexplode";
  const bool is_map = call.type(0).is(TypeId::kMap);
  const std::string position = positions ? field(0) + " := CAST(" + index + " - 1 AS INTEGER), " : "";
  const size_t next = positions ? 1 : 0;
  const std::string values =
      is_map ? field(next) + " := " + element + ".key, " + field(next + 1) + " := " + element + ".value"
             : field(next) + " := " + element;
  const std::string list = is_map ? "map_entries(" + texts[0] + ")" : texts[0];
  const std::string parameters = positions ? element + ", " + index : element;
  return "list_transform(" + list + ", lambda " + parameters + ": struct_pack(" + position + values + "))";
}

}  // namespace deuteron::relational
