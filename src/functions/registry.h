// What each Spark function means: its signature, result type, null and overflow rule. Told as data, one
// family per file; knows nothing of the engine that runs it. All functions here are pure and thread-safe; a
// Function lives for ever.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "types/data_type.h"
#include "types/value.h"

namespace deuteron::functions {

enum class Kind { kScalar, kAggregate, kWindow, kGenerator };

// Describes one function; see family.h. Defined there so that callers cannot depend on how a signature is
// told.
struct Function;

struct Argument {
  types::DataType type;
  bool nullable = true;
  const types::Value* literal = nullptr;
  bool is_constant = false;  // the same for all rows, although it need not be a literal
  std::string sql;           // pretty text, for errors
  bool is_lambda = false;    // `type` is then the type of the lambda's body
  std::string name;          // of a named argument or column, for struct(a, b AS c); empty when it has none
  std::vector<Argument> elements;  // of an array of literals
};

struct Call {
  std::string function;                         // canonical name
  std::vector<types::DataType> argument_types;  // each argument must be cast (implicitly) to this
  std::vector<int> argument_order;  // resolved argument i is argument argument_order[i]; empty: as given
  types::DataType type;             // of a generator: the struct of its output columns
  bool nullable = true;
  std::string display;  // Spark's name for the column: "(a + b)", "round(a, 0)", "a IS NULL"
};

struct ResolveOptions {
  bool ansi = true;
  std::string time_zone = "UTC";
  std::string sql;           // pretty text of the whole call for errors; empty: the display name
  std::string called_as;     // the name that the user wrote; empty: the canonical one
  bool is_distinct = false;  // count(DISTINCT a); for the display name
};

// Case-insensitive, aliases included, operators by their symbol. Null: the caller answers UNRESOLVED_ROUTINE.
const Function* find(std::string_view name);

std::string_view name_of(const Function& function);
Kind kind_of(const Function& function);
// False for rand, uuid …: such a call must not be folded, moved or repeated.
bool is_deterministic(const Function& function);
// An aggregate that may also stand in an OVER clause is kAggregate; these are only for windows (rank, lag …).
inline bool is_window_only(const Function& function) { return kind_of(function) == Kind::kWindow; }
// Window functions that need ORDER BY, and whose frame is fixed.
bool needs_order(const Function& function);
// What WITHIN GROUP (ORDER BY …) means: nothing, so that it is refused; one key, which is the first argument
// and must be given; keys by which the values are put in order; or something that is not supported yet.
enum class Orderings { kNone, kOne, kAny, kUnsupported };
Orderings orderings_of(const Function& function);

// WRONG_NUM_ARGS, DATATYPE_MISMATCH.* with Spark's parameters, without query context. Implicit casts that the
// caller writes carry the origin of the call. Call::function may be another one: date + 1 is date_add.
Result<Call> resolve(const Function& function, const std::vector<Argument>& arguments,
                     const ResolveOptions& options);

// For higher-order functions: the parameters that the lambda standing at `index` takes, given the other
// arguments (those before it are resolved; a lambda's own entry is ignored). Empty result: argument `index`
// is no lambda. The caller names as many parameters as the lambda declares: at least the first `required`,
// the rest are optional (transform's index).
struct LambdaParameter {
  types::DataType type;
  bool nullable = true;
};
struct LambdaSignature {
  std::vector<LambdaParameter> parameters;
  int required = 0;
};
bool takes_lambda(const Function& function);
Result<LambdaSignature> lambda_signature(const Function& function, const std::vector<Argument>& arguments,
                                         int index);

// The name that Spark gives the column of this call, as in Call::display, without resolving it.
std::string display_name(const Function& function, std::string_view called_as,
                         const std::vector<std::string>& arguments, bool is_distinct = false,
                         bool first_is_binary = false);
// Whether display_name depends on its last argument.
bool shows_binary_otherwise(const Function& function);

// Every registered name and alias, sorted; for tests and for SHOW FUNCTIONS.
std::vector<std::string_view> registered_names();

}  // namespace deuteron::functions
