// The tables that `rocelab sim` prints.
#pragma once

#include <cstdint>
#include <string>

#include "sim/workload/run/experiment.h"

namespace rocelab::cli {

/// --check: what the scenario amounts to.
void print_scenario(const sim::Scenario& scenario);
/// What came of the run: slowdowns by size, goodput, drops, pauses, speed of the simulation.
void print_summary(sim::Experiment& experiment, const sim::RunCost& cost, const std::string& results_path);
/// On standard error; true when there was one.
bool print_violations(const sim::Experiment& experiment);

/// "12.3 us", four digits at most.
std::string time_text_ps(std::uint64_t ps);
/// "1 min 20 s".
std::string time_text_s(double seconds);

}  // namespace rocelab::cli
