// One of perftest's benchmarks between two simulated hosts: what `rocelab perf --sim` runs. The two ends are processes
// of their hosts; where real ones would use a socket they have boxes, into which they look once a microsecond.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>

#include "perftest/options.h"
#include "sim/host/host.h"
#include "sim/kernel/simulation.h"

namespace rocelab::sim_verbs {

struct BenchmarkOutcome {
  /// Of client and server: empty when all was well.
  std::array<std::string, 2> problem;
  sim::RunOutcome run;
};

/// Runs the simulation, which has not run yet, on the calling thread until both ends have ended. `print` gets what the
/// client prints. The hosts may be one and the same.
BenchmarkOutcome run_benchmark(sim::Simulation& simulation, sim::Host& client, sim::Host& server,
                               const perftest::Options& options, const std::function<void(std::string_view)>& print);

}  // namespace rocelab::sim_verbs
