// Arrays, maps, structs, lambdas and generators.
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
  return fields.empty() ? "true" : "struct_pack(" + fields + ")";
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
  return distinct_in_order(call, call.without_negative_zero(list, call.type(0)));
}

Result<std::string> lower_set(CallWriter& call) {
  ASSIGN_OR_RETURN(Texts texts, call.all_arguments());
  for (size_t i = 0; i < texts.size(); ++i) texts[i] = call.without_negative_zero(texts[i], call.type(i));
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

// list_sort in Spark's order; `order` is DuckDB's words for its direction and where nulls stand.
std::string sorted(CallWriter& call, const std::string& list, const std::string& order) {
  const DataType& element = call.type(0).element();
  if (!is_nested(element)) return "list_sort(" + list + ", " + order + ")";
  const std::string name = call.fresh_name();
  return "list_transform(list_sort(" + call.each_with_order_key(list, element) + ", " + order + "), lambda " +
         name + ": struct_extract(" + name + ", 'v'))";
}

// array_max and array_min
Result<std::string> lower_array_extremum(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  const DataType& element = call.type(0).element();
  const std::string function = call.function == "array_max" ? "list_max(" : "list_min(";
  if (!is_nested(element)) return function + list + ")";
  return cast_to("struct_extract(" + function + call.each_with_order_key(list, element) + "), 'v')", element);
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
  return sorted(call, list, ascending ? "'ASC', 'NULLS FIRST'" : "'DESC', 'NULLS LAST'");
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
  const std::string from_zero = call.raise_without_context(
      "INVALID_PARAMETER_VALUE.START", {{"parameter", "`start`"}, {"functionName", "`slice`"}});
  const std::string negative_length = call.raise_without_context(
      "INVALID_PARAMETER_VALUE.LENGTH",
      {{"parameter", "`length`"}, {"functionName", "`slice`"}, {"length", "{0}"}}, {length});
  const std::string from =
      "CASE WHEN " + start + " < 0 THEN len(" + list + ") + " + start + " + 1 ELSE " + start + " END";
  return "CASE WHEN " + list + " IS NULL OR " + start + " IS NULL OR " + length + " IS NULL THEN NULL WHEN " +
         start + " = 0 THEN " + from_zero + " WHEN " + length + " < 0 THEN " + negative_length + " WHEN (" +
         from + ") < 1 OR " + length + " = 0 THEN " + cast_to("[]", call.result()) + " ELSE list_slice(" +
         list + ", " + from + ", (" + from + ") + " + length + " - 1) END";
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
    sql = "CASE WHEN " + step + " = 0 AND " + texts[0] + " = " + texts[1] + " THEN " +
          cast_to("[" + texts[0] + "]", call.result()) + " WHEN (" + step + " > 0 AND " + texts[0] + " > " +
          texts[1] + ") OR (" + step + " < 0 AND " + texts[0] + " < " + texts[1] + ") OR (" + step +
          " = 0 AND " + texts[0] + " <> " + texts[1] + ") THEN " + failure + " ELSE " + sql + " END";
  }
  return sql;
}

Result<std::string> lower_map_part(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string map, call.argument(0));
  return std::string(call.function) + "(" + map + ")";
}

// One of Spark's functions of (element, index): DuckDB counts from 1, Spark from 0.
Result<std::string> element_lambda(CallWriter& call) {
  const std::string element = call.fresh_name(), index = call.fresh_name();
  const bool indexed = std::get<plan::resolved::Lambda>(call.expression(1)->node).parameters.size() > 1;
  ASSIGN_OR_RETURN(const std::string body,
                   call.lambda_body(1, {element, "CAST(" + index + " - 1 AS INTEGER)"}));
  return "lambda " + element + (indexed ? ", " + index : "") + ": " + body;
}

Result<std::string> lower_lambda(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  ASSIGN_OR_RETURN(const std::string lambda, element_lambda(call));
  if (call.function == "transform")
    return cast_to("list_transform(" + list + ", " + lambda + ")", call.result());
  if (call.function == "filter") return "list_filter(" + list + ", " + lambda + ")";
  const std::string tests = "list_transform(" + list + ", " + lambda + ")";
  const bool exists = call.function == "exists";
  const std::string decisive = exists ? "true" : "false", otherwise = exists ? "false" : "true";
  const std::string name = call.fresh_name();
  return "CASE WHEN " + list + " IS NULL THEN NULL WHEN list_contains(" + tests + ", " + decisive +
         ") THEN " + decisive + " WHEN len(list_filter(" + tests + ", lambda " + name + ": " + name +
         " IS NULL)) > 0 THEN NULL ELSE " + otherwise + " END";
}

