// Calls of functions: which function a name means, its arguments, its implicit casts.
#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "analyzer/errors.h"
#include "analyzer/expressions.h"
#include "analyzer/python_functions.h"
#include "functions/coercion.h"
#include "sql/parser.h"

namespace deuteron::analyzer {

using resolved::ExpressionPtr;
using types::DataType;
using types::TypeId;
using types::Value;

namespace {

// The name by which a call is looked up: the last part, without the built-in catalog's prefix.
std::string called_name(const unresolved::FunctionCall& call) { return lower_case(call.name.back()); }

bool is_lambda(const unresolved::ExpressionPtr& expression) {
  return unresolved::as<unresolved::Lambda>(expression) != nullptr;
}

// -literal as one literal, so that functions see its value.
ExpressionPtr fold_negative(const std::string& function, const resolved::Expressions& arguments) {
  if ((function != "negative" && function != "-") || arguments.size() != 1) return nullptr;
  const auto* literal = resolved::as<resolved::Literal>(arguments[0]);
  if (literal == nullptr) return nullptr;
  Value value = literal->value;
  if (auto* number = std::get_if<int64_t>(&value.data);
      number != nullptr && arguments[0]->type.is_integral()) {
    static const std::map<TypeId, int64_t> kLowest = {{TypeId::kByte, INT8_MIN},
                                                      {TypeId::kShort, INT16_MIN},
                                                      {TypeId::kInteger, INT32_MIN},
                                                      {TypeId::kLong, INT64_MIN}};
    if (*number == kLowest.at(arguments[0]->type.id())) return nullptr;
    *number = -*number;
  } else if (auto* real = std::get_if<double>(&value.data)) {
    *real = -*real;
  } else if (auto* wide = std::get_if<types::Int128>(&value.data)) {
    *wide = -*wide;
  } else {
    return nullptr;
  }
  return make_literal({arguments[0]->type, std::move(value)}, arguments[0]->origin);
}

// Of array(1, 2.5): the literals, implicit casts taken away; nothing when there is anything else.
std::vector<functions::Argument> literal_elements(const ExpressionPtr& argument) {
  std::vector<functions::Argument> elements;
  const auto* call = resolved::as<resolved::Call>(argument);
  if (call == nullptr || call->function != "array") return elements;
  for (ExpressionPtr element : call->arguments) {
    while (const auto* cast = resolved::as<resolved::Cast>(element)) element = cast->child;
    const Value* value = literal_value(element);
    if (value == nullptr) return {};
    functions::Argument next;
    next.type = element->type;
    next.literal = value;
    elements.push_back(std::move(next));
  }
  return elements;
}

std::vector<functions::Argument> describe(const resolved::Expressions& arguments) {
  std::vector<functions::Argument> described;
  for (const ExpressionPtr& argument : arguments) {
    functions::Argument next;
    if (argument != nullptr) {
      next.type = argument->type;
      next.nullable = argument->nullable;
      next.literal = literal_value(argument);
      next.is_constant = is_constant(argument);
      next.elements = literal_elements(argument);
      next.is_lambda = resolved::as<resolved::Lambda>(argument) != nullptr;
    } else {
      next.is_lambda = true;
    }
    described.push_back(std::move(next));
  }
  return described;
}

// The text of a schema as a null of the type that it names.
Result<ExpressionPtr> schema_argument(const ExpressionPtr& schema, const std::string& pretty,
                                      const plan::Origin& origin) {
  const Value* value = literal_value(schema);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->data);
  if (text == nullptr) {
    if (resolved::as<resolved::Call>(schema) != nullptr)
      return at(unsupported("a schema that is computed by a function"), origin);
    return at(error("INVALID_SCHEMA.NON_STRING_LITERAL", {{"inputSchema", quoted_expression(pretty)}}),
              origin);
  }
  auto type = sql::parse_data_type(*text);
  if (!type.ok()) {
    auto fields = sql::parse_schema(*text);
    if (!fields.ok()) {
      const auto& detail = fields.status().detail();
      return at(error(detail.condition, detail.parameters), origin);
    }
    type = DataType::structure(*std::move(fields));
  }
  return make_literal({functions::as_nullable(*type), {}}, origin);
}

}  // namespace

bool is_arithmetic(const std::string& name) { return name == "+" || name == "-" || name == "*"; }

