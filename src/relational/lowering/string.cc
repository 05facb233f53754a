// Functions of text.
#include <algorithm>
#include <cctype>
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

std::string join(const Texts& texts, std::string_view separator) {
  std::string joined;
  for (const std::string& text : texts)
    joined += (&text == &texts.front() ? "" : std::string(separator)) + text;
  return joined;
}

Status only_text(const CallWriter& call) {
  for (size_t i = 0; i < call.size(); ++i) {
    if (call.type(i).is(TypeId::kBinary))
      return unsupported(std::string(call.function) + " of binary values");
  }
  return {};
}

Result<std::string> lower_concat(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (texts.empty()) return std::string("''");
  if (texts.size() == 1) return texts[0];
  if (!call.result().is(TypeId::kArray)) return "(" + join(texts, " || ") + ")";
  std::string missing;
  for (const std::string& text : texts) missing += (missing.empty() ? "" : " OR ") + text + " IS NULL";
  std::string sql = texts[0];
  for (size_t i = 1; i < texts.size(); ++i) sql = "list_concat(" + sql + ", " + texts[i] + ")";
  return "CASE WHEN " + missing + " THEN NULL ELSE " + sql + " END";
}

Result<std::string> lower_concat_ws(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (texts.size() == 1) return "CASE WHEN " + texts[0] + " IS NOT NULL THEN '' END";
  bool any_array = false;
  for (size_t i = 1; i < call.size(); ++i) any_array |= call.type(i).is(TypeId::kArray);
  if (!any_array) return "concat_ws(" + join(texts, ", ") + ")";
  std::string list = "CAST([] AS VARCHAR[])";
  for (size_t i = 1; i < texts.size(); ++i) {
    const std::string item =
        call.type(i).is(TypeId::kArray) ? "coalesce(" + texts[i] + ", [])" : "[" + texts[i] + "]";
    list = "list_concat(" + list + ", " + item + ")";
  }
  const std::string name = call.fresh_name();
  return "CASE WHEN " + texts[0] + " IS NOT NULL THEN coalesce(array_to_string(list_filter(" + list +
         ", lambda " + name + ": " + name + " IS NOT NULL), " + texts[0] + "), '') END";
}

// Positions count characters from 1; 0 is 1; negative ones count from the end.
Result<std::string> lower_substring(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const auto start = call.literal_integer(1);
  const auto length = call.size() > 2 ? call.literal_integer(2) : std::optional<int64_t>(INT32_MAX);
  if (call.type(0).is(TypeId::kBinary)) {
    if (call.size() < 3) return call.kernel("binary_substring", {texts[0], texts[1], "2147483647"});
    return call.kernel("binary_substring", texts);
  }
  if (start && *start >= 0 && length && *length >= 0) {
    const std::string from = std::to_string(std::max<int64_t>(*start, 1));
    return *length == INT32_MAX
               ? "substring(" + texts[0] + ", " + from + ")"
               : "substring(" + texts[0] + ", " + from + ", " + std::to_string(*length) + ")";
  }
  return call.kernel("text_substring", {texts[0], texts[1], call.size() > 2 ? texts[2] : "2147483647"});
}

Result<std::string> lower_left_right(CallWriter& call) {
  RETURN_IF_ERROR(only_text(call));
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string sql = std::string(call.function) + "(" + texts[0] + ", " + texts[1] + ")";
  if (const auto count = call.literal_integer(1); count && *count >= 0) return sql;
  return "CASE WHEN " + texts[1] + " < 0 AND " + texts[0] + " IS NOT NULL THEN '' ELSE " + sql + " END";
}

Result<std::string> lower_length(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  const bool binary = call.type(0).is(TypeId::kBinary);
  if (call.function == "length" && !binary) return cast_to("length(" + text + ")", "INTEGER");
  const std::string bytes = "octet_length(" + (binary ? text : "encode(" + text + ")") + ")";
  return cast_to(call.function == "bit_length" ? bytes + " * 8" : bytes, "INTEGER");
}

// trim(text), trim(characters, text); btrim has them the other way round.
Result<std::string> lower_trim(CallWriter& call) {
  ASSIGN_OR_RETURN(Texts texts, call.all_arguments());
  const std::string name = call.function == "btrim" ? "trim" : std::string(call.function);
  if (texts.size() == 1) return name + "(" + texts[0] + ", ' ')";
  if (call.function != "btrim") std::swap(texts[0], texts[1]);
  return name + "(" + texts[0] + ", " + texts[1] + ")";
}

// A backslash may only stand before %, _ and itself.
Status check_like_pattern(const std::string& pattern, char escape) {
  const std::string shown = "'" + replace_all(pattern, "\\", "\\\\") + "'";
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != escape) continue;
    if (i + 1 == pattern.size()) return error("INVALID_FORMAT.ESC_AT_THE_END", {{"format", shown}});
    const char next = pattern[++i];
    if (next != '%' && next != '_' && next != escape) {
      return error("INVALID_FORMAT.ESC_IN_THE_MIDDLE",
                   {{"format", shown}, {"char", "'" + std::string(1, next) + "'"}});
    }
  }
  return {};
}

