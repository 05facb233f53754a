#include "functions/family.h"

#include <algorithm>
#include <unordered_map>

namespace deuteron::functions {

using types::DataType;
using types::TypeId;

namespace {

const std::unordered_map<std::string_view, TypeId>& concrete_words() {
  static const std::unordered_map<std::string_view, TypeId> kWords = {
      {"boolean", TypeId::kBoolean},
      {"tinyint", TypeId::kByte},
      {"smallint", TypeId::kShort},
      {"int", TypeId::kInteger},
      {"bigint", TypeId::kLong},
      {"float", TypeId::kFloat},
      {"double", TypeId::kDouble},
      {"string", TypeId::kString},
      {"binary", TypeId::kBinary},
      {"date", TypeId::kDate},
      {"timestamp", TypeId::kTimestamp},
      {"timestamp_ntz", TypeId::kTimestampNtz},
      {"interval", TypeId::kCalendarInterval},
      {"void", TypeId::kNull},
  };
  return kWords;
}

bool is_abstractly(const DataType& type, std::string_view word) {
  if (word == "any") return true;
  if (word == "text") return type.is(TypeId::kString);
  if (word == "numeric") return type.is_numeric();
  if (word == "integral") return type.is_integral();
  if (word == "decimal") return type.is(TypeId::kDecimal);
  if (word == "array") return type.is(TypeId::kArray);
  if (word == "map") return type.is(TypeId::kMap);
  if (word == "struct") return type.is(TypeId::kStruct);
  if (word == "daytime") return type.is(TypeId::kDayTimeInterval);
  if (word == "yearmonth") return type.is(TypeId::kYearMonthInterval);
  return false;
}

// What Spark shows for a word in requiredType.
std::string word_text(std::string_view word) {
  if (word == "daytime") return "INTERVAL DAY TO SECOND";
  if (word == "yearmonth") return "INTERVAL YEAR TO MONTH";
  if (word == "text") return "STRING";
  std::string text(word);
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    std::string_view part = text.substr(0, at);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

struct Parameter {
  std::string_view words;
  bool optional = false;
  bool repeated = false;
};
struct Signature {
  std::vector<Parameter> parameters;
  std::string_view result;
};

Signature parse(std::string_view text) {
  Signature signature;
  const size_t close = text.find(')');
  for (std::string_view words : split(text.substr(1, close - 1), ',')) {
    Parameter parameter{words};
    if (words.back() == '?') parameter.optional = true;
    if (words.back() == '*') parameter.repeated = true;
    if (parameter.optional || parameter.repeated) parameter.words.remove_suffix(1);
    signature.parameters.push_back(parameter);
  }
  signature.result = split(text.substr(text.find("->") + 2), ' ').front();
  return signature;
}

Status check_count(const Context& context, const Signature& signature) {
  size_t least = 0;
  bool unlimited = false;
  for (const Parameter& parameter : signature.parameters) {
    if (parameter.repeated)
      unlimited = true;
    else if (!parameter.optional)
      ++least;
  }
  const size_t most = signature.parameters.size();
  if (context.size() >= least && (unlimited || context.size() <= most)) return {};
  if (unlimited) return context.wrong_number("> " + std::to_string(least - 1));
  if (least == most) return context.wrong_number(std::to_string(most));
  std::string counts;
  for (size_t count = least; count <= most; ++count)
    counts += (counts.empty() ? "[" : ", ") + std::to_string(count);
  return context.wrong_number(counts + "]");
}

}  // namespace

std::optional<DataType> accept(const DataType& from, std::string_view word) {
  const auto concrete = concrete_words().find(word);
  if (concrete == concrete_words().end()) {
    if (is_abstractly(from, word)) return from;
    if (from.is(TypeId::kNull)) {
      if (word == "numeric") return DataType(TypeId::kDouble);
      if (word == "text") return DataType(TypeId::kString);
      if (word == "integral") return DataType(TypeId::kInteger);
      if (word == "decimal") return DataType::decimal(38, 18);
      if (word == "daytime") return DataType::day_time_interval();
      if (word == "yearmonth") return DataType::year_month_interval();
      if (word == "array") return DataType::array(DataType());
      if (word == "map") return DataType::map(DataType(), DataType());
    }
    if (word == "decimal" && from.is_integral()) return decimal_for(from);
    if (word == "decimal" && from.is(TypeId::kString)) return DataType::decimal(38, 18);
    if (word == "numeric" && from.is(TypeId::kString)) return DataType(TypeId::kDouble);
    return std::nullopt;
  }
  const DataType to(concrete->second);
  if (from.is(to.id())) return from;
  if (from.is(TypeId::kNull) || can_cast_implicitly(from, to)) return to;
  return std::nullopt;
}

std::string quoted_type(const DataType& type) { return "\"" + type.sql() + "\""; }

std::string required_text(std::string_view words) {
  if (!words.empty() && (words.front() == '"' || words.front() == '(')) return std::string(words);
  const auto parts = split(words, '|');
  std::string text;
  for (std::string_view part : parts) text += (text.empty() ? "\"" : " or \"") + word_text(part) + "\"";
  return parts.size() > 1 ? "(" + text + ")" : text;
}

std::string plain_call(std::string_view name, const std::vector<std::string>& arguments) {
  std::string text = std::string(name) + "(";
  for (size_t i = 0; i < arguments.size(); ++i) text += (i == 0 ? "" : ", ") + arguments[i];
  return text + ")";
}

std::string upper_case_call(std::string_view called_as, const std::vector<std::string>& arguments) {
  std::string name(called_as);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return plain_call(name, arguments);
}

std::string ordinal(size_t index) {
  constexpr std::string_view kOrdinals[] = {"first", "second", "third",   "fourth",
                                            "fifth", "sixth",  "seventh", "eighth"};
  return index < std::size(kOrdinals) ? std::string(kOrdinals[index]) : std::to_string(index + 1) + "th";
}

std::optional<int64_t> literal_integer(const Argument& argument) {
  if (argument.literal == nullptr) return std::nullopt;
  const auto* number = std::get_if<int64_t>(&argument.literal->data);
  return number == nullptr ? std::nullopt : std::optional<int64_t>(*number);
}

std::optional<std::string> literal_text(const Argument& argument) {
  if (argument.literal == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string>(&argument.literal->data);
  return text == nullptr ? std::nullopt : std::optional<std::string>(*text);
}

bool Context::any_nullable() const {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const Argument& argument) { return argument.nullable; });
}

bool Context::all_nullable() const {
  return std::all_of(arguments.begin(), arguments.end(),
                     [](const Argument& argument) { return argument.nullable; });
}

std::string Context::display() const {
  if (!options.sql.empty()) return options.sql;
  std::vector<std::string> texts;
  for (const Argument& argument : arguments) texts.push_back(argument.sql);
  return display_name(function, options.called_as, texts, options.is_distinct);
}

Call Context::call(DataType type, bool nullable) const {
  std::vector<DataType> argument_types;
  for (const Argument& argument : arguments) argument_types.push_back(argument.type);
  return call(function.name, std::move(argument_types), std::move(type), nullable);
}

Call Context::call(std::string_view name, std::vector<DataType> argument_types, DataType type,
                   bool nullable) const {
  Call call;
  call.function = name;
  call.argument_types = std::move(argument_types);
  call.type = std::move(type);
  call.nullable = nullable;
  call.display = display();
  return call;
}

std::string Context::called_name() const {
  return options.called_as.empty() ? std::string(function.name) : options.called_as;
}

Status Context::wrong_number(std::string_view expected) const {
  return error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", {{"functionName", "`" + called_name() + "`"},
                                                     {"expectedNum", std::string(expected)},
                                                     {"actualNum", std::to_string(arguments.size())},
                                                     {"docroot", "https://spark.apache.org/docs/latest"}});
}