bool is_generator_name(const std::string& name) {
  static const std::set<std::string> kNames = {"explode", "explode_outer", "posexplode", "posexplode_outer",
                                               "inline",  "inline_outer",  "stack",      "json_tuple"};
  return kNames.contains(name);
}

std::optional<DataType> cast_function_type(const std::string& name) {
  static const std::map<std::string, DataType> kTypes = {
      {"boolean", DataType(TypeId::kBoolean)}, {"tinyint", DataType(TypeId::kByte)},
      {"smallint", DataType(TypeId::kShort)},  {"int", DataType(TypeId::kInteger)},
      {"bigint", DataType(TypeId::kLong)},     {"float", DataType(TypeId::kFloat)},
      {"double", DataType(TypeId::kDouble)},   {"decimal", DataType::decimal(10, 0)},
      {"date", DataType(TypeId::kDate)},       {"timestamp", DataType(TypeId::kTimestamp)},
      {"binary", DataType(TypeId::kBinary)},   {"string", DataType(TypeId::kString)}};
  const auto found = kTypes.find(name);
  return found == kTypes.end() ? std::nullopt : std::optional<DataType>(found->second);
}

namespace {

bool is_aggregate_call(const unresolved::ExpressionPtr& expression, const catalog::CatalogView& catalog) {
  if (const auto* python = unresolved::as<unresolved::PythonCall>(expression))
    return is_python_aggregate(python->eval_type);
  const auto* call = unresolved::as<unresolved::FunctionCall>(expression);
  if (call == nullptr) return false;
  const std::string name = called_name(*call);
  if (name == "grouping" || name == "grouping_id") return true;
  const functions::Function* function = functions::find(name);
  if (function != nullptr) return functions::kind_of(*function) == functions::Kind::kAggregate;
  const unresolved::ExpressionPtr registered = catalog.find_function(call->name.back());
  const auto* python = unresolved::as<unresolved::PythonCall>(registered);
  return python != nullptr && is_python_aggregate(python->eval_type);
}

// Visits the expressions directly below; not the plans of sub-queries.
void for_each_part(const unresolved::ExpressionPtr& expression,
                   const std::function<void(const unresolved::ExpressionPtr&)>& visit) {
  std::visit(
      [&](const auto& node) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(node)>, std::monostate>) {
          visit_fields(node, [&](const char*, const auto& field) {
            using Field = std::decay_t<decltype(field)>;
            if constexpr (std::is_same_v<Field, unresolved::ExpressionPtr>) {
              if (field != nullptr) visit(field);
            } else if constexpr (std::is_same_v<Field, unresolved::Expressions>) {
              for (const auto& part : field) visit(part);
            }
          });
        }
      },
      expression->node);
}

// The clause of a call that no Python function takes.
std::string clause_of(const unresolved::FunctionCall& call) {
  if (call.is_distinct) return "DISTINCT";
  if (call.filter != nullptr) return "FILTER CLAUSE";
  if (call.ignore_nulls) return "IGNORE NULLS";
  return call.within_group.empty() ? "" : "WITHIN GROUP (ORDER BY ...)";
}

}  // namespace

std::vector<unresolved::ExpressionPtr> aggregate_calls(const unresolved::ExpressionPtr& expression,
                                                       const catalog::CatalogView& catalog) {
  if (expression == nullptr) return {};
  if (is_aggregate_call(expression, catalog)) return {expression};
  std::vector<unresolved::ExpressionPtr> found;
  const auto collect = [&](const unresolved::ExpressionPtr& part) {
    const auto inner = aggregate_calls(part, catalog);
    found.insert(found.end(), inner.begin(), inner.end());
  };
  // The function over a window is no aggregation itself; its arguments may hold one.
  const auto* window = unresolved::as<unresolved::Window>(expression);
  for_each_part(expression, [&](const unresolved::ExpressionPtr& part) {
    if (window != nullptr && part == window->function) {
      for_each_part(part, collect);
    } else {
      collect(part);
    }
  });
  return found;
}

bool contains_aggregate_call(const unresolved::ExpressionPtr& expression,
                             const catalog::CatalogView& catalog) {
  return !aggregate_calls(expression, catalog).empty();
}

bool contains_window(const unresolved::ExpressionPtr& expression) {
  if (unresolved::as<unresolved::Window>(expression) != nullptr) return true;
  bool found = false;
  for_each_part(expression,
                [&](const unresolved::ExpressionPtr& part) { found = found || contains_window(part); });
  return found;
}

