// `rocelab sim SCENARIO`: runs a scenario in virtual time, shows how it goes, prints a summary and writes the results.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/sim_progress.h"
#include "cli/sim_summary.h"
#include "cli/stop_signal.h"
#include "sim/parallel/thread_executor.h"
#include "sim/workload/run/experiment.h"

namespace rocelab::cli {

namespace {

struct SimArguments {
  std::string scenario;
  std::string out;
  std::string csv;
  std::optional<std::uint64_t> seed;
  std::optional<unsigned> threads;
  std::vector<std::string> assignments;
  bool no_cc = false, no_pfc = false;
  bool check = false, quiet = false, invariants = false;
};

sim::ScenarioOverrides overrides_of(const SimArguments& arguments) {
  sim::ScenarioOverrides out;
  if (arguments.seed) out.assignments.push_back("seed=" + std::to_string(*arguments.seed));
  if (arguments.threads) out.assignments.push_back("threads=" + std::to_string(*arguments.threads));
  if (arguments.no_cc) out.assignments.push_back("transport.congestion=\"none\"");
  if (arguments.no_pfc) out.assignments.push_back("switch.pfc.enabled=false");
  out.assignments.insert(out.assignments.end(), arguments.assignments.begin(), arguments.assignments.end());
  return out;
}

sim::RunInfo info_of(const sim::Scenario& scenario) {
  sim::RunInfo info;
  info.version = ROCELAB_VERSION;
  info.seed = scenario.seed;
  info.scenario_name = scenario.name;
  info.scenario_text = scenario.text;
  info.settings = scenario.settings;
  return info;
}

int run(const SimArguments& arguments) {
  make_file_limit_an_error();
  auto scenario = sim::load_scenario(arguments.scenario, overrides_of(arguments));
  if (!scenario) return fail("sim", scenario.error(), kExitUsage);
  sim::Scenario& s = **scenario;
  sim::ThreadExecutor executor;
  sim::ExperimentOptions options;
  options.partitions = s.threads;
  options.samples = !arguments.out.empty();
  if (s.threads > 1) options.executor = &executor;
  auto experiment = sim::Experiment::make(s, options);
  if (!experiment) return fail("sim", experiment.error(), kExitUsage);
  if (arguments.check) {
    if (!arguments.quiet) print_scenario(s);
    return 0;
  }
  StopSignal stop;
  // Before the run: an unwritable path is better known now.
  std::optional<sim::ResultsWriter> writer;
  if (!arguments.out.empty()) {
    auto opened = sim::ResultsWriter::open(arguments.out, info_of(s));
    if (!opened) return fail("sim", opened.error(), kExitFailure);
    writer = std::move(*opened);
  }

  CostMeter meter;
  ProgressLine progress(s, stop, !arguments.quiet);
  (*experiment)->run(&progress);
  progress.clear();
  const sim::RunCost cost = meter.cost(s.threads);

  if (writer) {
    (*experiment)->write(*writer);
    if (const auto done = writer->finish((*experiment)->summary(), cost); !done) {
      return fail("sim", done.error(), kExitFailure);
    }
    if (!arguments.csv.empty()) {
      if (const auto written = sim::write_csv(arguments.out, arguments.csv); !written) {
        return fail("sim", written.error(), kExitFailure);
      }
    }
  }
  if (!arguments.quiet) print_summary(**experiment, cost, arguments.out);
  const bool broken = arguments.invariants && print_violations(**experiment);
  if (stop.requested()) return kExitInterrupted;
  return broken || (*experiment)->status() == sim::RunStatus::kFailed ? kExitFailure : 0;
}

}  // namespace

void add_sim_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("sim", "Simulate a cluster and its traffic");
  const auto arguments = std::make_shared<SimArguments>();
  command->add_option("scenario", arguments->scenario, "The scenario file (docs/scenario.md)")->required();
  command->add_option("-o,--out", arguments->out, "Write the results to this SQLite file");
  CLI::Option* out = command->get_option("--out");
  command->add_option("--csv", arguments->csv, "Write the results to CSV files in this folder too")->needs(out);
  command->add_option("--seed", arguments->seed, "Instead of the scenario's seed");
  command->add_option("-t,--threads", arguments->threads, "Instead of the scenario's number of threads");
  command->add_option("--set", arguments->assignments, "KEY=VALUE instead of what the scenario says; repeatable")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--no-cc", arguments->no_cc, "Without congestion control");
  command->add_flag("--no-pfc", arguments->no_pfc, "Without priority flow control");
  command->add_flag("--check", arguments->check, "Only read and check the scenario, and say what it is");
  command->add_flag("--invariants", arguments->invariants,
                    "Check the books at the end: exit status 1 when they are wrong");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress, no summary");
  set_action(*command, [arguments] { return run(*arguments); });
}

}  // namespace rocelab::cli
