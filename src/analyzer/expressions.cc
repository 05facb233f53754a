#include "analyzer/expressions.h"

#include <algorithm>
#include <regex>
#include <set>

#include "analyzer/errors.h"
#include "analyzer/node_name.h"
#include "analyzer/relations.h"
#include "functions/coercion.h"
#include "sql/parser.h"

namespace deuteron::analyzer {

using resolved::ExpressionPtr;
using types::DataType;
using types::TypeId;

Status Analysis::Nesting::check() const {
  constexpr int kDeepest = 1500;
  if (depth_ <= kDeepest) return Status();
  return unsupported("expressions nested deeper than " + std::to_string(kDeepest) + " levels");
}

ExpressionPtr make_literal(types::TypedValue value, plan::Origin origin) {
  const bool nullable = value.value.is_null();
  return resolved::make_expression(resolved::Literal{std::move(value.value)}, std::move(value.type), nullable,
                                   std::move(origin));
}
ExpressionPtr make_long(int64_t value) {
  return make_literal({DataType(TypeId::kLong), types::Value(value)});
}
ExpressionPtr make_integer(int32_t value) {
  return make_literal({DataType(TypeId::kInteger), types::Value(static_cast<int64_t>(value))});
}
ExpressionPtr make_string(std::string value) {
  return make_literal({DataType(TypeId::kString), types::Value(std::move(value))});
}

ExpressionPtr both(ExpressionPtr left, ExpressionPtr right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  const bool nullable = left->nullable || right->nullable;
  return resolved::make_expression(resolved::Call{"and", {std::move(left), std::move(right)}, true},
                                   DataType(TypeId::kBoolean), nullable);
}

ExpressionPtr cast_implicitly(ExpressionPtr expression, const DataType& type, const plan::Origin& wanted_by) {
  if (expression->type.same_type(type) || resolved::as<resolved::Lambda>(expression) != nullptr)
    return expression;
  const auto* literal = resolved::as<resolved::Literal>(expression);
  if (literal != nullptr && literal->value.is_null()) return make_literal({type, {}}, expression->origin);
  if (literal != nullptr && type.is_integral()) {
    if (auto folded = functions::fold_cast(literal->value, expression->type, type))
      return make_literal({type, *std::move(folded)}, expression->origin);
  }
  const bool nullable =
      expression->nullable || functions::cast_may_give_null(expression->type, type, plan::CastMode::kDefault);
  plan::Origin origin = wanted_by == nullptr ? expression->origin : wanted_by;
  return resolved::make_expression(resolved::Cast{std::move(expression), plan::CastMode::kDefault}, type,
                                   nullable, std::move(origin));
}

const types::Value* literal_value(const ExpressionPtr& expression) {
  if (const auto* literal = resolved::as<resolved::Literal>(expression)) return &literal->value;
  const auto* cast = resolved::as<resolved::Cast>(expression);
  const bool keeps_value = cast != nullptr && cast->child->type.is_integral() &&
                           expression->type.is_integral() && cast->child->type.id() <= expression->type.id();
  return keeps_value ? literal_value(cast->child) : nullptr;
}

// ---- nodes
// -----------------------------------------------------------------------------------------------------

Result<ExpressionPtr> ExpressionResolver::resolve(const unresolved::ExpressionPtr& expression) {
  const Analysis::Nesting nesting(analysis_);
  RETURN_IF_ERROR(nesting.check());
  return resolve_node(expression);
}

Result<unresolved::ExpressionPtr> ExpressionResolver::parse_text(const unresolved::SqlText& text) {
  return sql::parse_expression(text.text);
}

Result<ExpressionPtr> ExpressionResolver::resolve_node(const unresolved::ExpressionPtr& expression) {
  const plan::Origin& origin = expression->origin;
  if (const auto* node = unresolved::as<unresolved::Literal>(expression))
    return make_literal(node->value, origin);
  if (const auto* node = unresolved::as<unresolved::Attribute>(expression))
    return resolve_attribute(*node, origin);
  if (const auto* node = unresolved::as<unresolved::LambdaVariable>(expression)) {
    return resolve_attribute({node->parts, -1, false}, origin);
  }
  if (const auto* node = unresolved::as<unresolved::FunctionCall>(expression))
    return resolve_call(expression, *node);
  if (const auto* node = unresolved::as<unresolved::Cast>(expression)) {
    return resolve_cast(expression, node->child, node->type, node->mode);
  }
  if (const auto* node = unresolved::as<unresolved::CastToText>(expression)) {
    ASSIGN_OR_RETURN(const DataType type, sql::parse_data_type(node->type_text));
    return resolve_cast(expression, node->child, type, node->mode);
  }
  if (const auto* node = unresolved::as<unresolved::Alias>(expression)) return resolve(node->child);
  if (const auto* node = unresolved::as<unresolved::Window>(expression))
    return resolve_window(expression, *node);
  if (const auto* node = unresolved::as<unresolved::ExtractValue>(expression))
    return resolve_extract(expression, *node);
  if (const auto* node = unresolved::as<unresolved::Subquery>(expression))
    return resolve_subquery(expression, *node);
  if (const auto* node = unresolved::as<unresolved::PythonCall>(expression))
    return resolve_python(expression, *node);
  if (const auto* node = unresolved::as<unresolved::UpdateField>(expression))
    return resolve_update_field(*node, origin);
  if (const auto* node = unresolved::as<unresolved::SqlText>(expression)) {
    ASSIGN_OR_RETURN(const auto parsed, parse_text(*node));
    return resolve(parsed);
  }
  if (const auto* node = unresolved::as<unresolved::NamedArgument>(expression)) return resolve(node->value);
  if (const auto* node = unresolved::as<unresolved::Parameter>(expression)) {
    return at(error("UNBOUND_SQL_PARAMETER",
                    {{"name", node->name.empty() ? "_" + std::to_string(node->index) : node->name}}),
              origin);
  }
  if (unresolved::as<unresolved::Star>(expression) != nullptr) {
    return at(error("INVALID_USAGE_OF_STAR_OR_REGEX", {{"elem", "'*'"}, {"prettyName", "expression"}}),
              origin);
  }
  if (unresolved::as<unresolved::SortOrder>(expression) != nullptr) {
    return at(unsupported("a sort order inside an expression"), origin);
  }
  return at(unsupported("the expression " + node_name_of(*expression)), origin);
}

// ---- names
// -----------------------------------------------------------------------------------------------------

Result<ExpressionPtr> ExpressionResolver::resolve_attribute(const unresolved::Attribute& attribute,
                                                            const plan::Origin& origin) {
  ASSIGN_OR_RETURN(auto found, find_attribute(attribute, origin));
  if (found.has_value()) return *std::move(found);
  std::vector<const resolved::Columns*> candidates;
  for (const Input* input : scope_.inputs) candidates.push_back(&input->columns);
  if (attribute.plan_id >= 0) {
    return at(
        error("CANNOT_RESOLVE_DATAFRAME_COLUMN", {{"name", quoted_expression(plain_name(attribute.parts))}}),
        origin);
  }
  return unresolved_column(attribute.parts, candidates, origin);
}

Result<std::optional<ExpressionPtr>> ExpressionResolver::find_attribute(
    const unresolved::Attribute& attribute, const plan::Origin& origin) {
  const plan::Names& parts = attribute.parts;
  std::optional<Match> match;
  if (attribute.plan_id >= 0) {
    ASSIGN_OR_RETURN(match, find_in_data_frame(scope_, attribute.plan_id, parts, origin));
    for (const Scope* outer = scope_.outer; !match.has_value() && outer != nullptr; outer = outer->outer) {
      ASSIGN_OR_RETURN(match, find_in_data_frame(*outer, attribute.plan_id, parts, origin));
    }
    if (!match.has_value()) return std::optional<ExpressionPtr>();
  }
  if (!match.has_value()) {
    ASSIGN_OR_RETURN(auto variable, find_lambda_variable(parts, origin));
    if (variable.has_value()) return variable;
  }
  // Inside an aggregate function of ORDER BY or HAVING, the aggregation's input comes first.
  if (!match.has_value() && inside_aggregate_ && scope_.look_below) {
    ASSIGN_OR_RETURN(match, find_below(parts, origin));
  }
  if (!match.has_value()) {
    ASSIGN_OR_RETURN(match, find_in_inputs(scope_, parts, origin));
  }
  if (match.has_value()) {
    ASSIGN_OR_RETURN(auto expression, from_match(*match, origin));
    return std::optional<ExpressionPtr>(std::move(expression));
  }
  if (parts.size() == 1) {
    const std::string name = lower_case(parts[0]);
    if (name == "current_date" || name == "current_timestamp" || name == "current_user" || name == "user" ||
        name == "current_time" || name == "localtimestamp" || name == "session_user") {
      unresolved::FunctionCall call;
      call.name = {name};
      ASSIGN_OR_RETURN(auto constant, resolve_constant_function(nullptr, call, name));
      if (constant != nullptr) return std::optional<ExpressionPtr>(constant);
    }
  }
  if (scope_.look_below) {
    ASSIGN_OR_RETURN(match, find_below(parts, origin));
    if (match.has_value()) {
      ASSIGN_OR_RETURN(auto expression, from_match(*match, origin));
      return std::optional<ExpressionPtr>(std::move(expression));
    }
  }
  ASSIGN_OR_RETURN(auto alias, find_alias(parts, origin));
  if (alias.has_value()) return alias;
  return find_outer(parts, origin);
}

Result<std::optional<Match>> ExpressionResolver::find_below(const plan::Names& parts,
                                                            const plan::Origin& origin) {
  for (const Input* input : scope_.inputs) {
    for (const Below* below = input->below.get(); below != nullptr; below = below->below.get()) {
      ASSIGN_OR_RETURN(auto match, find_column({&below->columns}, parts, scope_.case_sensitive, origin));
      if (match.has_value()) return match;
      if (below->hidden.empty()) continue;
      ASSIGN_OR_RETURN(match, find_column({&below->hidden}, parts, scope_.case_sensitive, origin));
      if (match.has_value()) return match;
    }
  }
  return std::optional<Match>();
}

Result<std::optional<ExpressionPtr>> ExpressionResolver::find_lambda_variable(const plan::Names& parts,
                                                                              const plan::Origin& origin) {
  for (auto parameters = lambda_parameters_.rbegin(); parameters != lambda_parameters_.rend(); ++parameters) {
    for (const resolved::Column& parameter : *parameters) {
      if (!same_name(parameter.name, parts[0], scope_.case_sensitive)) continue;
      ASSIGN_OR_RETURN(auto found,
                       fields_of(reference_to(parameter, origin), {parts.begin() + 1, parts.end()}, origin));
      return std::optional<ExpressionPtr>(std::move(found));
    }
  }
  return std::optional<ExpressionPtr>();
}

Result<std::optional<ExpressionPtr>> ExpressionResolver::find_alias(const plan::Names& parts,
                                                                    const plan::Origin& origin) {
  if (scope_.aliases == nullptr) return std::optional<ExpressionPtr>();
  for (const LateralAlias& alias : *scope_.aliases) {
    if (!same_name(alias.name, parts[0], scope_.case_sensitive)) continue;
    if (alias.expression == nullptr) {
      return at(error("AMBIGUOUS_LATERAL_COLUMN_ALIAS", {{"name", quoted_name(parts)}, {"n", "2"}}), nullptr);
    }
    if (contains<resolved::Window>(alias.expression) && inside_window_function_) {
      return at(error("UNSUPPORTED_FEATURE.LATERAL_COLUMN_ALIAS_IN_WINDOW", {{"lca", quoted_name(parts)}}),
                origin);
    }
    if (!is_deterministic(alias.expression)) {
      return at(unsupported("a lateral column alias of a non-deterministic expression"), origin);
    }
    ASSIGN_OR_RETURN(auto found, fields_of(alias.expression, {parts.begin() + 1, parts.end()}, origin));
    return std::optional<ExpressionPtr>(std::move(found));
  }
  return std::optional<ExpressionPtr>();
}

Result<std::optional<ExpressionPtr>> ExpressionResolver::find_outer(const plan::Names& parts,
                                                                    const plan::Origin& origin) {
  // Only the query next around: as with Spark, a sub-query does not see further out.
  if (scope_.outer == nullptr) return std::optional<ExpressionPtr>();
  ASSIGN_OR_RETURN(auto match, find_in_inputs(*scope_.outer, parts, origin));
  if (!match.has_value() && scope_.outer->look_below) {
    ASSIGN_OR_RETURN(match, ExpressionResolver(analysis_, *scope_.outer).find_below(parts, origin));
  }
  if (!match.has_value()) return std::optional<ExpressionPtr>();
  ASSIGN_OR_RETURN(auto found, from_match(*match, origin));
  return std::optional<ExpressionPtr>(std::move(found));
}

Result<ExpressionPtr> ExpressionResolver::from_match(const Match& match, const plan::Origin& origin) {
  ExpressionPtr value = reference_to(match.column, origin);
  std::string base = match.column.name;
  for (const std::string& field : match.fields) {
    ASSIGN_OR_RETURN(value, get_field(std::move(value), field, origin, base));
    base += "." + field;
  }
  return value;
}

Result<ExpressionPtr> ExpressionResolver::fields_of(ExpressionPtr child, const plan::Names& fields,
                                                    const plan::Origin& origin) {
  for (const std::string& field : fields) {
    ASSIGN_OR_RETURN(child, get_field(std::move(child), field, origin));
  }
  return child;
}

Result<ExpressionPtr> ExpressionResolver::get_field(ExpressionPtr child, const std::string& name,
                                                    const plan::Origin& origin, const std::string& base) {
  if (child->type.is(TypeId::kMap)) return call("element_at", {child, make_string(name)}, "", origin);
  const bool through_array = child->type.is(TypeId::kArray) && child->type.element().is(TypeId::kStruct);
  const DataType type = through_array ? child->type.element() : child->type;
  if (!type.is(TypeId::kStruct)) {
    return at(error("INVALID_EXTRACT_BASE_FIELD_TYPE",
                    {{"base", quoted_expression(base)}, {"other", quoted_type(child->type)}}),
              origin);
  }
  int32_t found = -1;
  const types::Schema& fields = type.fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (!same_name(fields[i].name, name, scope_.case_sensitive)) continue;
    if (found >= 0) {
      return at(error("AMBIGUOUS_REFERENCE_TO_FIELDS", {{"field", quoted_name(name)}, {"count", "2"}}),
                origin);
    }
    found = static_cast<int32_t>(i);
  }
  if (found < 0) return unresolved_field(name, fields, origin);
  const types::StructField& field = fields[static_cast<size_t>(found)];
  const bool nullable = child->nullable || field.nullable;
  if (!through_array) {
    return resolved::make_expression(resolved::GetField{std::move(child), found}, field.type, nullable,
                                     origin);
  }
  const DataType result = DataType::array(field.type, child->type.contains_null() || field.nullable);
  const bool array_nullable = child->nullable;
  return resolved::make_expression(
      resolved::Call{
          "get_array_struct_fields", {std::move(child), make_integer(found)}, analysis_.settings.ansi},
      result, array_nullable, origin);
}

