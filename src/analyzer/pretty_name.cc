// The names that Spark gives to columns without an alias, and the texts that its errors show.
#include "analyzer/expressions.h"
#include "functions/registry.h"
#include "sql/parser.h"

namespace deuteron::analyzer {

namespace {

std::string join(const plan::Names& parts, const std::string& separator) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : separator) + parts[i];
  return text;
}

bool same_place(const plan::Origin& left, const plan::Origin& right) {
  return left == right || (left != nullptr && right != nullptr && *left == *right);
}

const std::string kLambdaVariable = "namedlambdavariable()";

// "ASC NULLS FIRST" and its like.
std::string direction(const unresolved::SortOrder& order) {
  const bool nulls_first = order.null_ordering == plan::NullOrdering::kDefault
                               ? order.ascending
                               : order.null_ordering == plan::NullOrdering::kNullsFirst;
  return std::string(order.ascending ? " ASC" : " DESC") + (nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

// Functions whose frame is always the same: how Spark prints it.
const std::map<std::string, std::string>& fixed_frames() {
  static const std::string kAll = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";
  static const std::map<std::string, std::string> kFrames = {
      {"rank", kAll},         {"dense_rank", kAll},
      {"row_number", kAll},   {"ntile", kAll},
      {"percent_rank", kAll}, {"cume_dist", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"}};
  return kFrames;
}

std::string frame_text(const plan::FrameUnit unit, const std::string& lower, const std::string& upper) {
  return std::string(unit == plan::FrameUnit::kRows ? "ROWS" : "RANGE") + " BETWEEN " + lower + " AND " +
         upper;
}

// Whether a schema given as text, as of from_json, is a map.
bool names_map(const unresolved::ExpressionPtr& schema) {
  const auto* literal = unresolved::as<unresolved::Literal>(schema);
  const auto* text = literal == nullptr ? nullptr : std::get_if<std::string>(&literal->value.value.data);
  if (text == nullptr) return false;
  const auto type = sql::parse_data_type(*text);
  return type.ok() && type->is(types::TypeId::kMap);
}

// Spark shows the arguments of Python functions not in SQL, but as Scala prints its expressions. "": no
// different from SQL.
std::string plain_text(const std::string& name, const plan::Names& arguments) {
  if (name == "isnull" || name == "isnotnull") return name + "(" + join(arguments, ", ") + ")";
  if ((name == "not" || name == "!") && arguments.size() == 1) return "NOT " + arguments[0];
  if ((name == "-" || name == "negative") && arguments.size() == 1) return "-" + arguments[0];
  if (name == "in") return arguments[0] + " IN (" + join({arguments.begin() + 1, arguments.end()}, ",") + ")";
  return "";
}

}  // namespace

std::string ExpressionResolver::qualified(const unresolved::ExpressionPtr& expression) {
  with_qualifiers_ = true;
  std::string text = pretty(expression);
  with_qualifiers_ = false;
  return text;
}

std::string ExpressionResolver::item_name(const unresolved::ExpressionPtr& item) {
  if (const auto* attribute = unresolved::as<unresolved::Attribute>(item)) {
    const std::string text = pretty_attribute(*attribute);
    return text.ends_with("()") ? text : attribute->parts.back();
  }
  const auto* cast = unresolved::as<unresolved::Cast>(item);
  const auto* cast_to_text = unresolved::as<unresolved::CastToText>(item);
  if (cast == nullptr && cast_to_text == nullptr) {
    return pretty(item);
  }
  // The cast of a column keeps the column's name.
  const unresolved::ExpressionPtr& child = cast != nullptr ? cast->child : cast_to_text->child;
  const auto* attribute = unresolved::as<unresolved::Attribute>(child);
  if (attribute == nullptr) return pretty(item);
  const auto value = resolve(child);
  const bool is_column = value.ok() && resolved::as<resolved::ColumnReference>(*value) != nullptr;
  return is_column ? attribute->parts.back() : pretty(item);
}

plan::Names ExpressionResolver::pretty_list(const unresolved::Expressions& expressions) {
  plan::Names texts;
  for (const auto& expression : expressions) texts.push_back(pretty(expression));
  return texts;
}

std::string ExpressionResolver::pretty(const unresolved::ExpressionPtr& expression) {
  if (expression == nullptr) return "";
  if (const auto* node = unresolved::as<unresolved::Literal>(expression)) {
    const std::string text = types::to_sql_text(node->value);
    const bool has_type = node->value.type.is(types::TypeId::kDate) ||
                          node->value.type.is(types::TypeId::kTimestamp) ||
                          node->value.type.is(types::TypeId::kTimestampNtz);
    const size_t quote = in_python_function_ && has_type ? text.find('\'') : std::string::npos;
    return quote == std::string::npos ? text : text.substr(quote + 1, text.size() - quote - 2);
  }
  if (const auto* node = unresolved::as<unresolved::Attribute>(expression)) return pretty_attribute(*node);
  if (const auto* node = unresolved::as<unresolved::LambdaVariable>(expression)) {
    plan::Names parts = node->parts;
    if (shows_bound_lambdas_) parts[0] = kLambdaVariable;
    return join(parts, ".");
  }
  if (const auto* node = unresolved::as<unresolved::FunctionCall>(expression)) return pretty_call(*node);
  if (const auto* node = unresolved::as<unresolved::Cast>(expression)) {
    const auto* literal = unresolved::as<unresolved::Literal>(node->child);
    if (literal != nullptr && literal->value.type.is(types::TypeId::kTimestampNtz) &&
        node->type.is(types::TypeId::kTimestamp) && same_place(node->child->origin, expression->origin)) {
      return types::to_sql_text(
          {node->type, literal->value.value});  // TIMESTAMP '…' of the session's time zone
    }
    return pretty_cast(node->child, node->type, node->mode);
  }
  if (const auto* node = unresolved::as<unresolved::CastToText>(expression)) {
    const auto type = sql::parse_data_type(node->type_text);
    return type.ok() ? pretty_cast(node->child, *type, node->mode) : pretty(node->child);
  }
  if (const auto* node = unresolved::as<unresolved::Alias>(expression)) return pretty(node->child);
  if (const auto* node = unresolved::as<unresolved::Window>(expression)) return pretty_window(*node);
  if (const auto* node = unresolved::as<unresolved::SortOrder>(expression))
    return pretty(node->child) + direction(*node);
  if (const auto* node = unresolved::as<unresolved::ExtractValue>(expression)) {
    const auto* key = unresolved::as<unresolved::Literal>(node->key);
    auto child = resolve(node->child);
    const auto has_fields = [](const types::DataType& type) {
      return type.is(types::TypeId::kStruct) ||
             (type.is(types::TypeId::kArray) && type.element().is(types::TypeId::kStruct));
    };
    const bool is_field = key != nullptr && key->value.type.is(types::TypeId::kString) && child.ok() &&
                          has_fields((*child)->type);
    if (is_field) return pretty(node->child) + "." + pretty(node->key);
    return pretty(node->child) + "[" + pretty(node->key) + "]";
  }
  if (const auto* node = unresolved::as<unresolved::Subquery>(expression)) {
    return pretty_subquery(expression, *node);
  }
  if (const auto* node = unresolved::as<unresolved::PythonCall>(expression)) {
    const bool was_in_function = std::exchange(in_python_function_, true);
    const std::string arguments = join(pretty_list(node->arguments), ", ");
    in_python_function_ = was_in_function;
    return node->name + "(" + arguments + ")";
  }
  if (const auto* node = unresolved::as<unresolved::NamedArgument>(expression))
    return node->key + " => " + pretty(node->value);
  if (const auto* node = unresolved::as<unresolved::SqlText>(expression)) {
    const auto parsed = parse_text(*node);
    return parsed.ok() ? pretty(*parsed) : node->text;
  }
  if (const auto* node = unresolved::as<unresolved::Lambda>(expression)) {
    lambda_parameters_.emplace_back();
    for (const std::string& name : node->parameters)
      lambda_parameters_.back().push_back({0, name, {}, true, {}, ""});
    const std::string body = pretty(node->body);
    lambda_parameters_.pop_back();
    std::string text = "lambdafunction(" + body;
    for (const std::string& name : node->parameters)
      text += ", " + (shows_bound_lambdas_ ? kLambdaVariable : name);
    return text + ")";
  }
  if (const auto* node = unresolved::as<unresolved::UpdateField>(expression)) {
    const std::string operation =
        node->value == nullptr ? "dropfield()" : "WithField(" + pretty(node->value) + ")";
    return "update_fields(" + pretty(node->structure) + ", " + operation + ")";
  }
  if (unresolved::as<unresolved::Star>(expression) != nullptr) return "unresolvedstar()";
  return "";
}

// Spark leaves out the casts to arrays, maps and structs, which Hive's SQL does not know.
std::string ExpressionResolver::pretty_cast(const unresolved::ExpressionPtr& child,
                                            const types::DataType& type, plan::CastMode mode) {
  const std::string text = pretty(child);
  const bool is_try = mode == plan::CastMode::kTry;
  if (in_python_function_)
    return (is_try ? "try_cast(" : "cast(") + text + " as " + type.simple_string() + ")";
  if (type.is_nested()) return text;
  return (is_try ? "TRY_CAST(" : "CAST(") + text + " AS " + type.sql() + ")";
}

// A sub-query shows the columns of this query that it reads.
std::string ExpressionResolver::pretty_subquery(const unresolved::ExpressionPtr& expression,
                                                const unresolved::Subquery& subquery) {
  plan::Names outer;
  const auto value = resolve(expression);
  if (value.ok()) {
    for (const resolved::ColumnId id : outer_references(subquery_plan(*value))) {
      for (const Input* input : scope_.inputs) {
        for (const resolved::Column& column : input->columns) {
          if (column.id == id) outer.push_back(column.name);
        }
      }
    }
  }
  const std::string names = join(outer, ", ");
  if (subquery.kind == plan::SubqueryKind::kExists) return "exists(" + names + ")";
  if (subquery.kind != plan::SubqueryKind::kIn) return "scalarsubquery(" + names + ")";
  const std::string values = join(pretty_list(subquery.values), ", ");
  return "(" + (subquery.values.size() > 1 ? "named_struct(" + values + ")" : values) + " IN (listquery(" +
         names + ")))";
}

std::string ExpressionResolver::pretty_attribute(const unresolved::Attribute& attribute) {
  for (const resolved::Columns& parameters : lambda_parameters_) {
    for (const resolved::Column& parameter : parameters) {
      if (!same_name(parameter.name, attribute.parts[0], scope_.case_sensitive)) continue;
      std::string text = shows_bound_lambdas_ ? kLambdaVariable : attribute.parts[0];
      for (size_t i = 1; i < attribute.parts.size(); ++i) text += "." + attribute.parts[i];
      return text;
    }
  }
  if (attribute.parts.size() == 1) {
    const std::string name = lower_case(attribute.parts[0]);
    if (name == "current_date" || name == "current_timestamp" || name == "current_user" || name == "user") {
      const auto match = find_in_inputs(scope_, attribute.parts, nullptr);
      if (match.ok() && !match->has_value()) return (name == "user" ? "current_user" : name) + "()";
    }
    const auto match =
        with_qualifiers_ ? find_in_inputs(scope_, attribute.parts, nullptr) : std::optional<Match>();
    if (!match.ok() || !match->has_value()) return attribute.parts[0];
    plan::Names full = (*match)->column.qualifier;
    full.push_back(attribute.parts[0]);
    return join(full, ".");
  }
  const auto match = find_in_inputs(scope_, attribute.parts, nullptr);
  if (!match.ok() || !match->has_value()) {
    // Not a column of this place: Spark shows the name as written.
    return attribute.plan_id >= 0 ? attribute.parts.back() : join(attribute.parts, ".");
  }
  const plan::Names& fields = (*match)->fields;
  if (with_qualifiers_) {
    plan::Names full = (*match)->column.qualifier;
    full.insert(full.end(), attribute.parts.end() - static_cast<long>(fields.size()) - 1,
                attribute.parts.end());
    return join(full, ".");
  }
  return join({attribute.parts.end() - static_cast<long>(fields.size()) - 1, attribute.parts.end()}, ".");
}

std::string ExpressionResolver::pretty_call(const unresolved::FunctionCall& call) {
  const std::string name = lower_case(call.name.back());
  if (name == "and" && call.arguments.size() == 2) {
    // BETWEEN was taken apart by the parser: both comparisons share one operand.
    const auto* lower = unresolved::as<unresolved::FunctionCall>(call.arguments[0]);
    const auto* upper = unresolved::as<unresolved::FunctionCall>(call.arguments[1]);
    if (lower != nullptr && upper != nullptr && lower->name == plan::Names{">="} &&
        upper->name == plan::Names{"<="} && lower->arguments[0] == upper->arguments[0]) {
      return "between(" + pretty(lower->arguments[0]) + ", " + pretty(lower->arguments[1]) + ", " +
             pretty(upper->arguments[1]) + ")";
    }
  }
  // A type's name used as a function is a cast that is not shown.
  if (call.arguments.size() == 1 && cast_function_type(name).has_value()) return pretty(call.arguments[0]);
  const functions::Function* function = functions::find(name);
  // A user's function is shown by the name under which it was registered.
  const auto registered =
      function == nullptr && name != "struct" ? analysis_.catalog.find_function(name) : nullptr;
  const auto* python = unresolved::as<unresolved::PythonCall>(registered);
  const bool was_in_function = std::exchange(in_python_function_, in_python_function_ || python != nullptr);
  plan::Names arguments;
  for (const auto& argument : call.arguments) {
    const auto* star = unresolved::as<unresolved::Star>(argument);
    if (star == nullptr) {
      const auto* alias = name == "struct" ? unresolved::as<unresolved::Alias>(argument) : nullptr;
      arguments.push_back(pretty(argument) + (alias == nullptr ? "" : " AS " + alias->names[0]));
    } else if (name == "count" && !call.is_distinct && star->target.empty()) {
      arguments.emplace_back("1");
    } else if (const auto columns = expand_star(*star, nullptr); columns.ok()) {
      for (const NamedExpression& column : *columns) arguments.push_back(column.column.name);
    }
  }
  in_python_function_ = was_in_function;
  if (name == sql::kRow) return pretty_row(call, "named_struct");
  if (name == "struct" && in_python_function_) return pretty_row(call, "struct");
  if (name == "from_json" && call.arguments.size() > 1 && names_map(call.arguments[1])) return "entries";
  if (const std::string plain = in_python_function_ ? plain_text(name, arguments) : ""; !plain.empty())
    return plain;
  std::string text;
  if (arguments.size() == 2 && is_arithmetic(name)) {
    text = pretty_arithmetic(*function, call, arguments);
  } else if (function != nullptr && name != "struct") {
    bool first_is_binary = false;
    if (functions::shows_binary_otherwise(*function) && !call.arguments.empty()) {
      const auto first = resolve(call.arguments[0]);
      first_is_binary = first.ok() && (*first)->type.is(types::TypeId::kBinary);
    }
    // What ignores nulls is shown by the function's own name.
    text = functions::display_name(*function, call.ignore_nulls ? "" : name, arguments, call.is_distinct,
                                   first_is_binary);
  } else {
    text = (python == nullptr ? name : python->name) + "(" + (call.is_distinct ? "DISTINCT " : "") +
           join(arguments, ", ") + ")";
  }
  if (!call.within_group.empty()) {
    plan::Names keys;
    for (const auto& order : call.within_group) {
      const auto* sort = unresolved::as<unresolved::SortOrder>(order);
      const bool one =
          function != nullptr && functions::orderings_of(*function) == functions::Orderings::kOne;
      if (!one)
        keys.push_back(pretty(order) + (sort == nullptr ? " ASC NULLS FIRST" : ""));
      else
        keys.push_back(sort == nullptr ? pretty(order)
                                       : pretty(sort->child) + (sort->ascending ? "" : " DESC"));
    }
    text += " WITHIN GROUP (ORDER BY " + join(keys, ", ") + ")";
  }
  const bool is_window = function != nullptr && functions::is_window_only(*function);
  if (call.ignore_nulls && is_window) text += " IGNORE NULLS";
  if (call.filter != nullptr) text += " FILTER (WHERE " + pretty(call.filter) + ")";
  return text;
}

// A struct with the names and values of its fields.
std::string ExpressionResolver::pretty_row(const unresolved::FunctionCall& call, const std::string& name) {
  plan::Names parts;
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const unresolved::ExpressionPtr& argument = call.arguments[i];
    parts.push_back(struct_field_name(argument, i));
    const bool has_alias = unresolved::as<unresolved::Alias>(argument) != nullptr;
    parts.push_back(pretty(argument) + (has_alias ? " AS " + parts.back() : ""));
  }
  return name + "(" + join(parts, ", ") + ")";
}

types::DataType ExpressionResolver::type_of(const unresolved::ExpressionPtr& expression) {
  const auto known = arithmetic_types_.find(expression);
  if (known != arithmetic_types_.end()) return known->second;
  const auto value = resolve(expression);
  return value.ok() ? (*value)->type : types::DataType();
}

// Among dates and intervals the operation, and with it the name, follows from the types.
std::string ExpressionResolver::pretty_arithmetic(const functions::Function& function,
                                                  const unresolved::FunctionCall& call,
                                                  const plan::Names& operands) {
  std::vector<functions::Argument> arguments;
  for (size_t i = 0; i < operands.size(); ++i) {
    functions::Argument argument;
    argument.type = type_of(call.arguments[i]);
    argument.sql = operands[i];
    arguments.push_back(std::move(argument));
  }
  const auto resolved_call =
      functions::resolve(function, arguments, {analysis_.settings.ansi, analysis_.settings.time_zone, ""});
  return resolved_call.ok() ? resolved_call->display
                            : functions::display_name(function, call.name.back(), operands);
}

std::string ExpressionResolver::pretty_window(const unresolved::Window& window) {
  return pretty(window.function) + " OVER " + pretty_window_specification(window);
}

std::string ExpressionResolver::pretty_window_specification(const unresolved::Window& window) {
  std::string text = "(";
  std::string separator;
  if (!window.partition_by.empty()) {
    text += "PARTITION BY " + join(pretty_list(window.partition_by), ", ");
    separator = " ";
  }
  if (!window.order_by.empty()) {
    plan::Names orders;
    for (const auto& order : window.order_by) {
      const bool has_direction = unresolved::as<unresolved::SortOrder>(order) != nullptr;
      orders.push_back(pretty(order) + (has_direction ? "" : " ASC NULLS FIRST"));
    }
    text += separator + "ORDER BY " + join(orders, ", ");
    separator = " ";
  }
  const auto* call = unresolved::as<unresolved::FunctionCall>(window.function);
  const std::string name = call == nullptr ? "" : lower_case(call->name.back());
  const auto bound = [&](const unresolved::FrameBound& side) -> std::string {
    switch (side.kind) {
      case plan::FrameBoundKind::kUnboundedPreceding: return "UNBOUNDED PRECEDING";
      case plan::FrameBoundKind::kUnboundedFollowing: return "UNBOUNDED FOLLOWING";
      case plan::FrameBoundKind::kCurrentRow: return "CURRENT ROW";
      case plan::FrameBoundKind::kValue: {
        const std::string value = pretty(side.value);
        return value.starts_with("-") || value.starts_with("(- ")
                   ? (value.starts_with("-") ? value.substr(1) : value.substr(3, value.size() - 4)) +
                         " PRECEDING"
                   : value + " FOLLOWING";
      }
    }
    return "";
  };
  if (name == "lag" || name == "lead") {
    const std::string offset = call->arguments.size() > 1 ? pretty(call->arguments[1]) : "1";
    const std::string shown = name == "lag" ? "-" + offset : offset;
    return text + separator + frame_text(plan::FrameUnit::kRows, shown + " FOLLOWING", shown + " FOLLOWING") +
           ")";
  }
  if (const auto fixed = fixed_frames().find(name); fixed != fixed_frames().end()) {
    return text + separator + fixed->second + ")";
  }
  if (window.frame != nullptr) {
    return text + separator +
           frame_text(window.frame->unit, bound(window.frame->lower), bound(window.frame->upper)) + ")";
  }
  const bool ordered = !window.order_by.empty();
  return text + separator +
         frame_text(ordered ? plan::FrameUnit::kRange : plan::FrameUnit::kRows, "UNBOUNDED PRECEDING",
                    ordered ? "CURRENT ROW" : "UNBOUNDED FOLLOWING") +
         ")";
}

}  // namespace deuteron::analyzer
