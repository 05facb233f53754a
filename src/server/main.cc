// The program: reads its options, puts the parts together, and waits for a signal.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "base/log.h"
#include "server/logs_command.h"
#include "server/options.h"
#include "server/server.h"
#include "server/simulate_command.h"

namespace {

using deuteron::server::LogsOptions;
using deuteron::server::Options;

void add_options(CLI::App& command, Options& options) {
  command
      .add_option("--host", options.host, "Address to listen on; others than loopback need a token and TLS")
      ->capture_default_str();
  command.add_option("--port", options.port, "Port; 0 takes a free one and prints it")->capture_default_str();
  command.add_option("--token", options.token, "Clients must send this token (sc://HOST:PORT/;token=…)")
      ->envname("DEUTERON_TOKEN");
  command.add_option("--tls-certificate", options.tls_certificate, "Certificate chain, a PEM file");
  command.add_option("--tls-key", options.tls_key, "Private key, a PEM file");
  command.add_flag("--insecure", options.insecure, "Listen on any address without token and TLS");
  command.add_option("--slots", options.slots, "Tasks at a time, and the largest gang; 0: one per core")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option(
      "--memory", options.memory,
      "For engine and exchange, for example 8GB; more spills to disk (default: 60 % of the machine)");
  command.add_option("--worker-memory", options.worker_memory,
                     "For one Python worker; above it, it is ended (default: 60 % of the machine)");
  command.add_option("--spill-directory", options.spill_directory, "For what does not fit into memory");
  command.add_option("--python", options.python,
                     "Interpreter of the Python workers (default: $PYSPARK_PYTHON, python3)");
  command.add_option("--event-log", options.event_log,
                     "Folder for the event log (a JSON line for each event)");
  command.add_option(
      "--log-directory", options.log_directory,
      "Folder that keeps the log which `deuteron logs` shows (default: it goes with the server)");
  command.add_option("--log-size", options.log_size, "Of the log's file, and of the old one beside it")
      ->capture_default_str();
  command.add_option(
      "--conf", options.settings,
      "KEY=VALUE, may be repeated: a setting's default, for example spark.scheduler.mode=FAIR");
  command.add_flag("--fault-withhold-kills", options.fault_withhold_kills)->group("");  // not in the help
  command.add_flag("--fault-spill-all", options.fault_spill_all)->group("");
  command.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  command
      .add_option("--detach-seconds", options.detach_seconds,
                  "How long a query outlives a lost client; 0: 5 s on this machine, 300 s elsewhere")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      .add_option("--idle-session-minutes", options.idle_session_minutes,
                  "An unused session is closed after this")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--drain-seconds", options.drain_seconds, "On SIGTERM, how long running queries may go on")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void add_options(CLI::App& command, LogsOptions& options) {
  command.add_option("--directory", options.directory, "The folder that was a server's --log-directory");
  command.add_option("--port", options.port,
                     "Of the running server whose log is shown; needed if several run");
  command.add_option("--operation", options.operation,
                     "Only lines of this operation: its id, or the first letters of it, as lines show them");
  command.add_option("--session", options.session, "Only lines of this session, likewise");
  command
      .add_option("--rank", options.rank, "Only lines of this rank (or partition), and what is said about it")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--since", options.since,
                     "Only younger lines: 90s, 10min, 2h, or a time in UTC as lines show it");
  command.add_flag("--follow,-f", options.follow, "Go on with lines as they come, until the server ends");
  command.footer(
      "Each line says when (UTC), who, and of what; all are in the order of time:\n"
      "  2026-11-25T10:11:12.123456Z rank 1 attempt 0 op 1234abcd | epoch 3 loss 0.25\n"
      "  2026-11-25T10:11:12.523811Z engine rank 1 attempt 0 op 1234abcd | the attempt has failed: …\n"
      "  2026-11-25T10:11:12.613502Z engine attempt 1 op 1234abcd | the gang train of 2 ranks starts again\n"
      "Who: `rank` N of a gang, `task` N of a Python function, `engine` about gangs and failures, `server` "
      "about itself,\n"
      "`python` a process that runs no task.\n\n"
      "  deuteron logs                            all that the running server has\n"
      "  deuteron logs --follow --rank 1          what rank 1 prints, as it comes\n"
      "  deuteron logs --since 10min | grep fail\n"
      "  deuteron logs --directory /var/log/deuteron --operation 1234abcd");
}

void apply_log_level(const std::string& level) {
  using deuteron::LogLevel;
  deuteron::set_log_level(level == "debug"     ? LogLevel::kDebug
                          : level == "warning" ? LogLevel::kWarning
                          : level == "error"   ? LogLevel::kError
                                               : LogLevel::kInfo);
}

// Each slab, worker and client takes descriptors; the usual limit of 1,024 is for programs that use select().
void allow_many_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int serve(const Options& options) {
  // Blocked before any thread exists, so that every thread inherits it and only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  allow_many_files();

  apply_log_level(options.log_level);
  auto server = deuteron::server::Server::start(options);
  if (!server.ok()) {
    std::cerr << "deuteron: " << server.status().detail().message << std::endl;
    return 1;
  }
  std::cout << "Deuteron listens on sc://" << options.host << ":" << (*server)->port() << std::endl;
  int received = 0;
  sigwait(&signals, &received);
  deuteron::log_info("stopping: running queries may go on for " + std::to_string(options.drain_seconds) +
                     " s; a second signal ends them now");
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  signal(SIGTERM, [](int) { _exit(1); });
  signal(SIGINT, [](int) { _exit(1); });
  (*server)->stop();
  return 0;
}

int show(const LogsOptions& options) {
  const deuteron::Status status = deuteron::server::show_logs(options, std::cout);
  if (!status.ok()) std::cerr << "deuteron: " << status.detail().message << std::endl;
  return status.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program("Deuteron runs Spark programs and the deep learning inside them.");
  program.require_subcommand(1);
  program.footer(
      "Start a server with `deuteron server`, then connect PySpark:\n"
      "  SparkSession.builder.remote(\"sc://localhost:15002\").getOrCreate()");
  program.set_version_flag("--version", DEUTERON_VERSION);
  Options options;
  CLI::App* server = program.add_subcommand("server", "Listen for Spark Connect clients");
  add_options(*server, options);
  deuteron::server::SimulateOptions simulated;
  CLI::App* simulate =
      program.add_subcommand("simulate", "Compare schedulers on a cluster that is not there");
  deuteron::server::add_options(*simulate, simulated);
  LogsOptions logs_options;
  CLI::App* logs = program.add_subcommand("logs", "Show what ranks print and what the engine says of them");
  add_options(*logs, logs_options);
  CLI11_PARSE(program, argc, argv);
  if (logs->parsed()) return show(logs_options);
  return simulate->parsed() ? deuteron::server::simulate(simulated) : serve(options);
}