Result<ExpressionPtr> ExpressionResolver::resolve_extract(const unresolved::ExpressionPtr& expression,
                                                          const unresolved::ExtractValue& extract) {
  ASSIGN_OR_RETURN(ExpressionPtr child, resolve(extract.child));
  const auto* literal = unresolved::as<unresolved::Literal>(extract.key);
  const bool by_name =
      literal != nullptr && literal->value.type.is(TypeId::kString) && !literal->value.value.is_null();
  const bool of_fields = child->type.is(TypeId::kStruct) ||
                         (child->type.is(TypeId::kArray) && child->type.element().is(TypeId::kStruct));
  if (by_name && of_fields) {
    const std::string& name = std::get<std::string>(literal->value.value.data);
    auto field = get_field(child, name, expression->origin);
    return field.ok() ? field : get_field(child, name, nullptr);  // Spark's error has no place here
  }
  ASSIGN_OR_RETURN(ExpressionPtr key, resolve(extract.key));
  if (child->type.is(TypeId::kArray)) {
    if (!key->type.is_integral() && !key->type.is(TypeId::kNull)) {
      return at(error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                      {{"sqlExpr", quoted_expression(pretty(expression))},
                       {"paramIndex", "second"},
                       {"requiredType", "\"INTEGRAL\""},
                       {"inputSql", quoted_expression(pretty(extract.key))},
                       {"inputType", quoted_type(key->type)}}),
                expression->origin);
    }
    if (!analysis_.settings.ansi) return call("get", {child, key}, pretty(expression), expression->origin);
    const DataType element = child->type.element();
    return resolved::make_expression(
        resolved::Call{"get_array_item",
                       {std::move(child), cast_implicitly(std::move(key), DataType(TypeId::kInteger))},
                       true},
        element, true, expression->origin);
  }
  if (child->type.is(TypeId::kMap)) {
    return call("element_at", {child, key}, pretty(expression), expression->origin);
  }
  return at(error("INVALID_EXTRACT_BASE_FIELD_TYPE",
                  {{"base", quoted_expression(pretty(extract.child))}, {"other", quoted_type(child->type)}}),
            expression->origin);
}

