// What the subcommands share. Each lives in a file of its own with one function add_NAME_command(), which main() calls:
// it declares the subcommand's options and hands over what runs when it was chosen.
// CLI11 is heavy: include it in the .cc files only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace rocelab::cli {

/// Exit statuses of our own mistakes and the user's; a program that was started gives its own.
inline constexpr int kExitFailure = 1;        ///< the command found something wrong (a bad ICRC, no such device)
inline constexpr int kExitUsage = 2;          ///< unknown option, bad value
inline constexpr int kExitOwnFault = 125;     ///< rocelab itself could not do it (library missing, ...)
inline constexpr int kExitNotRunnable = 126;  ///< the program is there but cannot be started
inline constexpr int kExitNotFound = 127;     ///< no such program
inline constexpr int kExitInterrupted = 130;  ///< Ctrl-C; what there is of the results has been written

/// `action` runs when `command` was chosen; what it returns is the exit status.
void set_action(CLI::App& command, std::function<int()> action);
/// "rocelab NAME: text" on standard error; returns `status`.
int fail(std::string_view command, std::string_view text, int status);

/// For commands that write files: a file that may not grow (ulimit -f) is a failed write with its sentence, not a
/// signal that ends the process. Not for commands that become another program, which would inherit it.
void make_file_limit_an_error();

void add_dev_command(CLI::App& app);
/// `tail` is what followed `--` on the command line; it must outlive the parsing.
void add_run_command(CLI::App& app, const std::vector<std::string>& tail);
void add_pcap_command(CLI::App& app);
void add_perf_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_sim_command(CLI::App& app);

}  // namespace rocelab::cli
