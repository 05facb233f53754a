#include "relational/lowering/call_writer.h"

#include <cctype>
#include <unordered_map>

namespace deuteron::relational {

using plan::resolved::Cast;
using plan::resolved::ExpressionPtr;
using plan::resolved::Literal;
using types::DataType;
using types::TypeId;

namespace {

bool is_zero(const types::Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value.data)) return *integer == 0;
  if (const auto* number = std::get_if<double>(&value.data)) return *number == 0;
  if (const auto* decimal = std::get_if<types::Int128>(&value.data)) return *decimal == 0;
  return true;
}

}  // namespace

Result<Texts> CallWriter::all_arguments() {
  Texts texts;
  for (size_t i = 0; i < size(); ++i) {
    ASSIGN_OR_RETURN(std::string text, argument(i));
    texts.push_back(std::move(text));
  }
  return texts;
}

const types::Value* CallWriter::literal(size_t index) const {
  const plan::resolved::Expression* expression = arguments_[index].get();
  while (const auto* cast = std::get_if<Cast>(&expression->node)) {
    const bool transparent = (expression->type.is_integral() && cast->child->type.is_integral()) ||
                             cast->child->type.is(TypeId::kNull) ||
                             expression->type.same_type(cast->child->type);
    if (!transparent) return nullptr;
    expression = cast->child.get();
  }
  const auto* literal = std::get_if<Literal>(&expression->node);
  return literal == nullptr ? nullptr : &literal->value;
}

std::optional<int64_t> CallWriter::literal_integer(size_t index) const {
  const types::Value* value = literal(index);
  const auto* integer = value == nullptr ? nullptr : std::get_if<int64_t>(&value->data);
  return integer == nullptr ? std::nullopt : std::optional<int64_t>(*integer);
}

std::optional<std::string> CallWriter::literal_text(size_t index) const {
  const types::Value* value = literal(index);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->data);
  return text == nullptr ? std::nullopt : std::optional<std::string>(*text);
}

bool CallWriter::is_null_literal(size_t index) const {
  const types::Value* value = literal(index);
  return value != nullptr && value->is_null();
}

bool CallWriter::is_nonzero_constant(size_t index) const {
  const plan::resolved::Expression* expression = arguments_[index].get();
  // A cast to fewer digits could make zero of a small number; those to double, long or a wider decimal
  // cannot.
  while (const auto* cast = std::get_if<Cast>(&expression->node)) {
    const DataType& to = expression->type;
    const bool keeps =
        to.is(TypeId::kDouble) || to.is_integral() ||
        (to.is(TypeId::kDecimal) &&
         to.scale() >= (cast->child->type.is(TypeId::kDecimal) ? cast->child->type.scale() : 0));
    if (!keeps || !cast->child->type.is_numeric() || (to.is_integral() && !cast->child->type.is_integral()))
      return false;
    expression = cast->child.get();
  }
  const auto* literal = std::get_if<Literal>(&expression->node);
  return literal != nullptr && !literal->value.is_null() && !is_zero(literal->value);
}

Result<std::string> CallWriter::lambda_body(size_t index, const Texts& parameters) {
  const auto& lambda = std::get<plan::resolved::Lambda>(arguments_[index]->node);
  for (size_t i = 0; i < lambda.parameters.size(); ++i)
    writer_.lambda_parameters_[lambda.parameters[i].id] = parameters[i];
  Result<std::string> body = writer_.write(lambda.body);
  for (const auto& parameter : lambda.parameters) writer_.lambda_parameters_.erase(parameter.id);
  return body;
}

std::string CallWriter::raise_failure(Fragment::Failure failure, const Texts& values) {
  std::string text = "'deuteron#" + std::to_string(writer_.fragment_.add_failure(std::move(failure))) + "'";
  for (const std::string& value : values)
    text += " || chr(31) || coalesce(CAST(" + value + " AS VARCHAR), 'null')";
  return "error(" + text + ")";
}