// ---- casts, conditions, sort keys
// ------------------------------------------------------------------------------

// What Spark proposes instead of a cast that ANSI forbids.
static std::string_view instead_of_cast(const DataType& from, const DataType& to) {
  if (from.is_numeric() && to.is(TypeId::kDate)) return "`DATE_FROM_UNIX_DATE`";
  if (from.is(TypeId::kDate) && to.is_numeric()) return "`UNIX_DATE`";
  return "";
}

Status ExpressionResolver::impossible_cast(const DataType& from, const DataType& to, plan::CastMode mode,
                                           std::string sql) const {
  std::map<std::string, std::string> parameters = {
      {"sqlExpr", std::move(sql)}, {"srcType", quoted_type(from)}, {"targetType", quoted_type(to)}};
  const bool strict =
      mode == plan::CastMode::kTry || (mode == plan::CastMode::kDefault && analysis_.settings.ansi);
  if (const std::string_view functions = instead_of_cast(from, to); strict && !functions.empty()) {
    parameters["functionNames"] = functions;
    return error("DATATYPE_MISMATCH.CAST_WITH_FUNC_SUGGESTION", std::move(parameters));
  }
  if (strict && mode == plan::CastMode::kDefault && functions::can_cast(from, to, plan::CastMode::kLegacy)) {
    parameters["config"] = "\"spark.sql.ansi.enabled\"";
    parameters["configVal"] = "'false'";
    return error("DATATYPE_MISMATCH.CAST_WITH_CONF_SUGGESTION", std::move(parameters));
  }
  return error("DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION", std::move(parameters));
}