Result<ExpressionPtr> ExpressionResolver::resolve_call(const unresolved::ExpressionPtr& expression,
                                                       const unresolved::FunctionCall& call) {
  const std::string name = called_name(call);
  if (name == "grouping" || name == "grouping_id" || name == "grouping__id") {
    return resolve_grouping(expression, call, name);
  }
  ASSIGN_OR_RETURN(ExpressionPtr constant, resolve_constant_function(expression, call, name));
  if (constant != nullptr) return constant;
  if (name == "struct" || name == sql::kRow) return resolve_struct(call, expression->origin);
  if (const auto type = cast_function_type(name); type.has_value() && call.arguments.size() == 1) {
    return resolve_cast(expression, call.arguments[0], *type, plan::CastMode::kDefault);
  }
  if (is_generator_name(name)) {
    return error("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS",
                 {{"expression", quoted_expression(pretty(expression))}});
  }
  const functions::Function* function = functions::find(name);
  if (function == nullptr || call.name.size() > 3) {
    const unresolved::ExpressionPtr registered = analysis_.catalog.find_function(call.name.back());
    if (const auto* python = unresolved::as<unresolved::PythonCall>(registered)) {
      if (is_python_table(python->eval_type)) {
        return at(error("NOT_A_SCALAR_FUNCTION", {{"functionName", quoted_name(call.name)}}),
                  expression->origin);
      }
      const bool is_aggregate = is_python_aggregate(python->eval_type);
      if (const std::string used = clause_of(call); !used.empty()) {
        return at(
            error("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX",
                  {{"prettyName", quoted_name(is_aggregate ? "pythonudaf" : "pythonudf")}, {"syntax", used}}),
            expression->origin);
      }
      RETURN_IF_ERROR(at(check_named_arguments(call.name, call.arguments), expression->origin));
      unresolved::PythonCall bound = *python;
      bound.arguments = call.arguments;
      return resolve_python(expression, bound);
    }
    return unresolved_routine(call.name, expression->origin);
  }
  const bool is_aggregate =
      functions::kind_of(*function) == functions::Kind::kAggregate && !inside_window_function_;
  if (is_aggregate) RETURN_IF_ERROR(check_aggregate_place(expression));
  if (functions::kind_of(*function) == functions::Kind::kWindow && !inside_window_function_) {
    return at(
        error("WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE", {{"funcName", quoted_expression(pretty(expression))}}),
        allowed_.origin);
  }
  if (const Status status = check_ordering(*function, call); !status.ok())
    return at(status, expression->origin);
  ASSIGN_OR_RETURN(unresolved::Expressions unresolved_arguments, expand_arguments(call, name));
  if (functions::orderings_of(*function) == functions::Orderings::kOne && unresolved_arguments.size() == 1) {
    const auto* order = unresolved::as<unresolved::SortOrder>(call.within_group[0]);
    const bool descending = order != nullptr && !order->ascending;
    unresolved_arguments.insert(unresolved_arguments.begin(),
                                order == nullptr ? call.within_group[0] : order->child);
    unresolved_arguments.push_back(unresolved::make_expression(
        unresolved::Literal{{DataType(TypeId::kBoolean), Value(descending)}}, expression->origin));
  }
  resolved::Expressions arguments;
  const bool was_inside = inside_aggregate_;
  const bool was_window = inside_window_function_;
  inside_aggregate_ = was_inside || is_aggregate;
  inside_window_function_ = false;
  const Status status = resolve_arguments(*function, unresolved_arguments, arguments);
  inside_aggregate_ = was_inside;
  inside_window_function_ = was_window;
  RETURN_IF_ERROR(status);
  if (name == "from_json" && arguments.size() > 1) {
    ASSIGN_OR_RETURN(arguments[1],
                     schema_argument(arguments[1], pretty(call.arguments[1]), expression->origin));
  }
  if (ExpressionPtr folded = fold_negative(name, arguments)) return folded;
  auto built = build_call(expression, *function, std::move(arguments), call);
  if (built.ok() && is_arithmetic(name)) arithmetic_types_[expression] = (*built)->type;
  return built;
}

