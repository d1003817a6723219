// `rocelab pcap FILE...`: prints each RoCE packet of capture files on one line and checks its ICRC. Standard output has
// the packets; what is wrong, and the sum, go to standard error.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/pcap_report.h"

namespace rocelab::cli {

namespace {

struct Options {
  std::vector<std::string> files;
  bool quiet = false;
};

int run_pcap(const Options& options) {
  int status = 0;
  for (const std::string& file : options.files) {
    if (!options.quiet && options.files.size() > 1) std::printf("%s:\n", file.c_str());
    const auto summary = report_capture(file, [&options](std::string_view line) {
      if (!options.quiet) std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    });
    std::fflush(stdout);  // before what standard error says about these lines
    if (!summary) {
      status = fail("pcap", summary.error(), kExitUsage);
      continue;
    }
    std::fprintf(stderr, "%s: %s\n", file.c_str(), to_string(*summary).c_str());
    if (summary->bad != 0 && status == 0) status = kExitFailure;
  }
  return status;
}

}  // namespace

void add_pcap_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("pcap", "Print the RoCE packets of capture files and check their ICRCs");
  command->footer(
      "Exit status: 0 when every RoCE packet is good, 1 when one has a wrong ICRC or is malformed (its line says so,\n"
      "its number is in the last line), 2 when a file can't be read or is no capture.");
  const auto options = std::make_shared<Options>();
  command->add_option("FILE", options->files, "pcap or pcapng file, link type Ethernet")->required();
  command->add_flag("-q,--quiet", options->quiet, "Only the last line of each file");
  set_action(*command, [options] { return run_pcap(*options); });
}

}  // namespace rocelab::cli
