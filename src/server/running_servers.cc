#include "server/running_servers.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "server/runtime_directory.h"

namespace deuteron::server {
namespace {

constexpr char kNote[] = "/server.json";

}  // namespace

Status leave_note(const std::string& runtime_directory, const RunningServer& server) {
  std::ofstream file(runtime_directory + kNote);
  file << nlohmann::json{{"port", server.port}, {"log_directory", server.log_directory}}.dump();
  file.close();
  return file ? Status() : internal_error("cannot write to " + runtime_directory);
}

std::vector<RunningServer> running_servers() {
  std::vector<RunningServer> servers;
  for (const std::string& directory : RuntimeDirectory::of_running_servers()) {
    std::ifstream file(directory + kNote);
    const auto note = nlohmann::json::parse(file, nullptr, false);
    if (!note.is_object()) continue;  // about to start, or another version
    servers.push_back({note.value("port", 0), note.value("log_directory", "")});
  }
  std::sort(servers.begin(), servers.end(),
            [](const auto& one, const auto& other) { return one.port < other.port; });
  return servers;
}

}  // namespace deuteron::server