// WITHIN GROUP (ORDER BY …), where it may stand and where it must.
Status ExpressionResolver::check_ordering(const functions::Function& function,
                                          const unresolved::FunctionCall& call) const {
  const std::string name = quoted_name(std::string(functions::name_of(function)));
  const size_t keys = call.within_group.size();
  switch (functions::orderings_of(function)) {
    case functions::Orderings::kAny: return {};
    case functions::Orderings::kUnsupported:
      return keys == 0 ? Status()
                       : unsupported("WITHIN GROUP of " + std::string(functions::name_of(function)));
    case functions::Orderings::kNone:
      if (keys == 0) return {};
      return error("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX",
                   {{"prettyName", name}, {"syntax", "WITHIN GROUP (ORDER BY ...)"}});
    case functions::Orderings::kOne: break;
  }
  if (keys == 1 || call.arguments.size() != 1) return {};
  if (keys == 0) return error("INVALID_WITHIN_GROUP_EXPRESSION.WITHIN_GROUP_MISSING", {{"funcName", name}});
  return error("INVALID_WITHIN_GROUP_EXPRESSION.WRONG_NUM_ORDERINGS",
               {{"funcName", name}, {"expectedNum", "1"}, {"actualNum", std::to_string(keys)}});
}

Status ExpressionResolver::check_aggregate_place(const unresolved::ExpressionPtr& expression) {
  if (inside_aggregate_) return at(error("NESTED_AGGREGATE_FUNCTION"), expression->origin);
  if (allowed_.aggregates) return Status();
  const std::string text = quoted_expression(pretty(expression));
  if (allowed_.operator_name == "GROUP BY") {
    return at(error("GROUP_BY_AGGREGATE", {{"sqlExpr", qualified(expression)}}), expression->origin);
  }
  return at(error("UNSUPPORTED_EXPR_FOR_OPERATOR", {{"invalidExprSqls", text}}), allowed_.origin);
}

// Stars become columns; count(*) becomes count(1).
Result<unresolved::Expressions> ExpressionResolver::expand_arguments(const unresolved::FunctionCall& call,
                                                                     const std::string& name) {
  unresolved::Expressions arguments;
  for (const auto& argument : call.arguments) {
    const auto* star = unresolved::as<unresolved::Star>(argument);
    if (star == nullptr) {
      arguments.push_back(argument);
      continue;
    }
    if (name == "count" && !call.is_distinct && call.arguments.size() == 1 && star->target.empty()) {
      arguments.push_back(unresolved::make_expression(
          unresolved::Literal{{DataType(TypeId::kInteger), Value(int64_t{1})}}, argument->origin));
      continue;
    }
    ASSIGN_OR_RETURN(const auto columns, expand_star(*star, argument->origin));
    for (const NamedExpression& column : columns) {
      plan::Names parts = column.column.qualifier;
      parts.push_back(column.column.name);
      arguments.push_back(
          unresolved::make_expression(unresolved::Attribute{parts, -1, false}, argument->origin));
    }
  }
  return arguments;
}

Status ExpressionResolver::resolve_arguments(const functions::Function& function,
                                             const unresolved::Expressions& arguments,
                                             resolved::Expressions& result) {
  bool has_lambda = false;
  for (const auto& argument : arguments) {
    if (unresolved::as<unresolved::NamedArgument>(argument) != nullptr) {
      return at(unsupported("named arguments of " + std::string(functions::name_of(function))),
                argument->origin);
    }
    has_lambda |= is_lambda(argument);
    if (is_lambda(argument)) {
      result.push_back(nullptr);
      continue;
    }
    ASSIGN_OR_RETURN(ExpressionPtr value, resolve(argument));
    result.push_back(std::move(value));
  }
  return has_lambda ? resolve_lambdas(function, arguments, result) : Status();
}