// A pattern that can be checked now; ILIKE's in lower case.
std::optional<std::string> constant_pattern(const CallWriter& call, size_t index, bool any_case) {
  const auto pattern = call.literal_text(index);
  if (!pattern || !any_case) return pattern;
  std::string lower;
  for (const char c : *pattern) {
    if ((c & 0x80) != 0) return std::nullopt;
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return lower;
}

// value LIKE pattern (argument `index`) with Spark's errors.
Result<std::string> write_like(CallWriter& call, const std::string& value, size_t index,
                               const std::string& escape) {
  ASSIGN_OR_RETURN(std::string pattern, call.argument(index));
  const bool any_case = call.function == "ilike";
  const std::string left = any_case ? "lower(" + value + ")" : value;
  if (any_case) pattern = "lower(" + pattern + ")";
  const std::optional<std::string> constant = constant_pattern(call, index, any_case);
  if (constant) {
    RETURN_IF_ERROR(check_like_pattern(*constant, escape[0]));
    if (constant->find(escape[0]) == std::string::npos) return "(" + left + " LIKE " + pattern + ")";
  }
  const std::string quoted = quote_text(escape);
  const std::string like = "(" + left + " LIKE " + pattern + " ESCAPE " + quoted + ")";
  if (constant) return like;
  const std::string flaw = call.kernel("like_flaw", {pattern, quoted});
  const std::string shown = "replace(" + pattern + ", '\\', '\\\\')";
  const std::string at_end =
      call.raise_without_context("INVALID_FORMAT.ESC_AT_THE_END", {{"format", "'{0}'"}}, {shown});
  const std::string in_middle = call.raise_without_context(
      "INVALID_FORMAT.ESC_IN_THE_MIDDLE", {{"format", "'{0}'"}, {"char", "'{1}'"}}, {shown, flaw});
  return "CASE WHEN " + value + " IS NULL THEN NULL WHEN " + flaw + " IS NULL THEN " + like + " WHEN " +
         flaw + " = '' THEN " + cast_to(at_end, "BOOLEAN") + " ELSE " + cast_to(in_middle, "BOOLEAN") +
         " END";
}

Result<std::string> lower_like(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  std::string escape = "\\";
  if (call.size() == 3) {
    const auto given = call.literal_text(2);
    if (!given || given->size() != 1)
      return unsupported("LIKE with an escape that is not one constant character");
    escape = *given;
  }
  return write_like(call, value, 1, escape);
}

// value LIKE ANY (pattern, …) and its like.
Result<std::string> lower_like_quantified(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  const std::string negation = call.function.starts_with("not") ? "NOT " : "";
  Texts terms;
  for (size_t i = 1; i < call.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string like, write_like(call, value, i, "\\"));
    terms.push_back("(" + negation + like + ")");
  }
  return "(" + join(terms, call.function.ends_with("all") ? " AND " : " OR ") + ")";
}

}  // namespace

Result<std::string> regular_expression(const CallWriter& call, size_t index) {
  const auto pattern = call.literal_text(index);
  if (!pattern) return unsupported(std::string(call.function) + " with a pattern that is not constant");
  bool in_class = false;
  std::string text;
  for (size_t i = 0; i < pattern->size(); ++i) {
    const char c = (*pattern)[i];
    const std::string_view rest = std::string_view(*pattern).substr(i);
    const auto refuse = [&] { return unsupported("the regular expression " + *pattern); };
    if (c == '\\' && i + 1 < pattern->size()) {
      const char next = (*pattern)[i + 1];
      if ((next >= '1' && next <= '9') || next == 'k' || next == 'G' || next == 'R' || next == 'X' ||
          next == 'Z' || next == 'h' || next == 'H' || next == 'V' || next == 'N') {
        return refuse();
      }
      text += rest.substr(0, 2);
      ++i;
      continue;
    }
    if (c == '[') {
      if (in_class) return refuse();
      in_class = true;
    } else if (c == ']') {
      in_class = false;
    } else if (in_class && rest.starts_with("&&")) {
      return refuse();
    } else if (!in_class) {
      if (rest.starts_with("(?=") || rest.starts_with("(?!") || rest.starts_with("(?<=") ||
          rest.starts_with("(?<!") || rest.starts_with("(?>") || rest.starts_with("*+") ||
          rest.starts_with("++") || rest.starts_with("?+") || rest.starts_with("}+")) {
        return refuse();
      }
      if (rest.starts_with("(?<")) {
        text += "(?P<";
        i += 2;
        continue;
      }
    }
    text += c;
  }
  return quote_text(text);
}