Result<ExpressionPtr> ExpressionResolver::resolve_cast(const unresolved::ExpressionPtr& expression,
                                                       const unresolved::ExpressionPtr& child,
                                                       const DataType& type, plan::CastMode mode) {
  ASSIGN_OR_RETURN(ExpressionPtr value, resolve(child));
  const bool ansi = analysis_.settings.ansi;
  if (!functions::can_cast(value->type, type, mode, ansi)) {
    return at(impossible_cast(value->type, type, mode, quoted_expression(pretty(expression))),
              expression->origin);
  }
  const bool is_null = resolved::as<resolved::Literal>(value) != nullptr && literal_value(value)->is_null();
  if (is_null) return make_literal({type, {}}, expression->origin);
  if (value->type == type) return value;
  const bool nullable = value->nullable || functions::cast_may_give_null(value->type, type, mode, ansi);
  return resolved::make_expression(resolved::Cast{std::move(value), mode}, type, nullable,
                                   expression->origin);
}

Result<ExpressionPtr> ExpressionResolver::resolve_condition(const unresolved::ExpressionPtr& expression,
                                                            const std::string& error_condition,
                                                            const plan::Origin& origin) {
  ASSIGN_OR_RETURN(ExpressionPtr condition, resolve(expression));
  if (condition->type.is(TypeId::kBoolean)) return with_existence(condition, true);
  const bool join = error_condition == "JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE";
  std::map<std::string, std::string> parameters;
  parameters[join ? "joinCondition" : "filter"] = quoted_expression(pretty(expression));
  parameters[join ? "conditionType" : "type"] = quoted_type(condition->type);
  if (!join) parameters["sqlExpr"] = quoted_expression(pretty(expression));
  return at(error(error_condition, std::move(parameters)), origin);
}

