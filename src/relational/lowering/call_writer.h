// What the lowering of one call sees: its arguments as SQL text, its types, and how to raise Spark's errors
// from SQL. Internal to lowering/; lives while the call is being written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relational/lowering/lowering.h"

namespace deuteron::relational {

using Texts = std::vector<std::string>;

class CallWriter {
 public:
  CallWriter(ExpressionWriter& writer, const plan::resolved::Expression& expression,
             const plan::resolved::Expressions& arguments, std::string_view function, bool ansi)
      : function(function), ansi(ansi), writer_(writer), expression_(expression), arguments_(arguments) {}

  const std::string_view function;
  const bool ansi;

  size_t size() const { return arguments_.size(); }
  const types::DataType& type(size_t index) const { return arguments_[index]->type; }
  const types::DataType& result() const { return expression_.type; }
  bool nullable(size_t index) const { return arguments_[index]->nullable; }
  const plan::resolved::ExpressionPtr& expression(size_t index) const { return arguments_[index]; }
  const plan::Origin& origin() const { return expression_.origin; }
  const WriterOptions& options() const { return writer_.options_; }
  bool narrow() const { return writer_.options_.narrow_decimals; }
  void set_narrow() { writer_.fragment_.set_uses_narrow_decimals(); }

  Result<std::string> argument(size_t index) { return writer_.write(arguments_[index]); }
  Result<Written> loose(size_t index) { return writer_.write_loose(arguments_[index]); }
  Result<Texts> all_arguments();
  // The value of an argument that is a literal (casts between whole numbers looked through); null when it is
  // none.
  const types::Value* literal(size_t index) const;
  std::optional<int64_t> literal_integer(size_t index) const;
  std::optional<std::string> literal_text(size_t index) const;
  bool is_null_literal(size_t index) const;
  // A literal number that is not zero, whatever it is cast to.
  bool is_nonzero_constant(size_t index) const;

  // SQL that raises; `values` are SQL texts of run-time parameters, "{0}", "{1}" … in the parameters.
  std::string raise(std::string condition, std::map<std::string, std::string> parameters,
                    const Texts& values = {});
  std::string raise_without_context(std::string condition, std::map<std::string, std::string> parameters,
                                    const Texts& values = {});
  // Notes that DuckDB itself checks this operation; gives back `sql`, in diagnosing mode with a check that
  // names the call. The error's run-time parameters are `values`, or else the operands.
  std::string natively_checked(const std::string& sql, std::string operation, std::string condition,
                               std::map<std::string, std::string> parameters, const Texts& operands = {},
                               bool with_context = true, const Texts& values = {});
  // name(arguments), with the kernel noted as needed.
  std::string kernel(const std::string& name, const Texts& arguments);
  void add_kernel(std::string name) { writer_.fragment_.add_kernel(std::move(name)); }
  // local ↔ UTC in the session's time zone, both as TIMESTAMP.
  std::string to_local(const std::string& timestamp) const;
  std::string to_utc(const std::string& timestamp) const;
  ExpressionWriter& writer() { return writer_; }
  std::string order_key(const std::string& sql, const types::DataType& type) {
    return writer_.order_key(sql, type);
  }
  std::string without_negative_zero(const std::string& sql, const types::DataType& type) {
    return writer_.without_negative_zero(sql, type);
  }
  // {k: the order key, v: the value itself}, null for null: what DuckDB picks or sorts in place of an array
  // or struct; struct_extract(…, 'v') gives the value back.
  std::string with_order_key(const std::string& sql, const types::DataType& type) {
    return "CASE WHEN " + sql + " IS NOT NULL THEN struct_pack(k := " + order_key(sql, type) +
           ", v := " + sql + ") END";
  }
  std::string each_with_order_key(const std::string& list, const types::DataType& element) {
    const std::string name = fresh_name();
    return "list_transform(" + list + ", lambda " + name + ": " + with_order_key(name, element) + ")";
  }
  // The body of the lambda that is argument `index`, with these texts for its parameters.
  Result<std::string> lambda_body(size_t index, const Texts& parameters);
  // SQL of body(name), in which `name` stands for `value`: however often it is used, the value is computed
  // once.
  template <typename Body>
  std::string bind(const std::string& value, const Body& body) {
    const std::string name = fresh_name();
    return "list_transform([" + value + "], lambda " + name + ": " + body(name) + ")[1]";
  }
  std::string fresh_name() { return "v" + std::to_string(++writer_.next_name_); }

 private:
  std::string raise_failure(Fragment::Failure failure, const Texts& values);

  ExpressionWriter& writer_;
  const plan::resolved::Expression& expression_;
  const plan::resolved::Expressions& arguments_;
};

// One function's lowering: a template ("{0}", "{1}", "{*}" are arguments; the text is cast to the result's
// carrier when `cast`), or a C++ function.
struct CallRule {
  std::string_view function;
  std::string_view text = {};
  bool cast = false;             // DuckDB's result type is not the carrier
  std::string_view kernel = {};  // a kernel that the text calls
  Result<std::string> (*lower)(CallWriter&) = nullptr;
  Result<Written> (*lower_loose)(CallWriter&) = nullptr;
};

// Null when the function has no lowering.
const CallRule* find_call_rule(std::string_view function);
Result<Written> apply_rule(const CallRule& rule, CallWriter& call);

struct RuleTable {
  const CallRule* begin;
  const CallRule* end;
};
RuleTable arithmetic_rules();
RuleTable mathematics_rules();
RuleTable comparison_rules();
RuleTable string_rules();
RuleTable date_time_rules();
RuleTable interval_rules();
RuleTable collection_rules();
RuleTable json_rules();
RuleTable cast_rules();

// CAST(text AS to), with Spark's meaning; errors are raised in the name of `call`.
Result<std::string> write_cast(CallWriter& call, const std::string& text, const types::DataType& from,
                               const types::DataType& to, plan::CastMode mode);
// Spark's text of a value, as CAST(x AS STRING) gives it.
// pretty: as DataFrame.show prints it (nulls inside as NULL, bytes as [61 62]).
Result<std::string> write_as_text(CallWriter& call, const std::string& text, const types::DataType& from,
                                  bool pretty = false);

// The constant pattern that is argument `index`, Java's regular expression in RE2's words, quoted.
// UNSUPPORTED: what RE2 does not have.
Result<std::string> regular_expression(const CallWriter& call, size_t index);

// json_tuple's only row, in a list.
Result<std::string> json_tuple(CallWriter& call, const types::Schema& fields);

// Arrays and structs, inside which DuckDB orders nulls otherwise than Spark.
bool is_nested(const types::DataType& type);
std::string cast_to(const std::string& text, const types::DataType& type);
// A decimal that DuckDB holds with more digits than its Spark type has (a sum) is cast to the latter: what is
// made of it would have more still. Everything else stays.
Written no_wider(Written written, const types::DataType& declared);
std::string cast_to(const std::string& text, std::string_view duckdb_type_name);
std::string replace_all(std::string text, std::string_view what, std::string_view with);
// INT8 … INT64, DECIMAL(38): as DuckDB's messages call a carrier.
std::string native_name(const types::DataType& type);
bool is_utc(std::string_view time_zone);
// SQL of an interval that moves a timestamp in UTC to `time_zone`, for zones that are a fixed offset; nullopt
// for named zones.
std::optional<int64_t> fixed_offset_seconds(std::string_view time_zone);
inline const std::string kAnsiSetting = "\"spark.sql.ansi.enabled\"";

}  // namespace deuteron::relational
