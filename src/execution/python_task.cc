#include "execution/python_task.h"

#include "exchange/stream_view.h"

namespace deuteron::execution {

Result<std::shared_ptr<const PythonWork>> PythonWork::of_streams(std::shared_ptr<const PythonProgram> program,
                                                                 const exchange::Streams& streams) {
  ASSIGN_OR_RETURN(std::vector<exchange::Region> regions, exchange::join_streams(streams));
  std::vector<InputPart> parts;
  for (exchange::Region& region : regions) parts.emplace_back(std::move(region));
  parts.emplace_back(worker_pool::kEndOfStream);
  auto work = std::make_shared<PythonWork>(std::move(program), std::move(parts));
  work->streams_ = streams;
  return std::shared_ptr<const PythonWork>(std::move(work));
}

Result<std::shared_ptr<const PythonWork>> PythonWork::join(
    const std::vector<std::shared_ptr<const tasks::TaskWork>>& works) {
  auto first = std::static_pointer_cast<const PythonWork>(works.front());
  if (works.size() == 1) return first;
  exchange::Streams streams;
  for (const auto& work : works) {
    const auto& added = static_cast<const PythonWork&>(*work).streams_;
    streams.insert(streams.end(), added.begin(), added.end());
  }
  return of_streams(first->program, streams);
}

}  // namespace deuteron::execution