namespace {

// NOT (a OR b) as NOT a AND NOT b, and the other way round, where a membership in a sub-query stands below:
// Spark asks about it with its NOT. Null: it is nothing like that.
ExpressionPtr negated_inside(const ExpressionPtr& expression) {
  const auto* negation = resolved::as<resolved::Call>(expression);
  if (negation == nullptr || negation->function != "not") return nullptr;
  const ExpressionPtr& child = negation->arguments[0];
  const auto* call = resolved::as<resolved::Call>(child);
  if (call == nullptr || !contains<resolved::InSubquery>(child)) return nullptr;
  if (call->function == "not") return call->arguments[0];
  if (call->function != "and" && call->function != "or") return nullptr;
  resolved::Call dual{call->function == "and" ? "or" : "and", {}, call->ansi};
  for (const ExpressionPtr& part : call->arguments) {
    dual.arguments.push_back(resolved::make_expression(resolved::Call{"not", {part}, call->ansi}, part->type,
                                                       part->nullable, part->origin));
  }
  return resolved::make_expression(std::move(dual), child->type, child->nullable, expression->origin);
}

// null IN (…), which Spark answers without asking.
bool asks_for_null(const ExpressionPtr& membership) {
  const auto* in = resolved::as<resolved::InSubquery>(membership);
  const types::Value* value = in->values.size() == 1 ? literal_value(in->values[0]) : nullptr;
  return value != nullptr && value->is_null();
}

}  // namespace