namespace {

bool has_balanced_brackets(const std::string& pattern) {
  int depth = 0;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\')
      ++i;
    else if (in_class)
      in_class = pattern[i] != ']';
    else if (pattern[i] == '[')
      in_class = true;
    else if (pattern[i] == '(')
      ++depth;
    else if (pattern[i] == ')' && --depth < 0)
      return false;
  }
  return depth == 0 && !in_class;
}

// What a call gives whose pattern (argument 1) is null or no regular expression; nullopt when it is one.
Result<std::optional<std::string>> without_pattern(CallWriter& call, std::string_view shown_name) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  if (call.is_null_literal(1)) return std::optional(cast_to("NULL", call.result()));
  const auto pattern = call.literal_text(1);
  if (!pattern || has_balanced_brackets(*pattern)) return std::optional<std::string>();
  const std::string failure = call.raise_without_context(
      "INVALID_PARAMETER_VALUE.PATTERN", {{"parameter", "`regexp`"},
                                          {"functionName", "`" + std::string(shown_name) + "`"},
                                          {"value", "'" + *pattern + "'"}});
  return std::optional("CASE WHEN " + text + " IS NOT NULL THEN " + cast_to(failure, call.result()) + " END");
}

Result<std::string> lower_rlike(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, "rlike"));
  if (answer) return *answer;
  ASSIGN_OR_RETURN(const std::string pattern, regular_expression(call, 1));
  return "regexp_matches(" + text + ", " + pattern + ")";
}

// Capturing groups of a Java pattern.
int count_groups(const std::string& pattern) {
  int groups = 0;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = std::string_view(pattern).substr(i);
    if (pattern[i] == '\\')
      ++i;
    else if (in_class)
      in_class = pattern[i] != ']';
    else if (pattern[i] == '[')
      in_class = true;
    else if (pattern[i] == '(')
      groups += !rest.starts_with("(?") || rest.starts_with("(?<") ? 1 : 0;
  }
  return groups;
}

// Java's replacement text in RE2's words; nullopt when it names a group that there is not, or ends within an
// escape.
Result<std::optional<std::string>> rewrite_of(const std::string& replacement, int groups) {
  std::string rewrite;
  for (size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c != '$' && c != '\\') {
      rewrite += c;
      continue;
    }
    if (++i == replacement.size()) return std::optional<std::string>();
    const char next = replacement[i];
    if (c == '\\') {
      rewrite += next == '\\' ? "\\\\" : std::string(1, next);
      continue;
    }
    if (next == '{') return unsupported("regexp_replace with a group by its name");
    if (std::isdigit(static_cast<unsigned char>(next)) == 0 || next - '0' > groups)
      return std::optional<std::string>();
    if (groups > 9) return unsupported("regexp_replace with more than nine groups");
    rewrite += std::string("\\") + next;
  }
  return std::optional(std::move(rewrite));
}

Result<std::string> lower_regexp_replace(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  const bool has_null = call.is_null_literal(2) || (call.size() > 3 && call.is_null_literal(3));
  if (has_null) return std::string("CAST(NULL AS VARCHAR)");
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, "regexp_replace"));
  if (answer) return *answer;
  ASSIGN_OR_RETURN(const std::string pattern, regular_expression(call, 1));
  const auto replacement = call.literal_text(2);
  if (!replacement) return unsupported("regexp_replace with a replacement that is not constant");
  ASSIGN_OR_RETURN(const auto translated, rewrite_of(*replacement, count_groups(*call.literal_text(1))));
  if (!translated) {
    const std::string failure = call.raise_without_context(
        "INVALID_REGEXP_REPLACE",
        {{"source", "{0}"},
         {"pattern", *call.literal_text(1)},
         {"replacement", *replacement},
         {"position", std::to_string(call.size() > 3 ? call.literal_integer(3).value_or(1) : 1)}},
        {text});
    return "CASE WHEN regexp_matches(" + text + ", " + pattern + ") THEN " + cast_to(failure, call.result()) +
           " ELSE " + text + " END";
  }
  // Behind a match Java replaces an empty one too, RE2 does not.
  const std::string refusal = call.raise_without_context(
      "UNSUPPORTED_FEATURE", {{"feature", "regexp_replace with a pattern that matches the empty text"}});
  const auto replaced = [&](const std::string& within) {
    return "CASE WHEN regexp_matches('', " + pattern + ") THEN " + cast_to(refusal, call.result()) +
           " ELSE regexp_replace(" + within + ", " + pattern + ", " + quote_text(*translated) + ", 'g') END";
  };
  const auto position = call.size() > 3 ? call.literal_integer(3) : std::optional<int64_t>(1);
  if (!position) return unsupported("regexp_replace with a position that is not constant");
  if (*position == 1) return replaced(text);
  // What stands before the position is not seen by the pattern.
  const std::string start = std::to_string(*position);
  return "CASE WHEN length(" + text + ") < " + start + " THEN " + text + " ELSE left(" + text + ", " + start +
         " - 1) || (" + replaced("substring(" + text + ", " + start + ")") + ") END";
}

