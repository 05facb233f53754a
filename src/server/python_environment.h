// Where the workers' interpreter and the package `deuteron` (python/) are found, seen from the running
// program.
#pragma once

#include <string>

#include "base/status.h"

namespace deuteron::server {

struct PythonEnvironment {
  std::string interpreter;
  std::string package_folder;  // holds deuteron/
};

// interpreter: `asked` if given, else $PYSPARK_PYTHON, else the environment that `make setup` made beside
// this program, else python3. The package lies in a source tree above the program, or in
// ../lib/deuteron/python. INVALID_OPTION when it is missing.
Result<PythonEnvironment> find_python(const std::string& asked);

}  // namespace deuteron::server