// Where IN (sub-query) is a condition by itself, null is as good as false. Anywhere else Spark asks whether a
// matching row exists, so that there is no null: x IN (…) and NOT x IN (…) are false instead.
ExpressionPtr ExpressionResolver::with_existence(const ExpressionPtr& expression, bool is_condition) {
  const auto* call = resolved::as<resolved::Call>(expression);
  const auto is_membership = [](const ExpressionPtr& part) {
    return resolved::as<resolved::InSubquery>(part) != nullptr;
  };
  const bool negated = call != nullptr && call->function == "not" && is_membership(call->arguments[0]);
  if (negated || is_membership(expression)) {
    if (is_condition || !expression->nullable || asks_for_null(negated ? call->arguments[0] : expression))
      return expression;
    const ExpressionPtr no =
        make_literal({DataType(TypeId::kBoolean), types::Value(false)}, expression->origin);
    return resolved::make_expression(resolved::Call{"coalesce", {expression, no}, true}, expression->type,
                                     expression->nullable, expression->origin);
  }
  if (const ExpressionPtr dual = negated_inside(expression)) return with_existence(dual, is_condition);
  const bool conjunction = is_condition && call != nullptr && call->function == "and";
  return map_children(expression,
                      [&](const ExpressionPtr& child) { return with_existence(child, conjunction); });
}

