// The `rocelab` command: declares the subcommands and gives the exit status. What a subcommand does is in its own file.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "cli/command.h"

namespace {

int run_command(std::vector<std::string> arguments) {
  // What follows the first `--` belongs to the program that `rocelab run` starts: no option parser may look at it.
  std::vector<std::string> tail;
  const auto separator = std::find(arguments.begin(), arguments.end(), "--");
  if (separator != arguments.end()) {
    tail.assign(separator + 1, arguments.end());
    arguments.erase(separator, arguments.end());
  }

  CLI::App app("RDMA without RDMA hardware", "rocelab");
  app.set_version_flag("--version", "rocelab " ROCELAB_VERSION);
  app.set_help_all_flag("--help-all", "Print the help of every subcommand");
  app.require_subcommand(1);
  rocelab::cli::add_run_command(app, tail);
  rocelab::cli::add_dev_command(app);
  rocelab::cli::add_pcap_command(app);
  rocelab::cli::add_perf_command(app);
  rocelab::cli::add_report_command(app);
  rocelab::cli::add_sim_command(app);
  try {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes a vector from the back
    app.parse(arguments);
    return 0;
  } catch (const CLI::RuntimeError& status) {
    return status.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : rocelab::cli::kExitUsage;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    return rocelab::cli::fail("", error.what(), rocelab::cli::kExitOwnFault);
  }
}
