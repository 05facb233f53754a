// The options of `deuteron server`, and the rules among them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"

namespace deuteron::server {

struct Options {
  std::string host = "127.0.0.1";
  int port = 15002;  // 0: any free one
  std::string token;
  std::string tls_certificate;  // PEM files
  std::string tls_key;
  bool insecure = false;
  int slots = 0;                // 0: the machine's cores
  std::string memory;           // of engine and exchange together, for example 8GB; "": 60 % of the machine
  std::string worker_memory;    // of one Python worker; "": 60 % of the machine
  std::string spill_directory;  // "": the temporary directory
  std::string python;           // interpreter of the workers; "": PYSPARK_PYTHON, else python3
  std::string event_log;        // directory; "": none
  std::string log_directory;    // of the log that `deuteron logs` shows; "": one that goes with the server
  std::string log_size = "32MB";
  std::string log_level = "info";
  std::vector<std::string> settings;  // KEY=VALUE: defaults of all sessions, and what only a server may set
  int detach_seconds = 0;             // 0: 5 s for clients of this machine, 300 s for others
  int idle_session_minutes = 60;
  int drain_seconds = 30;
  bool fault_spill_all = false;       // for tests: outputs of stages lie on disk, as if memory were used up
  bool fault_withhold_kills = false;  // for tests: processes that are to be killed live on (worker_pool.h)
};

// What stands in the way of running with these options: one line that names the next step. OK when nothing
// does.
Status check(const Options& options);
bool is_loopback(const std::string& host);
// Of `options.settings`; requires that they were checked. The last of a key counts.
std::map<std::string, std::string> settings_of(const Options& options);
// `host:port` as gRPC takes it.
std::string listen_address(const Options& options);

}  // namespace deuteron::server