std::string CallWriter::raise(std::string condition, std::map<std::string, std::string> parameters,
                              const Texts& values) {
  return raise_failure({std::move(condition), std::move(parameters), expression_.origin}, values);
}

std::string CallWriter::raise_without_context(std::string condition,
                                              std::map<std::string, std::string> parameters,
                                              const Texts& values) {
  return raise_failure({std::move(condition), std::move(parameters), nullptr}, values);
}

namespace {

// "addition INT32" of two operands: SQL that is true where it overflows. TRY does not take operands that may
// raise themselves.
std::optional<std::string> whole_number_check(const std::string& operation, const Texts& operands) {
  static const std::unordered_map<std::string_view, std::string_view> kSymbols = {
      {"addition", " + "}, {"subtraction", " - "}, {"multiplication", " * "}};
  static const std::unordered_map<std::string_view, std::pair<std::string_view, std::string_view>> kRanges = {
      {"INT8", {"-128", "127"}},
      {"INT16", {"-32768", "32767"}},
      {"INT32", {"-2147483648", "2147483647"}},
      {"INT64", {"-9223372036854775808", "9223372036854775807"}}};
  const size_t space = operation.find(' ');
  if (operands.size() != 2 || space == std::string::npos) return std::nullopt;
  const auto symbol = kSymbols.find(std::string_view(operation).substr(0, space));
  const auto range = kRanges.find(std::string_view(operation).substr(space + 1));
  if (symbol == kSymbols.end() || range == kRanges.end()) return std::nullopt;
  return cast_to(operands[0], "HUGEINT") + std::string(symbol->second) + cast_to(operands[1], "HUGEINT") +
         " NOT BETWEEN " + cast_to(quote_text(range->second.first), "HUGEINT") + " AND " +
         cast_to(quote_text(range->second.second), "HUGEINT");
}

}  // namespace

std::string CallWriter::natively_checked(const std::string& sql, std::string operation, std::string condition,
                                         std::map<std::string, std::string> parameters, const Texts& operands,
                                         bool with_context, const Texts& values) {
  Fragment::Failure failure{std::move(condition), std::move(parameters),
                            with_context ? expression_.origin : nullptr};
  if (!writer_.options_.diagnosing) {
    writer_.fragment_.add_native_check({std::move(operation), std::move(failure), !values.empty()});
    return sql;
  }
  // TRY gives null where the operation failed; the operands are then known not to be null.
  std::string present;
  for (const std::string& operand : operands)
    present += (present.empty() ? "" : " AND ") + operand + " IS NOT NULL";
  if (present.empty()) {
    writer_.fragment_.add_native_check({std::move(operation), std::move(failure)});
    return sql;
  }
  const std::string raised = raise_failure(std::move(failure), values.empty() ? operands : values);
  if (const auto check = whole_number_check(operation, operands)) {
    return "CASE WHEN " + *check + " THEN " + raised + " ELSE " + sql + " END";
  }
  return "coalesce(TRY(" + sql + "), CASE WHEN " + present + " THEN " + raised + " END)";
}

std::string CallWriter::kernel(const std::string& name, const Texts& arguments) {
  writer_.fragment_.add_kernel(name);
  std::string text = name + "(";
  for (const std::string& argument : arguments)
    text += (&argument == &arguments.front() ? "" : ", ") + argument;
  return text + ")";
}

bool is_utc(std::string_view zone) {
  return zone == "UTC" || zone == "Z" || zone == "GMT" || zone == "Etc/UTC" || zone == "+00:00" ||
         zone == "UTC+0" || zone == "Etc/GMT" || zone == "UT";
}

std::optional<int64_t> fixed_offset_seconds(std::string_view zone) {
  if (is_utc(zone)) return 0;
  if (zone.starts_with("UTC") || zone.starts_with("GMT")) zone.remove_prefix(3);
  if (zone.size() < 2 || (zone[0] != '+' && zone[0] != '-')) return std::nullopt;
  const int sign = zone[0] == '-' ? -1 : 1;
  int64_t parts[3] = {0, 0, 0};
  size_t part = 0, digits = 0;
  for (const char c : zone.substr(1)) {
    if (c == ':') {
      if (++part > 2 || digits == 0) return std::nullopt;
      digits = 0;
    } else if (std::isdigit(static_cast<unsigned char>(c)) && digits < 2) {
      parts[part] = parts[part] * 10 + (c - '0');
      ++digits;
    } else {
      return std::nullopt;
    }
  }
  return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
}

