#include "execution/unpack_archive.h"

#include "base/program.h"

namespace deuteron::execution {

// The program limits its own time too.
Status unpack_archive(const std::string& interpreter, const std::string& python_folder,
                      const std::string& archive, const std::string& folder, uint64_t limit_bytes) {
  const std::string program = python_folder + "/deuteron/worker/unpack_archive.py";
  ProgramEnd end = run_program({interpreter, "-I", program, archive, folder, std::to_string(limit_bytes)},
                               {.time = std::chrono::minutes(11), .takes_errors = true});
  if (end.status.ok()) return Status();
  end.output.erase(end.output.find_last_not_of('\n') + 1);
  return end.output.empty() ? end.status : internal_error(end.output);
}

}  // namespace deuteron::execution
