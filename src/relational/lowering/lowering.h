// Resolved expressions -> DuckDB SQL text with Spark's meaning. The text's DuckDB type is always exactly the
// carrier (duckdb_type) of the expression's Spark type. One ExpressionWriter per fragment and run; not
// thread-safe.
//
// Carriers (docs/design/carriers.md): boolean BOOLEAN, byte…long TINYINT…BIGINT, float FLOAT, double DOUBLE,
// decimal DECIMAL(p,s), string VARCHAR, binary BLOB, date DATE, timestamp and timestamp_ntz TIMESTAMP
// (microseconds; timestamp is UTC), day-time interval BIGINT (microseconds), year-month interval INTEGER
// (months), calendar interval INTERVAL, array LIST, map MAP, struct STRUCT, null "NULL" (written as INTEGER
// NULL where a column needs a type).
//
// Errors at run time. The text raises error('deuteron#17…'): 17 is an index into the Fragment's table. After
// a failed run hand DuckDB's message to Fragment::status_of. Native overflow errors of DuckDB carry no id;
// when several operations could have raised one, status_of answers needs_diagnosis: write the fragment again
// with WriterOptions::diagnosing and run it once more (slow, but each operation then names itself).
//
// Narrow decimals. DuckDB keeps decimal arithmetic in 18 digits (and raises when they do not suffice), which
// is several times faster than the 38 that Spark's types ask for. With WriterOptions::narrow_decimals the
// text may do so too, and a run that needs more digits fails with needs_wide_decimals: write the fragment
// again without, and run it again. Only for fragments that hand out no row before their input is read (an
// aggregate or a sort above every scan), or whose rows are held back until the end. write_loose leaves such a
// value in its narrow DuckDB type; the columns of an inner projection may stay so when
// RelationSide::actual_type tells it to those who read them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "plan/resolved.h"
#include "types/data_type.h"

namespace deuteron::relational {

// DuckDB's type name that carries a Spark type. UNSUPPORTED: a struct with fields that differ only by case.
Result<std::string> carrier_of(const types::DataType& type);
// The same for a type that is known to be carried; "NULL" types give INTEGER.
std::string duckdb_type(const types::DataType& type);
// "name" quoted for DuckDB, 'text' as a DuckDB string literal.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);
// A literal, cast to its carrier.
Result<std::string> write_literal(const types::Value& value, const types::DataType& type);

// What can go wrong at run time in one fragment, and the kernels it needs. Filled by ExpressionWriter, read
// after the run.
class Fragment {
 public:
  // Parameters may hold "{0}", "{1}" …: the values that the SQL text appends after the id, in order.
  struct Failure {
    std::string condition;
    std::map<std::string, std::string> parameters;
    plan::Origin origin;
  };
  // An operation that DuckDB itself checks, with the words of its message: ("addition", "INT64").
  struct NativeCheck {
    std::string operation;
    Failure failure;
    bool has_own_values = false;  // that DuckDB's message does not tell: only a diagnosing run does
  };

  int add_failure(Failure failure);
  void add_native_check(NativeCheck check) { native_checks_.push_back(std::move(check)); }
  // DuckDB's error about more than one row does not say which sub-query it was.
  void add_scalar_subquery(plan::Origin origin, bool correlated) {
    scalar_subqueries_.push_back({std::move(origin), correlated});
  }
  void set_uses_narrow_decimals() { uses_narrow_decimals_ = true; }
  bool uses_narrow_decimals() const { return uses_narrow_decimals_; }
  void add_kernel(std::string name) { kernels_.insert(std::move(name)); }
  // Names for KernelRegistry::ensure, each one exact signature.
  const std::set<std::string>& kernels() const { return kernels_; }

  struct Diagnosis {
    Status status;                     // Spark's error; not OK
    bool needs_diagnosis = false;      // the status lacks its query context: run again in diagnosing mode
    bool needs_wide_decimals = false;  // no error yet: run again without narrow decimals
  };
  // nullopt: the message is none of ours (a file that cannot be read, out of memory, an internal error …).
  std::optional<Diagnosis> status_of(std::string_view duckdb_message) const;