Result<resolved::SortKey> ExpressionResolver::resolve_sort_key(const unresolved::ExpressionPtr& order) {
  resolved::SortKey key;
  unresolved::ExpressionPtr child = order;
  if (const auto* text = unresolved::as<unresolved::SqlText>(child)) {
    ASSIGN_OR_RETURN(child, parse_text(*text));
  }
  if (const auto* sort = unresolved::as<unresolved::SortOrder>(child)) {
    key.ascending = sort->ascending;
    key.nulls_first = sort->null_ordering == plan::NullOrdering::kDefault
                          ? sort->ascending
                          : sort->null_ordering == plan::NullOrdering::kNullsFirst;
    child = sort->child;
  }
  ASSIGN_OR_RETURN(key.expression, resolve(child));
  key.expression = with_existence(key.expression, false);
  if (!functions::is_orderable(key.expression->type)) {
    return at(
        error("DATATYPE_MISMATCH.INVALID_ORDERING_TYPE", {{"sqlExpr", quoted_expression(pretty(order))},
                                                          {"functionName", quoted_name("sortorder")},
                                                          {"dataType", quoted_type(key.expression->type)}}),
        order->origin);
  }
  return key;
}

// ---- select items
// ----------------------------------------------------------------------------------------------

Result<std::vector<NamedExpression>> ExpressionResolver::expand_star(const unresolved::Star& star,
                                                                     const plan::Origin& origin) {
  ASSIGN_OR_RETURN(auto items, columns_of_star(star, origin));
  std::set<resolved::ColumnId> left_out;
  for (const auto& name : star.except) {
    const plan::Names& parts = unresolved::as<unresolved::Attribute>(name)->parts;
    ASSIGN_OR_RETURN(const auto match, find_in_inputs(scope_, parts, name->origin));
    if (match.has_value() && !match->fields.empty())
      return at(unsupported("SELECT * EXCEPT a field of a struct"), name->origin);
    const auto found = std::find_if(items.begin(), items.end(), [&](const NamedExpression& item) {
      return match.has_value() && item.column.id == match->column.id;
    });
    if (found == items.end()) {
      std::string candidates;
      for (const NamedExpression& item : items)
        candidates += (candidates.empty() ? "" : ", ") + quoted_name(item.column.name);
      return at(error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
                      {{"objectName", quoted_name(parts)}, {"proposal", candidates}}),
                origin);
    }
    if (!left_out.insert(found->column.id).second) {
      std::string columns;
      for (const auto& other : star.except)
        columns +=
            (columns.empty() ? "" : ", ") + plain_name(unresolved::as<unresolved::Attribute>(other)->parts);
      return at(error("EXCEPT_OVERLAPPING_COLUMNS", {{"columns", columns}}), origin);
    }
  }
  std::erase_if(items, [&](const NamedExpression& item) { return left_out.contains(item.column.id); });
  return items;
}

Result<std::vector<NamedExpression>> ExpressionResolver::columns_of_star(const unresolved::Star& star,
                                                                         const plan::Origin& origin) {
  std::vector<NamedExpression> items;
  const auto add = [&](const resolved::Columns& columns) {
    for (const resolved::Column& column : columns) items.push_back({reference_to(column, origin), column});
  };
  if (star.target.empty() && star.plan_id < 0) {
    for (const Input* input : scope_.inputs) add(input->columns);
    return items;
  }
  if (star.plan_id >= 0) {
    for (const Input* input : scope_.inputs) {
      for (const DataFrame& frame : input->data_frames) {
        if (frame.plan_id != star.plan_id) continue;
        add(*frame.columns);
        return items;
      }
    }
    return at(error("CANNOT_RESOLVE_DATAFRAME_COLUMN", {{"name", "`*`"}}), origin);
  }
  add(qualified_columns(scope_, star.target));
  if (!items.empty()) return items;
  ASSIGN_OR_RETURN(auto match, find_in_inputs(scope_, star.target, origin));
  if (match.has_value()) {
    ASSIGN_OR_RETURN(const ExpressionPtr structure, from_match(*match, origin));
    if (structure->type.is(TypeId::kStruct)) {
      for (const types::StructField& field : structure->type.fields()) {
        ASSIGN_OR_RETURN(ExpressionPtr value, get_field(structure, field.name, origin));
        resolved::Column column{analysis_.next_id(), field.name, value->type,
                                value->nullable,     {},         field.metadata_json};
        items.push_back({std::move(value), std::move(column)});
      }
      return items;
    }
  }
  std::string columns;
  for (const Input* input : scope_.inputs) {
    for (const resolved::Column& column : input->columns) {
      columns += (columns.empty() ? "" : ", ") + quoted_name(column.name);
    }
  }
  return at(
      error("CANNOT_RESOLVE_STAR_EXPAND", {{"targetString", quoted_name(star.target)}, {"columns", columns}}),
      origin);
}