// DuckDB reduces to the type of the elements: these are pairs of an element and the state before it.
Result<std::string> lower_aggregate(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  ASSIGN_OR_RETURN(const std::string start, call.argument(1));
  const std::string before = call.fresh_name(), next = call.fresh_name(), name = call.fresh_name();
  ASSIGN_OR_RETURN(const std::string step, call.lambda_body(2, {"struct_extract(" + before + ", 's')",
                                                                "struct_extract(" + next + ", 'e')"}));
  const DataType &element = call.type(0).element(), &state = call.type(1);
  const auto pair = [&](const std::string& e, const std::string& s) {
    return "struct_pack(e := " + cast_to(e, element) + ", s := " + cast_to(s, state) + ")";
  };
  const std::string pairs = "list_transform(" + list + ", lambda " + name + ": " + pair(name, "NULL") + ")";
  const std::string reduced = "struct_extract(list_reduce(" + pairs + ", lambda " + before + ", " + next +
                              ": " + pair("struct_extract(" + next + ", 'e')", step) + ", " +
                              pair("NULL", start) + "), 's')";
  if (call.size() == 3) return reduced;
  const std::string last = call.fresh_name();
  ASSIGN_OR_RETURN(const std::string finish, call.lambda_body(3, {last}));
  return "CASE WHEN " + list + " IS NOT NULL THEN list_transform([" + reduced + "], lambda " + last + ": " +
         finish + ")[1] END";
}

// 1 … the length of the longest list.
std::string indexes_of(const Texts& lists) {
  std::string lengths;
  for (const std::string& list : lists) lengths += (lengths.empty() ? "len(" : ", len(") + list + ")";
  return "range(1, greatest(" + lengths + ") + 1)";
}

std::string any_null(const Texts& texts) {
  std::string condition;
  for (const std::string& text : texts) condition += (condition.empty() ? "" : " OR ") + text + " IS NULL";
  return condition;
}

Result<std::string> lower_zip_with(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string left, call.argument(0));
  ASSIGN_OR_RETURN(const std::string right, call.argument(1));
  const std::string index = call.fresh_name();
  ASSIGN_OR_RETURN(const std::string body,
                   call.lambda_body(2, {"list_extract(" + left + ", " + index + ")",
                                        "list_extract(" + right + ", " + index + ")"}));
  return "CASE WHEN " + any_null({left, right}) + " THEN NULL ELSE " +
         cast_to("list_transform(" + indexes_of({left, right}) + ", lambda " + index + ": " + body + ")",
                 call.result()) +
         " END";
}

Result<std::string> lower_arrays_zip(CallWriter& call) {
  if (call.size() == 0) return cast_to("[]", call.result());
  ASSIGN_OR_RETURN(const Texts lists, call.all_arguments());
  const std::string index = call.fresh_name();
  std::string fields;
  for (size_t i = 0; i < lists.size(); ++i) {
    fields += (i == 0 ? "" : ", ") + quote_name(call.result().element().fields()[i].name) +
              " := list_extract(" + lists[i] + ", " + index + ")";
  }
  return "CASE WHEN " + any_null(lists) + " THEN NULL ELSE list_transform(" + indexes_of(lists) +
         ", lambda " + index + ": struct_pack(" + fields + ")) END";
}

// Without a comparator in the natural order, nulls last. With one, an element's place is the number of those
// that must stand before it: smaller ones, and equal ones that stood before it.
Result<std::string> lower_array_sort(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  if (call.size() == 1) return sorted(call, list, "'ASC', 'NULLS LAST'");
  const std::string all = call.fresh_name(), index = call.fresh_name(), other = call.fresh_name(),
                    ranked = call.fresh_name();
  const std::string element = "list_extract(" + all + ", " + index + ")",
                    compared = "list_extract(" + all + ", " + other + ")";
  ASSIGN_OR_RETURN(std::string order, call.lambda_body(1, {compared, element}));
  if (call.expression(1)->nullable) {
    order = "coalesce(" + order + ", " +
            call.raise_without_context("COMPARATOR_RETURNS_NULL",
                                       {{"firstValue", "{0}"}, {"secondValue", "{1}"}}, {compared, element}) +
            ")";
  }
  const std::string indexes = "range(1, len(" + all + ") + 1)";
  const std::string place = "len(list_filter(" + indexes + ", lambda " + other + ": " + other + " <> " +
                            index + " AND " + order + " < CASE WHEN " + other + " < " + index +
                            " THEN 1 ELSE 0 END))";
  return "list_transform([" + list + "], lambda " + all + ": list_transform(list_sort(list_transform(" +
         indexes + ", lambda " + index + ": struct_pack(place := " + place + ", i := " + index +
         "))), lambda " + ranked + ": list_extract(" + all + ", struct_extract(" + ranked + ", 'i'))))[1]";
}