 private:
  Status too_many_rows() const;

  std::vector<Failure> failures_;
  std::vector<NativeCheck> native_checks_;
  struct ScalarSubquery {
    plan::Origin origin;
    bool correlated;
  };
  std::vector<ScalarSubquery> scalar_subqueries_;
  std::set<std::string> kernels_;
  bool uses_narrow_decimals_ = false;
};

struct WriterOptions {
  std::string time_zone = "UTC";  // spark.sql.session.timeZone
  int64_t now_micros = 0;         // current_timestamp() of this query
  bool diagnosing = false;
  bool narrow_decimals = false;
  bool ansi = true;  // spark.sql.ansi.enabled: what CastMode::kDefault means
};

// SQL text whose DuckDB type carries `type`; for decimals `type` may have another precision than the
// expression's Spark type.
struct Written {
  std::string sql;
  types::DataType type;
};

// What the writer asks of whoever writes relations. Each answer is SQL text.
class RelationSide {
 public:
  virtual ~RelationSide() = default;
  // How a column is written where the expression stands, e.g. t3."c12".
  virtual Result<std::string> name_of(plan::resolved::ColumnId id) = 0;
  // The type in which the column is really held: `declared`, or for a decimal another precision (see "Narrow
  // decimals").
  virtual types::DataType actual_type(plan::resolved::ColumnId id, const types::DataType& declared) {
    static_cast<void>(id);
    return declared;
  }
  // A whole query without parentheses; its columns in the order of the relation's output.
  virtual Result<std::string> write_subquery(const plan::resolved::RelationPtr& relation) = 0;
};

class ExpressionWriter {
 public:
  // All three outlive the writer.
  ExpressionWriter(RelationSide& relations, Fragment& fragment, const WriterOptions& options)
      : relations_(relations), fragment_(fragment), options_(options) {}

  // Any expression but PythonCall and generators.
  Result<std::string> write(const plan::resolved::ExpressionPtr& expression);
  // The same without the last cast of a decimal to its carrier.
  Result<Written> write_loose(const plan::resolved::ExpressionPtr& expression);
  // For conditions of WHERE, ON and HAVING: null means false.
  Result<std::string> write_condition(const plan::resolved::ExpressionPtr& expression) {
    return write(expression);
  }
  // A sort key with Spark's order of nulls and NaN: `x DESC NULLS LAST`.
  Result<std::string> write_sort_key(const plan::resolved::SortKey& key);
  // A key of GROUP BY, PARTITION BY, DISTINCT or a join: -0.0 is 0.0, also inside arrays and structs.
  Result<std::string> write_key(const plan::resolved::ExpressionPtr& expression);
  // A generator: text of a LIST of STRUCTs, one per row to make, whose fields are the generator's output
  // columns in order.
  Result<std::string> write_generator(const plan::resolved::ExpressionPtr& generator);

 private:
  friend class CallWriter;
  Result<Written> write_node(const plan::resolved::ExpressionPtr& expression);
  Result<std::string> write_in(const plan::resolved::InSubquery& in, bool is_negated);
  Result<Written> write_call(const plan::resolved::ExpressionPtr& expression,
                             const plan::resolved::Call& call);
  Result<Written> write_aggregate(const plan::resolved::ExpressionPtr& expression,
                                  const plan::resolved::AggregateCall& call, const std::string& over);
  Result<Written> write_window(const plan::resolved::ExpressionPtr& expression,
                               const plan::resolved::Window& window);
  Result<Written> write_lambda(const plan::resolved::Lambda& lambda);
  // What DuckDB is to compare for values of `type` to be in Spark's order: `sql` itself, or the order_key of
  // an array or struct.
  std::string order_key(const std::string& sql, const types::DataType& type);
  // `sql` with 0.0 for every -0.0 in it.
  std::string without_negative_zero(const std::string& sql, const types::DataType& type);

  RelationSide& relations_;
  Fragment& fragment_;
  const WriterOptions& options_;
  std::map<plan::resolved::ColumnId, std::string> lambda_parameters_;
  int next_name_ = 0;
};

}  // namespace deuteron::relational
