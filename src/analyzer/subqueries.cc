// Sub-query expressions, grouping functions and struct updates.
#include "analyzer/errors.h"
#include "analyzer/expressions.h"
#include "analyzer/relations.h"
#include "functions/coercion.h"

namespace deuteron::analyzer {

using plan::SubqueryKind;
using resolved::ExpressionPtr;
using resolved::RelationPtr;
using types::DataType;
using types::TypeId;

namespace {

// The sub-query's columns brought to `types`.
RelationPtr with_types(Analysis& analysis, const RelationPtr& plan, const std::vector<DataType>& types) {
  resolved::Expressions expressions;
  resolved::Columns output;
  bool changed = false;
  for (size_t i = 0; i < types.size(); ++i) {
    const resolved::Column& column = plan->output[i];
    ExpressionPtr value = cast_implicitly(reference_to(column), types[i]);
    const bool casted = resolved::as<resolved::ColumnReference>(value) == nullptr;
    output.push_back(
        {casted ? analysis.next_id() : column.id, column.name, value->type, value->nullable, {}, ""});
    expressions.push_back(std::move(value));
    changed |= casted;
  }
  if (!changed) return plan;
  const int32_t partitions = plan->partitions;
  return resolved::make_relation(resolved::Project{plan, std::move(expressions)}, std::move(output),
                                 partitions);
}

}  // namespace

Result<ExpressionPtr> ExpressionResolver::resolve_subquery(const unresolved::ExpressionPtr& expression,
                                                           const unresolved::Subquery& subquery) {
  unresolved::RelationPtr relation = subquery.plan;
  if (relation == nullptr) {
    const auto found = analysis_.references.find(subquery.plan_id);
    if (found == analysis_.references.end()) return internal_error("a sub-query names an unknown DataFrame");
    relation = found->second;
  }
  ASSIGN_OR_RETURN(const Input input, RelationResolver(analysis_, &scope_).resolve_settled(relation));
  RelationPtr plan = input.plan;
  if (subquery.kind == SubqueryKind::kExists) {
    return resolved::make_expression(resolved::ExistsSubquery{std::move(plan)}, DataType(TypeId::kBoolean),
                                     false, expression->origin);
  }
  if (subquery.kind == SubqueryKind::kScalar) {
    if (plan->output.size() != 1) {
      return at(error("INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN",
                      {{"number", std::to_string(plan->output.size())}}),
                expression->origin);
    }
    const DataType type = plan->output[0].type;
    return resolved::make_expression(resolved::ScalarSubquery{std::move(plan)}, type, true,
                                     expression->origin);
  }
  resolved::Expressions values;
  for (const auto& value : subquery.values) {
    ASSIGN_OR_RETURN(ExpressionPtr resolved_value, resolve(value));
    values.push_back(std::move(resolved_value));
  }
  if (values.size() != plan->output.size()) {
    std::string left;
    std::string right;
    for (const auto& value : subquery.values)
      left += (left.empty() ? "" : ", ") + quoted_expression(pretty(value));
    for (const auto& column : plan->output)
      right += (right.empty() ? "" : ", ") + quoted_expression(column.name);
    return at(error("DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH",
                    {{"sqlExpr", quoted_expression(pretty(expression))},
                     {"leftLength", std::to_string(values.size())},
                     {"rightLength", std::to_string(plan->output.size())},
                     {"leftColumns", left},
                     {"rightColumns", right}}),
              expression->origin);
  }
  std::vector<DataType> types;
  bool nullable = false;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto type =
        functions::widest_common_type(values[i]->type, plan->output[i].type, analysis_.settings.ansi);
    if (!type.has_value()) {
      return at(error("DATATYPE_MISMATCH.IN_SUBQUERY_DATA_TYPE_MISMATCH",
                      {{"sqlExpr", quoted_expression(pretty(expression))},
                       {"mismatchedColumns", ""},
                       {"leftType", quoted_type(values[i]->type)},
                       {"rightType", quoted_type(plan->output[i].type)}}),
                expression->origin);
    }
    nullable |= values[i]->nullable || plan->output[i].nullable;
    values[i] = cast_implicitly(std::move(values[i]), *type);
    types.push_back(*type);
  }
  plan = with_types(analysis_, plan, types);
  return resolved::make_expression(resolved::InSubquery{std::move(values), std::move(plan)},
                                   DataType(TypeId::kBoolean), nullable, expression->origin);
}

// Placeholders that over_aggregate replaces once the grouping is known.
Result<ExpressionPtr> ExpressionResolver::resolve_grouping(const unresolved::ExpressionPtr& expression,
                                                           const unresolved::FunctionCall& call,
                                                           const std::string& name) {
  if (!allowed_.aggregates) return at(error("UNSUPPORTED_GROUPING_EXPRESSION"), expression->origin);
  resolved::Expressions arguments;
  for (const auto& argument : call.arguments) {
    ASSIGN_OR_RETURN(ExpressionPtr value, resolve(argument));
    arguments.push_back(std::move(value));
  }
  const bool is_id = name != "grouping";
  if (!is_id && arguments.size() != 1) {
    return at(
        error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", {{"functionName", "`grouping`"},
                                                    {"expectedNum", "1"},
                                                    {"actualNum", std::to_string(arguments.size())},
                                                    {"docroot", "https://spark.apache.org/docs/latest"}}),
        expression->origin);
  }
  return resolved::make_expression(
      resolved::Call{is_id ? "grouping_id" : "grouping", std::move(arguments), analysis_.settings.ansi},
      DataType(is_id ? TypeId::kLong : TypeId::kByte), false, expression->origin);
}

// withField, dropFields: a new struct of the old fields.
Result<ExpressionPtr> ExpressionResolver::resolve_update_field(const unresolved::UpdateField& update,
                                                               const plan::Origin& origin) {
  ASSIGN_OR_RETURN(const ExpressionPtr structure, resolve(update.structure));
  const std::string text = quoted_expression(pretty(update.structure));
  if (!structure->type.is(TypeId::kStruct)) {
    return at(error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", {{"sqlExpr", text},
                                                                {"paramIndex", "first"},
                                                                {"inputSql", text},
                                                                {"inputType", quoted_type(structure->type)},
                                                                {"requiredType", "\"STRUCT\""}}),
              origin);
  }
  if (update.field.find('.') != std::string::npos)
    return at(unsupported("withField on a nested field"), origin);
  if (structure->nullable)
    return at(unsupported("withField and dropFields on a struct that may be null"), origin);
  ExpressionPtr value;
  if (update.value != nullptr) {
    ASSIGN_OR_RETURN(value, resolve(update.value));
  }
  resolved::Expressions arguments;
  bool found = false;
  const types::Schema fields = structure->type.fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    const bool is_it = same_name(fields[i].name, update.field, scope_.case_sensitive);
    found |= is_it;
    if (is_it && value == nullptr) continue;
    arguments.push_back(make_string(is_it ? update.field : fields[i].name));
    arguments.push_back(
        is_it ? value
              : resolved::make_expression(resolved::GetField{structure, static_cast<int32_t>(i)},
                                          fields[i].type, fields[i].nullable, origin));
  }
  if (!found && value != nullptr) {
    arguments.push_back(make_string(update.field));
    arguments.push_back(value);
  }
  if (arguments.empty())
    return at(error("DATATYPE_MISMATCH.CANNOT_DROP_ALL_FIELDS", {{"sqlExpr", text}}), origin);
  return call("named_struct", std::move(arguments), "", origin);
}

}  // namespace deuteron::analyzer