Result<std::string> lower_shuffle(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  const std::string index = call.fresh_name(), drawn = call.fresh_name();
  return call.bind(list, [&](const std::string& all) {
    return "list_transform(list_sort(list_transform(range(1, len(" + all + ") + 1), lambda " + index +
           ": struct_pack(place := random(), i := " + index + "))), lambda " + drawn + ": list_extract(" +
           all + ", struct_extract(" + drawn + ", 'i')))";
  });
}

// array_insert(array, position, value): places that the array does not have yet are filled with nulls; -1 is
// behind the last element.
Result<std::string> lower_insert(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string &list = texts[0], &position = texts[1];
  const std::string value = cast_to("[" + texts[2] + "]", call.result());
  const std::string rest = "(-" + position + " - 1)";  // elements behind the new one
  const std::string front = "list_concat(list_concat(list_resize(" + list + ", " + position + " - 1), " +
                            value + "), list_slice(" + list + ", " + position + ", len(" + list + ")))";
  const std::string back = "list_concat(list_concat(list_slice(" + list + ", 1, len(" + list + ") - " + rest +
                           "), " + value + "), list_slice(" + list + ", len(" + list + ") - " + rest +
                           " + 1, len(" + list + ")))";
  const std::string far = "list_concat(list_concat(" + value + ", list_resize(" +
                          cast_to("[]", call.result()) + ", " + rest + " - len(" + list + "))), " + list +
                          ")";
  return "CASE WHEN " + any_null({list, position}) + " THEN NULL WHEN " + position + " = 0 THEN " +
         call.raise("INVALID_INDEX_OF_ZERO", {}) + " WHEN " + position + " > 0 THEN " + front + " WHEN " +
         rest + " <= len(" + list + ") THEN " + back + " ELSE " + far + " END";
}

// ---- maps

// The map of two lists of one length, each bound to a name; null keys and repeated ones are errors.
std::string checked_map(CallWriter& call, const std::string& keys, const std::string& values) {
  const std::string key = call.fresh_name(), index = call.fresh_name();
  const std::string repeated = "list_filter(" + keys + ", lambda " + key + ", " + index + ": list_contains(" +
                               keys + "[1:" + index + "-1], " + key + "))[1]";
  return "CASE WHEN " + any_null({keys, values}) + " THEN NULL WHEN list_count(" + keys + ") < len(" + keys +
         ") THEN " + call.raise_without_context("NULL_MAP_KEY", {}) + " WHEN len(list_distinct(" + keys +
         ")) < len(" + keys + ") THEN " +
         call.raise_without_context(
             "DUPLICATED_MAP_KEY", {{"key", "{0}"}, {"mapKeyDedupPolicy", "\"spark.sql.mapKeyDedupPolicy\""}},
             {repeated}) +
         " ELSE " + cast_to("map(" + keys + ", " + values + ")", call.result()) + " END";
}

// Spark's function of (key, value) over the entries of a map, as a list; `list_function` walks them.
Result<std::string> over_entries(CallWriter& call, std::string_view list_function, const std::string& map) {
  const std::string entry = call.fresh_name();
  ASSIGN_OR_RETURN(const std::string body, call.lambda_body(1, {entry + ".key", entry + ".value"}));
  return std::string(list_function) + "(map_entries(" + map + "), lambda " + entry + ": " + body + ")";
}

Result<std::string> lower_entry_lambda(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string map, call.argument(0));
  const std::string bound = call.fresh_name();
  const bool filters = call.function == "map_filter";
  ASSIGN_OR_RETURN(const std::string walked,
                   over_entries(call, filters ? "list_filter" : "list_transform", bound));
  std::string sql;
  if (filters) {
    sql = cast_to("map_from_entries(" + walked + ")", call.result());
  } else if (call.function == "transform_values") {
    sql = cast_to("map(map_keys(" + bound + "), " + walked + ")", call.result());
  } else {
    sql = call.bind(walked, [&](const std::string& keys) {
      return checked_map(call, keys, "map_values(" + bound + ")");
    });
  }
  return "list_transform([" + map + "], lambda " + bound + ": CASE WHEN " + bound + " IS NOT NULL THEN " +
         sql + " END)[1]";
}

