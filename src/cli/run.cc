// `rocelab run [options] -- PROGRAM ARGS`: replaces itself by a program that sees rocelab's devices. The dynamic linker
// does the work: LD_LIBRARY_PATH makes the program load our libibverbs.so.1, LD_PRELOAD adds the shim that serves
// /sys/class/infiniband, and ROCELAB_* variables carry the options to the library.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/launch.h"

namespace rocelab::cli {

namespace {

struct Options {
  std::vector<std::pair<std::string, std::string>> variables;  ///< ROCELAB_NAME, value
};

/// One option that becomes a variable.
void add_variable(CLI::App& command, Options& options, const char* flag, const char* variable, const char* value_name,
                  const char* help) {
  command
      .add_option_function<std::string>(
          flag, [&options, variable](const std::string& value) { options.variables.emplace_back(variable, value); },
          help)
      ->type_name(value_name);
}

}  // namespace

void add_run_command(CLI::App& app, const std::vector<std::string>& tail) {
  CLI::App* command = app.add_subcommand("run", "Run a program that sees rocelab's RDMA devices");
  command->footer("rocelab run [OPTIONS] -- PROGRAM [ARGUMENTS...]\nThe exit status is the program's.");
  command->prefix_command();
  const auto options = std::make_shared<Options>();
  add_variable(*command, *options, "--run-dir", "ROCELAB_RUN_DIR", "DIR",
               "Directory that stands for the host: programs run with the same one share its devices");
  add_variable(*command, *options, "--config", "ROCELAB_CONFIG", "FILE", "TOML file with further settings");
  add_variable(*command, *options, "--devices", "ROCELAB_DEVICES", "N", "Number of devices, 1 to 8");
  add_variable(*command, *options, "--mtu", "ROCELAB_MTU", "BYTES", "Path MTU: 256, 512, 1024, 2048 or 4096");
  add_variable(*command, *options, "--port", "ROCELAB_PORT", "KIND",
               "host: this machine's processes only; af_packet: also a network interface");
  add_variable(*command, *options, "--interface", "ROCELAB_INTERFACE", "NAME", "Interface of --port af_packet");
  add_variable(*command, *options, "--pcap", "ROCELAB_PCAP", "FILE", "Record every frame in this pcapng file");
  add_variable(*command, *options, "--log", "ROCELAB_LOG", "LEVEL", "off, error, warn, info or debug");
  set_action(*command, [command, options, &tail] {
    std::vector<std::string> program = command->remaining();
    program.insert(program.end(), tail.begin(), tail.end());
    if (program.empty()) return fail("run", "no program given: rocelab run -- PROGRAM [ARGUMENTS...]", kExitUsage);
    return launch(program, options->variables);
  });
}

}  // namespace rocelab::cli
