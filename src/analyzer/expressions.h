// Resolves expressions: names to columns, calls to functions with their implicit casts, and the names that
// Spark gives to columns without an alias. One resolver serves one place in a plan (a select list, a
// condition …) and one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "analyzer/analysis.h"
#include "functions/registry.h"

namespace deuteron::analyzer {

// What may stand at the place that is being resolved.
struct Allowed {
  bool aggregates = false;
  bool windows = false;
  // The error for an aggregate or window function where none may stand; "" is the general one.
  std::string operator_name;
  plan::Origin origin;  // of the relation, for errors that speak of all of it
};

// An output column and the expression that gives it.
struct NamedExpression {
  resolved::ExpressionPtr expression;
  resolved::Column column;
};

class ExpressionResolver {
 public:
  ExpressionResolver(Analysis& analysis, const Scope& scope, Allowed allowed = {})
      : analysis_(analysis), scope_(scope), allowed_(std::move(allowed)) {}

  Result<resolved::ExpressionPtr> resolve(const unresolved::ExpressionPtr& expression);
  // As resolve, then cast to boolean where Spark would; DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN names
  // `operator_name`.
  Result<resolved::ExpressionPtr> resolve_condition(const unresolved::ExpressionPtr& expression,
                                                    const std::string& error_condition,
                                                    const plan::Origin& origin);
  // One item of a select list: a star gives many columns.
  Result<std::vector<NamedExpression>> resolve_item(const unresolved::ExpressionPtr& item);
  Result<resolved::SortKey> resolve_sort_key(const unresolved::ExpressionPtr& order);
  // The columns a star stands for.
  Result<std::vector<NamedExpression>> expand_star(const unresolved::Star& star, const plan::Origin& origin);

  // The text of an expression as Spark names a column of it.
  std::string pretty(const unresolved::ExpressionPtr& expression);
  // The same with the qualifiers of columns.
  std::string qualified(const unresolved::ExpressionPtr& expression);
  // The name of a select item without an alias.
  std::string item_name(const unresolved::ExpressionPtr& item);

  // A call of a registered function on resolved arguments, with its implicit casts. For errors: `sql` is the
  // text of the call, `texts` those of its arguments.
  Result<resolved::ExpressionPtr> call(const std::string& function, resolved::Expressions arguments,
                                       const std::string& sql = "", const plan::Origin& origin = nullptr,
                                       const plan::Names& texts = {});

 private:
  using ExpressionResult = Result<resolved::ExpressionPtr>;

  Result<std::vector<NamedExpression>> columns_of_star(const unresolved::Star& star,
                                                       const plan::Origin& origin);
  resolved::ExpressionPtr with_existence(const resolved::ExpressionPtr& expression, bool is_condition);
  ExpressionResult resolve_node(const unresolved::ExpressionPtr& expression);
  ExpressionResult resolve_attribute(const unresolved::Attribute& attribute, const plan::Origin& origin);
  Result<std::optional<resolved::ExpressionPtr>> find_attribute(const unresolved::Attribute& attribute,
                                                                const plan::Origin& origin);
  Result<std::optional<Match>> find_below(const plan::Names& parts, const plan::Origin& origin);
  Result<std::optional<resolved::ExpressionPtr>> find_lambda_variable(const plan::Names& parts,
                                                                      const plan::Origin& origin);
  Result<std::optional<resolved::ExpressionPtr>> find_alias(const plan::Names& parts,
                                                            const plan::Origin& origin);
  Result<std::optional<resolved::ExpressionPtr>> find_outer(const plan::Names& parts,
                                                            const plan::Origin& origin);
  ExpressionResult from_match(const Match& match, const plan::Origin& origin);
  // base: the text of `child`, for errors.
  ExpressionResult get_field(resolved::ExpressionPtr child, const std::string& name,
                             const plan::Origin& origin, const std::string& base = "");
  ExpressionResult fields_of(resolved::ExpressionPtr child, const plan::Names& fields,
                             const plan::Origin& origin);
  ExpressionResult resolve_extract(const unresolved::ExpressionPtr& expression,
                                   const unresolved::ExtractValue& extract);
  ExpressionResult resolve_cast(const unresolved::ExpressionPtr& expression,
                                const unresolved::ExpressionPtr& child, const types::DataType& type,
                                plan::CastMode mode);
  Status impossible_cast(const types::DataType& from, const types::DataType& to, plan::CastMode mode,
                         std::string sql) const;
  ExpressionResult resolve_window(const unresolved::ExpressionPtr& expression,
                                  const unresolved::Window& window);
  ExpressionResult resolve_subquery(const unresolved::ExpressionPtr& expression,
                                    const unresolved::Subquery& subquery);
  // `expression`: the call as it stands in the query; `python`: the function and its arguments.
  ExpressionResult resolve_python(const unresolved::ExpressionPtr& expression,
                                  const unresolved::PythonCall& python);
  ExpressionResult bind_python(const unresolved::PythonCall& python, const plan::Origin& origin);
  ExpressionResult resolve_update_field(const unresolved::UpdateField& update, const plan::Origin& origin);
  Result<unresolved::ExpressionPtr> parse_text(const unresolved::SqlText& text);