Status ExpressionResolver::resolve_lambdas(const functions::Function& function,
                                           const unresolved::Expressions& arguments,
                                           resolved::Expressions& result) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto* lambda = unresolved::as<unresolved::Lambda>(arguments[i]);
    if (lambda == nullptr) continue;
    ASSIGN_OR_RETURN(const auto signature,
                     functions::lambda_signature(function, describe(result), static_cast<int>(i)));
    if (signature.parameters.empty()) continue;  // another argument is wrong, which is the error
    const auto wanted = signature.parameters.size();
    const auto declared = lambda->parameters.size();
    if (declared > wanted || declared < static_cast<size_t>(signature.required)) {
      return at(error("INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH",
                      {{"expectedNumArgs", std::to_string(declared)},
                       {"actualNumArgs", std::to_string(signature.required)}}),
                arguments[i]->origin);
    }
    resolved::Columns parameters;
    for (size_t p = 0; p < declared; ++p) {
      parameters.push_back({analysis_.next_id(),
                            lambda->parameters[p],
                            signature.parameters[p].type,
                            signature.parameters[p].nullable,
                            {},
                            ""});
    }
    lambda_parameters_.push_back(parameters);
    auto body = resolve(lambda->body);
    lambda_parameters_.pop_back();
    if (!body.ok()) return body.status();
    if (contains<resolved::PythonCall>(*body)) {
      return at(error("UNSUPPORTED_FEATURE.LAMBDA_FUNCTION_WITH_PYTHON_UDF",
                      {{"funcName", quoted_expression(pretty(lambda->body))}}),
                arguments[i]->origin);
    }
    const DataType type = (*body)->type;
    const bool nullable = (*body)->nullable;
    result[i] = resolved::make_expression(resolved::Lambda{std::move(parameters), *std::move(body)}, type,
                                          nullable, arguments[i]->origin);
  }
  return Status();
}

// The arguments in the signature's order, each cast to its type.
static resolved::Expressions as_signature_wants(resolved::Expressions arguments,
                                                const functions::Call& signature,
                                                const plan::Origin& origin) {
  if (!signature.argument_order.empty()) {
    resolved::Expressions ordered;
    for (const int index : signature.argument_order) ordered.push_back(arguments[static_cast<size_t>(index)]);
    arguments = std::move(ordered);
  }
  for (size_t i = 0; i < arguments.size() && i < signature.argument_types.size(); ++i) {
    arguments[i] = cast_implicitly(std::move(arguments[i]), signature.argument_types[i], origin);
  }
  return arguments;
}

Result<ExpressionPtr> ExpressionResolver::build_call(const unresolved::ExpressionPtr& expression,
                                                     const functions::Function& function,
                                                     resolved::Expressions arguments,
                                                     const unresolved::FunctionCall& call) {
  std::vector<functions::Argument> described = describe(arguments);
  bool all_bound = true;
  for (size_t i = 0; i < described.size(); ++i) {
    all_bound = all_bound && arguments[i] != nullptr;
    if (i >= call.arguments.size()) continue;
    if (const auto* attribute = unresolved::as<unresolved::Attribute>(call.arguments[i]))
      described[i].name = attribute->parts.back();
  }
  functions::ResolveOptions options{analysis_.settings.ansi, analysis_.settings.time_zone, "",
                                    called_name(call)};
  auto signature = functions::resolve(function, described, options);
  if (!signature.ok()) {
    // Texts are only needed by the error: ask again with them.
    shows_bound_lambdas_ = all_bound;
    // What WITHIN GROUP orders by stands before the arguments in the call.
    unresolved::Expressions texts = call.arguments;
    if (functions::orderings_of(function) == functions::Orderings::kOne && !call.within_group.empty()) {
      const auto* order = unresolved::as<unresolved::SortOrder>(call.within_group[0]);
      texts.insert(texts.begin(), order == nullptr ? call.within_group[0] : order->child);
    }
    for (size_t i = 0; i < described.size(); ++i) described[i].sql = i < texts.size() ? pretty(texts[i]) : "";
    options.sql = pretty(expression);
    shows_bound_lambdas_ = true;
    signature = functions::resolve(function, described, options);
    if (!signature.ok()) {
      // Spark counts the arguments of functions that take any number while it checks types, and names no
      // place.
      const auto& parameters = signature.status().detail().parameters;
      const auto expected = parameters.find("expectedNum");
      const bool placeless = expected != parameters.end() && expected->second.starts_with(">");
      return placeless ? signature.status() : at(signature.status(), expression->origin);
    }
  }
  if (!all_bound) return at(unsupported("a lambda at this place"), expression->origin);
  arguments = as_signature_wants(std::move(arguments), *signature, expression->origin);
  static const std::set<std::string_view> kIgnoringNulls = {"first",     "last", "any_value",
                                                            "nth_value", "lag",  "lead"};
  if (call.ignore_nulls && !kIgnoringNulls.contains(functions::name_of(function))) {
    return at(error("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX",
                    {{"prettyName", quoted_name(std::string(functions::name_of(function)))},
                     {"syntax", "IGNORE NULLS"}}),
              expression->origin);
  }
  if (functions::kind_of(function) == functions::Kind::kAggregate) {
    return build_aggregate(expression, *signature, std::move(arguments), call);
  }
  if (call.is_distinct || call.filter != nullptr) {
    const std::string used = call.is_distinct ? "DISTINCT" : "FILTER clause";
    return at(
        error("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX",
              {{"prettyName", quoted_name(std::string(functions::name_of(function)))}, {"syntax", used}}),
        expression->origin);
  }
  return resolved::make_expression(
      resolved::Call{signature->function, std::move(arguments), analysis_.settings.ansi}, signature->type,
      signature->nullable, expression->origin);
}

