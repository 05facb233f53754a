// Comparison, logic and conditionals. DuckDB compares NaN and -0.0 as Spark does; lists and structs are
// compared by their order keys.
#include <iterator>

#include "relational/lowering/call_writer.h"

namespace deuteron::relational {
namespace {

using types::DataType;
using types::TypeId;

std::string_view symbol_of(std::string_view function) {
  if (function == "==") return " = ";
  if (function == "!=") return " <> ";
  if (function == "<=>") return " IS NOT DISTINCT FROM ";
  if (function == "<") return " < ";
  if (function == "<=") return " <= ";
  if (function == ">") return " > ";
  return " >= ";
}

Result<std::string> lower_comparison(CallWriter& call) {
  // A decimal may keep its own precision here: only values are compared.
  ASSIGN_OR_RETURN(const Written a, call.loose(0));
  ASSIGN_OR_RETURN(const Written b, call.loose(1));
  if (is_nested(call.type(0))) {
    // DuckDB answers null where Spark takes nulls inside as equal: `=` of nested values is IS NOT DISTINCT
    // FROM.
    const std::string present = "(" + a.sql + " IS NULL OR " + b.sql + " IS NULL)";
    const std::string_view function = call.function;
    if (function == "==")
      return "CASE WHEN NOT " + present + " THEN " + a.sql + " IS NOT DISTINCT FROM " + b.sql + " END";
    if (function == "!=")
      return "CASE WHEN NOT " + present + " THEN " + a.sql + " IS DISTINCT FROM " + b.sql + " END";
    if (function != "<=>") {
      return "(" + call.order_key(a.sql, call.type(0)) + std::string(symbol_of(function)) +
             call.order_key(b.sql, call.type(1)) + ")";
    }
  }
  return "(" + a.sql + std::string(symbol_of(call.function)) + b.sql + ")";
}

Result<std::string> lower_in(CallWriter& call) {
  ASSIGN_OR_RETURN(const Written value, call.loose(0));
  std::string list;
  for (size_t i = 1; i < call.size(); ++i) {
    ASSIGN_OR_RETURN(const Written item, call.loose(i));
    list += (i == 1 ? "" : ", ") + item.sql;
  }
  return "(" + value.sql + " IN (" + list + "))";
}

Result<std::string> lower_when(CallWriter& call) {
  std::string text = "CASE";
  for (size_t i = 0; i + 1 < call.size(); i += 2) {
    ASSIGN_OR_RETURN(const std::string condition, call.argument(i));
    ASSIGN_OR_RETURN(const std::string value, call.argument(i + 1));
    text += " WHEN " + condition + " THEN " + value;
  }
  if (call.size() % 2 == 1) {
    ASSIGN_OR_RETURN(const std::string otherwise, call.argument(call.size() - 1));
    text += " ELSE " + otherwise;
  }
  return text + " END";
}

// CASE whose branches keep one loose decimal type when they agree: sum(CASE WHEN … THEN a * b ELSE 0 END)
// stays narrow.
Result<Written> lower_when_loose(CallWriter& call) {
  const DataType& type = call.result();
  if (!type.is(TypeId::kDecimal)) {
    ASSIGN_OR_RETURN(std::string sql, lower_when(call));
    return Written{std::move(sql), type};
  }
  std::string text = "CASE";
  int digits = 1;
  for (size_t i = 0; i < call.size(); ++i) {
    const bool is_otherwise = i % 2 == 0 && i + 1 == call.size();
    if (i % 2 == 0 && !is_otherwise) {
      ASSIGN_OR_RETURN(const std::string condition, call.argument(i));
      text += " WHEN " + condition;
      continue;
    }
    ASSIGN_OR_RETURN(const Written value, call.loose(i));
    if (const auto* literal = call.literal(i); literal == nullptr || !literal->is_null()) {
      digits = std::max(digits, value.type.precision());
    }
    text += (is_otherwise ? " ELSE " : " THEN ") + value.sql;
  }
  // DuckDB brings the branches to the widest of them; a null literal must not widen.
  return Written{cast_to(text + " END", DataType::decimal(digits, type.scale())),
                 DataType::decimal(digits, type.scale())};
}

Result<std::string> lower_coalesce(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  if (texts.size() == 1) return texts[0];
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + text;
  return "coalesce(" + list + ")";
}

// (a, b, a as its own type)
Result<std::string> lower_nullif(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  return "CASE WHEN " + texts[0] + " = " + texts[1] + " THEN NULL ELSE " + texts[2] + " END";
}

Result<std::string> lower_extremum(CallWriter& call) {
  ASSIGN_OR_RETURN(const Texts texts, call.all_arguments());
  const DataType& type = call.result();
  std::string list;
  for (const std::string& text : texts)
    list += (list.empty() ? "" : ", ") + (is_nested(type) ? call.with_order_key(text, type) : text);
  const std::string extremum = std::string(call.function) + "(" + list + ")";
  return is_nested(type) ? "struct_extract(" + extremum + ", 'v')" : extremum;
}

const CallRule kRules[] = {
    {.function = "==", .lower = lower_comparison},
    {.function = "!=", .lower = lower_comparison},
    {.function = "<=>", .lower = lower_comparison},
    {.function = "<", .lower = lower_comparison},
    {.function = "<=", .lower = lower_comparison},
    {.function = ">", .lower = lower_comparison},
    {.function = ">=", .lower = lower_comparison},
    {.function = "in", .lower = lower_in},
    {.function = "isnull", .text = "({0} IS NULL)"},
    {.function = "isnotnull", .text = "({0} IS NOT NULL)"},
    {.function = "isnan", .text = "coalesce(isnan({0}), false)"},
    {.function = "greatest", .lower = lower_extremum},
    {.function = "least", .lower = lower_extremum},
    {.function = "and", .text = "({0} AND {1})"},
    {.function = "or", .text = "({0} OR {1})"},
    {.function = "not", .text = "(NOT {0})"},
    {.function = "when", .lower_loose = lower_when_loose},
    {.function = "if", .text = "CASE WHEN {0} THEN {1} ELSE {2} END"},
    {.function = "coalesce", .lower = lower_coalesce},
    {.function = "nvl2", .text = "CASE WHEN {0} IS NOT NULL THEN {1} ELSE {2} END"},
    {.function = "nullif", .lower = lower_nullif},
    {.function = "nullifzero", .text = "CASE WHEN {0} = 0 THEN NULL ELSE {0} END"},
    {.function = "zeroifnull", .text = "coalesce({0}, 0)", .cast = true},
    {.function = "nanvl", .text = "CASE WHEN isnan({0}) THEN {1} ELSE {0} END", .cast = true},
};

}  // namespace

RuleTable comparison_rules() { return {std::begin(kRules), std::end(kRules)}; }

}  // namespace deuteron::relational
