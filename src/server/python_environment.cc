#include "server/python_environment.h"

#include <cstdlib>
#include <filesystem>

namespace deuteron::server {

namespace fs = std::filesystem;

Result<PythonEnvironment> find_python(const std::string& asked) {
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  PythonEnvironment environment;
  std::string prepared;
  // build/bin, build/dev/bin … lie two or three folders below the source tree.
  fs::path above = program.parent_path();
  for (const char* installed = "lib/deuteron/python"; above != above.root_path();
       above = above.parent_path()) {
    for (const fs::path& candidate : {above / "python", above / installed}) {
      if (environment.package_folder.empty() && fs::exists(candidate / "deuteron" / "worker", failure)) {
        environment.package_folder = candidate;
      }
    }
    const fs::path interpreter = above / "build/venv/bin/python";
    if (prepared.empty() && fs::exists(interpreter, failure)) prepared = interpreter;
  }
  if (environment.package_folder.empty()) {
    return error("INVALID_OPTION",
                 {{"reason", "the Python package deuteron is not found near " + program.string()}});
  }
  const char* pyspark_python = std::getenv("PYSPARK_PYTHON");
  environment.interpreter = !asked.empty()                                         ? asked
                            : pyspark_python != nullptr && *pyspark_python != '\0' ? pyspark_python
                            : !prepared.empty()                                    ? prepared
                                                                                   : "python3";
  return environment;
}

}  // namespace deuteron::server