// Equal values have one place in the order only when they are ordered by themselves.
Status ExpressionResolver::check_distinct_order(const resolved::AggregateCall& aggregate,
                                                const unresolved::FunctionCall& call) {
  if (!aggregate.is_distinct || aggregate.order_by.empty()) return Status();
  const bool by_itself = aggregate.order_by.size() == 1 &&
                         same_expression(aggregate.order_by[0].expression, aggregate.arguments[0]);
  if (by_itself) return Status();
  std::string orders;
  for (const auto& item : call.within_group) {
    const auto* order = unresolved::as<unresolved::SortOrder>(item);
    orders +=
        (orders.empty() ? "" : ", ") + quoted_expression(pretty(order == nullptr ? item : order->child));
  }
  return error("INVALID_WITHIN_GROUP_EXPRESSION.MISMATCH_WITH_DISTINCT_INPUT",
               {{"funcName", quoted_name(called_name(call))},
                {"funcArg", quoted_expression(pretty(call.arguments[0]))},
                {"orderingExpr", orders}});
}

Result<ExpressionPtr> ExpressionResolver::build_aggregate(const unresolved::ExpressionPtr& expression,
                                                          const functions::Call& signature,
                                                          resolved::Expressions arguments,
                                                          const unresolved::FunctionCall& call) {
  const auto random = std::find_if_not(arguments.begin(), arguments.end(), is_deterministic);
  if (!inside_window_function_ && random != arguments.end()) {
    return at(error("AGGREGATE_FUNCTION_WITH_NONDETERMINISTIC_EXPRESSION",
                    {{"sqlExpr", quoted_expression(pretty(expression))}}),
              (*random)->origin);
  }
  resolved::AggregateCall aggregate;
  aggregate.function = signature.function;
  aggregate.arguments = std::move(arguments);
  aggregate.is_distinct = call.is_distinct;
  aggregate.ignore_nulls = call.ignore_nulls;
  aggregate.ansi = analysis_.settings.ansi;
  const functions::Function* function = functions::find(signature.function);
  if (function != nullptr && functions::orderings_of(*function) == functions::Orderings::kAny) {
    const bool was_inside = std::exchange(inside_aggregate_, true);
    for (const auto& order : call.within_group) {
      auto key = resolve_sort_key(order);
      if (!key.ok()) return key.status();
      aggregate.order_by.push_back(*std::move(key));
    }
    inside_aggregate_ = was_inside;
    RETURN_IF_ERROR(check_distinct_order(aggregate, call));
  }
  if (call.filter != nullptr) {
    const bool was_inside = inside_aggregate_;
    inside_aggregate_ = true;
    auto filter = resolve_condition(call.filter, "INVALID_AGGREGATE_FILTER.NOT_BOOLEAN", expression->origin);
    inside_aggregate_ = was_inside;
    if (!filter.ok()) return filter.status();
    aggregate.filter = *std::move(filter);
  }
  return resolved::make_expression(std::move(aggregate), signature.type, signature.nullable,
                                   expression->origin);
}

