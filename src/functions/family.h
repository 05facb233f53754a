// How a family file tells its functions: one Function entry each, most of them a line of data. Internal to
// functions/.
//
// A signature is "(parameter, …) -> result".
//   parameter  a type word, or several joined by |, of which the first that fits is taken; `?` after it:
//   optional; `*`: any number; `=` before it: taken without a cast. words      boolean tinyint smallint int
//   bigint float double decimal string binary date timestamp timestamp_ntz
//              numeric integral fractional(double|float) interval  any (taken as it is)  array map struct
//              text (a string, and nothing that could be cast to one)
//              T (all T are brought to their widest common type)  U (the same without promotion of strings)
//   result     a concrete type word, a number (the type of that argument), T, array<0>, element0 (of argument
//   0's array)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "functions/coercion.h"
#include "functions/registry.h"

namespace deuteron::functions {

enum class Nulls {
  kAny,  // null when an argument is null
  kAll,  // null when all arguments are null
  kNever,
  kAlways,  // may be null whatever the arguments
};

class Context;
using Resolver = Result<Call> (*)(const Context&);
// Spark's text of a call under the name that the user wrote; empty: the function's own.
using Shown = std::string (*)(std::string_view called_as, const std::vector<std::string>& arguments);
using LambdaResolver = Result<LambdaSignature> (*)(const std::vector<Argument>& arguments, int index);

struct Function {
  std::string_view name;
  std::string_view signature;
  Nulls nulls = Nulls::kAny;
  Kind kind = Kind::kScalar;
  // Separated by spaces; a call by an alias is shown as "alias(…)", unless `:` stands before it.
  std::string_view aliases = {};
  // Spark's way of writing a call: "{0}" are arguments, "{*}" all of them joined by ", "; empty: "name({*})".
  // "a;b": a for one argument, b for any other number.
  std::string_view display = {};
  std::string_view defaults = {};  // "3:a|b": of 3 arguments the last ones, when absent, are shown as a and b
  std::string_view binary_defaults = {};  // instead of `defaults` when the first argument is binary
  Shown shown = nullptr;                  // instead of `display`, for what a pattern cannot tell
  Resolver resolver = nullptr;            // instead of the signature
  LambdaResolver lambda = nullptr;        // of higher-order functions
  bool deterministic = true;
  bool needs_order = false;
  // The name of a call shows no more arguments than these; its other ones are settings.
  size_t shown_arguments = SIZE_MAX;
  Orderings orderings = Orderings::kNone;
};

// What a resolver sees: the call, and the errors that Spark raises about it.
class Context {
 public:
  Context(const Function& function, const std::vector<Argument>& arguments, const ResolveOptions& options)
      : function(function), arguments(arguments), options(options) {}

  const Function& function;
  const std::vector<Argument>& arguments;
  const ResolveOptions& options;

  size_t size() const { return arguments.size(); }
  const types::DataType& type(size_t index) const { return arguments[index].type; }
  bool any_nullable() const;
  bool all_nullable() const;
  std::string display() const;
  // The name that the user wrote, or the canonical one.
  std::string called_name() const;

  // A call with the arguments' types as they are.
  Call call(types::DataType type, bool nullable) const;
  Call call(std::string_view name, std::vector<types::DataType> argument_types, types::DataType type,
            bool nullable) const;

  Status wrong_number(std::string_view expected) const;
  // The same where Spark counts only when it checks types: its error then has no query context.
  Status wrong_number_nowhere(std::string_view expected) const;
  // `required` as Spark writes it: "\"DATE\"", or words in the signature's language ("double|float").
  Status unexpected_type(size_t index, std::string_view required, std::string_view sql = {}) const;
  Status differing_types(std::string_view function_name, const std::vector<types::DataType>& found,
                         bool as_list) const;
  Status binary_differing(const types::DataType& left, const types::DataType& right) const;
  Status binary_wrong(std::string_view required, const types::DataType& actual) const;
  Status mismatch(std::string_view sub_condition, std::map<std::string, std::string> parameters) const;
  Status not_foldable(size_t index, std::string_view name) const;

  // Argument `index` brought to the words of a signature.
  Result<types::DataType> coerce(size_t index, std::string_view words) const;
};

// The type that an argument must be cast to in order to be taken as `word`; nullopt: it is not taken.
std::optional<types::DataType> accept(const types::DataType& from, std::string_view word);
// "int|smallint" -> ("INT" or "SMALLINT"), as errors show it.
std::string required_text(std::string_view words);
std::string quoted_type(const types::DataType& type);
inline types::DataType atomic(types::TypeId id) { return types::DataType(id); }
// name(a, b)
std::string plain_call(std::string_view name, const std::vector<std::string>& arguments);
// NAME(a, b): functions that Spark shows in upper case.
std::string upper_case_call(std::string_view called_as, const std::vector<std::string>& arguments);
// "first", "second" …
std::string ordinal(size_t index);
// An integral literal's value.
std::optional<int64_t> literal_integer(const Argument& argument);
std::optional<std::string> literal_text(const Argument& argument);
Result<Call> resolve_by_signature(const Context& context);
// By another signature than the function's own.
Result<Call> resolve_by(std::string_view signature, const Context& context);

// The families, each in a file of its name.
struct Family {
  const Function* begin;
  const Function* end;
};
Family arithmetic_family();
Family mathematics_family();
Family comparison_family();
Family logical_family();
Family conditional_family();
Family string_family();
Family date_time_family();
Family interval_family();
Family aggregate_family();
Family window_family();
Family collection_family();
Family lambda_family();
Family generator_family();
Family json_family();
Family miscellaneous_family();

#define DEUTERON_FAMILY(name, table) \
  Family name##_family() { return Family{std::begin(table), std::end(table)}; }

}  // namespace deuteron::functions
