#include <string>

#include "functions/coercion.h"
#include "relational/lowering/call_writer.h"
#include "relational/relation_writer.h"

namespace deuteron::relational {

using plan::resolved::AggregateCall;
using plan::resolved::Call;
using plan::resolved::Cast;
using plan::resolved::ColumnReference;
using plan::resolved::ExpressionPtr;
using plan::resolved::Expressions;
using plan::resolved::GetField;
using plan::resolved::Lambda;
using plan::resolved::Literal;
using plan::resolved::Window;
using types::DataType;
using types::TypeId;

bool is_nested(const DataType& type) { return type.is(TypeId::kArray) || type.is(TypeId::kStruct); }

namespace {

// The sub-query that an expression asks with IN; null: it is no such expression.
const plan::resolved::InSubquery* in_subquery(const ExpressionPtr& expression) {
  return std::get_if<plan::resolved::InSubquery>(&expression->node);
}

}  // namespace

Result<std::string> ExpressionWriter::write(const ExpressionPtr& expression) {
  ASSIGN_OR_RETURN(Written written, write_node(expression));
  if (expression->type.is(TypeId::kDecimal) && !written.type.same_type(expression->type)) {
    return cast_to(written.sql, expression->type);
  }
  return std::move(written.sql);
}

Result<Written> ExpressionWriter::write_loose(const ExpressionPtr& expression) {
  return write_node(expression);
}

Result<std::string> ExpressionWriter::write_key(const ExpressionPtr& expression) {
  ASSIGN_OR_RETURN(Written written, write_node(expression));
  if (expression->type.is(TypeId::kDecimal)) return write(expression);
  return without_negative_zero(written.sql, expression->type);
}

std::string ExpressionWriter::order_key(const std::string& sql, const DataType& type) {
  if (!is_nested(type)) return sql;
  fragment_.add_kernel("order_key");
  return "order_key(" + sql + ")";
}

std::string ExpressionWriter::without_negative_zero(const std::string& sql, const DataType& type) {
  if (type.is(TypeId::kDouble) || type.is(TypeId::kFloat)) {
    // -0.0 + 0.0 is 0.0. DuckDB leaves out an added zero of integers only.
    return "(" + sql + " + CAST(0 AS " + duckdb_type(type) + "))";
  }
  if (type.is(TypeId::kArray)) {
    const std::string element = "v" + std::to_string(++next_name_);
    const std::string changed = without_negative_zero(element, type.element());
    return changed == element ? sql : "list_transform(" + sql + ", lambda " + element + ": " + changed + ")";
  }
  if (type.is(TypeId::kStruct)) {
    // A lambda's parameter holds the struct, so that it is evaluated once.
    const std::string whole = "v" + std::to_string(++next_name_);
    std::string fields;
    bool changes = false;
    for (const auto& field : type.fields()) {
      const std::string value = "struct_extract(" + whole + ", " + quote_text(field.name) + ")";
      const std::string changed = without_negative_zero(value, field.type);
      changes = changes || changed != value;
      fields += (fields.empty() ? "" : ", ") + quote_name(field.name) + " := " + changed;
    }
    if (changes) {
      return "list_extract(list_transform([" + sql + "], lambda " + whole + ": CASE WHEN " + whole +
             " IS NOT NULL THEN struct_pack(" + fields + ") END), 1)";
    }
  }
  return sql;
}

Result<std::string> ExpressionWriter::write_sort_key(const plan::resolved::SortKey& key) {
  ASSIGN_OR_RETURN(const Written written, write_node(key.expression));
  if (std::holds_alternative<Literal>(key.expression->node)) {
    // A bare number would be taken as the position of a column.
    return "(" + written.sql + " IS NULL)";
  }
  // A column that DuckDB sorts by comes back out of the sort's own keys, in which -0.0 is 0.0: something else
  // than the column is sorted by.
  return order_key(without_negative_zero(written.sql, key.expression->type), key.expression->type) +
         (key.ascending ? " ASC" : " DESC") + (key.nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

Result<Written> ExpressionWriter::write_node(const ExpressionPtr& expression) {
  const DataType& type = expression->type;
  if (const auto* literal = std::get_if<Literal>(&expression->node)) {
    ASSIGN_OR_RETURN(std::string sql, write_literal(literal->value, type));
    return Written{std::move(sql), type};
  }
  if (const auto* column = std::get_if<ColumnReference>(&expression->node)) {
    if (const auto parameter = lambda_parameters_.find(column->id); parameter != lambda_parameters_.end()) {
      return Written{parameter->second, type};
    }
    ASSIGN_OR_RETURN(std::string name, relations_.name_of(column->id));
    return Written{std::move(name), relations_.actual_type(column->id, type)};
  }
  if (const auto* call = std::get_if<Call>(&expression->node)) return write_call(expression, *call);
  if (const auto* cast = std::get_if<Cast>(&expression->node)) {
    const Expressions arguments = {cast->child};
    CallWriter call(*this, *expression, arguments, "cast", cast->mode != plan::CastMode::kLegacy);
    ASSIGN_OR_RETURN(Written child, write_node(cast->child));
    if (const auto* constant = std::get_if<Literal>(&cast->child->node)) {
      if (const auto folded = functions::fold_cast(constant->value, cast->child->type, type)) {
        ASSIGN_OR_RETURN(std::string sql, write_literal(*folded, type));
        return Written{std::move(sql), type};
      }
    }
    if (child.type.is(TypeId::kDecimal) && type.is(TypeId::kDecimal) && child.type.scale() == type.scale() &&
        cast->child->type.precision() <= type.precision()) {
      return child;  // only the precision grows: left to whoever needs the exact carrier
    }
    child = no_wider(std::move(child), cast->child->type);
    ASSIGN_OR_RETURN(std::string sql, write_cast(call, child.sql, child.type, type, cast->mode));
    return Written{std::move(sql), type};
  }
  if (const auto* aggregate = std::get_if<AggregateCall>(&expression->node))
    return write_aggregate(expression, *aggregate, "");
  if (const auto* window = std::get_if<Window>(&expression->node)) return write_window(expression, *window);
  if (const auto* field = std::get_if<GetField>(&expression->node)) {
    ASSIGN_OR_RETURN(const std::string child, write(field->child));
    const std::string& name = field->child->type.fields()[static_cast<size_t>(field->ordinal)].name;
    return Written{"struct_extract(" + child + ", " + quote_text(name) + ")", type};
  }
  if (const auto* lambda = std::get_if<Lambda>(&expression->node)) return write_lambda(*lambda);
  if (const auto* scalar = std::get_if<plan::resolved::ScalarSubquery>(&expression->node)) {
    ASSIGN_OR_RETURN(const std::string query, relations_.write_subquery(scalar->plan));
    fragment_.add_scalar_subquery(expression->origin, is_correlated(scalar->plan));
    return Written{"(" + query + ")", type};
  }
  if (const auto* exists = std::get_if<plan::resolved::ExistsSubquery>(&expression->node)) {
    ASSIGN_OR_RETURN(const std::string query, relations_.write_subquery(exists->plan));
    return Written{"EXISTS (" + query + ")", type};
  }
  if (const auto* in = std::get_if<plan::resolved::InSubquery>(&expression->node)) {
    ASSIGN_OR_RETURN(std::string sql, write_in(*in, false));
    return Written{std::move(sql), type};
  }
  return internal_error("this expression cannot stand in a relational fragment");
}

// DuckDB compares rows with nulls otherwise than Spark does, so several values are compared one by one: a row
// that may be equal keeps NOT IN from being true.
Result<std::string> ExpressionWriter::write_in(const plan::resolved::InSubquery& in, bool is_negated) {
  ASSIGN_OR_RETURN(const std::string query, relations_.write_subquery(in.plan));
  if (in.values.size() == 1) {
    ASSIGN_OR_RETURN(const std::string value, write(in.values[0]));
    return "(" + value + (is_negated ? " NOT" : "") + " IN (" + query + "))";
  }
  const std::string table = "in" + std::to_string(++next_name_);
  std::string names;
  std::string condition;
  for (size_t i = 0; i < in.values.size(); ++i) {
    ASSIGN_OR_RETURN(const std::string value, write(in.values[i]));
    const std::string name = "v" + std::to_string(i);
    names += (i == 0 ? "" : ", ") + name;
    condition += (i == 0 ? "(" : " AND (") + value + " = " + table + "." + name + ")";
  }
  return std::string(is_negated ? "(NOT " : "(") + "EXISTS (SELECT 1 FROM (" + query + ") AS " + table + "(" +
         names + ") WHERE " + (is_negated ? "coalesce(" + condition + ", true)" : condition) + "))";
}

Result<Written> ExpressionWriter::write_lambda(const Lambda& lambda) {
  std::string parameters;
  for (const auto& parameter : lambda.parameters) {
    const std::string name = "p" + std::to_string(++next_name_);
    lambda_parameters_[parameter.id] = name;
    parameters += (parameters.empty() ? "" : ", ") + name;
  }
  ASSIGN_OR_RETURN(const std::string body, write(lambda.body));
  for (const auto& parameter : lambda.parameters) lambda_parameters_.erase(parameter.id);
  return Written{"lambda " + parameters + ": " + body, lambda.body->type};
}

Result<Written> ExpressionWriter::write_call(const ExpressionPtr& expression, const Call& call) {
  if (call.function == "not") {
    if (const auto* in = in_subquery(call.arguments[0])) {
      ASSIGN_OR_RETURN(std::string sql, write_in(*in, true));
      return Written{std::move(sql), expression->type};
    }
  }
  const CallRule* rule = find_call_rule(call.function);
  if (rule == nullptr) return unsupported("the function " + call.function);
  ASSIGN_OR_RETURN([[maybe_unused]] const std::string carrier, carrier_of(expression->type));
  CallWriter context(*this, *expression, call.arguments, call.function, call.ansi);
  ASSIGN_OR_RETURN(Written written, apply_rule(*rule, context));
  // DuckDB folds what is null to a null of no type.
  for (size_t i = 0; i < context.size(); ++i) {
    if (context.is_null_literal(i)) return Written{cast_to(written.sql, written.type), written.type};
  }
  return written;
}

}  // namespace deuteron::relational