Result<ExpressionPtr> ExpressionResolver::call(const std::string& function, resolved::Expressions arguments,
                                               const std::string& sql, const plan::Origin& origin,
                                               const plan::Names& texts) {
  const functions::Function* found = functions::find(function);
  if (found == nullptr) return at(unsupported("the function " + function), origin);
  auto described = describe(arguments);
  for (size_t i = 0; i < described.size(); ++i) described[i].sql = i < texts.size() ? texts[i] : sql;
  auto signature =
      functions::resolve(*found, described, {analysis_.settings.ansi, analysis_.settings.time_zone, sql});
  if (!signature.ok()) return at(signature.status(), origin);
  arguments = as_signature_wants(std::move(arguments), *signature, origin);
  if (functions::kind_of(*found) == functions::Kind::kAggregate) {
    resolved::AggregateCall aggregate;
    aggregate.function = signature->function;
    aggregate.arguments = std::move(arguments);
    aggregate.ansi = analysis_.settings.ansi;
    return resolved::make_expression(std::move(aggregate), signature->type, signature->nullable, origin);
  }
  return resolved::make_expression(
      resolved::Call{signature->function, std::move(arguments), analysis_.settings.ansi}, signature->type,
      signature->nullable, origin);
}

// ---- functions that the analysis itself answers
// ----------------------------------------------------------------

Result<ExpressionPtr> ExpressionResolver::resolve_constant_function(
    const unresolved::ExpressionPtr& expression, const unresolved::FunctionCall& call,
    const std::string& name) {
  static const std::set<std::string> kNames = {
      "current_timestamp", "now",           "current_date", "curdate",          "localtimestamp",
      "current_user",      "user",          "session_user", "current_timezone", "current_catalog",
      "current_database",  "current_schema"};
  if (!kNames.contains(name)) return ExpressionPtr();
  const plan::Origin origin = expression == nullptr ? nullptr : expression->origin;
  const auto text = [&](const std::string& value) {
    return make_literal({DataType(TypeId::kString), Value(value)}, origin);
  };
  if (name == "current_user" || name == "user" || name == "session_user")
    return text(analysis_.settings.user);
  if (name == "current_timezone") return text(analysis_.settings.time_zone);
  if (name == "current_catalog") return text("spark_catalog");
  if (name == "current_database" || name == "current_schema") return text("default");
  if (!call.arguments.empty()) {
    return at(
        error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", {{"functionName", quoted_name(name)},
                                                    {"expectedNum", "0"},
                                                    {"actualNum", std::to_string(call.arguments.size())},
                                                    {"docroot", "https://spark.apache.org/docs/latest"}}),
        origin);
  }
  // Its value is set when the query runs: a view or a cached plan holds the call.
  const ExpressionPtr now = resolved::make_expression(resolved::Call{"current_timestamp", {}, false},
                                                      DataType(TypeId::kTimestamp), false, origin);
  if (name == "current_timestamp" || name == "now") return now;
  // The day and the local clock depend on the session's time zone: a cast knows it.
  const DataType type(name == "localtimestamp" ? TypeId::kTimestampNtz : TypeId::kDate);
  return resolved::make_expression(resolved::Cast{now, plan::CastMode::kDefault}, type, false, origin);
}

std::string struct_field_name(const unresolved::ExpressionPtr& argument, size_t index) {
  if (const auto* alias = unresolved::as<unresolved::Alias>(argument)) return alias->names[0];
  if (const auto* attribute = unresolved::as<unresolved::Attribute>(argument)) return attribute->parts.back();
  if (const auto* extract = unresolved::as<unresolved::ExtractValue>(argument)) {
    const auto* key = unresolved::as<unresolved::Literal>(extract->key);
    if (key != nullptr && key->value.type.is(TypeId::kString))
      return std::get<std::string>(key->value.value.data);
  }
  return "col" + std::to_string(index + 1);
}

// struct(a, b AS c) is named_struct with the names of its arguments.
Result<ExpressionPtr> ExpressionResolver::resolve_struct(const unresolved::FunctionCall& call,
                                                         const plan::Origin& origin) {
  ASSIGN_OR_RETURN(const unresolved::Expressions expanded, expand_arguments(call, "struct"));
  resolved::Expressions arguments;
  for (size_t i = 0; i < expanded.size(); ++i) {
    unresolved::ExpressionPtr argument = expanded[i];
    if (const auto* text = unresolved::as<unresolved::SqlText>(argument)) {
      ASSIGN_OR_RETURN(argument, parse_text(*text));
    }
    ASSIGN_OR_RETURN(ExpressionPtr value, resolve(argument));
    arguments.push_back(make_string(struct_field_name(argument, i)));
    arguments.push_back(std::move(value));
  }
  return this->call("named_struct", std::move(arguments), "struct", origin);
}

}  // namespace deuteron::analyzer
