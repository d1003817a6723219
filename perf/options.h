// The command line that the measuring programs of perf/ share. Included by their main files only (CLI11 is heavy).
#pragma once

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "perf/measure.h"

namespace rocelab::perf {

/// Adds the common options to `app`; they are read into `options` by CLI11_PARSE.
inline void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("--cpus", options.cpus, "the two processors, as in 0,1 (default: the first two available)");
  app.add_option("--csv", options.csv, "also write the medians to this file");
  app.add_option("--only", options.only, "only the measurements whose names contain this");
  app.add_option("--repetitions", options.repetitions, "runs of each measurement")->check(CLI::Range(1, 1000));
  app.add_option("--scale", options.scale, "share of the usual work in each run")->check(CLI::Range(0.00001, 100.0));
  app.add_flag("--realtime", options.realtime, "priority over all ordinary processes (needs CAP_SYS_NICE)");
}

/// Picks the processors, or says why not and returns false. Also sets an alarm, should the other process die in a way
/// that leaves this one polling.
inline bool begin_run(const char* program, const RunOptions& options, Processors& processors) {
  std::string error;
  processors = pick_processors(options.cpus, error);
  if (!error.empty()) {
    std::fprintf(stderr, "%s: %s\n", program, error.c_str());
    return false;
  }
  processors.realtime = options.realtime;
  alarm(600);
  return true;
}

}  // namespace rocelab::perf
