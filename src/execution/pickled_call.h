// Writes the little bit of pickle that is needed to call something of ours in a worker: calls of named
// functions with plain arguments.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plan/resolved.h"

namespace deuteron::execution {

// One value after the other onto a stack, as the unpickler will; take the result when one value is left.
class Pickler {
 public:
  Pickler();
  void text(std::string_view value);   // UTF-8, below 4 GiB
  void bytes(std::string_view value);  // below 4 GiB
  void integer(int32_t value);
  void name(const std::string& module, const std::string& function);
  // A tuple, or a list, of the values pushed since.
  void begin();
  void end_tuple();
  void end_list();
  // Calls the name below the tuple of arguments on top.
  void call();
  std::string take();

 private:
  std::string out_;
};

// A function pickled by the client, and the columns it is called with.
struct RowFunction {
  std::string command;
  std::vector<int32_t> columns;
  std::vector<std::string> names;  // per column; "": positional
};

// The command of a mapInArrow function that applies `functions` row by row
// (python/deuteron/worker/row_functions.py). input_type and output_type: JSON of the struct of argument
// columns and of results.
std::string pickle_row_functions(const std::vector<RowFunction>& functions, const std::string& input_type,
                                 const std::string& output_type);

// The command of a mapInArrow function that calls a Python table function on rows of `input`
// (python/deuteron/worker/table_functions.py). settings: those that PySpark's worker reads.
std::string pickle_table_function(const plan::resolved::PythonFunction& function, const types::Schema& input,
                                  const std::map<std::string, std::string>& settings);

}  // namespace deuteron::execution