// regexp_extract, regexp_extract_all: a group of the first match, or of every match.
Result<std::string> lower_regexp_extract(CallWriter& call) {
  const bool all = call.function == "regexp_extract_all";
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  if (call.size() > 2 && call.is_null_literal(2)) return cast_to("NULL", call.result());
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, call.function));
  if (answer) return *answer;
  ASSIGN_OR_RETURN(const std::string pattern, regular_expression(call, 1));
  const auto group = call.size() > 2 ? call.literal_integer(2) : std::optional<int64_t>(1);
  if (!group) return unsupported(std::string(call.function) + " with a group that is not constant");
  const std::string nothing = all ? "CAST([] AS VARCHAR[])" : "''";
  if (const int groups = count_groups(*call.literal_text(1)); *group < 0 || *group > groups) {
    const std::string failure =
        call.raise_without_context("INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX",
                                   {{"parameter", "`idx`"},
                                    {"functionName", "`" + std::string(call.function) + "`"},
                                    {"groupCount", std::to_string(groups)},
                                    {"groupIndex", std::to_string(*group)}});
    return "CASE WHEN regexp_matches(" + text + ", " + pattern + ") THEN " + cast_to(failure, call.result()) +
           " WHEN " + text + " IS NOT NULL THEN " + nothing + " END";
  }
  const std::string arguments = "(" + text + ", " + pattern + ", " + std::to_string(*group) + ")";
  if (!all) return "regexp_extract" + arguments;
  const std::string name = call.fresh_name();
  return "list_transform(regexp_extract_all" + arguments + ", lambda " + name + ": coalesce(" + name +
         ", ''))";
}

Result<std::string> lower_regexp_count(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, "regexp_extract_all"));
  if (answer) return *answer;
  ASSIGN_OR_RETURN(const std::string pattern, regular_expression(call, 1));
  return cast_to("len(regexp_extract_all(" + text + ", " + pattern + ", 0))", call.result());
}

// Null, not '', where nothing matches.
Result<std::string> lower_regexp_substr(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, "regexp_extract"));
  if (answer) return *answer;
  ASSIGN_OR_RETURN(const std::string pattern, regular_expression(call, 1));
  return "nullif(regexp_extract(" + text + ", " + pattern + ", 0), '')";
}

// Where the first match begins, whatever the group (argument 2), which only makes null of null.
Result<std::string> lower_regexp_instr(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, "regexp_instr"));
  if (answer) return *answer;
  ASSIGN_OR_RETURN(const std::string pattern, regular_expression(call, 1));
  const std::string before = "regexp_extract(" + text + ", '\\A((?s:.*?))(?:' || " + pattern + " || ')', 1)";
  const std::string place = cast_to("length(" + before + ") + 1", call.result());
  std::string absent = text + " IS NULL";
  if (call.size() > 2) {
    ASSIGN_OR_RETURN(const std::string group, call.argument(2));
    absent += " OR " + group + " IS NULL";
  }
  return "CASE WHEN " + absent + " THEN NULL WHEN regexp_matches(" + text + ", " + pattern + ") THEN " +
         place + " ELSE 0 END";
}

bool is_plain_pattern(const std::string& pattern) {
  return pattern.find_first_of("\\[](){}.*+?^$|") == std::string::npos;
}

Result<std::string> lower_split(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  ASSIGN_OR_RETURN(const auto answer, without_pattern(call, "split"));
  if (answer) return *answer;
  if (call.is_null_literal(1)) return std::string("CAST(NULL AS VARCHAR[])");
  const auto pattern = call.literal_text(1);
  if (!pattern) return unsupported("split with a pattern that is not constant");
  const auto limit = call.size() > 2 ? call.literal_integer(2) : std::optional<int64_t>(-1);
  if (!limit) return unsupported("split with a limit that is not constant");
  const bool plain = is_plain_pattern(*pattern);
  if (*limit > 0) {
    if (!plain || pattern->empty()) return unsupported("split by a regular expression with a limit");
    const std::string parts = "str_split(" + text + ", " + quote_text(*pattern) + ")";
    const std::string count = std::to_string(*limit);
    const std::string name = call.fresh_name();
    return "list_transform([" + parts + "], lambda " + name + ": CASE WHEN " + name +
           " IS NULL THEN NULL WHEN len(" + name + ") <= " + count + " THEN " + name +
           " ELSE list_append(list_slice(" + name + ", 1, " + count + " - 1), array_to_string(list_slice(" +
           name + ", " + count + ", len(" + name + ")), " + quote_text(*pattern) + ")) END)[1]";
  }
  if (plain) return "str_split(" + text + ", " + quote_text(*pattern) + ")";
  ASSIGN_OR_RETURN(const std::string expression, regular_expression(call, 1));
  return "regexp_split_to_array(" + text + ", " + expression + ")";
}

