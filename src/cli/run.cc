// `rocelab run [options] -- PROGRAM ARGS`: replaces itself by a program that sees rocelab's devices. The dynamic linker
// does the work: LD_LIBRARY_PATH makes the program load our libibverbs.so.1, LD_PRELOAD adds the shim that serves
// /sys/class/infiniband, and ROCELAB_* variables carry the options to the library.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/launch.h"
#include "cli/settings.h"
#include "cli/sysfs_tree.h"
#include "runtime/identity.h"
#include "runtime/run_directory.h"

namespace rocelab::cli {

namespace {

/// Makes what the program's library and shim will look at: the run directory and in it the tree of the devices.
base::TextResult<void> prepare_host(const runtime::Config& config) {
  const auto directory = runtime::RunDirectory::open(config.run_dir);
  if (!directory) return base::fail_text(directory.error());
  const auto devices = runtime::describe_devices(config, runtime::machine_id());
  if (!devices) return base::fail_text(devices.error());
  const auto tree = write_tree(make_sysfs_tree(*devices, rxe::DeviceAttr().gid_table_length), config.run_dir);
  if (!tree) return base::fail_text(tree.error());
  setenv("ROCELAB_SYSFS", tree->c_str(), 1);
  setenv("ROCELAB_RUN_DIR", config.run_dir.c_str(), 1);  // the default depends on other variables
  return {};
}

int run(const Settings& settings, const std::vector<std::string>& program) {
  if (program.empty()) return fail("run", "no program given: rocelab run -- PROGRAM [ARGUMENTS...]", kExitUsage);
  const auto config = settings.apply();
  if (!config) return fail("run", config.error(), kExitUsage);
  if (const auto prepared = prepare_host(*config); !prepared) return fail("run", prepared.error(), kExitOwnFault);
  return launch(program);
}

}  // namespace

void add_run_command(CLI::App& app, const std::vector<std::string>& tail) {
  CLI::App* command = app.add_subcommand("run", "Run a program that sees rocelab's RDMA devices");
  command->footer("rocelab run [OPTIONS] -- PROGRAM [ARGUMENTS...]\nThe exit status is the program's.");
  command->prefix_command();  // without `--`, what is no option of ours begins the program
  const auto settings = std::make_shared<Settings>();
  settings->add_options(*command);
  set_action(*command, [command, settings, &tail] {
    std::vector<std::string> program = command->remaining();
    program.insert(program.end(), tail.begin(), tail.end());
    return run(*settings, program);
  });
}

}  // namespace rocelab::cli