Status Context::wrong_number_nowhere(std::string_view expected) const {
  return wrong_number(expected).with_context(QueryContext());
}

Status Context::mismatch(std::string_view sub_condition,
                         std::map<std::string, std::string> parameters) const {
  parameters.emplace("sqlExpr", "\"" + display() + "\"");
  return error("DATATYPE_MISMATCH." + std::string(sub_condition), std::move(parameters));
}

Status Context::unexpected_type(size_t index, std::string_view required, std::string_view sql) const {
  const std::string shown = sql.empty() ? arguments[index].sql : std::string(sql);
  return mismatch("UNEXPECTED_INPUT_TYPE", {{"paramIndex", ordinal(index)},
                                            {"requiredType", required_text(required)},
                                            {"inputSql", "\"" + shown + "\""},
                                            {"inputType", quoted_type(arguments[index].type)}});
}

Status Context::differing_types(std::string_view function_name, const std::vector<DataType>& found,
                                bool as_list) const {
  std::string text;
  for (const DataType& type : found) {
    text += (text.empty() ? "" : as_list ? ", " : " or ") + quoted_type(type);
  }
  return mismatch("DATA_DIFF_TYPES", {{"functionName", "`" + std::string(function_name) + "`"},
                                      {"dataType", (as_list ? "[" : "(") + text + (as_list ? "]" : ")")}});
}