Result<std::string> lower_map_zip(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string left, call.argument(0));
  ASSIGN_OR_RETURN(const std::string right, call.argument(1));
  const std::string key = call.fresh_name();
  ASSIGN_OR_RETURN(const std::string body,
                   call.lambda_body(2, {key, map_value(left, key), map_value(right, key)}));
  const std::string all = "list_concat(map_keys(" + left + "), map_keys(" + right + "))";
  const std::string sql = call.bind(distinct_in_order(call, all), [&](const std::string& keys) {
    return cast_to("map(" + keys + ", list_transform(" + keys + ", lambda " + key + ": " + body + "))",
                   call.result());
  });
  return "CASE WHEN " + any_null({left, right}) + " THEN NULL ELSE " + sql + " END";
}

Result<std::string> lower_map_concat(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts maps, call.all_arguments());
  if (maps.empty()) return cast_to("map([], [])", call.result());
  std::string keys, values;
  for (const std::string& map : maps) {
    keys = keys.empty() ? "map_keys(" + map + ")" : "list_concat(" + keys + ", map_keys(" + map + "))";
    values =
        values.empty() ? "map_values(" + map + ")" : "list_concat(" + values + ", map_values(" + map + "))";
  }
  return "CASE WHEN " + any_null(maps) + " THEN NULL ELSE " +
         call.bind(keys, [&](const std::string& name) { return checked_map(call, name, values); }) + " END";
}

Result<std::string> lower_map_from_arrays(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return call.bind(texts[0], [&](const std::string& keys) {
    return "CASE WHEN len(" + keys + ") <> len(" + texts[1] + ") THEN " +
           call.raise_without_context("_LEGACY_ERROR_TEMP_2128", {}) + " ELSE " +
           checked_map(call, keys, texts[1]) + " END";
  });
}

Result<std::string> lower_map_from_entries(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string list, call.argument(0));
  const auto& fields = call.type(0).element().fields();
  const std::string entry = call.fresh_name();
  return call.bind(list, [&](const std::string& entries) {
    const auto part = [&](size_t i) {
      return "list_transform(" + entries + ", lambda " + entry + ": struct_extract(" + entry + ", " +
             quote_text(fields[i].name) + "))";
    };
    return "CASE WHEN list_count(" + entries + ") = len(" + entries + ") THEN " +
           call.bind(part(0), [&](const std::string& keys) { return checked_map(call, keys, part(1)); }) +
           " END";
  });
}

// str_to_map(text, between pairs, between key and value): both are regular expressions.
Result<std::string> lower_str_to_map(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  std::string separators[] = {"','", "':'"};
  for (size_t i = 1; i < call.size(); ++i) {
    if (call.is_null_literal(i)) return "CAST(NULL AS " + duckdb_type(call.result()) + ")";
    ASSIGN_OR_RETURN(separators[i - 1], regular_expression(call, i));
  }
  const std::string pair = call.fresh_name();
  const std::string found = "regexp_extract(" + pair + ", " + separators[1] + ")",
                    parts = "regexp_split_to_array(" + pair + ", " + separators[1] + ")";
  return call.bind(
      "regexp_split_to_array(" + texts[0] + ", " + separators[0] + ")", [&](const std::string& pairs) {
        const auto each = [&](const std::string& body) {
          return "list_transform(" + pairs + ", lambda " + pair + ": " + body + ")";
        };
        return call.bind(each(parts + "[1]"), [&](const std::string& keys) {
          return checked_map(call, keys,
                             each("CASE WHEN len(" + parts + ") > 1 THEN substring(" + pair + ", length(" +
                                  parts + "[1]) + length(" + found + ") + 1) END"));
        });
      });
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
    {.function = "array_max", .lower = lower_array_extremum},
    {.function = "array_min", .lower = lower_array_extremum},
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
    {.function = "map_from_entries", .lower = lower_map_from_entries},
    {.function = "map_concat", .lower = lower_map_concat},
    {.function = "map_filter", .lower = lower_entry_lambda},
    {.function = "transform_keys", .lower = lower_entry_lambda},
    {.function = "transform_values", .lower = lower_entry_lambda},
    {.function = "map_zip_with", .lower = lower_map_zip},
    {.function = "str_to_map", .lower = lower_str_to_map},
    {.function = "zip_with", .lower = lower_zip_with},
    {.function = "arrays_zip", .lower = lower_arrays_zip},
    {.function = "array_sort", .lower = lower_array_sort},
    {.function = "array_insert", .lower = lower_insert},
    {.function = "shuffle", .lower = lower_shuffle},
    {.function = "hash", .text = "murmur3_hash({*})", .kernel = "murmur3_hash"},
    {.function = "xxhash64", .text = "xxhash64_hash({*})", .kernel = "xxhash64_hash"},
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
  if (node->function == "json_tuple") return json_tuple(call, generator->type.fields());
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