Result<std::string> lower_pad(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (call.result().is(TypeId::kBinary)) {
    return call.kernel("binary_" + std::string(call.function),
                       {texts[0], texts[1], texts.size() > 2 ? texts[2] : "CAST('\\x00' AS BLOB)"});
  }
  const std::string pad = texts.size() > 2 ? texts[2] : "' '";
  const std::string name(call.function);
  const std::string sql = name + "(" + texts[0] + ", " + texts[1] + ", " + pad + ")";
  const auto width = call.literal_integer(1);
  const auto filling = texts.size() > 2 ? call.literal_text(2) : std::optional<std::string>(" ");
  if (width && *width >= 0 && filling && !filling->empty()) return sql;
  return "CASE WHEN " + texts[0] + " IS NULL OR " + texts[1] + " IS NULL OR " + pad +
         " IS NULL THEN NULL WHEN " + texts[1] + " <= 0 THEN '' WHEN " + pad + " = '' THEN left(" + texts[0] +
         ", " + texts[1] + ") ELSE " + sql + " END";
}

// locate(part, text, from 1): 0 when it is not there, also for a null or non-positive start.
Result<std::string> lower_locate(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (texts.size() == 2) return cast_to("strpos(" + texts[1] + ", " + texts[0] + ")", "INTEGER");
  const std::string found = "strpos(substring(" + texts[1] + ", " + texts[2] + "), " + texts[0] + ")";
  return cast_to("CASE WHEN " + texts[2] + " IS NULL THEN 0 WHEN " + texts[0] + " IS NULL OR " + texts[1] +
                     " IS NULL THEN NULL WHEN " + texts[2] + " < 1 THEN 0 WHEN " + texts[0] +
                     " = '' THEN 1 WHEN " + texts[2] + " > length(" + texts[1] + ") + 1 THEN 0 WHEN " +
                     found + " = 0 THEN 0 ELSE " + found + " + " + texts[2] + " - 1 END",
                 "INTEGER");
}

Result<std::string> lower_reverse(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  return (call.result().is(TypeId::kArray) ? "list_reverse(" : "reverse(") + value + ")";
}

Result<std::string> lower_initcap(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  const std::string name = call.fresh_name();
  const std::string first = "substring(" + name + ", 1, 1)", rest = "substring(" + name + ", 2)";
  return "array_to_string(list_transform(str_split(" + call.kernel("final_sigma", {text}) +
         ", ' '), lambda " + name + ": coalesce(" + call.kernel("special_title", {first}) + ", upper(" +
         call.kernel("special_upper", {first}) + ")) || lower(replace(" + rest + ", 'İ', 'i̇'))), ' ')";
}

Result<std::string> lower_levenshtein(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string distance = call.kernel("edit_distance", {texts[0], texts[1]});
  if (texts.size() < 3) return distance;
  return "CASE WHEN " + texts[2] + " IS NULL THEN NULL WHEN " + distance + " > " + texts[2] +
         " THEN -1 ELSE " + distance + " END";
}

// In lines of 76 characters.
Result<std::string> lower_base64(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  return "rtrim(regexp_replace(to_base64(" + value +
         "), '(.{76})', '\\1' || chr(13) || chr(10), 'g'), chr(13) || chr(10))";
}

Result<std::string> lower_unbase64(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string text, call.argument(0));
  const std::string failure = call.raise_without_context("ILLEGAL_BASE64", {});
  return "coalesce(" + call.kernel("decode_base64", {text}) + ", CASE WHEN " + text + " IS NOT NULL THEN " +
         cast_to(failure, call.result()) + " END)";
}

Result<std::string> lower_split_part(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string sql = "CASE WHEN " + texts[1] + " = '' THEN CASE WHEN abs(" + texts[2] + ") = 1 THEN " +
                          texts[0] + " ELSE '' END ELSE split_part(" + texts[0] + ", " + texts[1] + ", " +
                          texts[2] + ") END";
  const auto index = call.literal_integer(2);
  if (index && *index != 0) return sql;
  return "CASE WHEN " + texts[2] + " = 0 AND " + texts[0] + " IS NOT NULL AND " + texts[1] +
         " IS NOT NULL THEN " + call.raise_without_context("INVALID_INDEX_OF_ZERO", {}) + " ELSE " + sql +
         " END";
}

Result<std::string> lower_position_test(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (call.type(0).is(TypeId::kBinary)) {
    return call.kernel("binary_" + std::string(call.function), texts);
  }
  const std::string_view name = call.function == "startswith" ? "starts_with"
                                : call.function == "endswith" ? "suffix"
                                                              : "contains";
  return std::string(name) + "(" + texts[0] + ", " + texts[1] + ")";
}

