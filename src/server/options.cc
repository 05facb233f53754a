#include "server/options.h"

#include "base/byte_size.h"

namespace deuteron::server {
namespace {

Status invalid_option(std::string reason) { return error("INVALID_OPTION", {{"reason", std::move(reason)}}); }

}  // namespace

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

Status check(const Options& options) {
  if (options.port < 0 || options.port > 65535)
    return invalid_option("--port takes a number from 0 to 65535");
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return invalid_option("--tls-certificate and --tls-key go together");
  }
  const bool protected_channel = !options.token.empty() && !options.tls_certificate.empty();
  if (!is_loopback(options.host) && !protected_channel && !options.insecure) {
    return invalid_option(
        "listening on " + options.host +
        " lets others in: give --token with --tls-certificate and --tls-key, or say --insecure");
  }
  for (const std::string& size : {options.memory, options.worker_memory, options.log_size}) {
    if (!size.empty()) RETURN_IF_ERROR(parse_byte_size(size).status());
  }
  for (const std::string& setting : options.settings) {
    if (const size_t equals = setting.find('='); equals == 0 || equals == std::string::npos)
      return invalid_option("--conf takes KEY=VALUE, not \"" + setting + "\"");
  }
  return {};
}

std::map<std::string, std::string> settings_of(const Options& options) {
  std::map<std::string, std::string> settings;
  for (const std::string& setting : options.settings) {
    const size_t equals = setting.find('=');
    settings[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  return settings;
}

std::string listen_address(const Options& options) {
  const bool bare_ipv6 = options.host.find(':') != std::string::npos && options.host.front() != '[';
  return (bare_ipv6 ? "[" + options.host + "]" : options.host) + ":" + std::to_string(options.port);
}

}  // namespace deuteron::server
