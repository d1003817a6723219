// See settings.h.
#include "cli/settings.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>

namespace rocelab::cli {

namespace {

struct Option {
  const char* name;
  const char* variable;
  const char* value_name;
  const char* help;
  bool is_path;  ///< made absolute: the program may change its working directory
};

constexpr Option kOptions[] = {
    {"--run-dir", "ROCELAB_RUN_DIR", "DIR", "The host: programs run with the same directory share its devices", true},
    {"--config", "ROCELAB_CONFIG", "FILE", "TOML file with settings", true},
    {"--devices", "ROCELAB_DEVICES", "N", "Number of devices, 1 to 8", false},
    {"--mtu", "ROCELAB_MTU", "BYTES", "Largest path MTU: 256, 512, 1024, 2048 or 4096", false},
    {"--port", "ROCELAB_PORT", "KIND", "host: this machine's processes; af_packet, af_xdp, tap, udp: also off it",
     false},
    {"--interface", "ROCELAB_INTERFACE", "NAME", "Network interface of ports off the host", false},
    {"--addresses", "ROCELAB_ADDRESSES", "LIST", "IPv4 and IPv6 addresses: a,b for one device; a,b;c for two", false},
    {"--pcap", "ROCELAB_PCAP", "FILE", "Record every frame in this pcapng file (%p: process id)", true},
    {"--limits", "ROCELAB_LIMITS", "LIST", "Objects the host may have: qp=100,memory=64M (docs/configuration.md)",
     false},
    {"--log", "ROCELAB_LOG", "LEVEL", "off, error, warn, info or debug", false},
};

}  // namespace

void Settings::add_options(CLI::App& command) {
  for (const Option& option : kOptions) {
    const auto keep = [this, option](const std::string& value) {
      const bool relative = option.is_path && !value.empty();
      given_.push_back({option.name, option.variable, relative ? std::filesystem::absolute(value).string() : value});
    };
    command.add_option_function<std::string>(option.name, keep, option.help)->type_name(option.value_name);
  }
}

base::TextResult<runtime::Config> Settings::apply() const {
  for (const Given& given : given_) {
    // To the library an empty variable is one that is not set; on the command line it is a mistake.
    if (given.value.empty()) return base::fail_text(given.option + ": the value is empty");
    setenv(given.variable.c_str(), given.value.c_str(), 1);
  }
  auto config = runtime::load_config();
  if (config) return config;
  std::string message = config.error();
  for (const Given& given : given_) {
    const std::string start = "variable " + given.variable + ":";
    if (message.compare(0, start.size(), start) == 0) message = given.option + ":" + message.substr(start.size());
  }
  return base::fail_text(std::move(message));
}

}  // namespace rocelab::cli