Result<std::string> lower_sha2(CallWriter& call) {
  ASSIGN_OR_RETURN(const std::string value, call.argument(0));
  const auto bits = call.literal_integer(1);
  if (!bits) return unsupported("sha2 with a length that is not constant");
  if (*bits == 0 || *bits == 256) return "sha256(" + value + ")";
  if (*bits == 224 || *bits == 384 || *bits == 512)
    return unsupported("sha2 with " + std::to_string(*bits) + " bits");
  return std::string("CAST(NULL AS VARCHAR)");
}

Result<std::string> lower_overlay(CallWriter& call) {
  ASSIGN_OR_RETURN(Texts texts, call.all_arguments());
  if (texts.size() < 4) texts.emplace_back("-1");
  return call.kernel(call.result().is(TypeId::kBinary) ? "binary_overlay" : "text_overlay", texts);
}

Result<std::string> lower_elt(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  std::string sql = "CASE " + texts[0];
  for (size_t i = 1; i < texts.size(); ++i) sql += " WHEN " + std::to_string(i) + " THEN " + texts[i];
  if (!call.ansi) return sql + " END";
  const std::string failure =
      call.raise("INVALID_ARRAY_INDEX",
                 {{"indexValue", "{0}"}, {"arraySize", std::to_string(texts.size() - 1)}}, {texts[0]});
  return sql + " ELSE CASE WHEN " + texts[0] + " IS NOT NULL THEN " + cast_to(failure, call.result()) +
         " END END";
}

// encode(text, charset), decode(bytes, charset)
Result<std::string> lower_charset(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const std::string name = "`" + std::string(call.function) + "`";
  const std::string unknown = call.raise_without_context(
      "INVALID_PARAMETER_VALUE.CHARSET",
      {{"parameter", "`charset`"},
       {"functionName", name},
       {"charset", "{0}"},
       {"charsets", "iso-8859-1, us-ascii, utf-16, utf-16be, utf-16le, utf-32, utf-8"}},
      {texts[1]});
  const std::string malformed = call.raise_without_context(
      "MALFORMED_CHARACTER_CODING", {{"function", name}, {"charset", "{0}"}}, {texts[1]});
  return "coalesce(" + call.kernel(call.function == "encode" ? "encode_text" : "decode_bytes", texts) +
         ", CASE WHEN " + texts[0] + " IS NOT NULL AND " + texts[1] + " IS NOT NULL THEN CASE WHEN " +
         call.kernel("is_charset", {texts[1]}) + " THEN " + cast_to(malformed, call.result()) + " ELSE " +
         cast_to(unknown, call.result()) + " END END)";
}

// decode(value, search, result, …, default)
Result<std::string> lower_decode(CallWriter& call) {
  if (call.size() == 2) return lower_charset(call);
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  std::string sql = "CASE";
  for (size_t i = 1; i + 1 < texts.size(); i += 2)
    sql += " WHEN " + texts[0] + " IS NOT DISTINCT FROM " + texts[i] + " THEN " + texts[i + 1];
  if (texts.size() % 2 == 0) sql += " ELSE " + texts.back();
  return sql + " END";
}

Result<std::string> lower_format_number(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (!call.type(1).is(TypeId::kInteger)) return unsupported("format_number with a pattern");
  const bool floating = call.type(0).is(TypeId::kDouble) || call.type(0).is(TypeId::kFloat);
  return call.kernel(floating ? "format_number_double" : "format_number_text",
                     {cast_to(texts[0], floating ? "DOUBLE" : "VARCHAR"), texts[1]});
}

// ---- format_string --------------------------------------------------------------------------------

// %[argument$][flags][width][.precision]conversion; -1: none.
struct Specifier {
  int argument = -1;
  std::string flags;
  int width = -1;
  int precision = -1;
  char conversion = 0;  // 0: it is none

  bool has(char flag) const { return flags.find(flag) != std::string::npos; }
};

int read_number(const std::string& text, size_t& at) {
  constexpr int kMost = 1'000'000;
  int number = -1;
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])))
    number = std::min(std::max(number, 0) * 10 + (text[at++] - '0'), kMost);
  return number;
}

// `at` stands behind the % and moves behind the specifier.
Specifier read_specifier(const std::string& text, size_t& at) {
  Specifier specifier;
  if (const size_t digits = text.find_first_not_of("0123456789", at);
      digits != std::string::npos && digits > at && text[digits] == '$') {
    specifier.argument = read_number(text, at) - 1;
    ++at;
  }
  while (at < text.size() && std::string_view("-#+ 0,(<").find(text[at]) != std::string_view::npos)
    specifier.flags += text[at++];
  specifier.width = read_number(text, at);
  if (at < text.size() && text[at] == '.') {
    ++at;
    specifier.precision = read_number(text, at);
    if (specifier.precision < 0) return specifier;
  }
  if (at < text.size()) specifier.conversion = text[at++];
  return specifier;
}