Status Context::binary_differing(const DataType& left, const DataType& right) const {
  return mismatch("BINARY_OP_DIFF_TYPES", {{"left", quoted_type(left)}, {"right", quoted_type(right)}});
}

Status Context::binary_wrong(std::string_view required, const DataType& actual) const {
  return mismatch("BINARY_OP_WRONG_TYPE",
                  {{"inputType", required_text(required)}, {"actualDataType", quoted_type(actual)}});
}

Status Context::not_foldable(size_t index, std::string_view name) const {
  return mismatch("NON_FOLDABLE_INPUT", {{"inputName", "`" + std::string(name) + "`"},
                                         {"inputType", quoted_type(arguments[index].type)},
                                         {"inputExpr", "\"" + arguments[index].sql + "\""}});
}

Result<DataType> Context::coerce(size_t index, std::string_view words) const {
  const bool exact = words.starts_with('=');
  if (exact) words.remove_prefix(1);
  const DataType& from = type(index);
  const auto parts = split(words, '|');
  for (std::string_view word : parts) {
    const auto concrete = concrete_words().find(word);
    if (concrete == concrete_words().end() ? is_abstractly(from, word) : from.is(concrete->second))
      return from;
  }
  if (exact && !from.is(TypeId::kNull)) return unexpected_type(index, words);
  for (std::string_view word : parts) {
    if (auto type = accept(from, word)) return *type;
  }
  // A parameter of one exact type takes whatever could be stored in it.
  if (const auto concrete = concrete_words().find(words); concrete != concrete_words().end()) {
    if (can_store(from, DataType(concrete->second))) return DataType(concrete->second);
  }
  return unexpected_type(index, words);
}

Result<Call> resolve_by(std::string_view signature, const Context& context) {
  Function function = context.function;
  function.signature = signature;
  return resolve_by_signature(Context(function, context.arguments, context.options));
}

Result<Call> resolve_by_signature(const Context& context) {
  const Signature signature = parse(context.function.signature);
  RETURN_IF_ERROR(check_count(context, signature));
  std::vector<DataType> resolved;
  std::vector<DataType> common;
  bool promotes_strings = true;
  const auto parameter_of = [&](size_t index) -> const Parameter& {
    return signature.parameters[std::min(index, signature.parameters.size() - 1)];
  };
  for (size_t i = 0; i < context.size(); ++i) {
    const std::string_view words = parameter_of(i).words;
    if (words == "T" || words == "U") {
      promotes_strings = words == "T";
      common.push_back(context.type(i));
      resolved.push_back(context.type(i));
      continue;
    }
    ASSIGN_OR_RETURN(DataType type, context.coerce(i, words));
    resolved.push_back(std::move(type));
  }
  DataType shared;
  if (!common.empty()) {
    const auto widest = promotes_strings ? widest_common_type(common) : widest_without_strings(common);
    if (!widest) {
      const std::string_view name =
          context.options.called_as.empty() ? context.function.name : context.options.called_as;
      return context.differing_types(name, common, !promotes_strings);
    }
    shared = *widest;
    for (size_t i = 0; i < context.size(); ++i) {
      if (parameter_of(i).words == "T" || parameter_of(i).words == "U") resolved[i] = shared;
    }
  }
  DataType type;
  const std::string_view result = signature.result;
  if (result == "T" || result == "U")
    type = shared;
  else if (result.size() == 1 && std::isdigit(result[0]))
    type = resolved[static_cast<size_t>(result[0] - '0')];
  else if (result == "array<0>")
    type = DataType::array(resolved[0], context.arguments[0].nullable);
  else if (result == "array<string>")
    type = DataType::array(DataType(TypeId::kString), false);
  else if (result == "element0")
    type = resolved[0].element();
  else
    type = DataType(concrete_words().at(result));
  bool nullable = context.any_nullable();
  for (size_t i = 0; i < context.size(); ++i) {
    nullable |=
        !resolved[i].same_type(context.type(i)) &&
        cast_may_give_null(context.type(i), resolved[i], plan::CastMode::kDefault, context.options.ansi);
  }
  if (context.function.nulls == Nulls::kNever) nullable = false;
  if (context.function.nulls == Nulls::kAlways) nullable = true;
  if (context.function.nulls == Nulls::kAll) nullable = context.all_nullable();
  return context.call(context.function.name, std::move(resolved), std::move(type), nullable);
}

}  // namespace deuteron::functions
