// `rocelab report RESULTS [OTHER]`: makes an HTML page of the results of one or two simulations, or CSV files of one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "sim/report/page.h"
#include "sim/report/results.h"

namespace rocelab::cli {

namespace {

struct Options {
  std::vector<std::string> results;
  std::string output;
  std::string csv_folder;
};

/// results.db -> results.html
std::string page_path_of(const std::string& results) {
  const auto slash = results.rfind('/');
  const auto dot = results.rfind('.');
  const bool has_suffix = dot != std::string::npos && (slash == std::string::npos || dot > slash + 1) && dot != 0;
  return (has_suffix ? results.substr(0, dot) : results) + ".html";
}

int run_report(const Options& options) {
  make_file_limit_an_error();
  if (!options.csv_folder.empty()) {
    if (options.results.size() > 1) return fail("report", "--csv takes one results file", kExitUsage);
    if (const auto written = sim::write_csv(options.results.front(), options.csv_folder); !written) {
      return fail("report", written.error(), kExitFailure);
    }
    if (options.output.empty()) return 0;
  }
  const std::string output = options.output.empty() ? page_path_of(options.results.front()) : options.output;
  if (const auto written = sim::write_page(options.results, output, ROCELAB_VERSION); !written) {
    return fail("report", written.error(), kExitFailure);
  }
  std::printf("%s\n", output.c_str());
  return 0;
}

}  // namespace

void add_report_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("report", "Make a page of a simulation's results, or compare two");
  command->footer(
      "Prints the page's path; open it in any browser. It has everything inside and needs no network.\n"
      "Exit status: 0, or 1 when a file can't be read, is not a results file, or the page can't be written.");
  const auto options = std::make_shared<Options>();
  command->add_option("RESULTS", options->results, "results file of `rocelab sim`; with a second one both are compared")
      ->required()
      ->expected(1, static_cast<int>(sim::kPageRunsMax));
  command->add_option("-o,--output", options->output, "The page (default: RESULTS with the suffix .html)");
  command->add_option("--csv", options->csv_folder,
                      "Write each table of RESULTS as a CSV file into this folder; a page only with --output");
  set_action(*command, [options] { return run_report(*options); });
}

}  // namespace rocelab::cli