// Whether java.util.Formatter takes the flags, width and precision with this conversion.
bool is_consistent(const Specifier& specifier) {
  const char conversion = specifier.conversion;
  const bool is_text = conversion == 's' || conversion == 'S';
  const bool is_bits = conversion == 'x' || conversion == 'X' || conversion == 'o';
  if ((specifier.has('-') || specifier.has('0')) && specifier.width < 0) return false;
  if (specifier.has('-') && specifier.has('0')) return false;
  if (specifier.has('+') && specifier.has(' ')) return false;
  for (const char flag : specifier.flags) {
    if (std::count(specifier.flags.begin(), specifier.flags.end(), flag) > 1) return false;
    if (is_text && flag != '-') return false;
    if (is_bits && flag != '-' && flag != '0') return false;
    if (conversion == 'd' && flag == '#') return false;
  }
  return is_text || conversion == 'f' || specifier.precision < 0;
}

// One argument by one specifier; nullopt: Java refuses it.
Result<std::optional<std::string>> write_specifier(CallWriter& call, const Specifier& specifier,
                                                   size_t index) {
  const char conversion = specifier.conversion;
  const auto refuse = [&](const std::string& what) { return unsupported("format_string with " + what); };
  if (std::string_view("sSdxXof").find(conversion) == std::string_view::npos) {
    if (std::string_view("bBhHcCeEgGaAtT").find(conversion) == std::string_view::npos)
      return std::optional<std::string>();
    return refuse(std::string("the conversion %") + conversion);
  }
  if (specifier.has('#')) return refuse("the flag #");
  if (!is_consistent(specifier)) return std::optional<std::string>();
  const DataType& type = call.type(index);
  ASSIGN_OR_RETURN(const std::string value, call.argument(index));
  const std::string flags = quote_text(specifier.flags), width = std::to_string(specifier.width);
  const auto text = [&](const std::string& shown) {
    const std::string sql = call.kernel("format_text", {"coalesce(" + shown + ", 'null')", flags, width,
                                                        std::to_string(specifier.precision)});
    return std::optional(conversion == 'S' || conversion == 'X' ? "upper(" + sql + ")" : sql);
  };
  if (type.is(TypeId::kNull)) return text("CAST(NULL AS VARCHAR)");
  std::string formatted;
  if (conversion == 's' || conversion == 'S') {
    if (!type.is(TypeId::kString) && !type.is(TypeId::kBoolean) && !type.is_numeric())
      return refuse("%s of the type " + type.sql());
    ASSIGN_OR_RETURN(const std::string shown, write_as_text(call, value, type));
    return text(shown);
  }
  if (conversion == 'f') {
    if (!type.is(TypeId::kDouble) && !type.is(TypeId::kFloat)) return std::optional<std::string>();
    formatted = call.kernel("format_double",
                            {cast_to(value, "DOUBLE"), flags, width, std::to_string(specifier.precision)});
  } else if (!type.is_integral()) {
    return std::optional<std::string>();
  } else if (conversion == 'd') {
    formatted = call.kernel("format_integer", {cast_to(value, "BIGINT"), flags, width});
  } else {
    const std::string_view mask = type.is(TypeId::kByte)      ? " & 255"
                                  : type.is(TypeId::kShort)   ? " & 65535"
                                  : type.is(TypeId::kInteger) ? " & 4294967295"
                                                              : "";
    formatted = call.kernel("format_bits", {"(" + cast_to(value, "BIGINT") + std::string(mask) + ")",
                                            conversion == 'o' ? "8" : "16", flags, width});
    if (conversion == 'X') formatted = "upper(" + formatted + ")";
  }
  // A null is the text null, without the flags of numbers.
  return std::optional("coalesce(" + formatted + ", " + *text("CAST(NULL AS VARCHAR)") + ")");
}

Result<std::string> lower_format_string(CallWriter& call) {
  if (call.is_null_literal(0)) return std::string("CAST(NULL AS VARCHAR)");
  const auto format = call.literal_text(0);
  if (!format) return unsupported("format_string with a format that is not constant");
  Texts pieces = {"''"};
  std::string plain;
  size_t next = 1;
  for (size_t at = 0; at < format->size();) {
    if ((*format)[at] != '%') {
      plain += (*format)[at++];
      continue;
    }
    const size_t start = ++at;
    const Specifier specifier = read_specifier(*format, at);
    if (specifier.conversion == '%' || specifier.conversion == 'n') {
      if (at != start + 1)
        return unsupported("format_string with flags of %" + std::string(1, specifier.conversion));
      plain += specifier.conversion == '%' ? '%' : '\n';
      continue;
    }
    if (specifier.has('<')) return unsupported("format_string with the flag <");
    const size_t index = specifier.argument >= 0 ? static_cast<size_t>(specifier.argument) + 1 : next++;
    std::optional<std::string> piece;
    if (specifier.conversion != 0 && index < call.size()) {
      ASSIGN_OR_RETURN(piece, write_specifier(call, specifier, index));
    }
    pieces.push_back(quote_text(plain));
    plain.clear();
    pieces.push_back(piece ? *piece
                           : cast_to(call.raise_without_context("ILLEGAL_FORMAT", {}), call.result()));
  }
  pieces.push_back(quote_text(plain));
  return "(" + join(pieces, " || ") + ")";
}