std::string CallWriter::to_local(const std::string& timestamp) const {
  const std::string& zone = writer_.options_.time_zone;
  if (const auto offset = fixed_offset_seconds(zone)) {
    if (*offset == 0) return timestamp;
    return "(" + timestamp + " + to_seconds(" + std::to_string(*offset) + "))";
  }
  return "timezone(" + quote_text(zone) + ", timezone('UTC', " + timestamp + "))";
}

std::string CallWriter::to_utc(const std::string& timestamp) const {
  const std::string& zone = writer_.options_.time_zone;
  if (const auto offset = fixed_offset_seconds(zone)) {
    if (*offset == 0) return timestamp;
    return "(" + timestamp + " - to_seconds(" + std::to_string(*offset) + "))";
  }
  return "timezone('UTC', timezone(" + quote_text(zone) + ", " + timestamp + "))";
}

Written no_wider(Written written, const DataType& declared) {
  if (!declared.is(TypeId::kDecimal) || written.type.precision() <= declared.precision()) return written;
  return {cast_to(written.sql, declared), declared};
}

std::string native_name(const DataType& type) {
  switch (type.id()) {
    case TypeId::kByte: return "INT8";
    case TypeId::kShort: return "INT16";
    case TypeId::kInteger: return "INT32";
    case TypeId::kLong: return "INT64";
    case TypeId::kFloat: return "FLOAT";
    case TypeId::kDouble: return "DOUBLE";
    case TypeId::kDecimal: return "DECIMAL(" + std::to_string(type.precision()) + ")";
    default: return "";
  }
}

const CallRule* find_call_rule(std::string_view function) {
  static const auto* const kRules = [] {
    auto* rules = new std::unordered_map<std::string_view, const CallRule*>;
    for (const RuleTable& table :
         {arithmetic_rules(), mathematics_rules(), comparison_rules(), string_rules(), date_time_rules(),
          interval_rules(), collection_rules(), json_rules(), cast_rules()}) {
      for (const CallRule* rule = table.begin; rule != table.end; ++rule)
        rules->emplace(rule->function, rule);
    }
    return rules;
  }();
  const auto found = kRules->find(function);
  return found == kRules->end() ? nullptr : found->second;
}

Result<Written> apply_rule(const CallRule& rule, CallWriter& call) {
  if (rule.lower_loose != nullptr) return rule.lower_loose(call);
  if (rule.lower != nullptr) {
    ASSIGN_OR_RETURN(std::string sql, rule.lower(call));
    return Written{std::move(sql), call.result()};
  }
  ASSIGN_OR_RETURN(const Texts arguments, call.all_arguments());
  if (!rule.kernel.empty()) call.add_kernel(std::string(rule.kernel));
  std::string sql;
  for (size_t i = 0; i < rule.text.size(); ++i) {
    if (rule.text[i] != '{' || i + 2 >= rule.text.size() || rule.text[i + 2] != '}') {
      sql += rule.text[i];
      continue;
    }
    const char place = rule.text[i + 1];
    if (place == '*') {
      for (size_t j = 0; j < arguments.size(); ++j) sql += (j == 0 ? "" : ", ") + arguments[j];
    } else if (const auto index = static_cast<size_t>(place - '0'); index < arguments.size()) {
      sql += arguments[index];
    } else {
      return unsupported(std::string(call.function) + " with " + std::to_string(arguments.size()) +
                         " arguments");
    }
    i += 2;
  }
  if (rule.cast) sql = cast_to(sql, call.result());
  return Written{std::move(sql), call.result()};
}

}  // namespace deuteron::relational