Result<std::vector<NamedExpression>> ExpressionResolver::resolve_item(const unresolved::ExpressionPtr& item) {
  if (const auto* text = unresolved::as<unresolved::SqlText>(item)) {
    ASSIGN_OR_RETURN(const auto parsed, parse_text(*text));
    return resolve_item(parsed);
  }
  if (const auto* star = unresolved::as<unresolved::Star>(item)) return expand_star(*star, item->origin);
  if (const auto* regex = unresolved::as<unresolved::ColumnRegex>(item)) {
    std::vector<NamedExpression> items;
    std::string pattern = regex->pattern;
    if (pattern.size() > 1 && pattern.front() == '`') pattern = pattern.substr(1, pattern.size() - 2);
    const std::regex matcher(pattern, std::regex::ECMAScript | std::regex::icase);
    for (const Input* input : scope_.inputs) {
      for (const resolved::Column& column : input->columns) {
        if (std::regex_match(column.name, matcher))
          items.push_back({reference_to(column, item->origin), column});
      }
    }
    return items;
  }
  const auto* alias = unresolved::as<unresolved::Alias>(item);
  if (alias != nullptr && alias->names.size() > 1) {
    return at(error("MULTI_ALIAS_WITHOUT_GENERATOR",
                    {{"expr", quoted_expression(pretty(alias->child))}, {"names", plain_name(alias->names)}}),
              item->origin);
  }
  auto resolved_item = resolve(item);
  if (!resolved_item.ok()) {
    const bool nested = resolved_item.status().condition() == "UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS";
    return nested
               ? error(resolved_item.status().condition(), {{"expression", quoted_expression(pretty(item))}})
               : resolved_item.status();
  }
  const ExpressionPtr value = with_existence(*resolved_item, false);
  NamedExpression named{value, {0, "", value->type, value->nullable, {}, ""}};
  const auto* reference = resolved::as<resolved::ColumnReference>(value);
  resolved::Column source;
  if (reference != nullptr) {
    for (const Input* input : scope_.inputs) {
      for (const resolved::Columns* columns : {&input->columns, &input->hidden}) {
        for (const resolved::Column& column : *columns) {
          if (column.id == reference->id) source = column;
        }
      }
    }
  }
  named.column.metadata_json = source.metadata_json;
  if (alias != nullptr) {
    named.column.id = analysis_.next_id();
    named.column.name = alias->names.empty() ? pretty(alias->child) : alias->names[0];
    if (!alias->metadata_json.empty()) named.column.metadata_json = alias->metadata_json;
    return std::vector<NamedExpression>{std::move(named)};
  }
  const auto* attribute = unresolved::as<unresolved::Attribute>(item);
  if (attribute != nullptr && reference != nullptr && source.id != 0) {
    named.column = source;
    named.column.name = attribute->parts.back();
    return std::vector<NamedExpression>{std::move(named)};
  }
  named.column.name = item_name(item);
  named.column.id = analysis_.next_id();
  return std::vector<NamedExpression>{std::move(named)};
}

}  // namespace deuteron::analyzer