Result<std::string> lower_replace(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return "replace(" + texts[0] + ", " + texts[1] + ", " + (texts.size() > 2 ? texts[2] : "''") + ")";
}

const CallRule kRules[] = {
    {.function = "concat", .lower = lower_concat},
    {.function = "concat_ws", .lower = lower_concat_ws},
    {.function = "substring", .lower = lower_substring},
    {.function = "left", .lower = lower_left_right},
    {.function = "right", .lower = lower_left_right},
    {.function = "length", .lower = lower_length},
    {.function = "octet_length", .lower = lower_length},
    {.function = "bit_length", .lower = lower_length},
    {.function = "upper", .text = "upper(special_upper({0}))", .kernel = "special_upper"},
    {.function = "lower", .text = "lower(replace(final_sigma({0}), 'İ', 'i̇'))", .kernel = "final_sigma"},
    {.function = "initcap", .lower = lower_initcap},
    {.function = "trim", .lower = lower_trim},
    {.function = "ltrim", .lower = lower_trim},
    {.function = "rtrim", .lower = lower_trim},
    {.function = "btrim", .lower = lower_trim},
    {.function = "like", .lower = lower_like},
    {.function = "ilike", .lower = lower_like},
    {.function = "like any", .lower = lower_like_quantified},
    {.function = "like all", .lower = lower_like_quantified},
    {.function = "not like any", .lower = lower_like_quantified},
    {.function = "not like all", .lower = lower_like_quantified},
    {.function = "rlike", .lower = lower_rlike},
    {.function = "regexp_replace", .lower = lower_regexp_replace},
    {.function = "regexp_extract", .lower = lower_regexp_extract},
    {.function = "regexp_extract_all", .lower = lower_regexp_extract},
    {.function = "regexp_count", .lower = lower_regexp_count},
    {.function = "regexp_substr", .lower = lower_regexp_substr},
    {.function = "regexp_instr", .lower = lower_regexp_instr},
    {.function = "overlay", .lower = lower_overlay},
    {.function = "find_in_set", .text = "find_in_set({0}, {1})", .kernel = "find_in_set"},
    {.function = "soundex", .text = "soundex({0})", .kernel = "soundex"},
    {.function = "crc32", .text = "crc32({0})", .kernel = "crc32"},
    {.function = "elt", .lower = lower_elt},
    {.function = "encode", .lower = lower_charset},
    {.function = "decode", .lower = lower_decode},
    {.function = "format_number", .lower = lower_format_number},
    {.function = "format_string", .lower = lower_format_string},
    {.function = "startswith", .lower = lower_position_test},
    {.function = "endswith", .lower = lower_position_test},
    {.function = "contains", .lower = lower_position_test},
    {.function = "replace", .lower = lower_replace},
    {.function = "translate", .text = "translate({0}, {1}, {2})"},
    {.function = "split", .lower = lower_split},
    {.function = "split_part", .lower = lower_split_part},
    {.function = "substring_index",
     .text = "part_by_separator({0}, {1}, {2})",
     .kernel = "part_by_separator"},
    {.function = "lpad", .lower = lower_pad},
    {.function = "rpad", .lower = lower_pad},
    {.function = "instr", .text = "CAST(strpos({0}, {1}) AS INTEGER)"},
    {.function = "locate", .lower = lower_locate},
    {.function = "reverse", .lower = lower_reverse},
    {.function = "repeat", .text = "repeat({0}, CAST({1} AS BIGINT))"},
    {.function = "ascii", .text = "ascii({0})", .cast = true},
    {.function = "chr", .text = "CASE WHEN {0} < 0 THEN '' ELSE chr(CAST({0} & 255 AS INTEGER)) END"},
    {.function = "space", .text = "repeat(' ', CAST({0} AS BIGINT))"},
    {.function = "levenshtein", .lower = lower_levenshtein},
    {.function = "md5", .text = "md5({0})"},
    {.function = "sha1", .text = "sha1({0})"},
    {.function = "sha2", .lower = lower_sha2},
    {.function = "hex", .text = "hex({0})"},
    {.function = "unhex", .text = "TRY(from_hex({0}))"},
    {.function = "bin", .text = "bin({0})"},
    {.function = "base64", .lower = lower_base64},
    {.function = "unbase64", .lower = lower_unbase64},
};

}  // namespace

RuleTable string_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