  // Function calls: function_calls.cc.
  ExpressionResult resolve_call(const unresolved::ExpressionPtr& expression,
                                const unresolved::FunctionCall& call);
  ExpressionResult resolve_constant_function(const unresolved::ExpressionPtr& expression,
                                             const unresolved::FunctionCall& call, const std::string& name);
  ExpressionResult resolve_struct(const unresolved::FunctionCall& call, const plan::Origin& origin);
  ExpressionResult resolve_grouping(const unresolved::ExpressionPtr& expression,
                                    const unresolved::FunctionCall& call, const std::string& name);
  Result<unresolved::Expressions> expand_arguments(const unresolved::FunctionCall& call,
                                                   const std::string& name);
  Status resolve_arguments(const functions::Function& function, const unresolved::Expressions& arguments,
                           resolved::Expressions& result);
  Status resolve_lambdas(const functions::Function& function, const unresolved::Expressions& arguments,
                         resolved::Expressions& result);
  ExpressionResult build_call(const unresolved::ExpressionPtr& expression,
                              const functions::Function& function, resolved::Expressions arguments,
                              const unresolved::FunctionCall& call);
  ExpressionResult build_aggregate(const unresolved::ExpressionPtr& expression,
                                   const functions::Call& signature, resolved::Expressions arguments,
                                   const unresolved::FunctionCall& call);
  Status check_distinct_order(const resolved::AggregateCall& aggregate, const unresolved::FunctionCall& call);
  Status check_aggregate_place(const unresolved::ExpressionPtr& expression);
  Status check_ordering(const functions::Function& function, const unresolved::FunctionCall& call) const;

  // Windows: windows.cc.
  Result<std::shared_ptr<const resolved::WindowFrame>> resolve_frame(
      const unresolved::ExpressionPtr& expression, const unresolved::Window& window,
      const resolved::ExpressionPtr& function, const std::vector<resolved::SortKey>& order);
  Result<resolved::FrameBound> resolve_bound(const unresolved::FrameBound& bound, plan::FrameUnit unit,
                                             const std::vector<resolved::SortKey>& order);

  // Pretty names: pretty_name.cc.
  std::string pretty_attribute(const unresolved::Attribute& attribute);
  std::string pretty_call(const unresolved::FunctionCall& call);
  std::string pretty_row(const unresolved::FunctionCall& call, const std::string& name);
  std::string pretty_arithmetic(const functions::Function& function, const unresolved::FunctionCall& call,
                                const plan::Names& operands);
  types::DataType type_of(const unresolved::ExpressionPtr& expression);
  std::string pretty_window(const unresolved::Window& window);
  std::string pretty_window_specification(const unresolved::Window& window);
  std::string pretty_cast(const unresolved::ExpressionPtr& child, const types::DataType& type,
                          plan::CastMode mode);
  std::string pretty_subquery(const unresolved::ExpressionPtr& expression,
                              const unresolved::Subquery& subquery);
  plan::Names pretty_list(const unresolved::Expressions& expressions);

  Analysis& analysis_;
  const Scope& scope_;
  Allowed allowed_;
  bool inside_aggregate_ = false;
  bool inside_window_function_ = false;
  bool with_qualifiers_ = false;
  bool in_python_function_ = false;  // whose arguments are shown otherwise
  bool shows_bound_lambdas_ = true;  // lambda variables by Spark's common name, not by their own
  std::vector<resolved::Columns> lambda_parameters_;  // innermost last
  // Of the sums and products resolved so far: their operands' names depend on it.
  std::map<unresolved::ExpressionPtr, types::DataType> arithmetic_types_;
};

// `expression` as a value of `type`: itself when it is one already, a typed null, or under a cast.
// `origin`: of the call that wants the cast; without it the expression's own.
resolved::ExpressionPtr cast_implicitly(resolved::ExpressionPtr expression, const types::DataType& type,
                                        const plan::Origin& origin = nullptr);
// The value of a literal, also under an implicit cast that keeps it; else null. Lives as long as
// `expression`.
const types::Value* literal_value(const resolved::ExpressionPtr& expression);
resolved::ExpressionPtr make_literal(types::TypedValue value, plan::Origin origin = nullptr);
resolved::ExpressionPtr make_long(int64_t value);
resolved::ExpressionPtr make_integer(int32_t value);
resolved::ExpressionPtr make_string(std::string value);
// Both sides of a condition joined by AND; either may be null.
resolved::ExpressionPtr both(resolved::ExpressionPtr left, resolved::ExpressionPtr right);

// The outermost calls of aggregate functions, Spark's and Python's, not those of sub-queries.
std::vector<unresolved::ExpressionPtr> aggregate_calls(const unresolved::ExpressionPtr& expression,
                                                       const catalog::CatalogView& catalog);
bool contains_window(const unresolved::ExpressionPtr& expression);
bool contains_aggregate_call(const unresolved::ExpressionPtr& expression,
                             const catalog::CatalogView& catalog);
// The type whose name, used as a function, casts to it: int('1').
std::optional<types::DataType> cast_function_type(const std::string& name);
bool is_generator_name(const std::string& name);
// The name of the field that the argument at `index` of struct(…) makes.
std::string struct_field_name(const unresolved::ExpressionPtr& argument, size_t index);
// + - *
bool is_arithmetic(const std::string& name);

}  // namespace deuteron::analyzer
